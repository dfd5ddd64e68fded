"""The samples, the mirror folder, Keras's own loaders, and two processes at once."""

import dataclasses
import email.message
import errno
import gzip
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tracemalloc
import urllib.error
import urllib.request

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError
from stand_ins import connect, fake, left, same, serve, with_checksum

from helpers import data

IMAGES = ("mnist", "fashion_mnist", "cifar10")
SAMPLE_FILES = {
    **{name: (f"{name}_train.webp", f"{name}_test.webp") for name in IMAGES},
    "imdb": ("imdb.npz",),
}
WHOLE = os.environ.get("DROPOUT_DATA_DIR")
needs_whole_sets = pytest.mark.skipif(not WHOLE, reason="DROPOUT_DATA_DIR names no mirror folder")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    monkeypatch.delenv("DROPOUT_SCALE", raising=False)
    monkeypatch.delenv("DROPOUT_DATA_DIR", raising=False)


# --- the bundled samples


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mnist", (28, 28)), ("fashion_mnist", (28, 28)), ("cifar10", (32, 32, 3))],
)
def test_image_samples_are_balanced_and_read_only(name, shape):
    got = data.load(name)
    assert (got.name, got.scale, got.vocabulary) == (name, "sample", ())
    assert len(got.class_names) == 10
    for x, y, n in ((got.x_train, got.y_train, 4000), (got.x_test, got.y_test, 1000)):
        assert x.shape == (n, *shape)
        assert x.dtype == y.dtype == np.uint8
        assert np.bincount(y).tolist() == [n // 10] * 10
        assert (x.min(), x.max()) == (0, 255)
        assert len(np.unique(x.reshape(n, -1), axis=0)) > 0.99 * n
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            y[0] = 0


def test_review_sample_is_balanced_disjoint_and_read_only():
    got = data.load("imdb")
    assert np.bincount(got.y_train).tolist() == [2000, 2000]
    assert np.bincount(got.y_test).tolist() == [1000, 1000]
    assert (len(got.x_train), len(got.x_test)) == (4000, 2000)
    train, test = ({review.tobytes() for review in x} for x in (got.x_train, got.x_test))
    assert (len(train), len(test), len(train & test)) == (4000, 2000, 0)
    assert len(got.vocabulary) == len(set(got.vocabulary)) == 20_000
    assert got.vocabulary[:5] == ("the", "and", "a", "of", "to")
    for review in got.x_train + got.x_test:
        assert review.dtype == np.int32
        assert 1 <= review.min() <= review.max() <= 20_000
    counts = np.bincount(np.concatenate(got.x_train), minlength=20_001)
    assert counts[1] == counts.max()
    with pytest.raises(ValueError, match="read-only"):
        got.x_train[0][0] = 1


def test_a_positive_review_reads_like_one():
    got = data.load("imdb")
    words = {
        label: [
            data.decode(x, got.vocabulary)
            for x, y in zip(got.x_train, got.y_train, strict=True)
            if y == label
        ]
        for label in (0, 1)
    }
    share = {
        label: np.mean(["worst" in text.split() for text in texts])
        for label, texts in words.items()
    }
    assert share[0] > 3 * share[1]


def test_checksums_sizes_and_data_sheet_agree():
    lines = (data.SAMPLES / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in map(str.split, lines)}
    bundled = {path.name for path in data.SAMPLES.iterdir() if path.suffix in (".webp", ".npz")}
    assert set(sums) == bundled == {file for files in SAMPLE_FILES.values() for file in files}
    sheet = (data.SAMPLES / "README.md").read_text(encoding="utf-8")
    for name, digest in sums.items():
        assert hashlib.sha256((data.SAMPLES / name).read_bytes()).hexdigest() == digest
        assert f"`{name}`" in sheet
    assert sum((data.SAMPLES / name).stat().st_size for name in sums) < 15e6
    for title in ("MNIST", "Fashion-MNIST", "CIFAR-10", "IMDB"):
        rows = [line.split(" | ") for line in sheet.splitlines() if line.startswith(f"| {title} |")]
        assert len(rows) == 2, f"{title} needs a row for its counts and one for its terms"
        got = data.load(title.lower().replace("-mnist", "_mnist").replace("-", ""))
        assert rows[0][2].startswith(f"{len(got.y_train):,} ")
        assert rows[0][3].startswith(f"{len(got.y_test):,} ")


def test_repr_is_short_and_the_record_frozen():
    got = data.load("fashion_mnist")
    assert (
        repr(got)
        == "Dataset(fashion_mnist, sample: 4,000 to train on, 1,000 to test on, 10 classes)"
    )
    assert got.source == "Xiao, Rasul and Vollgraf (2017), bundled sample"
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.scale = "full"


def test_importing_it_does_not_load_tensorflow():
    code = (
        "import sys, helpers.data; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("value", ["mnist ", "MNIST", "", "cifar100"])
def test_unknown_name(value):
    with pytest.raises(ValueError, match=r"name must be one of 'mnist', .*'imdb', received"):
        data.load(value)


@pytest.mark.parametrize("value", ["whole", "", "Sample"])
def test_unknown_scale(value):
    with pytest.raises(ValueError, match="scale must be one of 'sample', 'full', received"):
        data.load("mnist", value)


@pytest.mark.parametrize("value", [1, 0.5, True, b"mnist", ["mnist"], np.array(["mnist"])])
def test_names_that_are_no_strings(value):
    with pytest.raises(TypeError, match="name must be one of"):
        data.load(value)
    with pytest.raises(TypeError, match="scale must be one of"):
        data.load("mnist", value)


def test_scale_comes_from_the_environment_unless_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("DROPOUT_SCALE", "full")
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path))
    with pytest.raises(data.DataError, match="mirror folder has no file"):
        data.load("mnist")
    assert data.load("mnist", "sample").scale == "sample"
    monkeypatch.setenv("DROPOUT_SCALE", "")
    assert data.load("mnist").scale == "sample"
    monkeypatch.setenv("DROPOUT_SCALE", "huge")
    with pytest.raises(
        ValueError, match="DROPOUT_SCALE must be one of 'sample', 'full', received 'huge'"
    ):
        data.load("mnist")


# --- broken samples


@pytest.fixture
def samples(monkeypatch, tmp_path):
    """Copy the samples of one set to a folder in which they may be broken."""

    def copy(name):
        for file in (*SAMPLE_FILES[name], "SHA256SUMS"):
            shutil.copy(data.SAMPLES / file, tmp_path / file)
        monkeypatch.setattr(data, "SAMPLES", tmp_path)
        return tmp_path

    return copy


def test_swapped_samples_are_refused(samples):
    folder = samples("mnist")
    (folder / "mnist_train.webp").replace(folder / "mnist_test.webp")
    shutil.copy(folder / "mnist_test.webp", folder / "mnist_train.webp")
    with pytest.raises(data.DataError, match=r"mnist_test.webp is broken"):
        data.load("mnist")


def test_pillow_without_webp(monkeypatch):
    def refuse(file):
        raise UnidentifiedImageError("cannot identify image file")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(data.DataError, match=r"Pillow cannot read WebP.*pip install"):
        data.load("mnist")


# --- the script that drew the samples


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_samples", data.SAMPLES / "draw_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_drawn_loads_again(monkeypatch, tmp_path, drawing):
    whole = {name: fake(name, n=60) for name in data.CLASS_NAMES}
    for name in IMAGES:
        for x in (whole[name]["x_train"], whole[name]["x_test"]):
            # stripes instead of noise, which takes WebP long
            x.T[...] = np.arange(60) + 60 * (np.arange(x.shape[1])[:, None] % 3)
    monkeypatch.setattr(
        data, "load", lambda name, scale: data._dataset(name, scale, "fake", whole[name])
    )
    monkeypatch.setattr(drawing, "COLUMNS", 5)
    monkeypatch.setattr(drawing, "WORDS", 4)
    monkeypatch.setattr(drawing, "IMAGES_PER_CLASS", {"train": 2, "test": 1})
    monkeypatch.setattr(drawing, "REVIEWS_PER_CLASS", {"train": 5, "test": 2})
    drawing.main(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(data, "SAMPLES", tmp_path)
    for name in IMAGES:
        got = data.load(name)
        for split, n in (("train", 20), ("test", 10)):
            x, y = getattr(got, f"x_{split}"), getattr(got, f"y_{split}")
            labels = dict(
                zip(map(bytes, whole[name][f"x_{split}"]), whole[name][f"y_{split}"], strict=True)
            )
            assert [labels[image.tobytes()] for image in x] == y.tolist()
            assert len({image.tobytes() for image in x}) == n
    got = data.load("imdb")
    assert got.vocabulary == ("the", "film", "good", "bad")
    reviews = data._dataset("imdb", "full", "fake", whole["imdb"])
    kept = {
        review[review <= 4].tobytes(): y
        for review, y in zip(reviews.x_train, reviews.y_train, strict=True)
    }
    drawn = [
        (review.tobytes(), y)
        for review, y in zip(got.x_train + got.x_test, [*got.y_train, *got.y_test], strict=True)
    ]
    assert np.bincount(got.y_train).tolist() == [5, 5]
    assert np.bincount(got.y_test).tolist() == [2, 2]
    assert all(kept[review] == y for review, y in drawn)
    assert len({review for review, _ in drawn}) == 14


@needs_whole_sets
@pytest.mark.parametrize("name", IMAGES)
def test_bundled_images_are_those_the_script_draws(monkeypatch, drawing, name):
    monkeypatch.setenv("DROPOUT_DATA_DIR", WHOLE)
    sample, full = data.load(name, "sample"), data.load(name, "full")
    rng = np.random.default_rng(drawing.SEED)
    for split, per_class in drawing.IMAGES_PER_CLASS.items():
        labels = getattr(full, f"y_{split}")
        rows = drawing.draw_images(labels, per_class, rng)
        assert np.array_equal(getattr(full, f"x_{split}")[rows], getattr(sample, f"x_{split}"))
        assert np.array_equal(labels[rows], getattr(sample, f"y_{split}"))


@needs_whole_sets
def test_bundled_reviews_are_those_the_script_draws(monkeypatch, drawing):
    monkeypatch.setenv("DROPOUT_DATA_DIR", WHOLE)
    arrays = drawing.draw_reviews(data.load("imdb", "full"), np.random.default_rng(drawing.SEED))
    same(data._dataset("imdb", "sample", "", arrays), data.load("imdb", "sample"))


# --- a mirror folder


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """A mirror folder of stand-ins, which the table of checksums is made to know."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name in data.CLASS_NAMES:
        arrays = fake(name)
        monkeypatch.setitem(data.DIGESTS, name, data._digest(arrays))
        np.savez(folder / f"{name}.npz", **arrays)
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(folder))
    return folder


@pytest.mark.parametrize("name", data.CLASS_NAMES)
def test_mirror_folder(mirror, name):
    got = data.load(name, "full")
    assert got.source.endswith(", mirror folder")
    same(got, data._dataset(name, "full", "", fake(name)))
    assert not any(getattr(got, key).flags.writeable for key in ("y_train", "y_test"))
    assert not got.x_train[0].flags.writeable
    if name == "imdb":
        assert data.decode(got.x_train[0], got.vocabulary) == "film the the the café"


@pytest.mark.parametrize("folder", ["nowhere", "mnist.npz", "a\0b"])
def test_a_mirror_folder_that_is_none(mirror, monkeypatch, folder):
    # the environment cannot hold a null character, so it is handed over below it
    with pytest.raises(data.DataError, match=r"mnist.npz"):
        data._read_mirror(mirror / folder, "mnist")


def test_a_mirror_file_of_another_set_is_refused(mirror):
    shutil.copy(mirror / "mnist.npz", mirror / "fashion_mnist.npz")
    with pytest.raises(data.DataError, match="not that of the published data"):
        data.load("fashion_mnist", "full")
    shutil.copy(mirror / "mnist.npz", mirror / "imdb.npz")
    with pytest.raises(data.DataError, match="train_tokens"):
        data.load("imdb", "full")


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": np.zeros((20, 28, 28), np.uint8)},
        {"y_test": np.arange(20)},
        {"x_test": fake("mnist")["x_test"].reshape(20, 784)},
        {"x_train": np.array([{}, None], dtype=object)},
        {"y_train": None},
    ],
    ids=["other pixels", "wide labels", "flat images", "pickled", "missing"],
)
def test_a_mirror_file_with_wrong_arrays_is_refused(mirror, change):
    arrays = {key: value for key, value in (fake("mnist") | change).items() if value is not None}
    np.savez(mirror / "mnist.npz", **arrays)
    with pytest.raises(data.DataError, match=r"mnist.npz is broken"):
        data.load("mnist", "full")


def test_a_single_array_under_the_name_of_a_mirror_file_is_refused(mirror):
    with open(mirror / "mnist.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(data.DataError, match=r"mnist.npz is broken"):
        data.load("mnist", "full")


def test_imdb_of_another_make_is_taken_on_its_own_checksum(mirror):
    other = fake("imdb", n=8)
    np.savez(mirror / "imdb.npz", **with_checksum(other))
    same(data.load("imdb", "full"), data._dataset("imdb", "full", "", other))
    np.savez(mirror / "imdb.npz", **other)
    with pytest.raises(data.DataError, match="sha256 is not a file in the archive"):
        data.load("imdb", "full")
    np.savez(
        mirror / "imdb.npz", **with_checksum(other) | {"test_labels": other["test_labels"][::-1]}
    )
    with pytest.raises(data.DataError, match="checksum does not match"):
        data.load("imdb", "full")


@pytest.mark.parametrize(
    "change",
    [
        {"train_tokens": np.zeros(1, np.uint32)},
        {"train_tokens": fake("imdb")["train_tokens"] - 1},
        {"train_tokens": fake("imdb")["train_tokens"] + 1},
        {"train_tokens": fake("imdb")["train_tokens"].astype(float)},
        {"test_offsets": fake("imdb")["test_offsets"][::-1]},
        {"test_offsets": fake("imdb")["test_offsets"][1:]},
        {"test_offsets": fake("imdb")["test_offsets"] + 1},
        {"test_labels": fake("imdb")["test_labels"] * 2},
        {"test_labels": fake("imdb")["test_labels"][:, None]},
        {"test_labels": np.zeros(0, np.uint8), "test_offsets": np.zeros(1, np.int64)},
        {"vocabulary": np.frombuffer(b"the\nfilm", np.uint8)},
        {"vocabulary": np.frombuffer(b"\xff\n\n\n\n", np.uint8)},
    ],
)
def test_imdb_that_is_not_laid_out_as_reviews_is_refused(mirror, change):
    np.savez(mirror / "imdb.npz", **with_checksum(fake("imdb") | change))
    with pytest.raises(data.DataError, match=r"imdb.npz is broken"):
        data.load("imdb", "full")


def test_loading_a_mirror_file_does_not_copy_it(monkeypatch, tmp_path):
    arrays = fake("cifar10", n=3000)
    np.savez(tmp_path / "cifar10.npz", **arrays)
    monkeypatch.setitem(data.DIGESTS, "cifar10", data._digest(arrays))
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path))
    size = sum(array.nbytes for array in arrays.values())
    del arrays
    tracemalloc.start()
    try:
        got = data.load("cifar10", "full")
        assert len(got.x_train) == 3000
        assert tracemalloc.get_traced_memory()[1] < 1.2 * size
    finally:
        tracemalloc.stop()


@needs_whole_sets
@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("mnist", (60_000, 28, 28), (10_000, 28, 28)),
        ("fashion_mnist", (60_000, 28, 28), (10_000, 28, 28)),
        ("cifar10", (50_000, 32, 32, 3), (10_000, 32, 32, 3)),
    ],
)
def test_whole_image_sets(monkeypatch, name, train, test):
    monkeypatch.setenv("DROPOUT_DATA_DIR", WHOLE)
    got = data.load(name, "full")
    assert (got.x_train.shape, got.x_test.shape) == (train, test)
    assert (got.y_train.shape, got.y_test.shape) == (train[:1], test[:1])
    assert got.x_train.dtype == got.y_train.dtype == np.uint8


@needs_whole_sets
def test_whole_reviews(monkeypatch):
    monkeypatch.setenv("DROPOUT_DATA_DIR", WHOLE)
    got = data.load("imdb", "full")
    assert len(got.x_train) == len(got.x_test) == 25_000
    assert np.bincount(got.y_train).tolist() == np.bincount(got.y_test).tolist() == [12_500, 12_500]
    assert max(review.max() for review in got.x_train) == len(got.vocabulary)


# --- Keras's own loaders, with the network replaced


@pytest.fixture
def web(monkeypatch, tmp_path):
    return connect(monkeypatch, tmp_path)


@pytest.mark.parametrize("name", data.CLASS_NAMES)
def test_keras_downloads_once_and_then_reads_its_cache(web, monkeypatch, name):
    arrays = serve(web, monkeypatch, name)
    first = data.load(name, "full")
    assert first.source.endswith(", keras.datasets")
    assert sorted(web.asked) == sorted(web.files)
    assert first.y_train.dtype == np.uint8
    if name == "imdb":
        # Keras shuffles the reviews, so compare them as a set with their labels
        assert first.vocabulary == ("the", "film", "good", "bad", "café")
        right = data._dataset(name, "full", "", arrays)
        for got_x, got_y, x, y in (
            (first.x_train, first.y_train, right.x_train, right.y_train),
            (first.x_test, first.y_test, right.x_test, right.y_test),
        ):
            pairs = [
                sorted((tuple(a.tolist()), int(b)) for a, b in zip(*side, strict=True))
                for side in ((got_x, got_y), (x, y))
            ]
            assert pairs[0] == pairs[1]
    else:
        same(first, data._dataset(name, "full", "", arrays))
    web.files.clear()
    same(data.load(name, "full"), first)


@pytest.mark.parametrize(
    "trouble",
    [
        urllib.error.URLError("Name or service not known"),
        urllib.error.HTTPError("https://", 404, "Not Found", email.message.Message(), None),
        OSError(errno.ENOSPC, "No space left on device"),
        TimeoutError("timed out"),
    ],
    ids=["offline", "404", "full disk", "time-out"],
)
@pytest.mark.parametrize("name", data.CLASS_NAMES)
def test_a_download_that_fails(web, monkeypatch, tmp_path, name, trouble):
    serve(web, monkeypatch, name)
    web.files = dict.fromkeys(web.files, trouble)
    with pytest.raises(data.DataError, match=rf"keras.datasets.{name} cannot be loaded") as caught:
        data.load(name, "full")
    for words in (
        "check the network",
        "the room on the disk",
        "DROPOUT_DATA_DIR",
        "'sample'",
        str(tmp_path),
    ):
        assert words in str(caught.value)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("name", ["mnist", "cifar10", "imdb"])
def test_a_download_with_another_hash(web, monkeypatch, name):
    with monkeypatch.context() as patch:
        serve(web, patch, name)
    with pytest.raises(data.DataError, match=f"keras.datasets.{name} cannot be loaded.*hash"):
        data.load(name, "full")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_download_of_other_images(web, monkeypatch, name):
    serve(web, monkeypatch, name)
    monkeypatch.setitem(data.DIGESTS, name, "0" * 64)
    with pytest.raises(data.DataError, match=r"not the published data.*delete"):
        data.load(name, "full")


@needs_whole_sets
def test_the_whole_of_fashion_mnist_through_keras(web, monkeypatch):
    right = data._read_mirror(data.Path(WHOLE), "fashion_mnist")
    for split, stem in (("train", "train"), ("test", "t10k")):
        for part, kind, header in (("x", "images-idx3", 16), ("y", "labels-idx1", 8)):
            content = bytes(header) + right[f"{part}_{split}"].tobytes()
            web.files[f"{stem}-{kind}-ubyte.gz"] = gzip.compress(content, 1)
    got = data.load("fashion_mnist", "full")
    same(got, data._dataset("fashion_mnist", "full", "", right))


def test_where_keras_puts_its_files(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert data._keras_cache() == tmp_path / "datasets"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nowhere"))
    assert data._keras_cache().parent.name == ".keras"


# --- making a mirror folder


@pytest.fixture
def all_served(web, monkeypatch):
    for name in data.CLASS_NAMES:
        serve(web, monkeypatch, name)
    return web


def test_a_mirror_made_from_keras_loads_the_same(all_served, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "new" / "mirror"
    data.make_mirror(folder)
    assert sorted(left(folder)) == sorted(f"{name}.npz" for name in data.CLASS_NAMES)
    assert capsys.readouterr().out.count(" written\n") == 4
    through_keras = {name: data.load(name, "full") for name in data.CLASS_NAMES}
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(folder))
    for name, right in through_keras.items():
        same(data.load(name, "full"), right)


def test_a_mirror_is_completed_not_made_anew(all_served, tmp_path, capsys):
    data.make_mirror(tmp_path / "mirror")
    (tmp_path / "mirror" / "imdb.npz").write_bytes(b"half")
    (tmp_path / "mirror" / "mnist.npz").unlink()
    capsys.readouterr()
    data.make_mirror(str(tmp_path / "mirror"))
    out = [line for line in capsys.readouterr().out.splitlines() if "mirror" in line]
    assert [line.rsplit(" ", 1)[1] for line in out] == ["written", "there", "there", "written"]
    assert data._read_mirror(tmp_path / "mirror", "imdb")["train_labels"].size == 20


@pytest.mark.parametrize("folder", ["file", "file/below", "a\0b"])
def test_a_folder_that_cannot_be_made(tmp_path, folder):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(data.DataError, match="cannot write"):
        data.make_mirror(tmp_path / folder)


def test_the_command_says_what_is_wrong_without_a_traceback(web, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["data", str(tmp_path / "mirror")])
    assert data._main() == 1
    error = capsys.readouterr().err
    assert error.startswith("error: keras.datasets.mnist cannot be loaded")
    assert "Traceback" not in error
    for name in data.CLASS_NAMES:
        serve(web, monkeypatch, name)
    assert data._main() == 0
    assert len(left(tmp_path / "mirror")) == 4


def test_the_command_has_a_help_text():
    done = subprocess.run(
        [sys.executable, "-m", "helpers.data", "--help"], capture_output=True, text=True, check=True
    )
    assert "FOLDER as NAME.npz" in " ".join(done.stdout.split())


# --- two processes at once, and one that dies


def python(code, *args, **kwargs):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], **kwargs)


def test_two_processes_load_the_samples_at_once():
    code = "from helpers import data; print(*(data.load(name).x_train[7].sum() for name in data.CLASS_NAMES))"
    loads = [python(code, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [load.communicate()[0].split() for load in loads]
    right = [str(data.load(name).x_train[7].sum()) for name in data.CLASS_NAMES]
    assert said == [right, right]


LOCKED = """
import os, sys, time
from pathlib import Path
from helpers import data

with data._one_at_a_time(Path(sys.argv[1])), open(sys.argv[2], "a") as log:
    print("in", file=log, flush=True)
    if sys.argv[3] == "die":
        os._exit(9)
    time.sleep(0.5)
    print("out", file=log, flush=True)
"""


def test_keras_cache_is_filled_by_one_process_at_a_time(tmp_path):
    log = tmp_path / "log"
    waiting = [python(LOCKED, tmp_path, log, "") for _ in range(3)]
    assert [process.wait() for process in waiting] == [0, 0, 0]
    assert log.read_text().split() == ["in", "out"] * 3


def test_a_process_that_dies_gives_its_lock_back(tmp_path):
    assert python(LOCKED, tmp_path, tmp_path / "log", "die").wait() == 9
    with data._one_at_a_time(tmp_path):
        assert (tmp_path / "log").read_text() == "in\n"


def test_where_no_lock_is_to_be_had_loading_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with data._one_at_a_time(tmp_path):
        assert not (tmp_path / "nowhere").exists()


# --- words

REVIEWS = st.lists(st.lists(st.integers(1, 12), max_size=9), min_size=1, max_size=6)


@given(reviews=REVIEWS, num_words=st.integers(1, 15), arrays=st.booleans())
@settings(deadline=None)
def test_multi_hot_marks_the_words_that_occur(reviews, num_words, arrays):
    given_ = tuple(np.array(review, np.uint16) for review in reviews) if arrays else reviews
    got = data.multi_hot(given_, num_words)
    assert got.dtype == np.uint8
    assert got.tolist() == [
        [int(word in review) for word in range(1, num_words + 1)] for review in reviews
    ]


@given(reviews=REVIEWS, length=st.integers(1, 12), num_words=st.integers(1, 15))
@settings(deadline=None)
def test_pad_keeps_the_last_common_words(reviews, length, num_words):
    got = data.pad(reviews, length, num_words)
    assert (got.dtype, got.shape) == (np.int32, (len(reviews), length))
    for row, review in zip(got.tolist(), reviews, strict=True):
        kept = [word for word in review if word <= num_words][-length:]
        assert row == [0] * (length - len(kept)) + kept


@given(words=st.lists(st.text("abc\u00e9", min_size=1), min_size=1, unique=True), draw=st.data())
@settings(deadline=None)
def test_decode_undoes_the_numbering(words, draw):
    review = draw.draw(st.lists(st.integers(1, len(words))))
    right = " ".join(words[i - 1] for i in review)
    assert data.decode(np.array(review, int), tuple(words)) == right
    assert data.decode([0, 0, *review, 0], words) == right


@pytest.mark.parametrize("function", [lambda r: data.multi_hot(r, 5), lambda r: data.pad(r, 3, 5)])
@pytest.mark.parametrize(
    ("reviews", "error", "says"),
    [
        ([], ValueError, "at least one review"),
        ([[0, 1]], ValueError, "ids of at least 1, received 0"),
        ([[2], [-3]], ValueError, "ids of at least 1, received -3"),
        ([[1.0, 2.0]], TypeError, "whole numbers, received dtype float64"),
        ([[True]], TypeError, "whole numbers, received dtype bool"),
        ([["good"]], TypeError, "whole numbers"),
        ([[None]], TypeError, "whole numbers"),
        ([1, 2], ValueError, r"one axis, received shape \(\)"),
        ([[[1]]], ValueError, r"one axis, received shape \(1, 1\)"),
        ([[[1], [2, 3]]], ValueError, "ragged"),
        ("good film", TypeError, "sequence of arrays, received <class 'str'>"),
        (None, TypeError, "sequence of arrays"),
        (7, TypeError, "sequence of arrays"),
    ],
)
def test_reviews_that_are_none(function, reviews, error, says):
    with pytest.raises(error, match=says):
        function(reviews)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_counts_that_are_none(value):
    for call in (
        lambda: data.multi_hot([[1]], value),
        lambda: data.pad([[1]], value, 5),
        lambda: data.pad([[1]], 5, value),
    ):
        with pytest.raises((TypeError, ValueError), match="whole number of at least 1, received"):
            call()


def test_words_of_the_sample():
    got = data.load("imdb")
    hot = data.multi_hot(got.x_test, 1000)
    padded = data.pad(got.x_test, 80, 1000)
    assert hot.shape == (2000, 1000)
    for i in (0, 999, 1999):
        assert set(np.flatnonzero(hot[i]) + 1) == {w for w in got.x_test[i].tolist() if w <= 1000}
        assert set(padded[i].tolist()) - {0} <= set((np.flatnonzero(hot[i]) + 1).tolist())
        assert (
            got.vocabulary[padded[i, -1] - 1] in data.decode(padded[i], got.vocabulary).split()[-1:]
        )
