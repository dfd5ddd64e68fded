"""Which precision trains faster on this CPU: measured, because no list of CPUs would be right.

bfloat16 makes a convolutional network about three times faster on a CPU that has instructions for
it, and several times slower on one that does not. It also rounds, so a result made with it is not
bit for bit the result in float32: the choice is reported, and nothing changes until you apply it.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import helpers.quiet  # noqa: F401
from helpers.checks import check_array, check_count, check_type

import keras  # isort: skip
import tensorflow as tf  # isort: skip

POLICIES = ("float32", "mixed_bfloat16")
# less is not worth the rounding, and too near to the noise of a busy machine
WORTHWHILE = 1.3
# holds oneDNN to older instructions, while TensorFlow goes by what the CPU has
_LIMIT = "ONEDNN_MAX_CPU_ISA"


@dataclass(frozen=True)
class Choice:
    """A precision, and why it was chosen.

    Args:
        name: The Keras dtype policy to train with: "float32" or "mixed_bfloat16".
        seconds: Policy to the seconds of one training step; a policy that failed is missing.
        reason: Why, in one sentence.

    Example:
        >>> print(Choice("float32", {"float32": 0.1}, "mixed_bfloat16 does not run here"))
        float32: mixed_bfloat16 does not run here
    """

    name: str
    seconds: Mapping[str, float]
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def measure(
    build: Callable[[], "keras.Model"], x: np.ndarray, y: np.ndarray, *, steps: int = 3
) -> Choice:
    """Time a few training steps in float32 and in mixed_bfloat16 on the reader's own machine.

    The policy that is in force stays in force: apply the choice with
    `keras.config.set_dtype_policy(choice.name)`, and build the model after that. Draws from Keras's
    global seeds, so set the seed afterwards.

    Args:
        build: Builds and compiles a fresh model; called once under each policy.
        x: Inputs of one batch, shape (rows, ...).
        y: Targets of that batch, shape (rows, ...).
        steps: How many steps to time, at least 1; the fastest counts.

    Returns:
        The policy to use, the seconds a step, and the reason. mixed_bfloat16 only if it runs, keeps
        the loss finite and is at least 1.3 times faster.

    Raises:
        TypeError: If `build` does not return a model, or another argument is of another kind.
        ValueError: If the model is not compiled, x and y do not hold equally many rows of finite
            numbers, or `steps` is below 1.
        FloatingPointError: If the loss is not finite in float32.

    Example:
        >>> def build():
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> choice = measure(build, np.eye(2), np.ones(2))
        >>> choice.name in POLICIES
        True
    """
    steps = check_count(steps, "steps")
    check_type(build, "build", Callable)
    x, y = check_array(x, "x"), check_array(y, "y")
    if not x.ndim or x.shape[:1] != y.shape[:1]:
        raise ValueError(f"x and y must have as many rows, received {x.shape} and {y.shape}")
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("float32")
        seconds = {"float32": _seconds(_built(build), x, y, steps)}
        if _LIMIT in os.environ:
            reason = f"{_LIMIT} is set, and TensorFlow may crash in mixed_bfloat16 under it"
            return Choice("float32", seconds, reason)
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            seconds["mixed_bfloat16"] = _seconds(_built(build), x, y, steps)
        except (tf.errors.OpError, FloatingPointError) as error:
            return Choice("float32", seconds, f"mixed_bfloat16 fails here ({_first_line(error)})")
    finally:
        keras.config.set_dtype_policy(before)
    gain = seconds["float32"] / seconds["mixed_bfloat16"]
    compared = f"mixed_bfloat16 is {gain:.2g} times as fast as float32 here"
    if gain >= WORTHWHILE:
        return Choice("mixed_bfloat16", seconds, compared)
    return Choice("float32", seconds, f"{compared}, which is not worth its rounding")


def _built(build: Callable[[], "keras.Model"]) -> "keras.Model":
    model = check_type(build(), "what build returns", keras.Model)
    if not model.compiled:
        raise ValueError("build must compile the model, received one that is not compiled")
    return model


def _seconds(model: "keras.Model", x: np.ndarray, y: np.ndarray, steps: int) -> float:
    # the first step also traces the graph
    losses = [model.train_on_batch(x, y, return_dict=True)["loss"]]
    times = []
    for _ in range(steps):
        started = time.perf_counter()
        losses.append(model.train_on_batch(x, y, return_dict=True)["loss"])
        times.append(time.perf_counter() - started)
    if not np.isfinite(np.asarray(losses, dtype=float)).all():
        raise FloatingPointError("the loss is not finite")
    return min(times)


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "message", error)).splitlines() or [type(error).__name__])[0]
