"""The samples, the mirror folder, Keras's own loaders, and what makes samples and mirrors."""

import dataclasses
import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_ins import dataset, describe, fake, npz, same, serve, with_checksum

from helpers import data
from helpers.authors import mirror as mirrors
from helpers.authors import samples as drawing

IMAGES = ("mnist", "fashion_mnist", "cifar10")
WHOLE = os.environ.get("DROPOUT_DATA_DIR")
needs_whole_sets = pytest.mark.skipif(not WHOLE, reason="DROPOUT_DATA_DIR names no mirror folder")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    monkeypatch.delenv("DROPOUT_SCALE", raising=False)
    monkeypatch.delenv("DROPOUT_DATA_DIR", raising=False)


def rows_of(got, split):
    x, y = getattr(got, f"x_{split}"), getattr(got, f"y_{split}")
    return [(each.tobytes(), label) for each, label in zip(x, y, strict=True)]


def every_array(got):
    parts = (got.x_train, got.y_train, got.x_test, got.y_test)
    return [a for part in parts for a in (part if isinstance(part, tuple) else [part])]


# --- the bundled samples


DIGESTS = {"mnist": "8e49fb847a5b", "fashion_mnist": "b3d85d5b2ac3"}
DIGESTS |= {"cifar10": "de8c7213712c", "imdb": "5bf1f3f8bf7a"}


@pytest.mark.parametrize(("name", "digest"), DIGESTS.items())
def test_load_sample_is_balanced_read_only_and_the_same_as_ever(name, digest):
    got = data.load(name)
    total = hashlib.sha256("\n".join(got.vocabulary).encode())
    for array in every_array(got):
        assert not array.flags.writeable
        total.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    assert total.hexdigest()[:12] == digest
    assert (got.name, got.scale) == (name, "sample")
    assert len(set(np.bincount(got.y_train))) == len(set(np.bincount(got.y_test))) == 1
    assert got.y_train.max() == len(got.class_names) - 1
    assert not {x.tobytes() for x in got.x_train} & {x.tobytes() for x in got.x_test}


def test_dataset_shows_itself_in_one_line_and_says_who_made_it():
    got = data.load("fashion_mnist")
    assert repr(got) == (
        "Dataset(fashion_mnist, sample: 4,000 to train on, 1,000 to test on, 10 classes)"
    )
    assert got.source == "Xiao, Rasul and Vollgraf (2017), bundled sample"
    assert (got.class_names[0], got.class_names[9]) == ("T-shirt/top", "Ankle boot")
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.scale = "full"


def test_table_files_and_data_sheet_agree():
    sheet = (data.SAMPLES / "README.md").read_text("utf-8").splitlines()
    bundled = {path.name for path in data.SAMPLES.iterdir()} - {"README.md"}
    assert bundled == {file for about in data.DATA_SETS.values() for file in about.samples}
    for about in data.DATA_SETS.values():
        [row] = [line for line in sheet if all(f"`{file}`" in line for file in about.samples)]
        [made] = [line for line in sheet if line.startswith(row.split(" | ")[0]) and line != row]
        got = data.load(about.name)
        assert f"| {len(got.y_train):,} " in row
        assert f"| {len(got.y_test):,} " in row
        assert about.terms in made
        assert about.citation[-6:] in made


def test_load_of_a_sample_does_not_import_tensorflow():
    code = "import sys, helpers.data as d; d.load('imdb'); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("value", ["mnist ", "MNIST", "", "cifar100", None, 1])
def test_load_refuses_what_it_does_not_know(value):
    with pytest.raises(ValueError, match=r"name must be one of 'mnist', .*'imdb', received"):
        data.load(value)
    if value is not None:
        with pytest.raises(ValueError, match=r"scale.* must be one of 'sample', 'full', received"):
            data.load("mnist", value)


def test_scale_comes_from_the_environment_unless_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("DROPOUT_SCALE", "full")
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path))
    with pytest.raises(data.DataError, match=r"mnist.npz is missing"):
        data.load("mnist")
    assert data.load("mnist", "sample").scale == "sample"
    monkeypatch.setenv("DROPOUT_SCALE", "")
    assert data.load("mnist").scale == "sample"
    monkeypatch.setenv("DROPOUT_SCALE", "huge")
    with pytest.raises(ValueError, match=r"DROPOUT_SCALE.* received 'huge'"):
        data.load("mnist")


# --- a mirror folder


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """A mirror folder of stand-ins, which the table is made to know."""
    for name in data.DATA_SETS:
        describe(monkeypatch, name, digest=data._digest(fake(name)))
        (tmp_path / f"{name}.npz").write_bytes(npz(fake(name)))
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", data.DATA_SETS)
def test_load_mirror(mirror, name):
    got = data.load(name, "full")
    assert (got.name, got.scale) == (name, "full")
    assert got.source.endswith("), mirror folder")
    same(got, dataset(name, fake(name)))
    assert not any(array.flags.writeable for array in every_array(got))
    if name == "imdb":
        assert data.decode(got.x_train[0], got.vocabulary) == "film good film the café"
        assert got.x_train[0].dtype == np.int32


def test_load_mirror_takes_only_reviews_on_their_own_checksum(mirror):
    other = fake("imdb", n=8)
    (mirror / "imdb.npz").write_bytes(npz(with_checksum(other)))
    same(data.load("imdb", "full"), dataset("imdb", other))
    (mirror / "imdb.npz").write_bytes(npz(other))
    with pytest.raises(data.DataError, match="sha256 is not a file in the archive"):
        data.load("imdb", "full")
    changed = with_checksum(other) | {"test_labels": other["test_labels"][::-1]}
    (mirror / "imdb.npz").write_bytes(npz(changed))
    with pytest.raises(data.DataError, match="its checksum is not that of the published data"):
        data.load("imdb", "full")
    (mirror / "mnist.npz").write_bytes(npz(with_checksum(fake("mnist", n=8))))
    with pytest.raises(data.DataError, match="its checksum is not that of the published data"):
        data.load("mnist", "full")


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_load_mirror_runs_no_pickle(mirror, monkeypatch):
    monkeypatch.chdir(mirror)
    (mirror / "mnist.npz").write_bytes(npz(fake("mnist") | {"y_test": np.array([Trap()], object)}))
    with pytest.raises(data.DataError, match="Object arrays cannot be loaded"):
        data.load("mnist", "full")
    assert not (mirror / "sprung").exists()


def test_load_mirror_does_not_copy_the_arrays(monkeypatch, tmp_path):
    arrays = fake("cifar10", n=3000)
    (tmp_path / "cifar10.npz").write_bytes(npz(arrays))
    describe(monkeypatch, "cifar10", digest=data._digest(arrays))
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(tmp_path))
    size = sum(array.nbytes for array in arrays.values())
    tracemalloc.start()
    try:
        assert len(data.load("cifar10", "full").x_train) == 3000
        assert tracemalloc.get_traced_memory()[1] < 1.2 * size
    finally:
        tracemalloc.stop()


@needs_whole_sets
@pytest.mark.parametrize("name", data.DATA_SETS)
def test_bundled_samples_are_those_that_are_drawn_from_the_whole_sets(monkeypatch, name):
    monkeypatch.setenv("DROPOUT_DATA_DIR", WHOLE)
    full, sample = data.load(name, "full"), data.load(name, "sample")
    assert len(full.y_train) == {"cifar10": 50_000, "imdb": 25_000}.get(name, 60_000)
    rng = np.random.default_rng(drawing.SEED)
    if name == "imdb":
        drawn = drawing.draw_reviews(full, rng)
    else:
        train = drawing.draw_images(full.y_train, 400, rng)
        test = drawing.draw_images(full.y_test, 100, rng)
        drawn = {"x_train": full.x_train[train], "y_train": full.y_train[train]}
        drawn |= {"x_test": full.x_test[test], "y_test": full.y_test[test]}
    same(dataset(name, drawn), sample)


# --- Keras's own loaders, with their downloads replaced


@pytest.mark.parametrize("name", data.DATA_SETS)
def test_load_keras(monkeypatch, tmp_path, name):
    arrays = serve(monkeypatch, tmp_path, name)
    got = data.load(name, "full")
    assert got.source.endswith("), keras.datasets")
    assert got.y_train.dtype == got.y_test.dtype == np.uint8
    assert not any(array.flags.writeable for array in every_array(got))
    right = dataset(name, arrays)
    assert got.vocabulary == right.vocabulary
    order = sorted if name == "imdb" else list  # Keras shuffles the reviews
    for split in data.SPLITS:
        assert order(rows_of(got, split)) == order(rows_of(right, split))


@pytest.mark.parametrize("name", data.DATA_SETS)
def test_load_keras_without_a_network_says_what_to_do(monkeypatch, tmp_path, name):
    serve(monkeypatch, tmp_path, name)
    shutil.rmtree(tmp_path)
    with pytest.raises(data.DataError) as caught:
        data.load(name, "full")
    for words in (f"keras.datasets.{name} cannot", "URL fetch failure", "network", "'sample'"):
        assert words in str(caught.value)
    assert f"delete {data.DATA_SETS[name].keras_files} in" in str(caught.value)


@pytest.mark.parametrize("name", IMAGES)
def test_load_keras_refuses_other_images(monkeypatch, tmp_path, name):
    serve(monkeypatch, tmp_path, name)
    describe(monkeypatch, name, digest="0" * 64)
    with pytest.raises(data.DataError, match=r"not the published data.*delete"):
        data.load(name, "full")


# --- making a mirror folder, and drawing samples


def test_mirror_made_from_keras_loads_the_same(monkeypatch, tmp_path, capsys):
    for name in data.DATA_SETS:
        serve(monkeypatch, tmp_path / name, name)
    through_keras = {name: data.load(name, "full") for name in data.DATA_SETS}
    folder = tmp_path / "new" / "mirror"
    mirrors.make_mirror(folder)
    assert {path.stem for path in folder.iterdir()} == set(data.DATA_SETS)
    monkeypatch.setenv("DROPOUT_DATA_DIR", str(folder))
    for name, right in through_keras.items():
        same(data.load(name, "full"), right)
    assert "CC BY-SA 3.0" in capsys.readouterr().out
    (folder / "imdb.npz").write_bytes(b"half")
    mirrors.make_mirror(folder)
    said = [line for line in capsys.readouterr().out.splitlines() if ".npz " in line]
    assert [" is there" in line for line in said] == [True, True, True, False]
    same(data.load("imdb", "full"), through_keras["imdb"])


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_mirror_that_cannot_be_written_leaves_nothing(monkeypatch, tmp_path, folder):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(data.DataError, match=r"cannot write .*free some room"):
        mirrors._write(tmp_path / folder / "mnist.npz", fake("mnist"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_mirror_command_fails_without_a_traceback(monkeypatch, tmp_path):
    serve(monkeypatch, tmp_path / "nothing", "mnist")
    shutil.rmtree(tmp_path / "nothing")
    monkeypatch.setattr(sys, "argv", ["mirror", str(tmp_path)])
    monkeypatch.delitem(sys.modules, mirrors.__name__)
    with pytest.raises(SystemExit, match=r"error: keras.datasets.mnist cannot be loaded"):
        runpy.run_module(mirrors.__name__, run_name="__main__")


def test_samples_that_are_drawn_load_again(monkeypatch, tmp_path, capsys):
    counts = {"IMAGES_PER_CLASS": {"train": 2, "test": 1}, "COLUMNS": 5}
    counts |= {"REVIEWS_PER_CLASS": {"train": 5, "test": 2}, "WORDS": 4}
    for constant, value in counts.items():
        monkeypatch.setattr(drawing, constant, value)
    whole = {name: dataset(name, fake(name, n=60)) for name in data.DATA_SETS}
    monkeypatch.setattr(data, "load", lambda name, scale: whole[name])
    drawing.main(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(data, "SAMPLES", tmp_path)
    table = json.loads("{" + capsys.readouterr().out.rstrip(",\n") + "}")
    for name, full in whole.items():
        files = {file: table[file] for file in data.DATA_SETS[name].samples}
        describe(monkeypatch, name, samples=files)
        got = data.load(name)
        for split, x, y in (("train", got.x_train, got.y_train), ("test", got.x_test, got.y_test)):
            # the test reviews are drawn from the train split too
            split, kept = ("train", 4) if name == "imdb" else (split, 255)
            rows = zip(getattr(full, f"x_{split}"), getattr(full, f"y_{split}"), strict=True)
            labels = {row[row <= kept].tobytes(): label for row, label in rows}
            assert [labels[row.tobytes()] for row in x] == y.tolist()
            assert len(set(np.bincount(y))) == 1
        rows = [x.tobytes() for x in (*got.x_train, *got.x_test)]
        assert len(set(rows)) == len(rows)
    assert got.vocabulary == ("the", "film", "good", "bad")


# --- words


REVIEWS = st.lists(st.lists(st.integers(1, 12), max_size=9), min_size=1, max_size=6)


@given(REVIEWS, st.integers(1, 15))
@settings(deadline=None)
def test_multi_hot_marks_the_words_that_occur(reviews, num_words):
    right = [[int(word in review) for word in range(1, num_words + 1)] for review in reviews]
    for given_ in (reviews, [np.array(review, np.uint16) for review in reviews]):
        got = data.multi_hot(given_, num_words)
        assert got.dtype == np.uint8
        assert got.tolist() == right


@given(st.lists(st.text("abc\u00e9", min_size=1), min_size=1, unique=True), st.data())
@settings(deadline=None)
def test_decode_undoes_the_numbering(words, draw):
    review = draw.draw(st.lists(st.integers(1, len(words))))
    right = " ".join(words[i - 1] for i in review)
    assert data.decode(np.array([0, *review, 0]), words) == right
