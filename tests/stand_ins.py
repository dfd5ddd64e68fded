"""Small stand-ins for the data sets, for their files, and for what Keras downloads."""

import dataclasses
import functools
import gzip
import hashlib
import io
import json
import pickle

import numpy as np
from PIL import Image

from helpers import data
from helpers.authors.mirror import packed


def same(one, other):
    """Assert that two data sets hold the same."""
    assert one.class_names == other.class_names
    assert one.vocabulary == other.vocabulary
    for key in data.IMAGE_KEYS:
        a, b = getattr(one, key), getattr(other, key)
        assert all(np.array_equal(left, right) for left, right in zip(a, b, strict=True))


def fake(name, n=20):
    """Return arrays with the keys, axes and types of a whole set, and few rows."""
    rng = np.random.default_rng(len(name))
    labels = (np.arange(n) % len(data.DATA_SETS[name].class_names)).astype(np.uint8)
    parts = {"y_train": labels, "y_test": labels}
    for split in data.SPLITS:
        if name == "imdb":
            # all differ, even without their rarest word
            first = 200 if split == "test" else 100
            parts[f"x_{split}"] = [
                np.array([*(1 + int(d) for d in np.base_repr(first + i, 4)), 5], np.int32)
                for i in range(n)
            ]
            parts["vocabulary"] = ("the", "film", "good", "bad", "café")
        else:
            height, *row = data.DATA_SETS[name].shape
            # all differ, and WebP finds stripes easier than noise
            stripes = rng.integers(0, 256, (n, 1, *row), np.uint8)
            parts[f"x_{split}"] = stripes + 3 * np.arange(height, dtype=np.uint8).reshape(
                -1, *(1 for _ in row)
            )
    return packed(parts) if name == "imdb" else parts


def dataset(name, arrays, scale="full"):
    """Return the arrays of a file as `load` would."""
    parts = data._unpacked(arrays) if name == "imdb" else arrays
    return data.Dataset(name, scale, "", data.DATA_SETS[name].class_names, **parts)


def describe(monkeypatch, name, **changes):
    """Let the table say something else of one data set."""
    changed = dataclasses.replace(data.DATA_SETS[name], **changes)
    monkeypatch.setitem(data.DATA_SETS, name, changed)


def npz(arrays):
    """Return the content of an npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def with_checksum(arrays):
    """Return reviews as a mirror made of Keras's copy holds them."""
    return arrays | {"sha256": np.frombuffer(bytes.fromhex(data._digest(arrays)), np.uint8)}


@functools.cache
def samples(name):
    """Return the files of a small bundled sample, and their checksums."""
    arrays, files = fake(name), {}
    if name == "imdb":
        files["imdb.npz"] = npz(arrays)
    else:
        height, width, *channels = data.DATA_SETS[name].shape
        for split in data.SPLITS:
            rows = arrays[f"x_{split}"].reshape(-1, 5, height, width, *channels).swapaxes(1, 2)
            sheet = io.BytesIO()
            picture = Image.fromarray(rows.reshape(-1, 5 * width, *channels))
            picture.save(sheet, "WEBP", lossless=True)
            files[f"{name}_{split}.webp"] = sheet.getvalue()
    return files, {file: hashlib.sha256(c).hexdigest()[:32] for file, c in files.items()}


def downloads(name, arrays):
    """Return the files that Keras's own loader reads."""
    if name == "mnist":
        return {"mnist.npz": npz(arrays)}
    if name == "fashion_mnist":
        return {
            f"{stem}-{kind}-ubyte.gz": gzip.compress(bytes(skip) + arrays[key].tobytes())
            for stem, split in (("train", "train"), ("t10k", "test"))
            for kind, skip, key in (
                ("images-idx3", 16, f"x_{split}"),
                ("labels-idx1", 8, f"y_{split}"),
            )
        }
    if name == "imdb":
        full = dataset(name, arrays)
        lists = {
            # the None keeps NumPy from making a matrix of reviews of one length
            key: np.array([*(x.tolist() for x in getattr(full, key)), None], object)[:-1]
            for key in ("x_train", "x_test")
        }
        ranks = {word: rank for rank, word in reversed([*enumerate(full.vocabulary, 1)])}
        content = npz(lists | {"y_train": full.y_train, "y_test": full.y_test})
        return {"imdb.npz": content, "imdb_word_index.json": json.dumps(ranks).encode()}
    # Keras has room for 5 × 10,000 images, and NumPy repeats the one in each batch
    batches = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    images = arrays["x_train"].transpose(0, 3, 1, 2).reshape(-1, 1, 3072)
    return {
        f"cifar-10-batches-py/{batch}": pickle.dumps({b"data": image, b"labels": [i]}, protocol=4)
        for i, (batch, image) in enumerate(zip(batches, images, strict=False))
    }


def serve(monkeypatch, folder, name, n=20):
    """Let Keras find stand-ins in `folder`, and the table know them; return their arrays."""
    arrays = fake(name, n)
    for file, content in downloads(name, arrays).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    if name == "cifar10":
        arrays = {
            "x_train": np.repeat(arrays["x_train"][:5], 10_000, axis=0),
            "y_train": np.repeat(np.arange(5, dtype=np.uint8), 10_000),
            "x_test": arrays["x_train"][5:6],
            "y_test": np.array([5], np.uint8),
        }

    def get_file(fname, origin="", **kwargs):
        path = folder / (fname if name != "cifar10" else "")
        if path.exists():
            return str(path)  # the hash, which Keras compares, is not that of the real files
        raise Exception(f"URL fetch failure on {origin}: None -- no route to host")

    monkeypatch.setattr(f"keras.src.datasets.{name}.get_file", get_file)
    if name != "imdb":
        describe(monkeypatch, name, digest=data._digest(arrays))
    return arrays
