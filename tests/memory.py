"""How much memory each notebook takes on a machine like Binder's: one CPU, killed at 2 GB.

    python tests/memory.py [--limit MB] [notebook ...]

A limit on the address space would count what TensorFlow reserves and never touches, and not every
machine lends a cgroup. So a watchdog reads the high-water mark (VmHWM) of the kernel and of what it
started, and kills the kernel above the limit. The marks are the system's own: no peak is missed
between two looks. Linux only.
"""

import argparse
import contextlib
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil

from helpers.authors.execute import run

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECONDS_BETWEEN_LOOKS = 0.05


def high_water_mb(pid: int) -> float:
    """The most memory that a running process has ever had resident."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0  # a process that just ended has no mark


@dataclass
class Watchdog:
    """Sums the marks of the kernels that this process starts, and kills them above the limit."""

    limit_mb: float
    peak_mb: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watchdog":
        self._others = set(psutil.Process().children())
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_LOOKS):
            with contextlib.suppress(psutil.Error):  # a process that just ended
                ours = self._kernels()
                self.peak_mb = max(self.peak_mb, sum(high_water_mb(p.pid) for p in ours))
                if self.peak_mb > self.limit_mb:
                    for process in ours:
                        process.kill()

    def _kernels(self) -> list[psutil.Process]:
        """The kernels started since, and what they started; nothing else that runs beside them."""
        new = set(psutil.Process().children()) - self._others
        kernels = [p for p in new if "ipykernel_launcher" in p.cmdline()]
        return [*kernels, *(child for p in kernels for child in p.children(recursive=True))]


def measure(path: Path, limit_mb: float = 2000) -> tuple[float, float, str]:
    """Run one notebook under the watchdog: its peak in MB, its seconds, and what went wrong."""
    started, problem = time.perf_counter(), ""
    with Watchdog(limit_mb) as watchdog:
        try:
            run(nbformat.read(path, as_version=4), path.parent)
        except RuntimeError as error:  # it raised, died, or was killed before it could answer
            problem = str(error)
    if watchdog.peak_mb > limit_mb:
        problem = f"killed above {limit_mb:,.0f} MB"
    return watchdog.peak_mb, time.perf_counter() - started, problem


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=2000, metavar="MB", help="2000 by default")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    options = parser.parse_args()
    this = psutil.Process()
    this.cpu_affinity(this.cpu_affinity()[:1])
    failed = 0
    print(f"{'peak':>9} {'time':>8}  notebook")
    for path in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        peak, seconds, problem = measure(path, options.limit)
        print(f"{peak:>6.0f} MB {seconds:>6.1f} s  {path.stem}  {problem}".rstrip(), flush=True)
        failed += bool(problem)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
