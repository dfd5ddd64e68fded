"""The exercises answer at once, and only to the right answer: the one that the lesson prints."""

import importlib
import pkgutil
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers import exercises
from helpers.exercises import judge

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
EXERCISES = {
    key: exercise
    for module in sorted(one.name for one in pkgutil.iter_modules(exercises.__path__))
    if module.startswith("lesson_")
    for key, exercise in importlib.import_module(f"helpers.exercises.{module}").EXERCISES.items()
}
QUESTIONS = {key: one for key, one in EXERCISES.items() if isinstance(one, judge.Question)}


def folded():
    """The cell of each exercise, what is folded below it, and the task above it."""
    found = {}
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        for above, cell, below in zip(cells, cells[1:], cells[2:], strict=False):
            if asked := re.search(r'^exercises\.check\("([\d.]+)"', cell.source, re.M):
                answer = re.search(r"<details>(.*?)</details>", below.source, re.S)
                task = above.source.rpartition("</details>")[2].strip()  # behind the last answer
                found[asked[1]] = cell.source, answer[1] if answer else "", task
    return found


FOLDED = folded()


def printed(key):
    """The answer in bold in the folded cell."""
    return re.search(r"\*\*(.+?)\*\*", FOLDED[key][1])[1]


def read(text):
    """What a reader types: "2,048" is 2048, "h" is a string."""
    text = text.replace(",", "")
    return text.strip('"') if text.startswith('"') else float(text) if "." in text else int(text)


def test_the_lessons_ask_exactly_the_exercises_that_exist():
    assert list(FOLDED) == list(EXERCISES)


@pytest.mark.parametrize("key", [key for key in FOLDED if key not in QUESTIONS])
def test_an_answer_is_folded_and_not_in_the_task(key):
    task, answer = FOLDED[key][2], FOLDED[key][1]
    assert answer.strip()
    number = key.split(".")[1]
    assert re.search(rf"^\*\*{number}\. (Write it|Find the bug|Choose)\.\*\* ", task, re.M)
    if isinstance(EXERCISES[key], judge.Choice):
        assert read(printed(key)) == EXERCISES[key].right


def unwrapped(capsys):
    """What was printed, without its line breaks."""
    return " ".join(capsys.readouterr().out.split())


def test_a_long_reply_is_broken_between_words(capsys):
    exercises._asked.clear()
    exercises.check("11.6", "a")
    exercises.hint("09.4")
    lines = capsys.readouterr().out.splitlines()
    reply, hint = EXERCISES["11.6"].reply("a", "11.6"), EXERCISES["09.4"].hints[0]
    assert " ".join(lines) == f"{reply} Hint 1 of 2. {hint}"
    assert max(map(len, lines)) <= 80 < min(len(reply), len(hint))
    exercises.check("01.4", lambda h, rate, rng: undefined)  # noqa: F821
    assert "\n  in line " in capsys.readouterr().out


@pytest.mark.parametrize("key", [key for key in FOLDED if key in QUESTIONS])
def test_check_accepts_what_the_lesson_prints_and_nothing_beside_it(key, capsys):
    answer = read(printed(key))
    others = ["c"] if answer == "h" else [answer * 1.06, answer / 1.06, -answer, answer + 1]
    for given in (answer, *others):
        exercises.check(key, given)
    hint = f"Not yet. {QUESTIONS[key].hint}"
    assert unwrapped(capsys) == " ".join(["Right.", *[hint] * len(others)])


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


@pytest.mark.parametrize("answer", ["1024", None, True, [1024], (401, 408)])
def test_another_kind_of_answer_gets_a_sentence_and_no_traceback(answer, capsys):
    exercises.check("01.3", answer)
    form = "one number, without quotes and commas"
    assert unwrapped(capsys) == f"Not yet. Answer with {form}; this was {answer!r}."
    exercises.check("05.3", 1)
    assert capsys.readouterr().out == "Not yet. Answer with a text in quotes; this was 1.\n"


def test_a_word_is_right_in_capitals_and_with_a_space(capsys):
    exercises.check("05.3", " H")
    assert capsys.readouterr().out == "Right.\n"


@pytest.mark.parametrize("key", ["99.9", "01.99", "", 1, None])
def test_an_unknown_exercise_is_refused(key):
    for ask in (lambda: exercises.check(key, 1), lambda: exercises.hint(key)):
        with pytest.raises(
            ValueError, match=f"key must be one of .* received {re.escape(repr(key))}"
        ):
            ask()
