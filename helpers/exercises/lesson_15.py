"""Exercises of lesson 15, Traps and myths."""

from helpers import masks
from helpers.exercises.judge import Question

EXERCISES = {
    "15.1": Question(
        lambda: 6, "Which axis should have a draw of its own for each row, and has one for all?"
    ),
    "15.2": Question(
        lambda: 2**2 / (1 + 2**2),
        "Set the square of the standard deviation, rate/(1 − rate), to 4.",
    ),
    "15.3": Question(
        lambda: masks.keep_prob_of_rate(0.2) ** 2 + 0.2**2,
        "Both masks keep the place, or both drop it.",
    ),
}
