"""Faults that a reader meets: always the right result, or an error that says what to do."""

import contextlib
import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_ins import describe, fake, npz, samples, with_checksum

from helpers import data, evidence, layers, masks, plots, records, widgets
from helpers._engine.backend import keras
from helpers.authors import mirror as mirrors

RECORD = "notebooks/results/07_study.json"
FILES = [f"sample/{file}" for about in data.DATA_SETS.values() for file in about.samples]
FILES += [*(f"mirror/{name}.npz" for name in data.DATA_SETS), RECORD]


@pytest.fixture(autouse=True)
def course(monkeypatch, tmp_path):
    """A course of small samples, mirror and record in a folder where they may be damaged."""
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path / "mirror"))
    monkeypatch.setattr(data, "SAMPLES", tmp_path / "sample")
    monkeypatch.setattr(records, "FOLDER", tmp_path / "notebooks" / "results")
    for folder in ("mirror", "sample", "notebooks"):
        (tmp_path / folder).mkdir()
    for name in data.DATA_SETS:
        files, sums = samples(name)
        describe(monkeypatch, name, samples=sums, digest=data._digest(fake(name)))
        (tmp_path / "mirror" / f"{name}.npz").write_bytes(npz(fake(name)))
        for file, content in files.items():
            (tmp_path / "sample" / file).write_bytes(content)
    monkeypatch.setenv("DROPOUT_SCALE", "full")
    monkeypatch.setenv("DROPOUT_RECORD", "new")
    monkeypatch.setattr(records, "_about", lambda: {"precision": "float32"})
    record({"none": 1.0})
    return tmp_path


def record(variants, epochs=2, seeds=(1, 2)):
    """Return the seeds that were trained, and not taken from the record."""
    trained = []
    train = lambda value, seed: trained.append(seed) or {"test": value}  # noqa: E731
    records.collect("07_study", {"epochs": epochs}, variants, seeds, train)
    return trained


def read(file):
    """Return what is in one file of the course, comparable with ==."""
    kind, name = file.split("/")[0], Path(file).stem.removesuffix("_train").removesuffix("_test")
    if kind == "notebooks":
        return records.load(name)
    got = data.load(name, "sample" if kind == "sample" else "full")
    parts = (got.x_train, got.y_train, got.x_test, got.y_test)
    return [(array.shape, array.tobytes()) for part in parts for array in part], got.vocabulary


ADVICE = {
    "sample": "restore it with `git checkout helpers/samples`",
    "mirror": "make it with `python -m helpers.authors.mirror",
    "notebooks": "make it with `python -m helpers.authors.record`",
}


def refused(course, file, content):
    """Return whether a damaged file is refused in the right words; None if it is read right."""
    path, right = course / file, read(file)
    old = path.read_bytes()
    path.unlink()
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    try:
        assert read(file) == right
    except (data.DataError, records.RecordError) as error:
        return str(path) in str(error) and ADVICE[file.split("/")[0]] in str(error)
    finally:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(old)


# --- a damaged file is refused with advice; restored, it is read as ever

WAYS = {
    "missing": lambda old: None,
    "a folder": lambda old: "folder",
    "empty": lambda old: b"",
    "a web page": lambda old: b"<html>404 Not Found</html>",
    "a pickle": lambda old: pickle.dumps({"x_train": [1, 2]}),
    "an array": lambda old: b"\x93NUMPY\x01\x00" + old[8:],
    "one byte short": lambda old: old.rstrip()[:-1],
    **{f"cut at {k}/8": lambda old, k=k: old[: k * len(old) // 8] for k in (1, 4, 7)},
    "zeros at the end": lambda old: old[: len(old) // 2].ljust(len(old), b"\0"),
    "its first half twice": lambda old: old[: len(old) // 2] * 2,
}


# NumPy leaves a file open whose end is missing
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", FILES)
def test_damaged_file_is_refused_with_advice(course, file, way):
    assert refused(course, file, WAYS[way]((course / file).read_bytes()))
    read(file)


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=60, suppress_health_check=[*HealthCheck])
@pytest.mark.parametrize("file", FILES[:-1])
def test_flipped_bit_gives_no_wrong_array(course, file, at, bit):
    content = bytearray((course / file).read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    # only in a mirror file are there bytes that nobody reads, such as a date
    assert refused(course, file, content) in ([True, None] if "mirror" in file else [True])


CHANGES = {
    "order": lambda x: x[::-1],
    "rows": lambda x: x[:-1],
    "axes": lambda x: x[..., None],
    "empty": lambda x: x[:0],
    **{kind.__name__: lambda x, kind=kind: x.astype(kind) for kind in (np.int16, float, object)},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", data.DATA_SETS)
def test_wrong_array_in_a_mirror_file_is_refused(course, name, change):
    arrays = fake(name)
    for key in ("test_tokens", "test_offsets") if name == "imdb" else ("x_train", "y_test"):
        changed = arrays | {key: CHANGES[change](arrays[key])}
        assert refused(course, f"mirror/{name}.npz", npz(changed))
        del changed[key]
        assert refused(course, f"mirror/{name}.npz", npz(changed))


# --- a write that fails leaves what was there and nothing else, and the next one goes well


def write_mirror(folder):
    mirrors._write(folder / "mirror" / "imdb.npz", with_checksum(fake("imdb", n=6)))


WRITERS = {
    "record": (lambda folder: record({"none": 5.0}), RECORD),
    "mirror": (write_mirror, "mirror/imdb.npz"),
}
TROUBLES = [OSError(code, os.strerror(code)) for code in (errno.ENOSPC, errno.EIO, errno.EROFS)]


@pytest.mark.parametrize("trouble", [*TROUBLES, KeyboardInterrupt()], ids=str)
@pytest.mark.parametrize("moment", ["at once", "half-way", "at the end"])
@pytest.mark.parametrize("writer", WRITERS)
def test_write_that_fails_leaves_what_was_there(course, monkeypatch, writer, moment, trouble):
    write, file = WRITERS[writer]
    before = {path: path.read_bytes() for path in course.rglob("*.*")}

    def fails(target, *args, **kwargs):
        if moment == "half-way":
            target.write_text("half of it")
        raise trouble

    with monkeypatch.context() as patch:
        call = "replace" if moment == "at the end" else "write_bytes"
        patch.setattr(f"pathlib.Path.{call}", fails)
        with pytest.raises((type(trouble), data.DataError)) as caught:
            write(course)
    assert str(trouble) in str(caught.value)
    assert {path: path.read_bytes() for path in course.rglob("*.*")} == before
    write(course)
    assert (course / file).read_bytes() != before[course / file]


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers import records

Path.replace = lambda part, path: os.kill(os.getpid(), signal.SIGKILL)
records.write_whole(Path(sys.argv[1]), b"{}")
"""


@pytest.mark.skipif(os.name == "nt", reason="this system has no SIGKILL")
@pytest.mark.parametrize("writer", WRITERS)
def test_process_killed_in_a_write_leaves_what_was_there(course, writer):
    write, file = WRITERS[writer]
    before = read(file)
    done = subprocess.run([sys.executable, "-c", KILLED, str(course / file)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read(file) == before
    write(course)
    assert read(file) != before


def test_resumed_record_never_mixes_settings(monkeypatch):
    monkeypatch.setenv("DROPOUT_RECORD", "resume")
    with pytest.raises(records.RecordError, match="other settings"):
        record({"none": 1.0}, epochs=3)
    assert record({"none": 1.0}, seeds=(1, 2, 3)) == [3]
    assert record({"none": 9.0}, seeds=(1, 2, 3)) == [1, 2, 3]
    monkeypatch.setattr(records, "_about", lambda: {"precision": "mixed_bfloat16"})
    assert record({"none": 9.0}, seeds=(1, 2, 3)) == [1, 2, 3]


# --- wrong arguments are refused, and the words say what was received

H, RNG = np.ones((4, 3)), np.random.default_rng(0)
RATES = {
    "sample_mask": lambda rate: masks.sample_mask((4, 3), rate, rng=RNG),
    "inverted_dropout": lambda rate: masks.inverted_dropout(H, H > 0, rate),
    "moments": lambda rate: masks.moments(H, rate),
    "thinned_networks": lambda rate: masks.thinned_networks(H[0], lambda h: h[:, :2] / 2, rate),
    "keep_prob_of_rate": masks.keep_prob_of_rate,
    "rate_slider": widgets.rate_slider,
    "StepDropout": lambda rate: layers.StepDropout(keras.layers.SimpleRNNCell(2), rate),
    "DropConnect": lambda rate: layers.DropConnect(2, rate),
    "TunableDropout": layers.TunableDropout,
}


@pytest.mark.parametrize("rate", [np.nan, np.inf, -0.1, 1, 1.2, 20, 50, True], ids=repr)
@pytest.mark.parametrize("function", RATES)
def test_rate_outside_its_range_is_refused(function, rate):
    with pytest.raises((ValueError, TypeError), match=r"0 <= (rate|value) < 1, received") as caught:
        RATES[function](rate)
    assert repr(rate) in str(caught.value)


@pytest.mark.parametrize("rate", ["0.5", None, [0.5]], ids=repr)
@pytest.mark.parametrize("function", RATES)
def test_rate_that_is_no_number_is_refused(function, rate):
    with pytest.raises(TypeError):
        RATES[function](rate)


REPEATS = {
    "interval": evidence.interval,
    "difference": lambda values: evidence.difference(values, [1.0, 2.0]),
    "difference, b": lambda values: evidence.difference([1.0, 2.0], values, paired=True),
    "next_run": records.next_run,
}


@pytest.mark.parametrize("values", [[], [1.0], [1, np.nan], [np.inf, 1], [[1], [2]]], ids=repr)
@pytest.mark.parametrize("function", REPEATS)
def test_repeats_that_give_no_interval_are_refused(function, values):
    with pytest.raises(ValueError, match="at least two finite measurements"):
        REPEATS[function](values)


@pytest.mark.parametrize("review", [[-3], [1.5], [True], ["good"], 7, [[1]], [0, 1]], ids=repr)
def test_words_that_are_no_review_are_refused(review):
    with pytest.raises(ValueError, match="along one axis, received"):
        data.multi_hot([review], 5)
    if review != [0, 1]:
        with pytest.raises(ValueError, match="along one axis, received"):
            data.decode(review, list("abcde"))


# --- a panel whose drawing fails says so and why, and shows no stale picture


@pytest.mark.parametrize("failure", [ValueError("no such"), MemoryError(), None, "x"], ids=repr)
@pytest.mark.parametrize("by", ["slider", "button"])
def test_panel_whose_drawing_fails_says_why_and_shows_no_stale_picture(failure, by):
    def draw(rate, draws):
        fig, ax = plots.figure()
        ax.plot([0, rate])
        if not working and isinstance(failure, Exception):
            raise failure
        return (fig, f"rate {rate}") if working else failure

    working, rate = [True], widgets.rate_slider(0.5)
    panel = widgets.Panel(draw, {"rate": rate}, button="Again")
    picture = panel.picture
    working.clear()
    with contextlib.suppress(Exception):  # ipywidgets catches what a button raises
        rate.value = 0.2 if by == "slider" else 0.5
        panel.button.click()
    assert "fail" in panel.sentence
    assert str(failure) in panel.sentence
    assert panel.picture != picture
    assert "rate 0.5" not in "".join(getattr(child, "value", "") for child in panel.children)
    working.append(True)
    rate.value = 0.4
    assert panel.sentence == "rate 0.4"
