"""Exercises of lesson 6, Dropout in Transformers."""

from helpers import masks
from helpers.exercises.judge import Question

EXERCISES = {
    "06.1": Question(lambda: 0.3**2, "It is blind when every key that it sees is dropped."),
    "06.2": Question(
        lambda: 12 * 512**2, "Each head has a weight for every query and every key, hidden or not."
    ),
    "06.3": Question(
        lambda: masks.keep_prob_of_rate(0.1) ** 24, "All 24 branches must be kept at that number."
    ),
}
