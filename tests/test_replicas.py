"""What a sweep reads off a model, what it refuses, and its random numbers."""

import numpy as np
import pytest
from scipy import stats

import helpers.quiet  # noqa: F401
from helpers import replicas

import keras  # isort: skip
import tensorflow as tf  # isort: skip
from keras import layers  # isort: skip


def compiled(*between, last=None, loss="binary_crossentropy", optimizer="adam"):
    model = keras.Sequential([keras.Input((2,)), *between])
    model.add(last or layers.Dense(1, "sigmoid", name="out"))
    model.compile(loss=loss, optimizer=optimizer)
    return model


def streams(copies):
    words = [np.random.SeedSequence(seed).generate_state(2) for seed in range(copies)]
    return tf.constant(np.stack(words))


def test_the_plan_keeps_structure_and_numbers_apart():
    dense = {"kernel_regularizer": keras.regularizers.L2(0.01), "kernel_constraint": "max_norm"}
    model = compiled(
        layers.Dropout(0.2),
        layers.Dense(3, "relu", **dense),
        layers.GaussianNoise(0.5),
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    )
    plan, numbers = replicas.read_model(model)
    assert [step.kind for step in plan.steps] == ["Dropout", "Dense", "GaussianNoise", "Dense"]
    np.testing.assert_allclose(numbers, [0.2, 0.01, 2.0, 0.5, 0.1])
    assert (plan.inputs, plan.outputs, plan.widest, plan.streams) == (2, 1, 3, 3)
    assert dict(plan.settings) == {"momentum": 0.9, "nesterov": 1.0}


@pytest.mark.parametrize(
    ("loss", "last"),
    [
        (keras.losses.BinaryCrossentropy(), layers.Dense(1, "sigmoid")),
        (keras.losses.BinaryCrossentropy(from_logits=True), layers.Dense(1)),
        (keras.losses.CategoricalCrossentropy(), layers.Dense(3, "softmax")),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), layers.Dense(3)),
        (keras.losses.sparse_categorical_crossentropy, layers.Dense(3, "softmax")),
    ],
)
def test_a_loss_may_come_as_name_function_or_object(loss, last):
    plan, _ = replicas.read_model(compiled(last=last, loss=loss))
    assert plan.loss in str(getattr(loss, "name", getattr(loss, "__name__", "")))
    assert plan.steps[-1].activation is None


def unseeded(**arguments):
    return layers.Dense(3, name="hidden", **arguments)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: compiled(layers.BatchNormalization(name="norm")), ["norm", "BatchNormalization"]),
        (lambda: compiled(layers.Dropout(0.5, seed=1, name="drop")), ["drop", "seed=1"]),
        (lambda: compiled(layers.Dropout(0.5, noise_shape=(1, 2), name="drop")), ["noise_shape"]),
        (lambda: compiled(unseeded(bias_regularizer="l2")), ["hidden", "bias_regularizer"]),
        (lambda: compiled(unseeded(kernel_constraint="non_neg")), ["hidden", "kernel_constraint"]),
        (
            lambda: compiled(unseeded(kernel_constraint=keras.constraints.MaxNorm(2, axis=1))),
            ["hidden", "axis=0"],
        ),
        (
            lambda: compiled(unseeded(kernel_regularizer="orthogonal_regularizer")),
            ["hidden", "kernel_regularizer"],
        ),
        (lambda: compiled(unseeded(trainable=False)), ["hidden", "trainable"]),
        (lambda: compiled(unseeded(dtype="float64")), ["hidden", "float64"]),
        (lambda: compiled(unseeded(activation=lambda z: z)), ["hidden", "activation"]),
        (lambda: compiled(layers.Activation("relu", dtype="float64")), ["float64"]),
        (lambda: compiled(loss="mse"), ["loss", "mean_squared_error"]),
        (lambda: compiled(last=layers.Dense(1, "tanh", name="out")), ["out", "sigmoid", "tanh"]),
        (
            lambda: compiled(loss=keras.losses.BinaryCrossentropy(label_smoothing=0.1)),
            ["label_smoothing"],
        ),
        (lambda: compiled(loss=keras.losses.BinaryCrossentropy(axis=1)), ["axis"]),
        (lambda: compiled(optimizer="rmsprop"), ["optimizer", "RMSprop"]),
        (lambda: compiled(optimizer=keras.optimizers.Adam(clipnorm=1.0)), ["Adam", "clipnorm"]),
        (
            lambda: compiled(
                optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
            ),
            ["SGD", "learning_rate", "CosineDecay"],
        ),
        (lambda: keras.Sequential([layers.Dense(1)]), ["Input"]),
        (lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1)]), ["compile"]),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(model, words):
    with pytest.raises(ValueError, match=r".") as error:
        replicas.read_model(model())
    for word in words:
        assert word in str(error.value)


def test_only_sequential_models_are_accepted():
    with pytest.raises(TypeError, match=r"keras\.Sequential, received int"):
        replicas.read_model(3)


def test_random_words_are_uniform_and_independent():
    copies, steps, count = 4, 20, 15_000
    words = np.stack([replicas.random_words(streams(copies), t, count) for t in range(steps)])
    # each byte of the words is uniform, for every copy
    for copy in range(copies):
        for byte in words[:, copy].copy().view(np.uint8).reshape(-1, 4).T:
            assert stats.chisquare(np.bincount(byte, minlength=256)).pvalue > 1e-4
    below = (words < 0.4 * 2**32).astype(float) - 0.4
    # neighbours, rows of 500 units, steps and copies know nothing of one another
    pairs = {
        "neighbour": (below[..., 1:], below[..., :-1]),
        "row": (below[..., 500:], below[..., :-500]),
        "step": (below[1:], below[:-1]),
        "two steps": (below[2:], below[:-2]),
        "copy": (below[:, 1:], below[:, :-1]),
    }
    for name, (a, b) in pairs.items():
        z = (a * b).mean() / 0.24 * np.sqrt(a.size)
        assert abs(z) < 4, name
    # how many are below varies from step to step as it does for independent draws
    spread = below.sum(-1).var() / (count * 0.24)
    assert 0.6 < spread < 1.5


def test_every_copy_drops_at_its_own_rate():
    rates = tf.constant([0.0, 0.001, 0.5, 0.9])
    step = replicas.Step("Dropout", 500, ("rate",))
    values = replicas._noise(
        step, rates, streams(4), tf.constant(3), tf.ones((4, 600, 500))
    ).numpy()
    for rate, one in zip(rates.numpy(), values, strict=True):
        dropped = (one == 0).mean()
        assert abs(dropped - rate) <= 4.5 * np.sqrt(rate * (1 - rate) / one.size)
        np.testing.assert_allclose(one[one != 0], 1 / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("kind", ["GaussianDropout", "GaussianNoise"])
def test_gaussian_noise_is_normal(kind):
    number = 0.3
    step = replicas.Step(kind, 500, ("rate",))
    values = replicas._noise(
        step, tf.constant([number]), streams(1), tf.constant(0), tf.fill((1, 200, 500), 2.0)
    ).numpy()
    sigma = number if kind == "GaussianNoise" else 2 * np.sqrt(number / (1 - number))
    assert stats.kstest((values.ravel() - 2) / sigma, "norm").pvalue > 1e-3


@pytest.mark.parametrize("word", [0, 2**32 - 1])
@pytest.mark.parametrize("kind", ["GaussianDropout", "GaussianNoise"])
def test_gaussian_noise_is_finite_for_the_outermost_words(kind, word, monkeypatch):
    outermost = lambda streams, t, count: tf.fill((1, count), tf.constant(word, tf.uint32))  # noqa: E731
    monkeypatch.setattr(replicas, "random_words", outermost)
    step, one = replicas.Step(kind, 3, ("rate",)), tf.ones((1, 2, 3))
    off, on = (
        replicas._noise(step, tf.constant([number]), None, tf.constant(0), one).numpy()
        for number in (0.0, 0.5)
    )
    assert (off == 1).all()
    assert 4 < abs(on[0, 0, 0] - 1) / (0.5 if kind == "GaussianNoise" else 1) < 6
