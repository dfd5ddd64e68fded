"""The exercises answer at once, and only to the right answer."""

import re
from pathlib import Path

import nbformat
import pytest

from helpers import exercises

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("key", exercises.EXERCISES)
def test_the_solution_is_right_and_another_answer_gets_the_hint(key, capsys):
    exercise = exercises.EXERCISES[key]
    solution = exercise.solve()
    wrong = not solution if isinstance(solution, bool) else solution + type(solution)("1")
    for answer in (solution, wrong, ...):
        exercises.check(key, answer)
    right, hint, unanswered = capsys.readouterr().out.splitlines()
    assert right == "Right."
    assert hint == f"Not yet. {exercise.hint}"
    assert unanswered.startswith("Not answered yet")


def test_another_kind_of_answer_is_refused():
    for answer in ("1024", None, True, [1024]):
        with pytest.raises(TypeError, match=r"01\.3 is a number, received"):
            exercises.check("01.3", answer)


def test_an_unknown_exercise_is_refused():
    with pytest.raises(ValueError, match=r"received '99\.9'"):
        exercises.check("99.9", 1)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_lesson_asks_exactly_the_exercises_that_exist(path):
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    asked = re.findall(r'exercises\.check\("([\d.]+)"', source)
    lesson = path.stem[:2]
    assert asked == [key for key in exercises.EXERCISES if key.startswith(lesson)]
