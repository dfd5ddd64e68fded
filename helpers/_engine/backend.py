"""TensorFlow and Keras, loaded without their start-up messages.

Lessons import their helpers first and then say ``import keras``; helpers import both from here.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator

__all__ = ["give_back_memory", "keras", "tf"]

if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise ImportError(
        "this course runs on TensorFlow, but the environment variable KERAS_BACKEND is "
        f"{os.environ['KERAS_BACKEND']!r}: set it to 'tensorflow' or unset it, and restart Python"
    )
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 nowhere: C++ writes to it whatever `sys.stderr` is."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


try:
    _libc = ctypes.CDLL("libc.so.6")
    # for each of its many threads TensorFlow would have the C library keep memory that was freed
    _libc.mallopt(-8, 4)  # M_ARENA_MAX
    _libc.mallopt(-3, 4_000_000)  # M_MMAP_THRESHOLD, in bytes
except OSError:
    _libc = None  # not Linux

with _silent_stderr():
    import keras
    import tensorflow as tf

    tf.config.list_logical_devices()  # the first look for devices prints as well

# the remains of an interrupted recurrent layer; a cell that makes new models each time it is run
_NO_HELP = ("Object was never used", "triggered tf.function retracing")
tf.get_logger().addFilter(lambda record: not any(text in record.getMessage() for text in _NO_HELP))


def give_back_memory() -> None:
    """Return what was freed to the system; a compilation leaves a hundred megabytes behind."""
    if _libc is not None:
        _libc.malloc_trim(0)
