"""A bar of progress that is gone when the work is done.

Example:
    >>> with progress(10, "networks") as bar:
    ...     _ = bar.update(4)
"""

import os
import sys

from tqdm.auto import tqdm


def progress(total: int, unit: str) -> tqdm:
    """Return a bar that appears once the work has taken two seconds and leaves nothing behind.

    Where nobody watches (a test, a notebook that a tool executes) it never appears.
    """
    # a Jupyter server sets the name for its kernels, and the workers that these start inherit it
    kernel = "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
    watched = kernel and "JPY_SESSION_NAME" in os.environ
    # None asks whether the stream is a terminal
    disable = False if watched else None
    return tqdm(total=total, unit=f" {unit}", delay=2, leave=False, disable=disable)
