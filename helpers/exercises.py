"""Instant answers to the exercises: each is computed when asked, none is written down."""

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from helpers import masks
from helpers._engine.checks import check_choice, shown


class Exercise(NamedTuple):
    """One exercise.

    Args:
        solve: Computes the answer: an int (a count), another number, or a string.
        hint: What to look at again, without the answer.
    """

    solve: Callable[[], object]
    hint: str


EXERCISES = {
    # 1 · What dropout does
    "01.1": Exercise(
        lambda: masks.moments([3.0], 0.8)[1][0], "The variance is h² · rate / (1 − rate)."
    ),
    "01.2": Exercise(
        lambda: masks.keep_prob_of_rate(0.25) / 0.25,
        "A share 1 − rate of the units survives, and each is multiplied by 1/rate.",
    ),
    "01.3": Exercise(lambda: len(masks.all_masks(10)), "Each unit is either there or not."),
    # 2 · Rate or p
    "02.1": Exercise(
        lambda: masks.rate_of_keep_prob(0.9), "The paper's p keeps; Keras's rate drops."
    ),
    "02.2": Exercise(
        lambda: 32 * 64, "An axis of 1 in noise_shape is drawn once; multiply the other axes."
    ),
    "02.3": Exercise(
        lambda: masks.keep_prob_of_rate(0.5),
        "Equal seeds draw equal masks. What does the second layer drop that the first left?",
    ),
    # 3 · Dropout in MLPs
    "03.1": Exercise(
        lambda: round(100 / masks.keep_prob_of_rate(0.2)),
        "A share 1 − rate of the units is left in each step; 100 of them should be.",
    ),
    "03.2": Exercise(
        lambda: sum(math.comb(8, kept) for kept in range(3)) / 2**8,
        "Count the masks that keep none, one or two, and divide by all 256.",
    ),
    "03.3": Exercise(
        lambda: 0.53,
        "Which of the two sets may choose the epoch?",
    ),
    # 4 · Dropout in ConvNets
    "04.1": Exercise(
        lambda: 32 * 32, "One draws for every number in every map, the other once for each map."
    ),
    "04.2": Exercise(
        lambda: 2 * (1 - 0.5**4), "The maximum is 2 as soon as one of the four survives."
    ),
    "04.3": Exercise(
        lambda: (0.5 / masks.keep_prob_of_rate(0.2) - 1 / math.tau) / (0.5 - 1 / math.tau),
        "Put a rate of 0.2 where the lesson has one half.",
    ),
    # 5 · Dropout in recurrent nets
    "05.1": Exercise(
        lambda: masks.keep_prob_of_rate(0.1) ** 20,
        "A unit that remembers must be kept at every one of the steps.",
    ),
    "05.2": Exercise(
        lambda: 32 * 50 * 64, "Dropout in front of the layer draws for every number of the tensor."
    ),
    "05.3": Exercise(
        lambda: "h", "Which of the two states do the gates protect, and which do they only look at?"
    ),
    # 8 · Case study: two circles
    "08.1": Exercise(lambda: 1 / 70, "One point of the test set, as a share of all of them."),
    "08.2": Exercise(
        lambda: 2 * 500 + 500 + 500 + 1,
        "Each hidden unit has two weights in, a bias, and one weight out; the output has a bias.",
    ),
    # 9 · Case study: film reviews
    "09.1": Exercise(
        lambda: (2000 * 16 + 16) + (16 * 16 + 16) + (16 + 1),
        "Every unit has one weight for each of its inputs, and a bias.",
    ),
    "09.2": Exercise(
        lambda: 80 * masks.keep_prob_of_rate(0.2), "A rate of 0.2 drops one word in five."
    ),
    "09.3": Exercise(
        lambda: sum(rank + 3 < 5000 for rank in range(1, 5000)),
        "Every rank is shifted by 3 before the numbers from 5,000 on are left out.",
    ),
    # 10 · Case study: clothes
    "10.1": Exercise(
        lambda: math.ceil(55_000 / 32) * 60,
        "Divide the rows that are left by 32, round up, and multiply by the epochs.",
    ),
    "10.2": Exercise(
        lambda: masks.keep_prob_of_rate(0.2) ** 4, "Four independent units must all be kept."
    ),
    "10.3": Exercise(
        lambda: 1 / masks.keep_prob_of_rate(0.2) ** 4,
        "Each place scales its survivors by 1/(1 − rate).",
    ),
    # 11 · Case study: small colour photographs
    "11.1": Exercise(
        lambda: 3 * 64 * 64,
        "Axis 0 disappears into the length; multiply the sizes of the axes that stay.",
    ),
    "11.2": Exercise(
        lambda: math.sqrt(3 * 2 / 576),
        "The mean of a squared length is the number of its weights times their variance.",
    ),
    "11.3": Exercise(
        lambda: 50_000 * 32 * 32 * 3 * 4,
        "Count the numbers: photographs × height × width × colours. Each takes four bytes.",
    ),
    # 12 · Choosing the rate
    "12.1": Exercise(
        lambda: math.ceil(((1.96 + 0.84) * 0.03 / 0.01) ** 2),
        "Put the spread and the gain, both as shares, into the formula; round up at the end.",
    ),
    "12.2": Exercise(
        lambda: math.sqrt(0.75 * 0.25 / 70),
        "Each of the 70 points is right or wrong on its own: the spread of a share is binomial.",
    ),
    "12.3": Exercise(lambda: 0.76, "Which of the two sets took no part in the choice?"),
    # 13 · Uncertainty
    "13.1": Exercise(
        lambda: math.sqrt(masks.moments([3.0], 0.2)[1][0]),
        "Its variance is rate / (1 − rate) times the square of what is dropped.",
    ),
    "13.2": Exercise(
        lambda: 10 + 100 // 10, "What no mask touches comes out the same each time: once is enough."
    ),
    "13.3": Exercise(
        lambda: math.log(2), "The entropy of the mean answer, minus the mean of their entropies."
    ),
}


def check(key: str, answer: object) -> None:
    """Say at once whether an answer is right.

    A count must be exact. Another number is judged to the figures that it is given with: two at
    least, and no more than three.

    Args:
        key: The exercise, lesson and number: "01.2".
        answer: A number or a string; `...` while it is not answered.

    Raises:
        ValueError: If there is no such exercise.
        TypeError: If the answer is of another kind than the solution.

    Example:
        >>> check("01.3", 1024)
        Right.
        >>> check("05.1", 0.12)  # 0.1216
        Right.
        >>> check("05.1", 12)
        Not yet: this is the answer in percent. Give it as a share of 1.
        >>> check("01.3", ...)
        Not answered yet: put your answer in place of the dots and run the cell again.
    """
    exercise = EXERCISES[check_choice(key, "key", EXERCISES)]
    if answer is ...:
        print("Not answered yet: put your answer in place of the dots and run the cell again.")
        return
    solution = exercise.solve()
    kind = str if isinstance(solution, str) else (int, float, np.number)
    if not isinstance(answer, kind) or isinstance(answer, bool):
        kind = "a string" if kind is str else "a number"
        raise TypeError(f"the answer to {key} is {kind}, received {shown(answer)}")
    close = _near if isinstance(solution, float) else operator.eq
    if close(answer, solution):
        print("Right.")
    elif isinstance(solution, float) and solution < 1 and _near(answer, 100 * solution):
        print("Not yet: this is the answer in percent. Give it as a share of 1.")
    else:
        print(f"Not yet. {exercise.hint}")


def _near(answer: float, solution: float) -> bool:
    """Compare at the last place that the answer is given with, two to three figures in."""
    given = Decimal(str(answer))
    if not given.is_finite():
        return False
    first = math.floor(math.log10(abs(solution)))
    place = min(max(given.as_tuple().exponent, first - 2), first - 1)
    return abs(given - Decimal(solution)) <= Decimal(10) ** place * Decimal("0.5000001")
