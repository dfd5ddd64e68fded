"""Interrupts that wait for a moment at which nothing can break.

Example:
    >>> from helpers import interrupts
    >>> with interrupts.held() as noted:
    ...     half_done = not noted
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held() -> Iterator[list[int]]:
    """Note interrupts (Ctrl-C, or the square in JupyterLab) and raise at the end.

    Python raises `KeyboardInterrupt` between any two of its instructions: halfway through an import
    that can then never be made good, or in a destructor, which swallows it. Work that ends soon, or
    that looks at the list now and then, had better be told afterwards. Other threads than the main
    one receive no interrupts.

    Yields:
        The signals noted so far.

    Raises:
        KeyboardInterrupt: At the end, if there was one and nothing else was raised.

    Example:
        >>> try:
        ...     with held():
        ...         signal.raise_signal(signal.SIGINT)
        ...         print("the work is done")
        ... except KeyboardInterrupt:
        ...     print("and then it stops")
        the work is done
        and then it stops
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    previous = signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, previous or signal.default_int_handler)
    if noted:
        raise KeyboardInterrupt
