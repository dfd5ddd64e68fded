"""One line of progress that is gone when the work is done.

Example:
    >>> from helpers.progress import Progress
    >>> with Progress(10, "networks") as progress:
    ...     progress.show(4)
"""

import html
import math
import os
import sys
import time
from types import TracebackType
from typing import Any

_SECONDS_UNTIL_SHOWN = 2.0
_SECONDS_BETWEEN = 0.3


class Progress:
    """A line such as "120 of 300 networks · 14 s left", shown once the work has taken two seconds.

    In a notebook it is an output that starts and ends empty and is only updated in between: a saved
    notebook shows nothing, and nbval, which ignores updates, has nothing to compare. Where nobody
    watches (a test, a notebook that is executed by a tool) it shows nothing.

    Args:
        total: How many there are to do.
        unit: What they are called.
        wanted: Whether to show anything at all.

    Example:
        >>> with Progress(3, "runs") as progress:
        ...     progress.show(3)
    """

    def __init__(self, total: int, unit: str, *, wanted: bool = True) -> None:
        self._total, self._unit = total, unit
        self._started, self._shown = time.perf_counter(), -math.inf
        # a Jupyter server sets this for its kernels; nbconvert, nbclient and nbval do not
        self._notebook = wanted and "JPY_SESSION_NAME" in os.environ
        self._terminal = wanted and not self._notebook and sys.stdout.isatty()
        self._handle: Any = None

    def __enter__(self) -> "Progress":
        return self

    def show(self, done: int, note: str = "") -> None:
        """Say how many are done.

        Args:
            done: How many, from 0 to the total.
            note: What else to say, for example the latest loss.

        Example:
            >>> Progress(3, "runs").show(1)
        """
        now = time.perf_counter()
        early = now - self._started < _SECONDS_UNTIL_SHOWN or now - self._shown < _SECONDS_BETWEEN
        if early or not (self._notebook or self._terminal):
            return
        self._shown = now
        parts = [f"{done} of {self._total} {self._unit}"]
        if done:
            parts.append(f"{(now - self._started) * (self._total - done) / done:.0f} s left")
        line = " · ".join([*parts, *([note] if note else [])])
        if self._terminal:
            sys.stdout.write(f"\r\x1b[K{line}")
            sys.stdout.flush()
            self._handle = sys.stdout
            return
        if self._handle is None:
            from IPython.display import display

            self._handle = display({}, raw=True, display_id=True)
        bar = f'<progress value="{done}" max="{self._total}"></progress> {html.escape(line)}'
        self._handle.update({"text/plain": line, "text/html": bar}, raw=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is None:
            return
        if self._terminal:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
        else:
            self._handle.update({}, raw=True)
