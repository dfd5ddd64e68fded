"""Exercises of lesson 14, What the paper found."""

import math

import numpy as np

from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question

layers = keras.layers


def dropout_ridge(x, y, keep_prob):
    gram = x.T @ x
    return np.linalg.solve(gram + (1 - keep_prob) / keep_prob * np.diag(np.diag(gram)), x.T @ y)


def penalised(price):
    """Least squares with a penalty: `price` makes its matrix from x and p."""
    return lambda x, y, p: np.linalg.solve(x.T @ x + price(x, p), x.T @ y)


def own_prices(x):
    return np.diag(np.diag(x.T @ x))


def regression_cases():
    for seed, p in enumerate((0.8, 0.3, 0.5)):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(40, 5)) * [0.5, 1, 2, 3, 0.2]
        yield x, x @ rng.normal(size=5) + rng.normal(size=40), p


def monte_carlo_error(draws, y):
    return np.mean(draws.mean(axis=0).argmax(axis=-1) != y)


def draw_cases():
    """Passes that disagree: the mean, the majority and the mean error all differ."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        draws = rng.dirichlet([0.3] * 4, size=(7, 300))
        y = rng.integers(0, 4, 300)
        draws[:, np.arange(300), y] += 0.12
        yield draws / draws.sum(axis=-1, keepdims=True), y


def majority(draws, y):
    votes = draws.argmax(axis=-1)
    counts = np.stack([(votes == c).sum(axis=0) for c in range(draws.shape[-1])], axis=-1)
    return np.mean(counts.argmax(axis=-1) != y)


def wider_layer(units, keep_prob):
    return [
        layers.Dense(round(units / keep_prob), activation="relu"),
        layers.Dropout(1 - keep_prob),
    ]


def layer_with(width, rate):
    return lambda units, keep_prob: [
        layers.Dense(width(units, keep_prob), activation="relu"),
        layers.Dropout(rate(keep_prob)),
    ]


def sizes_of(layer, units, keep_prob):
    """What there is to judge: how many units, and the rate."""
    dense, dropout = layer(units, keep_prob)
    return np.array([dense.units, dropout.rate], float)


EXERCISES = {
    "14.1": Question(
        lambda: math.sqrt((1 - 0.8) / 0.8),
        "The paper's noise has the standard deviation √((1 − p)/p), and p is what is kept.",
    ),
    "14.2": Code(
        dropout_ridge,
        regression_cases,
        {
            "This is least squares: where is the penalty?": penalised(lambda x, p: 0),
            "The fraction is upside down: with p near 1 hardly anything is dropped, and the "
            "penalty should be small.": penalised(lambda x, p: p / (1 - p) * own_prices(x)),
            "This is the usual ridge, which charges all weights alike. Dropout charges a weight by "
            "the squares of its own input.": penalised(lambda x, p: (1 - p) / p * np.eye(5)),
            "The penalty is that of the rate alone: divide it by p.": penalised(
                lambda x, p: (1 - p) * own_prices(x)
            ),
            "These are the weights that training has, w. At inference they are multiplied by p.": (
                lambda x, y, p: dropout_ridge(x, y, p) / p
            ),
            "These are the weights scaled twice: the formula gives p·w already.": (
                lambda x, y, p: dropout_ridge(x, y, p) * p
            ),
        },
        (
            "Γ² is the diagonal of XᵀX: `np.diag(np.diag(x.T @ x))`.",
            "Ridge solves (XᵀX + penalty) w̃ = Xᵀy; the penalty is (1 − p)/p times Γ².",
        ),
    ),
    "14.3": Code(
        monte_carlo_error,
        draw_cases,
        {
            "This is the mean error of single passes: average the probabilities before you "
            "decide.": lambda draws, y: np.mean(draws.argmax(axis=-1) != y),
            "This is a vote: each pass counts as one, however sure it is. The paper averages the "
            "probabilities.": majority,
            "That is the accuracy.": lambda draws, y: 1 - monte_carlo_error(draws, y),
            "This is the first pass alone.": lambda draws, y: np.mean(
                draws[0].argmax(axis=-1) != y
            ),
            "This is a count: give it as a share of the rows.": (
                lambda draws, y: monte_carlo_error(draws, y) * len(y)
            ),
            "This takes the geometric mean, by the logarithms; the paper's is the ordinary one.": (
                lambda draws, y: np.mean(np.log(draws).mean(axis=0).argmax(axis=-1) != y)
            ),
        },
        (
            "Which axis of `draws` counts the passes?",
            "Mean over axis 0, then the most probable class of each row, then compare with `y`.",
        ),
    ),
    "14.4": Code(
        wider_layer,
        lambda: [(64, 0.25), (128, 0.8), (30, 0.1), (100, 0.5)],
        {
            "The width is right. Keras asks for the rate, and this hands it p.": layer_with(
                lambda units, p: round(units / p), lambda p: p
            ),
            "The rate is right. The layer should be wider, so that p · n is what it was.": (
                layer_with(lambda units, p: round(units * p), lambda p: 1 - p)
            ),
            "The rate is right, and the width is that without dropout: p · n shrinks with p.": (
                layer_with(lambda units, p: units, lambda p: 1 - p)
            ),
            "Divide by p, the share that is kept, not by the rate.": layer_with(
                lambda units, p: round(units / (1 - p)), lambda p: 1 - p
            ),
        },
        (
            "How many units are on, on average, in a layer of n units? How many should be?",
            "p · n should be `units`, so n = units / p. And what does Keras's `Dropout` ask for?",
        ),
        facts=lambda result, *args: {"the width": result[0], "the rate": result[1]},
        use=sizes_of,
        given=layer_with(lambda units, p: round(units * p), lambda p: p),
    ),
    "14.5": Choice(
        "c",
        "A network of another size has another best p, and one seed cannot tell 0.2 points from "
        "luck.",
        {
            "a": "The paper's p was found on layers many times as wide. At this width half of the "
            "units may be too few.",
            "b": "What does one seed say about a difference of 0.2 points?",
            "d": "They judge the p that they choose: the test set would then have no say left.",
        },
        (
            "Look at Figure 9: what does the best p depend on?",
            "Which answer repeats, adapts p, and keeps the test set for the end?",
        ),
    ),
}
