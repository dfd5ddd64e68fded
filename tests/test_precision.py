"""A precision is chosen by what it costs here, and nothing changes until the reader applies it."""

import helpers.quiet  # noqa: F401, I001
import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import precision

X, Y = np.ones((4, 8, 8, 3), np.uint8), np.zeros(4, np.uint8)


def build():
    layers = keras.layers
    model = [layers.Rescaling(1 / 255), layers.Conv2D(2, 3), layers.Flatten()]
    model = keras.Sequential([*model, layers.Dense(2, activation="softmax", dtype="float32")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def paced(monkeypatch, seconds):
    """Let a step take as long as `seconds` says of the policy that it is trained under."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(precision, "_seconds", lambda model, *_: seconds[model.dtype_policy.name])


def test_both_policies_are_timed_and_the_one_in_force_stays(monkeypatch):
    seen = []
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(
        keras.Model,
        "train_on_batch",
        lambda self, x, y, **_: seen.append(self.dtype_policy.name) or {"loss": 1.0},
    )
    keras.config.set_dtype_policy("float32")
    choice = precision.measure(build, X, Y, steps=2)
    assert seen == ["float32"] * 3 + ["mixed_bfloat16"] * 3
    assert set(choice.seconds) == set(precision.POLICIES)
    assert keras.config.dtype_policy().name == "float32"


def test_where_onednn_is_held_back_bfloat16_is_not_tried(monkeypatch):
    paced(monkeypatch, {"float32": 0.3, "mixed_bfloat16": 0.1})
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    choice = precision.measure(build, X, Y)
    assert (choice.name, set(choice.seconds)) == ("float32", {"float32"})
    assert "ONEDNN_MAX_CPU_ISA is set" in str(choice)


def test_it_trains_for_real():
    choice = precision.measure(build, X, Y, steps=1)
    assert choice.name in precision.POLICIES
    assert choice.seconds["float32"] > 0


@pytest.mark.parametrize(
    ("bfloat16", "name"), [(0.1, "mixed_bfloat16"), (0.29, "float32"), (2.0, "float32")]
)
def test_bfloat16_must_be_clearly_faster(monkeypatch, bfloat16, name):
    paced(monkeypatch, {"float32": 0.3, "mixed_bfloat16": bfloat16})
    choice = precision.measure(build, X, Y)
    assert choice.name == name
    assert f"{0.3 / bfloat16:.2g} times as fast" in str(choice)


@pytest.mark.parametrize(
    "error",
    [tf.errors.UnimplementedError(None, None, "no kernel\nmore"), FloatingPointError("no kernel")],
)
def test_where_bfloat16_fails_it_is_float32_and_says_why(monkeypatch, error):
    def seconds(model, *_):
        if model.dtype_policy.name == "mixed_bfloat16":
            raise error
        return 0.3

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(precision, "_seconds", seconds)
    before = keras.config.dtype_policy()
    choice = precision.measure(build, X, Y)
    assert str(choice) == "float32: mixed_bfloat16 fails here (no kernel)"
    assert keras.config.dtype_policy() == before


def test_a_loss_that_is_not_finite_is_a_failure():
    with pytest.raises(FloatingPointError, match="the loss is not finite"):
        precision._seconds(build(), np.full(X.shape, np.nan, "float32"), Y, 1)


def test_a_build_that_fails_leaves_the_policy_alone():
    def broken():
        raise RuntimeError("no model")

    before = keras.config.dtype_policy()
    with pytest.raises(RuntimeError, match="no model"):
        precision.measure(broken, X, Y)
    assert keras.config.dtype_policy() == before


@pytest.mark.parametrize(("steps", "error"), [(0, ValueError), (1.5, TypeError)])
def test_steps_are_counted(steps, error):
    with pytest.raises(error, match="steps must be a whole number of at least 1"):
        precision.measure(build, X, Y, steps=steps)
