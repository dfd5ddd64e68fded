"""Exercises of lesson 13, Uncertainty."""

import math

from helpers import masks
from helpers.exercises.judge import Question

EXERCISES = {
    "13.1": Question(
        lambda: math.sqrt(masks.moments([3.0], 0.2)[1][0]),
        "Its variance is rate / (1 − rate) times the square of what is dropped.",
    ),
    "13.2": Question(
        lambda: 10 + 100 // 10, "What no mask touches comes out the same each time: once is enough."
    ),
    "13.3": Question(
        lambda: math.log(2), "The entropy of the mean answer, minus the mean of their entropies."
    ),
}
