"""A bar of progress that is gone when the work is done.

Example:
    >>> with progress(10, "networks") as bar:
    ...     _ = bar.update(4)
"""

import os
import sys

from tqdm import tqdm


class _Output:
    """A stream whose latest line stands in one output of the notebook, empty at the end."""

    display = None

    def write(self, text: str) -> None:
        from IPython.display import display

        text = text.strip()
        self.display = self.display or display({}, raw=True, display_id=True)
        self.display.update({"text/plain": text} if text else {}, raw=True)

    def flush(self) -> None:
        """Nothing waits."""


def progress(total: int, unit: str) -> tqdm:
    """Return a bar that appears once the work has taken two seconds and leaves nothing behind.

    tqdm's own bar for notebooks leaves its last state in a saved notebook. Where nobody watches (a
    test, a notebook that a tool executes) there is no bar.
    """
    # a Jupyter server sets the name for its kernels, and the workers that these start inherit it
    kernel = "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
    watched = kernel and "JPY_SESSION_NAME" in os.environ
    where = {"file": _Output()} if watched else {"disable": None}  # None: not unless a terminal
    line = "{bar:20} {n_fmt} of {total_fmt} {unit}, {remaining} left{postfix}"
    return tqdm(total=total, unit=unit, delay=2, leave=False, bar_format=line, **where)
