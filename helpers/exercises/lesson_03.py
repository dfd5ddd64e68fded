"""Exercises of lesson 3, Dropout in MLPs."""

import math

import numpy as np
from scipy import stats

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question

layers = keras.layers


def mlp(units, rate_inputs, rate_hidden):
    return build(units, rate_inputs, rate_hidden)


def build(units, rate_inputs, rate_hidden, *, output=0.0, last=10, softmax="softmax", first=True):
    """Two hidden layers of `units`; dropout may stand where it should not."""
    model = [keras.Input((196,))]
    model += [layers.Dropout(rate_inputs)] if first else []
    for _ in range(2):
        model += [layers.Dense(units, activation="relu"), layers.Dropout(rate_hidden)]
    model += [layers.Dense(last, activation=softmax)] + [layers.Dropout(output)] * (output > 0)
    return keras.Sequential(model)


def before_each_dense(units, rate_inputs, rate_hidden):
    """Dropout before the activation, which is a layer of its own."""
    return keras.Sequential(
        [
            keras.Input((196,)),
            layers.Dropout(rate_inputs),
            *[layer for _ in range(2) for layer in (
                layers.Dense(units), layers.Dropout(rate_hidden), layers.Activation("relu")
            )],
            layers.Dense(10, activation="softmax"),
        ]
    )  # fmt: skip


def order(answer, *args):
    """The layers that matter, in order: "drop 0.2, dense 64 relu, …"."""
    names = []
    for layer in answer(*args).layers:
        if isinstance(layer, layers.Dropout) and layer.rate:
            names.append(f"drop {layer.rate:g}")
        elif isinstance(layer, layers.Dense):
            does = layer.activation.__name__
            names.append(f"dense {layer.units}" + f" {does}" * (does != "linear"))
        elif isinstance(layer, layers.Activation):
            names[-1] += " " + layer.activation.__name__
        elif isinstance(layer, (layers.ReLU, layers.Softmax)):
            names[-1] += " " + type(layer).__name__.lower()
    return ", ".join(names)


def order_facts(result, *_):
    return {"the order of layers": str(result)}


def paired_interval(plain, dropped):
    gain = np.asarray(plain) - np.asarray(dropped)
    half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / math.sqrt(len(gain))
    return gain.mean(), gain.mean() - half, gain.mean() + half


def half_by(half):
    """Return an interval around the mean gain, half as wide as `half` says."""

    def interval(plain, dropped):
        plain, dropped = np.asarray(plain), np.asarray(dropped)
        middle = (plain - dropped).mean()
        by = half(plain, dropped, len(plain))
        return middle, middle - by, middle + by

    return interval


def t(n):
    return stats.t.ppf(0.975, n - 1)


EXERCISES = {
    "03.1": Question(
        lambda: round(100 / masks.keep_prob_of_rate(0.2)),
        "A share 1 − rate of the units is left in each step; 100 of them should be.",
    ),
    "03.2": Question(
        lambda: sum(math.comb(8, kept) for kept in range(3)) / 2**8,
        "Count the masks that keep none, one or two, and divide by all 256.",
    ),
    "03.3": Question(
        lambda: 0.53,
        "Which of the two sets may choose the epoch?",
    ),
    "03.4": Code(
        mlp,
        lambda: [(64, 0.2, 0.5), (128, 0.1, 0.3)],
        {
            "Dropout stands behind the output: a softmax with holes no longer sums to one.": (
                lambda units, rate_inputs, rate_hidden: build(
                    units, rate_inputs, rate_hidden, output=rate_hidden
                )
            ),
            "The two rates are swapped.": lambda units, rate_inputs, rate_hidden: build(
                units, rate_hidden, rate_inputs
            ),
            "Nothing is dropped on the inputs: a Dropout may be the first layer.": (
                lambda units, rate_inputs, rate_hidden: build(
                    units, rate_inputs, rate_hidden, first=False
                )
            ),
            "Nothing is dropped between the second hidden layer and the output.": (
                lambda units, rate_inputs, rate_hidden: keras.Sequential(
                    [
                        *build(units, rate_inputs, rate_hidden).layers[:-2],
                        layers.Dense(10, activation="softmax"),
                    ]
                )
            ),
            "Dropout stands before the activation. A ReLU does not mind, other activations do: put "
            "it after.": before_each_dense,
            "The output needs a softmax.": lambda units, rate_inputs, rate_hidden: build(
                units, rate_inputs, rate_hidden, softmax=None
            ),
        },
        (
            "A Dropout thins what the next layer receives. Which three layers receive something?",
            "Input, Dropout, Dense, Dropout, Dense, Dropout, Dense with a softmax.",
        ),
        order_facts,
        order,
        seconds=60,
    ),
    "03.5": Code(
        paired_interval,
        lambda: [
            (rng.normal(0.6, 0.1, n) + base, rng.normal(0.55, 0.02, n) + base)
            for n in (5, 12)
            for rng in [np.random.default_rng(n)]
            for base in [rng.normal(0, 0.3, n)]
        ],
        {
            "The mean of n values spreads less than one value: the square root of n is there now, "
            "and the n − 1 of `std` is not (`ddof=1`).": half_by(
                lambda a, b, n: t(n) * (a - b).std() / n**0.5
            ),
            "The standard error is right. 1.96 is for many repeats: with five, Student's t is "
            "2.78.": half_by(lambda a, b, n: 1.96 * (a - b).std(ddof=1) / n**0.5),
            "Divided by n: the spread of a mean shrinks with the square root of n.": half_by(
                lambda a, b, n: t(n) * (a - b).std(ddof=1) / n
            ),
            "`ddof=1` is right, but this is still the spread of one run, not of their mean.": half_by(
                lambda a, b, n: t(n) * (a - b).std(ddof=1)
            ),
            "The pairs are torn apart: networks of one seed share their luck, so take the "
            "differences first.": half_by(
                lambda a, b, n: t(n) * ((a.var(ddof=1) + b.var(ddof=1)) / n) ** 0.5
            ),
        },
        (
            "With four times as many seeds an interval of a mean should be half as wide. Is it?",
            "The standard error of a mean is gain.std(ddof=1) / sqrt(n).",
        ),
        given=half_by(lambda a, b, n: t(n) * (a - b).std()),
    ),
    "03.6": Choice(
        "c",
        "Sixteen units are too narrow for 0.5, and eight columns have nothing to spare: first see "
        "whether there is anything to mend.",
        {
            "a": "A picture survives the loss of a fifth of its pixels. Each of eight columns may "
            "be the only one that knows something.",
            "b": "A rate of 0.5 leaves 8 of 16 units, and in this lesson it raised the test loss "
            "of layers of 32.",
            "d": "Behind a softmax a dropped probability is 0, and the row no longer sums to one.",
        },
        (
            "What did a rate of 0.5 do to layers of 32 units?",
            "Is there a sign that the plain network overfits at its best epoch?",
        ),
    ),
}
