"""Instant answers to the exercises, and hints. Each lesson has a file with a dict EXERCISES."""

import importlib
import textwrap
from collections import Counter

_asked = Counter()  # how many hints each exercise has given


def check(key: str, answer: object) -> None:
    """Say at once whether an answer is right, and what a wrong one reveals.

    A count must be exact; another number is judged to the two or three figures that it is given
    with. A function or a class is run on hidden inputs.

    Args:
        key: The exercise, lesson and number: "01.2".
        answer: A number, a word, or your function; `...` while it is not answered.

    Raises:
        ValueError: If there is no such exercise.

    Example:
        >>> check("01.3", 1024)
        Right.
        >>> check("05.1", 0.12)  # 0.1216
        Right.
        >>> check("05.1", 12)
        Not yet: this is the answer in percent. Give it as a share of 1.
        >>> check("07.2", (401, 408))  # what Python makes of 401,408
        Not yet. Answer with one number, without quotes and commas; this was (401, 408).
        >>> check("01.4", lambda h, rate, rng: h * (rng.random(h.shape) >= rate) / rate)
        Not yet. Scaled by the rate: a share 1 − rate survives and makes up for the rest.
        >>> check("01.3", ...)
        Not answered yet: put your answer in place of the dots and run the cell again.
    """
    _say(_exercise(key).reply(answer, key))


def hint(key: str) -> None:
    """Print a hint; called again, the next one.

    Example:
        >>> hint("01.3")
        Hint 1 of 1. Each unit is either there or not.
    """
    hints = _exercise(key).hints
    number = _asked[key] % len(hints)
    _asked[key] += 1
    _say(f"Hint {number + 1} of {len(hints)}. {hints[number]}")


def _say(text: str) -> None:
    """Print in lines of at most 80: JupyterLab breaks a longer one in the middle of a word."""
    for line in text.splitlines():
        print(textwrap.fill(line, 80, break_long_words=False, break_on_hyphens=False))


def _exercise(key: str):
    """Find an exercise in the file of its lesson, which is imported when it is first asked for."""
    name = f"{__name__}.lesson_{str(key)[:2]}"
    try:
        exercises = importlib.import_module(name).EXERCISES
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        exercises = {}
    if key not in exercises:
        listed = ", ".join(map(repr, exercises)) or "a lesson and a number, such as '01.2'"
        raise ValueError(f"key must be one of {listed}, received {key!r}")
    return exercises[key]
