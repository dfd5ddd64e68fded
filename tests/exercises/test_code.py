"""Code exercises: the folded solutions pass, so do others; each slip is told what it reveals."""

import contextlib
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from answers import RIGHT, WRONG
from test_questions import EXERCISES, FOLDED

from helpers import evidence, exercises
from helpers._engine.backend import keras
from helpers.exercises import judge, lesson_01

CODE = {key: one for key, one in EXERCISES.items() if isinstance(one, judge.Code)}
CHOICES = {key: one for key, one in EXERCISES.items() if isinstance(one, judge.Choice)}
ASKED = [key for key in CODE if key in FOLDED]


def defined(source):
    """What a cell defines last, as it is in the notebook."""
    names = {"np": np, "keras": keras, "evidence": evidence}
    before = set(names)
    exec(compile(source, "cell", "exec"), names)
    return next(names[n] for n in reversed(list(names)) if n not in before | {"__builtins__"})


@pytest.mark.parametrize("key", ASKED)
def test_the_folded_solution_passes(key):
    (solution,) = re.findall(r"```python\n(.*?)```", FOLDED[key][1], re.S)
    assert CODE[key].reply(defined(solution), key) == judge.RIGHT


@pytest.mark.parametrize("key", ASKED)
def test_the_cell_as_it_stands_is_not_answered_yet(key, capsys):
    source = FOLDED[key][0]
    assert source.endswith(f'exercises.check("{key}", {CODE[key].reference.__name__})')
    exec(compile(source, "cell", "exec"), {"np": np, "keras": keras, "exercises": exercises})
    said = judge.AS_GIVEN if CODE[key].given else judge.UNANSWERED
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize("key", CODE)
def test_two_other_correct_ways_pass(key):
    assert len(RIGHT[key]) == 2
    for answer in RIGHT[key]:
        assert CODE[key].reply(answer, key) == judge.RIGHT


@pytest.mark.parametrize(
    ("key", "sentence"), [(k, s) for k, one in CODE.items() for s in one.mistakes]
)
def test_each_typical_mistake_is_told_its_own_sentence(key, sentence):
    assert CODE[key].reply(CODE[key].mistakes[sentence], key) == f"Not yet. {sentence}"


@pytest.mark.parametrize(("key", "says", "answer"), WRONG)
def test_a_slip_as_a_reader_types_it_is_told_what_it_reveals(key, says, answer):
    assert says in CODE[key].reply(answer, key)


@pytest.mark.parametrize("key", [*CODE, *CHOICES])
def test_there_are_two_hints_one_after_the_other(key, capsys):
    exercises._asked.clear()
    for _ in range(3):
        exercises.hint(key)
    _, first, second, third = capsys.readouterr().out.split("Hint ")
    assert first.startswith("1 of 2. ")
    assert second.startswith("2 of 2. ")
    assert third == first != second


@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_says_why_and_what_each_other_one_overlooks(key):
    one = CHOICES[key]
    assert one.reply(f" {one.right.upper()}", key) == f"Right. {one.why}"
    said = {one.reply(letter, key) for letter in one.wrong}
    assert len(said) == len(one.wrong) >= 2
    assert all(sentence.startswith("Not yet. ") for sentence in said)
    for junk in ("z", 3, None, ["a"]):
        assert one.reply(junk, key).startswith('Not yet. Answer with "a" or "b"')
    assert one.reply(..., key) == judge.UNANSWERED
    listed = (
        re.findall(r"^- (\w):", FOLDED[key][2], re.M)
        if key in FOLDED
        else sorted([one.right, *one.wrong])
    )
    assert listed == sorted([one.right, *one.wrong])


def reply(answer, key="01.4"):
    return CODE[key].reply(answer, key)


def raising(h, rate, rng):
    kept = rng.random(h.shape) >= rate
    return h * kept / undefined  # noqa: F821


def test_an_exception_is_shown_as_the_readers_own_with_its_line():
    said = reply(raising)
    line = raising.__code__.co_firstlineno + 2
    assert said.startswith("Your code raised NameError: name 'undefined' is not defined\n")
    assert f"in line {line}: return h * kept / undefined" in said
    assert said.endswith("It is used as dropout(h, rate, rng).")
    assert "Traceback" not in said


class Misspelt(keras.layers.Layer):
    def __init__(self, rate=0.2, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs, training=False):
        return keras.random.dropout(inputs, self.rat)


def test_of_an_exception_inside_a_layer_only_the_readers_part_is_shown():
    assert reply(Misspelt, "10.4").splitlines() == [
        "Your code raised AttributeError: 'Misspelt' object has no attribute 'rat'",
        f"  in line {Misspelt.call.__code__.co_firstlineno + 1}: "
        "return keras.random.dropout(inputs, self.rat)",
        "It is used as MyDropout(rate=0.2, **kwargs).",
    ]


def test_an_error_of_tensorflow_is_shown_without_its_names_for_places():
    (slip,) = (answer for key, says, answer in WRONG if (key, says) == ("07.4", "Your code raised"))
    said = reply(slip, "07.4").splitlines()[0]
    assert re.match(r"Your code raised \w+: (?!\{)", said)
    assert "function_node" not in said
    assert "[Op:" not in said


def test_a_function_that_takes_other_arguments_is_told_how_it_is_called():
    said = reply(lambda h: h)
    assert said.startswith("Your code raised TypeError: ")
    assert said.endswith("It is used as dropout(h, rate, rng).")
    assert reply(lambda h, rate, rng: sys.exit()).startswith("Your code raised SystemExit")
    assert reply(CODE["10.4"].reference).startswith("Your code raised ")


def loop(h, rate, rng):
    while True:
        with contextlib.suppress(Exception):  # does not stop the clock
            sum(range(1000))


def test_what_never_ends_is_stopped():
    started = time.monotonic()
    said = CODE["01.4"]._replace(seconds=0.3).reply(loop, "01.4")
    assert said == "Not yet. It takes too long: more than 0.3 s on one input."
    assert time.monotonic() - started < 5
    assert not [one for one in threading.enumerate() if "(run)" in one.name]


def in_place(h, rate, rng):
    h *= (rng.random(h.shape) >= rate) / (1 - rate)
    return h


def test_a_function_that_works_on_its_input_is_told():
    assert reply(in_place).startswith("Not yet. It modifies its input")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            lambda h, rate, rng: (h * (rng.random(h.shape) >= rate))[0],
            "an array of shape (250,), where",
        ),
        (lambda h, rate, rng: "h", "a text, where an array of shape (400, 250)"),
        (lambda h, rate, rng: np.array([object()]), "a ndarray, where"),
        (lambda h, rate, rng: [[1], [1, 2]], "a list, where"),
        (lambda h, rate, rng: h.astype(int), "The mean is"),
        (lambda h, rate, rng: h * np.nan, "The mean should be"),
        (lambda h, rate, rng: print(), "nothing (is `return` missing?), where"),
    ],
)
def test_another_shape_or_type_is_named(answer, says):
    exercise = CODE["01.4"]._replace(use=lambda f, *args: f(*args), facts=one_dropped)
    said = exercise.reply(answer, "01.4")
    assert says in said
    assert "\n" not in said


def one_dropped(out, h, *_):
    return lesson_01.dropped(out, h)


def stub(h, rate, rng): ...


def explained(h, rate, rng):
    """Drop."""
    ...


class Stub(keras.layers.Layer): ...


class Stubs(keras.layers.Layer):
    def __init__(self, rate): ...

    def call(self, x): ...


@pytest.mark.parametrize("answer", [..., stub, explained, lambda h, rate, rng: ..., Stub, Stubs])
def test_a_stub_is_not_answered_yet(answer):
    assert reply(answer) == judge.UNANSWERED


def test_what_is_no_stub_is_judged():
    assert reply(lambda h, rate, rng: h) == (
        "Not yet. Nothing is dropped: this is what the layer does at inference."
    )
    assert reply(np.ones(3)).startswith("Not yet. Hand over `dropout(h, rate, rng)` itself")


def test_importing_the_exercises_loads_nothing_heavy():
    code = "import sys, helpers.exercises; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
