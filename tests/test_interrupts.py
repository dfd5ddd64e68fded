"""An interrupt waits until nothing can break, and is never lost."""

import gc
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers import interrupts

SEEN = []


@pytest.fixture(autouse=True)
def handler():
    # a job in the background of a shell is born deaf to SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(error=None):
    with interrupts.held() as noted:
        before = list(noted)
        signal.raise_signal(signal.SIGINT)
        SEEN.append((before, list(noted)))
        if error:
            raise error


def test_an_interrupt_is_raised_at_the_end_and_can_be_seen_before():
    SEEN.clear()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert SEEN == [([], [signal.SIGINT])]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_comes_first():
    with pytest.raises(ValueError, match="mine"):
        interrupted(ValueError("mine"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_holds_nothing():
    def work():
        with interrupts.held() as noted:
            return noted, signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == ([], signal.default_int_handler)


@pytest.mark.parametrize(
    ("module", "when", "then"),
    [
        ("helpers.quiet", "tensorflow.python.framework.ops", "keras.layers.Dropout(0.5)"),
        ("helpers.wrappers", "numpy.linalg", "keras.wrappers.SKLearnClassifier(print)"),
    ],
)
def test_an_interrupted_import_can_be_made_good(module, when, then):
    code = f"""
    import os, signal, sys, threading, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    def interrupt():
        while {when!r} not in sys.modules:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        import {module}
    except KeyboardInterrupt:
        print("interrupted")
    import {module}, keras
    print(keras.ops.ones(2).numpy(), bool({then}))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("interrupted\n[1. 1.] True\n", "")


def test_what_an_interrupted_layer_leaves_behind_is_not_complained_of(caplog):
    import helpers.quiet  # noqa: F401, I001
    import tensorflow as tf

    tf.TensorArray(tf.float32, size=1).write(0, 1.0)
    gc.collect()
    tf.get_logger().error("anything else")
    assert caplog.messages == ["anything else"]


def test_new_models_in_a_row_are_not_complained_of(caplog):
    import helpers.quiet  # noqa: F401, I001
    import keras
    import numpy as np

    for _ in range(8):  # TensorFlow counts the last six calls
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.predict(np.ones((1, 1)), verbose=0)
    assert caplog.messages == []
