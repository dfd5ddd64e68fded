"""Importing this module loads TensorFlow and Keras without their start-up messages.

TensorFlow's C++ code writes to the process's standard error while it loads, whatever Python's
``sys.stderr`` says. The messages are of no use to a reader and differ from machine to machine.

Keras also imports scikit-learn, for its ``keras.wrappers``, which takes a second and 60 MB. It is
kept from doing so: import `helpers.wrappers` where you want the wrappers.

Example:
    >>> import helpers.quiet
    >>> import keras
    >>> keras.backend.backend()
    'tensorflow'
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from helpers import interrupts


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def _not_found(name: str) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None
    try:
        yield
    finally:
        del sys.modules[name]


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# what is interrupted halfway through this import cannot be imported again
with interrupts.held(), _silent_stderr(), _not_found("sklearn"):
    import keras  # noqa: F401
    import tensorflow as tf

    # the first look for devices prints as well
    tf.config.list_logical_devices()

_NO_HELP = (
    # an interrupted recurrent layer leaves arrays behind, which shows in a later cell
    "Object was never used",
    # a cell that makes a new model each time it is run
    "triggered tf.function retracing",
)
tf.get_logger().addFilter(lambda record: not any(text in record.getMessage() for text in _NO_HELP))
