"""One line of progress that is gone when the work is done.

Example:
    >>> from helpers.progress import Progress
    >>> with Progress(10, "networks") as progress:
    ...     progress.show(4)
"""

import contextlib
import html
import math
import os
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from helpers.checks import check_count, check_flag, check_type

_SECONDS_UNTIL_SHOWN = 2.0
_SECONDS_BETWEEN = 0.3


class Progress:
    """A line such as "120 of 300 networks · 14 s left", shown once the work has taken two seconds.

    In a notebook it is an output that starts and ends empty and is only updated in between: a saved
    notebook shows nothing, and nbval, which ignores updates, has nothing to compare. Where nobody
    watches (a test, a notebook that is executed by a tool) it shows nothing. Where showing fails it
    goes silent: the work is worth more than the line.

    Args:
        total: How many there are to do.
        unit: What they are called.
        wanted: Whether to show anything at all.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If `total` is below 1.

    Example:
        >>> with Progress(3, "runs") as progress:
        ...     progress.show(3)
    """

    def __init__(self, total: int, unit: str, *, wanted: bool = True) -> None:
        self._total, self._unit = check_count(total, "total"), check_type(unit, "unit", str)
        check_flag(wanted, "wanted")
        self._started, self._shown = time.perf_counter(), -math.inf
        # a Jupyter server sets this for its kernels; nbconvert, nbclient and nbval do not
        served = "JPY_SESSION_NAME" in os.environ
        self._notebook = wanted and served and _is_kernel()
        self._terminal = False
        self._page: Any = None  # what has been written to, and must be wiped
        self._stream: Any = None
        with self._or_silent():
            self._terminal = wanted and not served and sys.stdout.isatty()

    def __enter__(self) -> "Progress":
        return self

    def show(self, done: int, note: str = "") -> None:
        """Say how many are done.

        Args:
            done: How many, from 0 to the total.
            note: What else to say, for example the latest loss.

        Raises:
            TypeError: If an argument is of another kind.
            ValueError: If `done` is not from 0 to the total.

        Example:
            >>> Progress(3, "runs").show(1)
        """
        done, note = check_count(done, "done", 0, self._total), check_type(note, "note", str)
        now = time.perf_counter()
        early = now - self._started < _SECONDS_UNTIL_SHOWN or now - self._shown < _SECONDS_BETWEEN
        if early or not (self._notebook or self._terminal):
            return
        self._shown = now
        parts = [f"{done} of {self._total} {self._unit}"]
        if done:
            parts.append(f"{_spelt((now - self._started) * (self._total - done) / done)} left")
        line = " · ".join([*parts, *([note] if note else [])])
        with self._or_silent():
            self._put(line, done)

    def _put(self, line: str, done: int) -> None:
        if self._terminal:
            self._stream = sys.stdout
            self._stream.write(f"\r\x1b[K{line}")
            self._stream.flush()
            return
        if self._page is None:
            from IPython.display import display

            self._page = display({}, raw=True, display_id=True)
        bar = f'<progress value="{done}" max="{self._total}"></progress> {html.escape(line)}'
        self._page.update({"text/plain": line, "text/html": bar}, raw=True)

    @contextlib.contextmanager
    def _or_silent(self) -> Iterator[None]:
        # streams and front ends of all kinds may stand here, and fail in ways of their own
        try:
            yield
        except Exception:
            self._notebook = self._terminal = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._or_silent():
            if self._stream is not None:
                self._stream.write("\r\x1b[K")
                self._stream.flush()
            if self._page is not None:
                self._page.update({}, raw=True)


def _spelt(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _is_kernel() -> bool:
    # a process that a kernel starts, such as a worker, inherits its environment and is none
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
