"""Bad arguments to everything public: accepted as the type hints promise, or refused in own words.

Every public function, constructor and method of the helpers is found by inspection. Each of its
arguments in turn is replaced by what does not belong there. Then the call either succeeds, and the
value is of the kind that the type hint promises; or it raises an error that the docstring lists,
whose message names the argument and says what was received. A warning is an error.
"""

import collections.abc
import contextlib
import dataclasses
import decimal
import fractions
import functools
import importlib
import inspect
import math
import numbers
import operator
import os
import pkgutil
import re
import types
import typing
import warnings
from fnmatch import fnmatch

import nbformat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

import helpers
from helpers import (
    data,
    environment,
    evidence,
    execute,
    layers,
    plots,
    precision,
    replicas,
    results,
    sweeps,
    training,
    widgets,
)
from helpers.checks import shown

import keras  # isort: skip

EXAMPLES = 50
# --- what is called, with arguments that are good

X, Y = np.arange(12.0).reshape(6, 2) / 12, np.array([0, 1, 1, 0, 1, 0])
RUNS = {"none": [{"loss": [2.0, 1.0]}, {"loss": [3.0, 2.0]}]}
AX = plt.figure().add_subplot()


def model():
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    built.compile("sgd", "binary_crossentropy")
    return built


MODEL = model()
PLAN, NUMBERS = replicas.read_model(MODEL)
SWEEP = sweeps.Sweep(
    (0.0, 0.5), (0, 1, 2), 1, (np.zeros((2, 3, 2, 1), "f"), np.zeros((2, 3, 1), "f")), {}, np.array([1]),
    PLAN, np.array([NUMBERS] * 2, np.float32), lambda setting: MODEL,
)  # fmt: skip


def drawn(**values):
    return plt.figure(figsize=(1, 1)), "a sentence"


@dataclasses.dataclass
class Call:
    """Good arguments of something public, the object whose method it is, and how often to try."""

    good: dict
    on: object = None
    examples: int = EXAMPLES


def call(on=None, examples=EXAMPLES, /, **good):
    return Call(good, on, examples)


CALLS = {
    "checks.check_array": call(value=[1.0], name="value"),
    "checks.check_count": call(value=3, name="value"),
    "checks.check_flag": call(value=True, name="value"),
    "checks.check_number": call(value=0.5, name="value"),
    "checks.check_path": call(value="a", name="value"),
    "checks.check_rate": call(rate=0.5),
    "checks.check_sequence": call(value=[1], name="value"),
    "checks.check_type": call(value="a", name="value", kind=str),
    "checks.shown": call(value=1),
    "data.decode": call(review=np.array([2, 0, 1]), vocabulary=("good", "film")),
    "data.load": call(None, 20, name="mnist", scale="sample"),
    "data.make_mirror": call(folder="mirror"),
    "data.multi_hot": call(reviews=[np.array([1, 3]), np.array([2])], num_words=4),
    "data.pad": call(reviews=[np.array([1, 3]), np.array([2])], length=2, num_words=4),
    "environment.Environment.verdict": call(environment.Environment(())),
    "environment.check_environment": call(),
    "evidence.Claims": call(),
    "evidence.Claims.add": call(evidence.Claims(), claim="so", measured=1, holds=True),
    "evidence.Claims.table": call(evidence.Claims()),
    "evidence.Claims.verdict": call(evidence.Claims([("so", "1", True)])),
    "evidence.base_seed": call(),
    "evidence.difference": call(a=[1.0, 2.0], b=[0.5, 1.5], paired=True),
    "evidence.interval": call(values=[1.0, 2.0]),
    "execute.clean": call(notebook=nbformat.v4.new_notebook()),
    "execute.execute": call(path="lesson.ipynb", timeout=9.0),
    "execute.run": call(path="lesson.ipynb", timeout=9.0, environment={"A": "b"}),
    "exercises.check": call(key="01.1", answer=36.0),
    "files.written_whole": call(path="a.txt"),
    "interrupts.held": call(),
    "jobs.sweep": call(function=lambda **values: 1, configurations=[{"rate": 0.5}, {"rate": 0.2}]),
    "layers.DropConnect": call(units=2, rate=0.5, seed=1),
    "layers.StepDropout": call(cell=keras.layers.LSTMCell(3), rate=0.5, state=1, seed=1),
    "layers.TunableDropout": call(None, 30, rate=0.5, seed=1),
    "layers.TunableDropout.rate": call(layers.TunableDropout(0.5), rate=0.5),
    "masks.all_masks": call(units=3),
    "masks.inverted_dropout": call(h=np.ones(3), mask=np.array([True, False, True]), rate=0.5),
    "masks.inverted_dropout_gradient": call(
        upstream=np.ones(3), mask=np.array([True, False, True]), rate=0.5
    ),
    "masks.keep_prob_of_rate": call(rate=0.2),
    "masks.moments": call(h=np.ones(3), rate=0.5),
    "masks.paper_dropout": call(h=np.ones(3), mask=np.array([True, False, True])),
    "masks.paper_inference": call(h=np.ones(3), keep_prob=0.5),
    "masks.rate_of_keep_prob": call(keep_prob=0.8),
    "masks.sample_mask": call(
        shape=(2, 3), rate=0.5, noise_shape=(None, 1), rng=np.random.default_rng(0)
    ),
    "masks.sampled_moments": call(
        h=np.ones(3), rate=0.5, draws=4, rng=np.random.default_rng(0)
    ),
    "masks.thinned_networks": call(
        h=np.ones(3), predict=lambda rows: np.full((len(rows), 2), 0.5), rate=0.5
    ),
    "plots.bands": call(
        x=[0, 1], groups={"a": [[1, 2], [2, 3]]}, xlabel="x", ylabel="y", ax=AX
    ),
    "plots.boundary": call(axis=np.arange(3.0), probability=np.arange(9) / 9, ax=AX),
    "plots.classes": call(x=X, y=Y, ax=AX),
    "plots.confusion": call(share=[[0.9, 0.1], [0.0, 1.0]], names=["cat", "dog"], ax=AX),
    "plots.curves": call(
        histories={"none": {"loss": [2.0, 1.0], "val_loss": [2.0, 1.0]}},
        keys=["loss", "val_loss"], labels=["train", "test"], ylabel="y", average=2, ax=AX,
    ),
    "plots.feature_maps": call(maps=np.ones((2, 2, 3)), kept=np.ones((2, 2, 3), bool), ax=AX),
    "plots.figure": call(None, 25, rows=1, columns=2, width=4.0, height=2.0),
    "plots.intervals": call(
        groups={"a": [0.1, 0.2], "b": [0.3, 0.4]}, xlabel="x", published={"a": 0.2}, ax=AX
    ),
    "plots.mask_grid": call(mask=[[True, False]], xlabel="x", ylabel="y", title="t", ax=AX),
    "plots.network": call(layers=[np.array([True, False]), np.array([True])], scale=2.0, ax=AX),
    "plots.plane": call(x=X, points=5, margin=0.3),
    "plots.png": call(fig=AX.figure),
    "plots.show": call(fig=AX.figure, conclusion="It is empty."),
    "plots.spread": call(
        draws=[[0.9, 0.1], [0.5, 0.5]], plain=[0.8, 0.2], names=["cat", "dog"], ax=AX
    ),
    "plots.thinned": call(
        None, 25, kept=np.array([True, False]), sums=np.array([0.0, 2.0]), mean=1.0, scale=2.0
    ),
    "precision.measure": call(build=lambda: MODEL, x=X, y=Y, steps=1),
    "progress.Progress": call(total=3, unit="runs", wanted=True),
    "progress.Progress.show": call(helpers.progress.Progress(3, "runs"), done=1, note="loss 1"),
    "replicas.read_model": call(model=MODEL),
    "results.collect": call(
        name="07_test", settings={"epochs": 2}, variants={"none": 0.0}, seeds=[1, 2],
        train=lambda variant, seed: {"loss": [2.0, 1.0]},
    ),
    "results.declared": call(notebook="lesson.ipynb", scale="full"),
    "results.figure": call(
        None, 25, live=RUNS, recorded=RUNS, key="loss", ylabel="loss", published=1.5
    ),
    "results.load": call(name="07_test", folder="results"),
    "results.one_run": call(published=0.85, values=[0.80, 0.82, 0.84]),
    "results.stack": call(runs=RUNS["none"], key="loss"),
    "sweeps.Sweep.evaluate": call(SWEEP, 30, x=X, y=Y),
    "sweeps.Sweep.predict": call(SWEEP, 30, x=X),
    "sweeps.Sweep.to_keras": call(SWEEP, setting=1, seed=0),
    "sweeps.train": call(
        None, 40, build=lambda rate: MODEL, settings=[0.0, 0.5], x=X, y=Y, seeds=[0, 1], epochs=2,
        batch_size=2, curves={"test": (X, Y)}, every=1,
    ),
    "training.fit": call(
        None, 30, model=MODEL, x=X, y=Y, epochs=2, batch_size=2, validation_data=(X, Y),
        shuffle=True, verbose=0,
    ),
    "widgets.Panel": call(
        None, 25, draw=drawn, controls={"rate": widgets.rate_slider(0.5)}, button="Again"
    ),
    "widgets.Panel.redraw": call(widgets.Panel(drawn, {"rate": widgets.rate_slider(0.5)})),
    "widgets.choice": call(None, 30, name="kind", options={"one": 1, "two": 2}, value=2),
    "widgets.rate_slider": call(None, 30, value=0.5, name="rate", maximum=0.9, live=False),
    "widgets.slider": call(
        None, 30, name="units", value=4, minimum=1, maximum=8, step=1, live=False
    ),
}  # fmt: skip

# what is left out, and why; records (frozen dataclasses, named tuples) and errors hold what they
# are given, and **options are handed on to matplotlib or Keras
LEFT_OUT = {
    "checks.check_*.[!vr]*": "written by whoever writes a helper, never by a reader",
    "evidence.Claims.add.measured": "anything at all, shown by its own str",
    "execute.main": "a command line holds strings only: see below",
    "results.main": "a command line holds strings only: see below",
    "layers.StepDropout.get_initial_state*": "Keras calls it, as a cell's",
    "replicas.program": "compiled for arguments that sweeps.train has checked at its door",
    "replicas.forward": "part of that program, works on its tensors",
    "replicas.losses": "part of that program, works on its tensors",
    "replicas.penalty": "part of that program, works on its tensors",
    "replicas.random_words": "part of that program, works on its tensors",
    "replicas.initial_state": "part of that program, works on its tensors",
}
# where a call takes more than its hint says
ALSO_TAKES = {
    "plots.curves.histories": "a run that diverged holds NaN",
    "results.figure.live": "looks only at the key that is asked for",
    "results.figure.recorded": "looks only at the key that is asked for",
    "results.stack.runs": "looks only at the key that is asked for",
    "data.decode.vocabulary": "looks only at the words that occur",
}

# what a number must be, besides of its kind
RANGES = {
    "*.rate": lambda rate: 0 <= rate < 1,
    "widgets.rate_slider.value": lambda rate: 0 <= rate <= 0.9,
    "widgets.rate_slider.maximum": lambda rate: 0.5 <= rate < 1,
    "*.keep_prob": lambda keep_prob: 0 < keep_prob <= 1,
    "masks.all_masks.units": lambda units: 1 <= units <= 16,
    "layers.*.units": lambda units: units >= 1,
    "layers.StepDropout.state": lambda state: state in (0, 1),
    "*.draws": lambda draws: np.ndim(draws) or draws >= 2,
    "plots.plane.points": lambda points: points >= 2,
    "sweeps.train.epochs": lambda epochs: epochs >= 0,
    "sweeps.Sweep.to_keras.setting": lambda setting: setting in (0, 1),
    "*.seed": lambda seed: seed is None or seed >= 0,
    "*.timeout": lambda seconds: seconds is None or seconds > 0,
    **{
        name: lambda count: count is None or count >= 1
        for name in (
            *("training.fit.epochs", "*.batch_size", "*.every", "*.steps", "*.num_words"),
            *("*.length", "*.rows", "*.columns", "*.total", "*.average"),
        )
    },
}


def left_out(name):
    return any(fnmatch(name, pattern) for pattern in LEFT_OUT)


def public_callables():
    """Yield the name of everything public that can be called, and the function behind it."""
    for found in pkgutil.iter_modules(helpers.__path__):
        module = importlib.import_module(f"helpers.{found.name}")
        for name, member in vars(module).items():
            own = getattr(member, "__module__", None) == module.__name__
            if name.startswith("_") or not own or not callable(member):
                continue
            name = f"{found.name}.{name}"
            if not inspect.isclass(member):
                yield name, member
                continue
            if not (issubclass(member, (Exception, tuple)) or is_record(member)):
                yield name, member
            for method, function in vars(member).items():
                function = getattr(function, "fset", None) or function
                # Keras calls what overrides its own methods
                inherited = any(hasattr(base, method) for base in member.__bases__)
                if inspect.isfunction(function) and not method.startswith("_") and not inherited:
                    yield f"{name}.{method}", function


def is_record(kind):
    return dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen


def arguments_of(function):
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    names = [each.name for each in parameters if each.kind not in kinds]
    return [name for name in names if name != "self" and not name.startswith("_")]


FOUND = dict(public_callables())
CASES = [
    (name, argument)
    for name, one in CALLS.items()
    for argument in one.good
    if not left_out(f"{name}.{argument}")
]


def test_everything_public_is_in_the_table():
    wanted = {
        f"{name}.{argument}" if argument else name
        for name, function in FOUND.items()
        for argument in ("", *arguments_of(function))
        if not left_out(name)
    }
    have = {
        f"{name}.{argument}" if argument else name
        for name, one in CALLS.items()
        for argument in ("", *one.good)
    }
    assert {each for each in wanted if not left_out(each)} - have == set()
    assert have - wanted == set()


def test_nothing_is_left_out_that_is_not_there():
    names = {
        each
        for name, function in FOUND.items()
        for each in (name, *(f"{name}.{argument}" for argument in arguments_of(function)))
    }
    for pattern in LEFT_OUT:
        assert any(fnmatch(name, pattern) for name in names), pattern
    assert set(ALSO_TAKES) <= names
    for pattern in RANGES:
        assert any(fnmatch(name, pattern) for name in names), pattern


# --- what is put in their place


class Odd:
    """An object of a class that nobody has heard of, with no way to show itself."""

    def __repr__(self):
        raise RuntimeError("no repr")


FIXED = [
    *(None, True, False, np.True_, ..., NotImplemented, 0, 1, -1, 2, -(10**30), 2**31, 2**63, 10**30),
    *(10**400, 10**5000, -(10**400), 0.5, 1.0, -0.5, 1.5, 2.5, math.nan, math.inf, -math.inf, 1e-300),
    *(np.float32(0.5), np.float64("nan"), np.int64(3), np.uint8(1), np.datetime64("2014-06-01")),
    *(1j, fractions.Fraction(1, 2), fractions.Fraction(10**400, 3), decimal.Decimal("0.5")),
    *("", "a", "0.5", "1", " ", "\0", "x" * 300, b"", b"a", bytearray(b"a"), "auto", "loss"),
    *(np.array(0.5), np.array(3), np.array(True), np.array("a"), np.array(None)),
    *(np.zeros(0), np.zeros((2, 0)), np.zeros((2, 2, 2, 2)), np.zeros(3), np.ones((3, 2)), np.eye(2)),
    *(np.array([1, None]), np.array([1j]), np.array(["a", "b"]), np.array([1.0, np.nan])),
    *(np.array([np.inf, 0]), np.ones(3, bool), np.ones(2, [("a", int)]), np.array([b"a"])),
    *([], (), {}, set(), {1}, {1, 2}, frozenset({"a"}), range(3), range(0), [[1], [1, 2]], [None]),
    *([1, 2], [0.5, 0.5], ["a", "b"], [[]], [[1, 2], [3]], {"a": 1}, {1: 2}, {None: None}, {"a": []}),
    *([math.nan, 1.0], [True, False], ["a", 1], ({},), [{}], [object()], slice(1)),
    *(int, np, Odd(), object(), print, AX, AX.figure, MODEL, keras.layers.Dense(2), np.random),
]  # fmt: skip
MADE = [
    lambda: (i for i in range(3)),
    lambda: iter([1, 2]),
    lambda: {"a": 1}.items(),
    lambda: lambda *_, **__: None,
]


def pick(values):
    # by number: hypothesis shows what it draws from, and not everything can be shown
    return st.integers(0, len(values) - 1).map(lambda number: values[number])


def junk():
    return st.one_of(
        pick(FIXED),
        pick(FIXED),
        pick(MADE).map(lambda make: make()),
        st.integers(-1000, 1000),
        st.floats(-1e3, 1e3),
        st.text(max_size=3),
        st.lists(st.one_of(st.integers(-3, 3), st.sampled_from([None, "a", 0.5])), max_size=3),
    )


def near(good):
    """Return a strategy of what is almost the good value: one thing about it is wrong."""
    if isinstance(good, np.ndarray):
        other = [object, complex, str, bool, np.float16, np.int8]
        shapes = [good[None], good[..., None], good[:0], good[:1], good[::-1], np.tile(good, 2)]
        spoilt = [np.where(np.arange(good.size).reshape(good.shape) == 1, bad, good * 1.0)
                  for bad in (np.nan, np.inf, -1e9, 0.3)]  # fmt: skip
        values = [good.tolist(), -1.0 * good, good * 1000.0, good + 0.5]
        return st.sampled_from([*(good.astype(d) for d in other), *shapes, *spoilt, *values])
    if isinstance(good, collections.abc.Mapping) and good:
        return st.one_of(
            st.tuples(st.sampled_from(sorted(good)), st.one_of(*map(bad_for, good.values()))).map(
                lambda pair: {**good, pair[0]: pair[1]}
            ),
            pick(list(filter(is_hashable, FIXED))).map(
                lambda key: {**good, key: next(iter(good.values()))}
            ),
        )
    if isinstance(good, (list, tuple)) and good:
        return st.one_of(
            st.just([*good, good[0]]),
            st.just(good[:-1]),
            st.just(dict.fromkeys(range(len(good)), good[0])),
            st.tuples(st.integers(0, len(good) - 1), bad_for(good[0])).map(
                lambda pair: [*good[: pair[0]], pair[1], *good[pair[0] + 1 :]]
            ),
        )
    if isinstance(good, str):
        return st.sampled_from(
            [good.encode(), good.upper() + "?", [good], {good: good}, ord(good[0])]
        )
    if isinstance(good, bool):
        return st.sampled_from([str(good), int(good), [good], np.array(good), float(good)])
    if isinstance(good, (int, float)):
        values = [str(good), [good], np.array(good), np.array([good]), -good, good * 10**30]
        return st.sampled_from([*values, good + 0.5, complex(good), {good}, f"{good}".encode()])
    if callable(good) and not isinstance(good, keras.Model):
        return junk().map(lambda answer: lambda *_, **__: answer)
    return junk()


def bad_for(good):
    return st.one_of(junk(), near(good))


def is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


# --- what may come of it


def fits(value, hint):
    """Return whether a value is of the kind that a type hint promises."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any) or isinstance(hint, typing.TypeVar):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if hint is bool:
        return isinstance(value, (bool, np.bool_))
    if hint is int:
        return is_whole(value)
    if hint is float:
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return is_whole(value) or (real and is_finite(value))
    if hint is np.ndarray:
        return is_numeric(value)
    if hint is os.PathLike or getattr(hint, "__name__", "") == "Path":
        return isinstance(value, (str, os.PathLike))
    kind = origin or hint
    if kind is collections.abc.Mapping:
        of_key, of_value = parts or (object, object)
        return isinstance(value, kind) and all(
            fits(k, of_key) and fits(v, of_value) for k, v in value.items()
        )
    if kind in (collections.abc.Sequence, tuple, list):
        ordered = isinstance(value, (collections.abc.Sequence, np.ndarray))
        if (
            not ordered
            or isinstance(value, (str, bytes, bytearray))
            or getattr(value, "ndim", 1) == 0
        ):
            return False
        if kind is tuple and ... not in parts:
            return len(value) == len(parts) and all(map(fits, value, parts))
        return all(fits(each, parts[0]) for each in value) if parts else True
    return isinstance(value, kind)


def is_whole(value):
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, (bool, np.bool_))


def is_finite(number):
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def is_numeric(value):
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


def is_sane(result):
    """Return whether every number in a result is finite."""
    if dataclasses.is_dataclass(result):
        return all(is_sane(each) for each in vars(result).values())
    if isinstance(result, tuple):
        return all(is_sane(each) for each in result if isinstance(each, np.ndarray))
    if isinstance(result, (float, np.ndarray)) and np.asarray(result).dtype.kind == "f":
        return bool(np.isfinite(result).all())
    return True


@functools.cache
def documented(name):
    """Return the errors that the docstring lists; a method of a property has its class'."""
    text = inspect.getdoc(FOUND[name])
    if name == "layers.TunableDropout.rate":
        text = inspect.getdoc(layers.TunableDropout)
    section = re.search(r"^Raises:\n((?:    .*\n?)+)", text, re.MULTILINE)
    names = re.findall(r"^    (\w+):", section[1], re.MULTILINE) if section else []
    scope = vars(__import__("builtins")) | vars(importlib.import_module(FOUND[name].__module__))
    return tuple(scope[each] for each in names)


@functools.cache
def hint_of(name, argument):
    function = FOUND[name]
    return typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)[
        argument
    ]


def outcome(name, changed):
    one = CALLS[name]
    bound = functools.partial(FOUND[name], one.on) if one.on is not None else FOUND[name]
    result = bound(**{**one.good, **changed})
    if inspect.isgeneratorfunction(inspect.unwrap(FOUND[name])):
        with result:
            return None
    return result


def judge(name, argument, value):
    """Return whether the call was refused; fail if it was neither refused nor accepted as it ought."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = outcome(name, {argument: value})
    except Exception as error:
        says = str(error)
        if not isinstance(error, documented(name)):
            raise
        if isinstance(error, (TypeError, ValueError)) and type(error).__module__ == "builtins":
            one = re.sub(r"(ies|s)$", lambda end: {"ies": "y", "s": ""}[end[0]], argument)
            assert re.search(rf"\b({argument}|{one})\b", says), f"does not name {argument}: {says}"
            assert "received" in says, f"does not say what was received: {says}"
        assert says
        return True
    finally:
        plt.close("all")
    also = f"{name}.{argument}" in ALSO_TAKES
    assert also or fits(value, hint_of(name, argument)), f"took {argument}={shown(value)}"
    for pattern, holds in RANGES.items():
        if fnmatch(f"{name}.{argument}", pattern):
            assert holds(value), f"took {argument}={shown(value)}"
    assert is_sane(result), f"{argument}={shown(value)} gave {shown(result)}"
    return False


class NoLoop:
    """Stands for the graph that `fit` compiles: what reaches it has been accepted."""

    train_batches = 1

    def __init__(self, *_):
        pass

    def run(self, epochs):
        return iter(())

    def leave_metrics(self):
        pass


class NoClient:
    def __init__(self, *_, **__):
        pass

    def execute(self, **_):
        pass


def not_trained(run, settings, seeds, epochs, every):
    weights = tuple(np.zeros((settings, seeds, *array.shape[1:])) for array in run.start)
    return weights, np.zeros((settings, seeds, 2 + 2 * len(run.checks), -(-epochs // every)))


def no_download(name):
    raise data.DataError(f"{name} is out of reach")


@pytest.fixture(autouse=True)
def _nothing_is_trained_or_loaded(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for variable in ("DROPOUT_SCALE", "DROPOUT_SEED", "DROPOUT_DATA_DIR", "DROPOUT_RECORD"):
        monkeypatch.delenv(variable, raising=False)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("SETTINGS = {'full': {}}")]),
        tmp_path / "lesson.ipynb",
    )
    monkeypatch.setattr(training, "_Loop", NoLoop)
    monkeypatch.setattr(sweeps._Run, "all", not_trained)
    monkeypatch.setattr(precision, "_seconds", lambda *_: 1.0)
    monkeypatch.setattr(execute, "NotebookClient", NoClient)
    monkeypatch.setattr(data, "_read_keras", no_download)
    monkeypatch.setattr(plots, "display", lambda *_, **__: None)
    yield
    AX.clear()
    plt.close("all")


@pytest.mark.parametrize("name", CALLS)
def test_good_arguments_are_taken(name):
    with contextlib.suppress(data.DataError, results.RecordError):
        outcome(name, {})


@pytest.mark.parametrize(("name", "argument"), CASES, ids=map(".".join, CASES))
def test_an_argument_is_accepted_as_promised_or_refused_in_words(name, argument):
    one, refused = CALLS[name], []
    values = bad_for(one.good[argument])
    if isinstance(one.good[argument], types.FunctionType):
        # what a foreign function raises is its own affair
        values = values.filter(lambda value: inspect.isfunction(value) or not callable(value))

    @settings(
        max_examples=one.examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(values)
    def attempt(value):
        refused.append(judge(name, argument, value))

    attempt()
    # a test that is never refused, where something is promised, tries nothing
    assert any(refused) or hint_of(name, argument) in (object, typing.Any)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=5).filter(lambda text: "\0" not in text),
            st.sampled_from(["--help", "--resume", "-x", "a"]),
        )
    )
)
def test_command_lines_end_with_a_number_of_files_that_failed_or_with_usage(arguments):
    for main in (execute.main, results.main):
        try:
            assert main(arguments) == 1
        except SystemExit:
            continue
