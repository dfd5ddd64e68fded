"""Whether a lesson bears a restless reader: interrupts, cells run twice, Run All again.

    python tests/reruns.py [--seed N] [notebook ...]

In one kernel each cell is interrupted at a moment drawn by chance, run, interrupted once more if it
takes long, and run again; at the end all cells run once more. Whatever runs to its end must
give the outputs that are stored, as nbval compares them.
"""

import argparse
import configparser
import json
import os
import queue
import random
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager

TESTS = Path(__file__).parent
NOTEBOOKS = TESTS.parent / "notebooks"
POLICY = """import sys
keras = sys.modules.get('keras')
print(keras.config.dtype_policy().name if keras else 'float32')"""
LONG = 0.6  # seconds after which a cell is interrupted a second time, further on


def sanitized(text: str) -> str:
    rules = configparser.ConfigParser(interpolation=None)
    rules.read(TESTS / "nbval_sanitize.cfg")
    for name in rules.sections():
        text = re.sub(rules[name]["regex"], rules[name]["replace"], text)
    return text


def compared(outputs: list[dict]) -> str:
    """What nbval would compare: streams joined, text of displays, no pictures."""
    streams: dict[str, str] = {}
    rest = []
    for output in outputs:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
        elif output["output_type"] == "error":
            rest.append({"error": output["ename"], "value": output["evalue"]})
        elif texts := {k: v for k, v in output["data"].items() if k.startswith("text/")}:
            rest.append(texts)
    return sanitized(json.dumps([streams, rest], sort_keys=True, ensure_ascii=False))


@dataclass
class Ran:
    """How one run of a cell went."""

    outputs: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    waited: float | None = None  # from the interrupt to the end, if there was one

    @property
    def error(self) -> str:
        errors = [o for o in self.outputs if o["output_type"] == "error"]
        return f"{errors[0]['ename']}: {errors[0]['evalue']}" if errors else ""


class Kernel:
    """A kernel as JupyterLab starts it, progress lines included."""

    def __enter__(self) -> "Kernel":
        self._manager = KernelManager(kernel_name="python3")
        environment = {**os.environ, "JPY_SESSION_NAME": "reruns"}
        self._manager.start_kernel(cwd=str(NOTEBOOKS), env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, source: str, interrupt_after: float | None = None) -> Ran:
        ran, shown, sent = Ran(), {}, None
        message = self._client.execute(source)
        started = None
        while True:
            due = interrupt_after is not None and started and sent is None
            if due and time.monotonic() - started >= interrupt_after:
                sent = time.monotonic()
                self._manager.interrupt_kernel()
            try:
                received = self._client.get_iopub_msg(timeout=0.02 if due else 1)
            except queue.Empty:
                assert self._manager.is_alive(), "the kernel died"
                continue
            if received["parent_header"].get("msg_id") != message:
                continue
            kind, content = received["msg_type"], received["content"]
            if kind == "status" and content["execution_state"] == "busy":
                started = time.monotonic()
            elif kind == "status":
                break
            elif kind in ("stream", "error"):
                ran.outputs.append({"output_type": kind, **content})
            elif kind in ("display_data", "execute_result"):
                ran.outputs.append({"output_type": kind, "data": content["data"]})
                shown[content.get("transient", {}).get("display_id")] = ran.outputs[-1]
            elif kind == "update_display_data":
                shown[content["transient"]["display_id"]]["data"] = content["data"]
        ended = time.monotonic()
        ran.seconds, ran.waited = ended - started, sent and ended - sent
        return ran


@dataclass
class Report:
    """What came of it."""

    interrupts: int = 0
    longest: float = 0.0  # seconds that an interrupt took
    problems: list[str] = field(default_factory=list)


def rerun(path: Path, seed: int = 0) -> Report:
    """Treat one notebook as a restless reader would."""
    report, rng = Report(), random.Random(seed)
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]

    def check(cell: nbformat.NotebookNode, ran: Ran, what: str) -> None:
        wrong = ran.error or [o for o in ran.outputs if o.get("name") == "stderr"]
        if not wrong and "nbval-ignore-output" not in cell.metadata.get("tags", []):
            now, stored = compared(ran.outputs), compared(cell.outputs)
            wrong = f"{now} instead of {stored}" if now != stored else ""
        if wrong:
            report.problems.append(f"cell {cell.execution_count}, {what}: {wrong}")

    def interrupted(cell: nbformat.NotebookNode, after: float) -> None:
        ran = kernel.run(cell.source, interrupt_after=after)
        if ran.waited is None:
            check(cell, ran, "not interrupted")
            return
        report.interrupts += 1
        report.longest = max(report.longest, ran.waited)
        if ran.error and not ran.error.startswith("KeyboardInterrupt"):
            report.problems.append(f"cell {cell.execution_count}, interrupted: {ran.error}")
        if "<progress" in compared(ran.outputs):
            report.problems.append(f"cell {cell.execution_count}: its progress line stayed")

    with Kernel() as kernel:
        for cell in cells:
            interrupted(cell, rng.uniform(0, 0.4))
            ran = kernel.run(cell.source)
            check(cell, ran, "run after an interrupt")
            if ran.seconds > LONG:
                interrupted(cell, ran.seconds * rng.uniform(0.2, 0.9))
            check(cell, kernel.run(cell.source), "run once more")
        for cell in cells:
            check(cell, kernel.run(cell.source), "all cells run again")
        policy = kernel.run(POLICY).outputs
        if [o.get("text") for o in policy] != ["float32\n"]:
            report.problems.append(f"the dtype policy is left as {policy}")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments; 0 by default")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    options = parser.parse_args()
    failed = 0
    for path in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        started = time.monotonic()
        report = rerun(path, options.seed)
        print(
            f"{path.stem}: {report.interrupts} interrupts, the slowest after {report.longest:.1f} s; "
            f"{len(report.problems)} problems, {time.monotonic() - started:.0f} s",
            *report.problems, sep="\n    ", flush=True,
        )  # fmt: skip
        failed += bool(report.problems)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
