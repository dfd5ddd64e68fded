"""Exercises of lesson 11, Case study: small colour photographs."""

import math

import numpy as np

from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question


def limit_filters(kernel, limit):
    return limited((0, 1, 2))(kernel, limit)


def limited(axis, shorten=lambda length, limit: np.minimum(1, limit / length)):
    def of(kernel, limit):
        length = np.sqrt((kernel**2).sum(axis=axis, keepdims=True))
        return kernel * shorten(length, limit)

    return of


def kernel_cases():
    for seed, (shape, limit) in enumerate([((3, 3, 4, 8), 1.0), ((5, 5, 2, 6), 2.0)]):
        rng = np.random.default_rng(seed)
        kernel = rng.normal(size=shape)
        kernel /= np.sqrt((kernel**2).sum(axis=(0, 1, 2)))
        yield kernel * limit * np.linspace(0.3, 3, shape[-1]), limit  # short filters and long ones


def honest_gap(model, train, validation):
    return gap_by()(model, train, validation)


def gap_by(seen=False, held_out=False, sign=1):
    def difference(model, train, validation):
        loss = keras.losses.SparseCategoricalCrossentropy()
        on_seen = loss(train[1], model(train[0], training=seen))
        return sign * float(loss(validation[1], model(validation[0], training=held_out)) - on_seen)

    return difference


def by_accuracy(model, train, validation):
    shares = [np.mean(np.argmax(model(x), axis=1) == y) for x, y in (train, validation)]
    return float(shares[0] - shares[1])


def gap_cases():
    """A network with dropout 0.5 on its inputs, and two sets that it finds easy and hard."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        model = keras.Sequential(
            [
                keras.Input((40,)),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(4, activation="softmax"),
            ]
        )
        model.layers[1].set_weights([rng.normal(0, 0.25, (40, 4)), np.zeros(4)])
        x = rng.normal(size=(40_000, 40)).astype("float32")
        y = np.argmax(np.asarray(model(x)) + rng.gumbel(0, 0.1, (40_000, 4)), axis=1)
        wrong = np.where(rng.random(40_000) < 0.6, rng.integers(0, 4, 40_000), y)
        yield model, (x[:20_000], y[:20_000]), (2 * x[20_000:], wrong[20_000:])


EXERCISES = {
    "11.1": Question(
        lambda: 3 * 64 * 64,
        "Axis 0 disappears into the length; multiply the sizes of the axes that stay.",
    ),
    "11.2": Question(
        lambda: math.sqrt(3 * 2 / 576),
        "The mean of a squared length is the number of its weights times their variance.",
    ),
    "11.3": Question(
        lambda: 50_000 * 32 * 32 * 3 * 4,
        "Count the numbers: photographs × height × width × colours. Each takes four bytes.",
    ),
    "11.4": Code(
        limit_filters,
        kernel_cases,
        {
            "Axis 0 alone: each group is a few weights in one channel of one filter, as with the "
            "default of `MaxNorm`.": limited(0),
            "A filter has channels, too: its weights lie along the axes 0, 1 and 2.": limited(
                (0, 1)
            ),
            "The whole kernel is taken together: each filter has a length of its own.": (
                limited((0, 1, 2, 3))
            ),
            "These are the weights that leave a channel. Those that enter a filter lie along 0, 1 "
            "and 2.": limited((0, 1, 3)),
            "Short filters are stretched to the limit: it is a limit, not a length to reach.": (
                limited((0, 1, 2), lambda length, limit: limit / length)
            ),
            "Single weights are clipped: the limit is for the length of a filter.": (
                lambda kernel, limit: np.clip(kernel, -limit, limit)
            ),
            "The square root is missing: this compares a squared length with the limit.": (
                limited((0, 1, 2), lambda length, limit: np.minimum(1, limit / length**2))
            ),
            "Long filters are set to 0: shorten them, and keep their direction.": (
                limited((0, 1, 2), lambda length, limit: length <= limit)
            ),
        },
        (
            "The kernel has the shape (rows, columns, channels, filters). Along which axes lie the "
            "weights of one filter?",
            "length = np.sqrt((kernel**2).sum(axis=(0, 1, 2), keepdims=True)); the factor is "
            "limit / length, and never above 1.",
        ),
    ),
    "11.5": Code(
        honest_gap,
        gap_cases,
        {
            "Measured alike now, but both with units missing: the network that you use has all of "
            "them.": gap_by(True, True),
            "The sign is turned: validation less training is asked for.": gap_by(sign=-1),
            "The mode is right for training now and wrong for validation.": gap_by(False, True),
            "This is a gap in accuracy; the loss is asked for.": by_accuracy,
        },
        (
            "In which mode is each of the two losses measured?",
            "One argument is too many: at inference nothing is dropped.",
        ),
        lambda result, *_: {"the gap": round(float(result), 6)},
        given=gap_by(seen=True),
        tolerance=0.06,
        seconds=60,
    ),
    "11.6": Choice(
        "c",
        "Adam came with a rate that suits it, gradient descent with a default: choose a rate for "
        "each on validation, then compare.",
        {
            "a": "One of the two was tuned. Half a nat lay between two learning rates of gradient "
            "descent itself.",
            "b": "More runs make the same unfair comparison more exact.",
            "d": "Dropout was the same in both. What else differs, beside the name of the optimiser?",
        },
        (
            "Who chose the two learning rates, and how?",
            "What did the paper's recipe do to gradient descent in this lesson?",
        ),
    ),
}
