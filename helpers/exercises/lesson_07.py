"""Exercises of lesson 7, Relatives."""

import math

from helpers import masks
from helpers.exercises.judge import Question

EXERCISES = {
    "07.1": Question(
        lambda: math.sqrt(0.2 / masks.keep_prob_of_rate(0.2)),
        "The variance of the factor is rate / (1 − rate); the question is its root.",
    ),
    "07.2": Question(
        lambda: 32 * 196 * 64, "A kernel of its own for every row, and one number for each weight."
    ),
    "07.3": Question(
        lambda: sum(1 - 0.5 * block / 54 for block in range(1, 55)),
        "Add up the 54 survival probabilities; their mean is a little under 3/4.",
    ),
}
