"""Exercises of lesson 15, Traps and myths."""

from helpers import masks
from helpers.exercises.judge import Question

EXERCISES = {
    "15.1": Question(
        lambda: masks.keep_prob_of_rate(0.2) ** 2 + 0.2**2,
        "Both masks keep the place, or both drop it.",
    ),
}
