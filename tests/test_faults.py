"""Faults at every file operation: always the right result, or a clear error, and no file lost.

The cases are generated: every file that the course reads is damaged in many ways and places; every
call to the operating system that it makes when it reads or writes fails in turn.
"""

import contextlib
import errno
import functools
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import IPython.display
import nbformat
import numpy as np
import pytest
import stand_ins
from faulty_disk import Disk, PowerCutError, failing, full, killed
from nbformat.v4 import new_code_cell, new_notebook

from helpers import data, execute, jobs, progress, results

ERRORS = ("EIO", "ENOSPC", "EROFS", "EACCES")
RESTORE = "restore it with `git checkout helpers/samples` or install the course again"
MAKE_MIRROR = "make it with `python -m helpers.data"
ABOUT = {"seconds": 1.0, "precision": "float32"}
RECORD_AGAIN = "make it again with `python -m helpers.results`"


def os_error(name):
    return OSError(getattr(errno, name), os.strerror(getattr(errno, name)))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("DROPOUT_SCALE", "DROPOUT_DATA_DIR", "DROPOUT_RECORD", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)


# --- what is read: from one folder, which a copy of `files` fills


class Reader(NamedTuple):
    """One thing that the course reads."""

    files: Callable  # -> file name to content
    read: Callable  # folder -> what is there, comparable with ==
    error: type[Exception]
    advice: str


def content_of(dataset):
    arrays = [dataset.y_train, dataset.y_test, *dataset.x_train, *dataset.x_test]
    return (
        dataset.vocabulary,
        dataset.class_names,
        [(array.dtype.str, array.shape, array.tobytes()) for array in arrays],
    )


@functools.cache
def sample_files(name):
    files = stand_ins.samples(name)
    return files | {"SHA256SUMS": stand_ins.checksums(files)}


def read_sample(name, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "SAMPLES", folder)
        return content_of(data.load(name, "sample"))


@functools.cache
def mirror_files(name):
    return {f"{name}.npz": stand_ins.npz(stand_ins.fake(name))}


@functools.cache
def own_make():
    # as `make_mirror` writes it, with a checksum of its own
    return {"imdb.npz": stand_ins.npz(stand_ins.with_checksum(stand_ins.fake("imdb", n=6)))}


@functools.cache
def digest(name):
    return data._digest(stand_ins.fake(name))


def read_mirror(name, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DIGESTS, name, digest(name))
        patch.setenv("DROPOUT_DATA_DIR", str(folder))
        return content_of(data.load(name, "full"))


def record(folder, variants, seeds, *, resume=False, train=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "FOLDER", folder / "results")
        # without TensorFlow
        patch.setattr(results, "_about", lambda seed, seconds: ABOUT | {"seed": seed})
        patch.setattr(results, "_precision", lambda: ABOUT["precision"])
        patch.setenv("DROPOUT_SCALE", "full")
        patch.setenv("DROPOUT_RECORD", "resume" if resume else "new")
        results.collect(
            "07_test",
            {"epochs": 2, "rates": [0.2, 0.5]},
            variants,
            seeds,
            train or (lambda rate, seed: {"loss": [1 + rate, np.sqrt(seed)], "test": rate}),
        )


@functools.cache
def record_files():
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), {"none": 0.0, "half": 0.5}, [3, 4])
        return {"07_test.json": Path(folder, "results", "07_test.json").read_bytes()}


def read_record(folder):
    return results.load("07_test", folder)


READERS = {
    **{
        f"sample {name}": Reader(
            functools.partial(sample_files, name),
            functools.partial(read_sample, name),
            data.DataError,
            RESTORE,
        )
        for name in data.CLASS_NAMES
    },
    **{
        f"mirror {name}": Reader(
            functools.partial(mirror_files, name),
            functools.partial(read_mirror, name),
            data.DataError,
            MAKE_MIRROR,
        )
        for name in data.CLASS_NAMES
    },
    "mirror of Keras's imdb": Reader(
        own_make, functools.partial(read_mirror, "imdb"), data.DataError, MAKE_MIRROR
    ),
    "record": Reader(record_files, read_record, results.RecordError, RECORD_AGAIN),
}


def fill(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@functools.cache
def right(reader):
    with tempfile.TemporaryDirectory() as folder:
        return READERS[reader].read(fill(Path(folder), READERS[reader].files()))


def right_or_refused(name, folder):
    """Return the documented error with which something was refused, or None where it was right."""
    reader = READERS[name]
    try:
        got, refused = reader.read(folder), None
    except reader.error as error:
        got, refused = None, error
    if refused is None:
        assert got == right(name)
    else:
        assert str(folder) in str(refused) or "bundled sample" in str(refused)
        assert reader.advice in str(refused)
    return refused


def flipped(place, bit, content):
    at = int(place * len(content))
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def damages(seed, cuts, holes, flips):
    """Return ways to damage a file: title to a function of its content; None leaves no file."""
    rng = random.Random(seed)
    ways = {
        "missing": lambda content: None,
        "a folder": lambda content: "folder",
        "empty": lambda content: b"",
        "another file": lambda content: b"<html>404</html>",
        "one byte short": lambda content: content[:-1],
        "first bit flipped": functools.partial(flipped, 0, 0),
        "last bit flipped": lambda content: content[:-1] + bytes([content[-1] ^ 128]),
    }
    for place in sorted(rng.random() for _ in range(cuts)):
        ways[f"cut at {place:.2%}"] = lambda content, place=place: content[
            : int(place * len(content))
        ]
    for place in sorted(rng.random() for _ in range(holes)):
        # what a file system may leave after a power cut
        ways[f"zeros from {place:.2%} on"] = lambda content, place=place: content[
            : int(place * len(content))
        ].ljust(len(content), b"\0")
    for place in sorted(rng.random() for _ in range(flips)):
        bit = rng.randrange(8)
        ways[f"bit {bit} flipped at {place:.2%}"] = functools.partial(flipped, place, bit)
    return ways


# how many (cuts, holes, flips): a record has no checksums below it, and a zip file much structure
PLACES = {"sample": (2, 1, 3), "mirror": (3, 1, 14), "record": (6, 2, 20)}
ABSENT = {"sample": "No such file", "mirror": "has no file", "record": "there is no record"}
DAMAGED = [
    pytest.param(name, file, way, id=f"{name}-{file}-{title}")
    for name in READERS
    for seed, file in enumerate(READERS[name].files())
    for title, way in damages(f"{name} {seed}", *PLACES[name.split()[0]]).items()
]


@pytest.mark.parametrize(("name", "file", "way"), DAMAGED)
def test_a_damaged_file_gives_no_wrong_result(tmp_path, name, file, way):
    whole = READERS[name].files()
    folder = fill(tmp_path / "files", whole)
    content = way(whole[file])
    assert content != whole[file]
    (folder / file).unlink()
    if content == "folder":
        (folder / file).mkdir()
    elif content is not None:
        (folder / file).write_bytes(content)
    error = right_or_refused(name, folder)
    if error is None:
        # a change in what nobody reads, such as the date of a zip file's member or the last line end
        assert content == whole[file].rstrip() or len(content) == len(whole[file])
    elif file != "SHA256SUMS":
        assert file in str(error)
        assert (ABSENT[name.split()[0]] in str(error)) == (content is None)


def test_no_byte_of_a_record_may_change(tmp_path):
    content = record_files()["07_test.json"].rstrip()
    folder = fill(tmp_path / "files", {})
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
        (folder / "07_test.json").write_bytes(changed)
        assert right_or_refused("record", folder), f"bit {at % 8} of byte {at}"


# --- every call that reading makes fails in turn


def calls_of_reading(name):
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(fill(Path(folder), READERS[name].files()))
        with disk.mounted():
            READERS[name].read(Path(folder))
    return disk.calls


@pytest.mark.parametrize(
    ("name", "at", "trouble"),
    [
        pytest.param(name, at, trouble, id=f"{name}-{trouble} at call {at}, {call}")
        for name in READERS
        for at, call in enumerate(calls_of_reading(name))
        for trouble in ("EIO", ("EACCES", "EMFILE")[at % 2])
    ],
)
def test_a_call_that_fails_while_something_is_read(tmp_path, name, at, trouble):
    folder = fill(tmp_path / "files", READERS[name].files())
    disk = Disk(folder, failing(at, os_error(trouble)))
    with disk.mounted():
        error = right_or_refused(name, folder)
    assert len(disk.calls) > at
    assert all(file.closed for file in disk.files)
    assert error is not None
    assert right_or_refused(name, folder) is None


@pytest.mark.parametrize("name", READERS)
def test_reading_needs_no_permission_to_write(tmp_path, name):
    def read_only(number, call, size):
        if call not in ("open", "read", "close", "stat"):
            raise os_error("EROFS")

    folder = fill(tmp_path / "files", READERS[name].files())
    disk = Disk(folder, read_only)
    with disk.mounted():
        assert right_or_refused(name, folder) is None
    assert not disk.names
    assert stand_ins.left(folder) == READERS[name].files().keys()


# --- what is written: version 1 is there, version 2 is to take its place


class Writer(NamedTuple):
    """One thing that the course writes."""

    begin: Callable  # makes the folder as it is before
    write: Callable  # writes version 2, or another
    file: str
    read: Callable  # what is there, or None where nothing whole is
    error: type[Exception]
    advice: str


def write_record(folder, version=2):
    record(folder, {"none": version}, [1])


def begin_study(folder):
    """Leave a record to which the last of four runs is missing."""

    def interrupted(rate, seed):
        if (rate, seed) == (0.5, 2):
            raise KeyboardInterrupt
        return {"test": rate + seed}

    with contextlib.suppress(KeyboardInterrupt):
        record(folder, {"none": 0.0, "half": 0.5}, [1, 2], train=interrupted)


def resume_study(folder):
    def train(rate, seed):
        assert (rate, seed) == (0.5, 2), "a recorded run was trained again"
        return {"test": rate + seed}

    record(folder, {"none": 0.0, "half": 0.5}, [1, 2], resume=True, train=train)


def runs_of(folder):
    try:
        runs = results.load("07_test", folder / "results").runs
    except results.RecordError:
        return None
    return {label: [run["test"] for run in each] for label, each in runs.items()}


def reviews(version):
    return stand_ins.fake("imdb", n=2 + 2 * version)


def write_mirror(folder, version=2):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "CLASS_NAMES", {"imdb": data.CLASS_NAMES["imdb"]})
        patch.setattr(data, "_read_keras", lambda name: reviews(version))
        with contextlib.redirect_stdout(io.StringIO()):
            data.make_mirror(folder / "new" / "mirror")


def begin_mirror(folder):
    # one that is whole would be left alone
    fill(folder / "new", {})
    fill(folder / "new" / "mirror", {"imdb.npz": b"PK half of a file"})


def version_of_mirror(folder):
    try:
        arrays = data._read_mirror(folder / "new" / "mirror", "imdb")
    except data.DataError:
        return None
    version = arrays["train_labels"].size // 2 - 1
    assert all(np.array_equal(arrays[key], array) for key, array in reviews(version).items())
    return version


def write_notebook(folder, version=2):
    notebook = new_notebook(cells=[new_code_cell(f"version = {version}" + " # long" * 5000)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "run", lambda path, timeout: notebook)
        execute.execute(folder / "lesson.ipynb")


def version_of_notebook(folder):
    path = folder / "lesson.ipynb"
    if not path.exists():
        return None
    [cell] = nbformat.read(path, as_version=4).cells
    return int(cell.source.split()[2])


def nothing(folder):
    pass


GO_ON = "then go on with `python -m helpers.results --resume`"
CHOOSE = "free some room or choose a folder that you can write"
RECORD = ("results/07_test.json", runs_of, results.RecordError, GO_ON)
MIRROR = ("new/mirror/imdb.npz", version_of_mirror, data.DataError, CHOOSE)
LESSON = ("lesson.ipynb", version_of_notebook, execute.NotebookRefusedError, "free some room")
WRITERS = {
    "first record": Writer(nothing, write_record, *RECORD),
    "record": Writer(functools.partial(write_record, version=1), write_record, *RECORD),
    "resumed record": Writer(begin_study, resume_study, *RECORD[:-1], "`python -m helpers.results"),
    "first mirror": Writer(nothing, write_mirror, *MIRROR),
    "mirror": Writer(begin_mirror, write_mirror, *MIRROR),
    "notebook": Writer(functools.partial(write_notebook, version=1), write_notebook, *LESSON),
}


class Clean(NamedTuple):
    """What happens where nothing goes wrong."""

    calls: list
    size: int
    old: object
    new: object


@functools.cache
def clean(name):
    writer = WRITERS[name]
    with tempfile.TemporaryDirectory() as folder:
        writer.begin(Path(folder))
        old = writer.read(Path(folder))
        disk = Disk(folder)
        with disk.mounted():
            writer.write(Path(folder))
        size = Path(folder, writer.file).stat().st_size
        return Clean(disk.calls, size, old, writer.read(Path(folder)))


CALLS = [
    pytest.param(name, at, id=f"{name}-call {at}, {call}")
    for name in WRITERS
    for at, call in enumerate(clean(name).calls)
]


class Place:
    """A folder that a writer writes to while things go wrong."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.writer, self.clean = WRITERS[name], clean(name)
        self.writer.begin(folder)

    def write(self, fault):
        """Return the documented error that came of it, or None."""
        disk = self.disk = Disk(self.folder, fault)
        failed = None
        try:
            with disk.mounted():
                self.writer.write(self.folder)
        except self.writer.error as error:
            failed = error
        finally:
            assert all(file.closed for file in disk.files)
        if failed is None:
            assert self.writer.read(self.folder) == self.clean.new
        else:
            assert Path(self.writer.file).name in str(failed)
        return failed

    def check(self, *, tidy=True):
        """What is there is the old or the new, and whatever is there does not stand in the way."""
        assert self.writer.read(self.folder) in (self.clean.old, self.clean.new)
        name = Path(self.writer.file).name
        rest = stand_ins.left(self.folder) - {name}
        if tidy:
            assert not rest
        assert all(file.startswith(f".{name}.") and file.endswith(".part") for file in rest)
        if self.writer.read(self.folder) != self.clean.new:
            self.writer.write(self.folder)
        assert self.writer.read(self.folder) == self.clean.new
        assert stand_ins.left(self.folder) == rest | {name}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_on_the_disk_before_it_takes_its_name(name):
    calls = clean(name).calls
    last = {call: at for at, call in enumerate(calls)}
    assert last["write"] < last["fsync"] < last["replace"] == len(calls) - 1
    assert clean(name).new != clean(name).old


@pytest.mark.parametrize(
    ("name", "at", "trouble"),
    [
        pytest.param(name, at, trouble, id=f"{name}-{trouble} at call {at}, {call}")
        for name in WRITERS
        for at, call in enumerate(clean(name).calls)
        for trouble in (ERRORS[at % 4], ERRORS[(at + 1) % 4])
    ],
)
def test_a_call_that_fails_while_something_is_written(tmp_path, name, at, trouble):
    place = Place(name, tmp_path)
    error = place.write(failing(at, os_error(trouble)))
    assert len(place.disk.calls) > at
    if error is not None:
        assert os.strerror(getattr(errno, trouble)) in str(error)
        assert place.writer.advice in str(error)
    place.check()


@pytest.mark.parametrize(("name", "at"), CALLS)
def test_a_disk_that_fails_for_good(tmp_path, name, at):
    place = Place(name, tmp_path)
    error = place.write(failing(at, os_error("EROFS"), forever=True))
    assert error is not None
    assert "Read-only" in str(error)
    # nothing can be removed from a disk that has become read-only
    place.check(tidy=False)


@pytest.mark.parametrize(("name", "at"), CALLS)
def test_an_interrupt_at_a_call(tmp_path, name, at):
    place = Place(name, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        place.write(failing(at, KeyboardInterrupt()))
    place.check()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_fills_up(tmp_path, name, share):
    place = Place(name, tmp_path)
    error = place.write(full(int(share * place.clean.size)))
    assert "No space left on device" in str(error)
    assert place.writer.advice in str(error)
    assert place.writer.read(tmp_path) == place.clean.old
    place.check()


@pytest.mark.parametrize(("name", "at"), CALLS)
def test_a_power_cut_at_a_call(tmp_path, name, at):
    place = Place(name, tmp_path)
    with pytest.raises(PowerCutError):
        place.write(failing(at, PowerCutError(), forever=True))
    place.disk.lose_power()
    assert place.writer.read(tmp_path) == place.clean.old
    place.check(tidy=False)


@pytest.mark.parametrize("name", WRITERS)
def test_a_power_cut_when_all_is_done(tmp_path, name):
    place = Place(name, tmp_path)
    assert place.write(lambda number, call, size: None) is None
    place.disk.lose_power()
    assert place.writer.read(tmp_path) == place.clean.new


# --- other processes: one that is killed, one that does the same


def drive():
    """Write as the tests ask, one line a request; a child of this process may be killed at it."""
    for line in sys.stdin:
        name, folder, at, times = json.loads(line)
        if times:
            answer = race(name, Path(folder), times)
        else:
            child = os.fork()
            if not child:
                with Disk(folder, killed(at)).mounted():
                    WRITERS[name].write(Path(folder))
                os._exit(0)
            answer = os.WTERMSIG(os.waitpid(child, 0)[1])
        print(json.dumps(answer), flush=True)


def race(name, folder, times):
    """Write two versions in turn; return the errors that came of it."""
    writer, errors = WRITERS[name], []
    for i in range(times):
        try:
            if name.endswith("mirror"):
                # one that is whole would be left alone
                (folder / writer.file).unlink(missing_ok=True)
            writer.write(folder, 1 + i % 2)
        except writer.error as error:
            errors.append(str(error))
    return errors


@pytest.fixture(scope="module")
def driver():
    """Return a function that asks another process, which has no TensorFlow, to write."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import test_faults; test_faults.drive()"],
        cwd=Path(__file__).parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(name, folder, *, at=0, times=0):
        print(json.dumps([name, str(folder), at, times]), file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())

    with process:
        yield ask
        process.stdin.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork and no SIGKILL")
@pytest.mark.parametrize(("name", "at"), CALLS)
def test_a_process_that_is_killed(tmp_path, driver, name, at):
    place = Place(name, tmp_path)
    assert driver(name, tmp_path, at=at) == signal.SIGKILL
    assert place.writer.read(tmp_path) == place.clean.old
    place.check(tidy=False)


@pytest.mark.parametrize("name", ["first record", "record", "first mirror", "mirror", "notebook"])
def test_two_processes_that_write_and_read_at_once(tmp_path, driver, name):
    writer = WRITERS[name]
    writer.begin(tmp_path)
    seen = set()
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(driver, name, tmp_path, times=25)
        errors = race(name, tmp_path, 1)
        while not theirs.done():
            errors += race(name, tmp_path, 2)
            seen.add(repr(writer.read(tmp_path)))
    errors += theirs.result()
    # Windows does not replace a file that somebody reads
    assert not errors or os.name == "nt"
    if name.endswith("mirror"):
        # between its removal and the next
        seen.discard("None")
    assert seen <= {"1", "2", "{'none': [1.0]}", "{'none': [2.0]}"}
    assert seen
    assert stand_ins.left(tmp_path) <= {Path(writer.file).name}


# --- Keras's cache, with and without a network

CACHED = {
    "mnist": ["mnist.npz"],
    "fashion_mnist": [
        f"fashion-mnist/{part}-ubyte.gz"
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3")
    ],
    "cifar10": ["cifar-10-batches-py-target_archive"],
    "imdb": ["imdb.npz", "imdb_word_index.json"],
}


class Cache(NamedTuple):
    """Keras's cache as it fills it from stand-ins."""

    folder: Path
    web: stand_ins.Web
    served: dict  # what the network offers, when it is there
    files: dict  # what the cache holds, by path
    whole: dict  # what `load` makes of each set


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    home = tmp_path_factory.mktemp("keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DROPOUT_DATA_DIR", raising=False)  # set for the tests of the whole sets
        web = stand_ins.connect(patch, home)
        for name in data.CLASS_NAMES:
            stand_ins.serve(web, patch, name)
        whole = {name: data.load(name, "full") for name in data.CLASS_NAMES}
        folder = home / "datasets"
        files = {file: (folder / file).read_bytes() for each in CACHED.values() for file in each}
        yield Cache(folder, web, dict(web.files), files, whole)


def right_or_refused_by_keras(cache, name, folder):
    refused = None
    try:
        got = data.load(name, "full")
    except data.DataError as error:
        refused = str(error)
    if refused is None:
        stand_ins.same(got, cache.whole[name])
    else:
        assert f"keras.datasets.{name} cannot be loaded" in refused
        for advice in ("check the network", f"in {folder}", "a mirror folder", "'sample'"):
            assert advice in refused


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


# NumPy leaves a file open whose end is missing
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "file", "way"),
    [
        pytest.param(name, file, way, id=f"{name}-{file}-{title}")
        for name, files in CACHED.items()
        for file in files
        for title, way in damages(file, 2, 1, 4).items()
    ],
)
def test_a_damaged_file_in_the_cache_of_keras(cache, name, file, way):
    path = cache.folder / file
    content = way(cache.files[file])
    wipe(path)
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    cache.web.files.clear()
    right_or_refused_by_keras(cache, name, cache.folder)
    # as advised, and the network is there again; CIFAR-10 would take a second each time
    wipe(path)
    if name == "cifar10":
        path.write_bytes(cache.files[file])
    else:
        cache.web.files.update(cache.served)
        stand_ins.same(data.load(name, "full"), cache.whole[name])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "file", "way"),
    [
        pytest.param(name, file, way, id=f"{name}-{file}-{title}")
        for name, file in (
            ("mnist", "mnist.npz"),
            ("fashion_mnist", "t10k-images-idx3-ubyte.gz"),
            ("cifar10", stand_ins.ARCHIVE),
            ("imdb", "imdb_word_index.json"),
        )
        for title, way in damages(f"download {file}", 2, 0, 2).items()
        if title not in ("missing", "a folder")
    ],
)
def test_a_damaged_download(cache, monkeypatch, tmp_path, name, file, way):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))
    cache.web.files.update(cache.served | {file: way(cache.served[file])})
    right_or_refused_by_keras(cache, name, tmp_path / "datasets")


# --- progress: the work is worth more than the line that shows it


class Terminal(io.StringIO):
    """A terminal at which one call fails, once or for good."""

    def __init__(self, call, at, error, forever):
        super().__init__()
        self.fails, self.calls = (call, at, error, forever), []

    def _call(self, name):
        self.calls.append(name)
        call, at, error, forever = self.fails
        count = self.calls.count(name)
        if name == call and (count == at or (forever and count > at)):
            raise error

    def isatty(self):
        self._call("isatty")
        return True

    def write(self, text):
        self._call("write")
        return super().write(text)

    def flush(self):
        self._call("flush")


TROUBLES = {
    "broken pipe": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "terminal gone": os_error("EIO"),
    "full disk": os_error("ENOSPC"),
    "closed": ValueError("I/O operation on closed file"),
    "no such character": UnicodeEncodeError("ascii", "·", 0, 1, "ordinal not in range(128)"),
}
STEPS = 4


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_UNTIL_SHOWN", 0)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)


def work():
    done = 0
    with progress.Progress(STEPS, "runs") as line:
        for done in range(1, STEPS + 1):
            line.show(done)
    return done


@pytest.mark.parametrize("forever", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    ("call", "at"),
    [
        ("isatty", 1),
        *((call, at) for call in ("write", "flush") for at in (1, 2, STEPS, STEPS + 1)),
    ],
)
def test_a_terminal_that_fails(patient, monkeypatch, call, at, trouble, forever):
    terminal = Terminal(call, at, TROUBLES[trouble], forever)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert work() == STEPS
    # then it is silent, but for one attempt to wipe its line away
    assert terminal.calls.count(call) <= at + 1


@pytest.mark.parametrize("call", ["write", "flush"])
@pytest.mark.parametrize("at", range(1, STEPS + 2))
def test_an_interrupt_at_a_terminal_still_interrupts(patient, monkeypatch, call, at):
    monkeypatch.setattr(sys, "stdout", Terminal(call, at, KeyboardInterrupt(), False))
    with pytest.raises(KeyboardInterrupt):
        work()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_error_of_the_work_itself_is_the_one_that_is_seen(patient, monkeypatch, trouble):
    monkeypatch.setattr(sys, "stdout", Terminal("write", 2, TROUBLES[trouble], True))

    def fails():
        with progress.Progress(STEPS, "runs") as line:
            line.show(1)
            line.show(1 // 0)

    with pytest.raises(ZeroDivisionError):
        fails()


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def detached():
    stream = io.TextIOWrapper(io.BytesIO())
    stream.detach()
    return stream


@pytest.mark.parametrize(
    "stream", [lambda: None, closed, detached], ids=["none", "closed", "detached"]
)
def test_no_stream_to_write_to(patient, monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream())
    assert work() == STEPS


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_terminal_that_hangs_up(patient, monkeypatch):
    ours, theirs = os.openpty()
    with open(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with progress.Progress(STEPS, "runs") as line:
            line.show(1)
            os.close(ours)
            line.show(2)
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            stream.close()


class Display:
    """A page in a browser that fails at one update, once or for good."""

    def __init__(self, at, error, forever):
        self.fails, self.updates = (at, error, forever), 0

    def __call__(self, *args, **kwargs):
        self.update()
        return self

    def update(self, *args, **kwargs):
        at, error, forever = self.fails
        self.updates += 1
        if self.updates == at or (forever and self.updates > at):
            raise error


@pytest.fixture
def kernel(patient, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson")
    monkeypatch.setattr("IPython.get_ipython", lambda: "a kernel")


@pytest.mark.parametrize("forever", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("at", range(1, STEPS + 3))
@pytest.mark.parametrize(
    "error",
    [OSError("socket closed"), RuntimeError("no channel"), AttributeError("update")],
    ids=repr,
)
def test_a_notebook_that_cannot_show_it(kernel, monkeypatch, at, error, forever):
    page = Display(at, error, forever)
    monkeypatch.setattr(IPython.display, "display", page)
    assert work() == STEPS
    assert page.updates <= at + 1


def test_a_notebook_without_its_library(kernel, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    assert work() == STEPS


def test_a_process_that_a_notebook_started_is_silent(patient, monkeypatch, capsys):
    # a worker inherits the environment of the kernel, and is none
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert work() == STEPS
    assert capsys.readouterr() == ("", "")


def test_training_and_sweeps_survive_a_terminal_that_is_gone(patient, monkeypatch):
    import helpers.quiet  # noqa: F401, I001
    import keras

    from helpers import training

    terminal = Terminal("write", 1, TROUBLES["terminal gone"], True)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert jobs.sweep(lambda rate: rate, [{"rate": 0.1}, {"rate": 0.2}]) == [0.1, 0.2]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = training.fit(model, np.ones((4, 1)), np.ones((4, 1)), epochs=3)
    assert len(history.history["loss"]) == 3
    # one line of each, and one attempt to wipe it away
    assert terminal.calls == ["isatty", "write", "write"] * 2
