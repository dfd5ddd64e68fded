"""The exercises answer at once, and only to the right answer: the one that the lesson prints."""

import itertools
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers import exercises

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def printed():
    """The answer in bold in the folded cell behind each check, by exercise."""
    found = {}
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        for cell, below in itertools.pairwise(cells):
            if asked := re.search(r'^exercises\.check\("([\d.]+)"', cell.source, re.M):
                folded = re.search(r"<details>(.*?)</details>", below.source, re.S)
                found[asked[1]] = re.search(r"\*\*(.+?)\*\*", folded[1])[1] if folded else ""
    return found


PRINTED = printed()


def read(text):
    """What a reader types: "2,048" is 2048, "h" is a string."""
    text = text.replace(",", "")
    return text.strip('"') if text.startswith('"') else float(text) if "." in text else int(text)


def test_the_lessons_ask_exactly_the_exercises_that_exist():
    assert list(PRINTED) == list(exercises.EXERCISES)


@pytest.mark.parametrize("key", PRINTED)
def test_check_accepts_what_the_lesson_prints_and_nothing_beside_it(key, capsys):
    answer = read(PRINTED[key])
    others = ["c"] if answer == "h" else [answer * 1.06, answer / 1.06, -answer, answer + 1]
    for given in (answer, *others):
        exercises.check(key, given)
    right, *hints = capsys.readouterr().out.splitlines()
    assert right == "Right."
    assert set(hints) == {f"Not yet. {exercises.EXERCISES[key].hint}"}


@pytest.mark.parametrize(
    ("key", "answer", "right"),
    [
        ("05.1", 0.12, True),  # 0.12158
        ("05.1", 0.1216, True),
        ("05.1", np.float32(0.12), True),
        ("05.1", 0.13, False),
        ("05.1", 0.1, False),  # two figures at least
        ("05.1", 0.121, False),
        ("05.1", 0.1217, True),  # no more than three figures
        ("11.2", 0.10, True),  # 0.10206
        ("08.1", 0.0143, True),
        ("10.3", 2.4, True),  # 2.4414
        ("10.3", 2.45, False),
        ("08.1", 0.014, True),
        ("01.1", 36, True),
        ("01.1", 36.4, False),
        ("01.1", float("nan"), False),
        ("01.3", 1024.0, True),
        ("01.3", 1025, False),  # a count is exact
        ("11.3", 614_000_000, False),
    ],
)
def test_check_compares_to_the_figures_given(key, answer, right, capsys):
    exercises.check(key, answer)
    assert (capsys.readouterr().out == "Right.\n") == right


@pytest.mark.parametrize(
    ("key", "answer", "percent"),
    [("08.1", 1.4, True), ("05.1", 12, True), ("10.2", 41, True), ("04.2", 187.5, False)],
)
def test_check_says_that_a_percentage_is_no_share(key, answer, percent, capsys):
    exercises.check(key, answer)
    assert ("in percent" in capsys.readouterr().out) == percent


def test_check_says_that_dots_are_no_answer(capsys):
    exercises.check("01.1", ...)
    assert capsys.readouterr().out.startswith("Not answered yet")


@pytest.mark.parametrize("answer", ["1024", None, True, [1024]])
def test_check_refuses_another_kind_of_answer(answer):
    with pytest.raises(TypeError, match=r"the answer to 01\.3 is a number, received"):
        exercises.check("01.3", answer)
    with pytest.raises(TypeError, match=r"05\.3 is a string, received 1"):
        exercises.check("05.3", 1)


def test_check_refuses_an_unknown_exercise():
    with pytest.raises(ValueError, match=r"received '99\.9'"):
        exercises.check("99.9", 1)
