"""Small stand-ins for the data sets, and for the network that Keras fetches them from."""

import email.message
import gzip
import hashlib
import io
import json
import pickle
import tarfile
import urllib.error
import urllib.request

import numpy as np
from PIL import Image

from helpers import data

ARCHIVE = "cifar-10-python.tar.gz"


def same(one, other):
    """Assert that two data sets hold the same."""
    assert one.class_names == other.class_names
    assert one.vocabulary == other.vocabulary
    for key in ("x_train", "y_train", "x_test", "y_test"):
        a, b = getattr(one, key), getattr(other, key)
        assert len(a) == len(b)
        assert all(np.array_equal(left, right) for left, right in zip(a, b, strict=True))


def left(folder):
    """Return the names of the files that are left under a folder."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def fake(name, n=20):
    """Return arrays with the keys, axes and types of a whole set, and few rows."""
    rng = np.random.default_rng(len(name))
    if name == "imdb":
        # every review differs from the others even when its rarest word is cut
        words = [
            [[*map(int, np.base_repr(i + shift, 3)), 5] for i in range(n)] for shift in (27, 243)
        ]
        words = [[[w + 1 if w < 3 else w for w in review] for review in split] for split in words]
        labels = np.arange(n) % 2
        return data._pack_reviews(
            ["the", "film", "good", "bad", "café"],
            train=(words[0], labels),
            test=(words[1], labels),
        )
    shape = (32, 32, 3) if name == "cifar10" else (28, 28)
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = rng.integers(0, 256, (n, *shape), np.uint8)
        arrays[f"y_{split}"] = (np.arange(n) % 10).astype(np.uint8)
    return arrays


def with_checksum(arrays):
    return arrays | {"sha256": np.frombuffer(bytes.fromhex(data._digest(arrays)), np.uint8)}


def npz(arrays):
    """Return the content of an npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def samples(name):
    """Return the files of a small bundled sample, without the list of checksums."""
    arrays = fake(name)
    if name == "imdb":
        return {"imdb.npz": npz(arrays)}
    files = {}
    for split in ("train", "test"):
        images = arrays[f"x_{split}"]
        n, side, _, *channels = images.shape
        rows = images.reshape(n // 5, 5, side, side, *channels).swapaxes(1, 2)
        sheet = io.BytesIO()
        Image.fromarray(rows.reshape(n // 5 * side, 5 * side, *channels)).save(
            sheet, "WEBP", lossless=True
        )
        files[f"{name}_{split}.webp"] = sheet.getvalue()
    return files


def checksums(files):
    """Return the list of checksums that goes with bundled samples."""
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    return "".join(f"{digest}  {file}\n" for file, digest in sums.items()).encode()


class Web:
    """What urllib would have fetched, by file name; a value that is an error is raised."""

    def __init__(self):
        self.files = {}
        self.asked = []
        self.known = set()

    def __call__(self, url, *args, **kwargs):
        name = url.rsplit("/", 1)[1]
        self.asked.append(name)
        content = self.files.get(name, urllib.error.URLError("no route to host"))
        if isinstance(content, Exception):
            raise content
        response = io.BytesIO(content)
        response.info = email.message.Message
        return response


def connect(monkeypatch, folder):
    """Return the network, with an empty Keras cache at `folder / "datasets"`."""
    import helpers.quiet  # noqa: F401

    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(folder))
    web = Web()
    monkeypatch.setattr(urllib.request, "urlopen", web)
    return web


def serve(web, monkeypatch, name):
    """Offer stand-ins for one set as Keras would download it; return its arrays."""
    arrays = fake(name)
    if name == "mnist":
        files = {"mnist.npz": npz(arrays)}
    elif name == "fashion_mnist":
        files = {
            f"{stem}-{kind}-ubyte.gz": gzip.compress(
                bytes(header) + arrays[f"{part}_{split}"].tobytes()
            )
            for split, stem in (("train", "train"), ("test", "t10k"))
            for part, kind, header in (("x", "images-idx3", 16), ("y", "labels-idx1", 8))
        }
    elif name == "cifar10":
        # Keras has room for 5 × 10,000 images; NumPy repeats the one in each batch
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for i, batch in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
                image = arrays["x_train"][i : i + 1].transpose(0, 3, 1, 2).reshape(1, -1)
                content = pickle.dumps({b"data": image, b"labels": [i]}, protocol=4)
                member = tarfile.TarInfo(f"cifar-10-batches-py/{batch}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        files = {ARCHIVE: file.getvalue()}
        arrays = {
            "x_train": np.repeat(arrays["x_train"][:5], 10_000, axis=0),
            "y_train": np.repeat(np.arange(5, dtype=np.uint8), 10_000),
            "x_test": arrays["x_train"][5:6],
            "y_test": np.array([5], np.uint8),
        }
    else:
        known = data._dataset(name, "full", "", arrays)
        lists = {
            key: np.array([*map(list, map(np.ndarray.tolist, getattr(known, key))), None], object)[
                :-1
            ]
            for key in ("x_train", "x_test")
        }
        index = {word: rank for rank, word in reversed([*enumerate(known.vocabulary, 1)])}
        files = {
            "imdb.npz": npz({**lists, "y_train": known.y_train, "y_test": known.y_test}),
            "imdb_word_index.json": json.dumps(index).encode(),
        }
    web.files |= files
    web.known |= {hashlib.sha256(content).hexdigest() for content in files.values()}
    # the stand-ins cannot have the hashes of the real files, but they have hashes
    monkeypatch.setattr(
        "keras.src.utils.file_utils.validate_file",
        lambda path, *args, **kwargs: _sha256(path) in web.known,
    )
    if name != "imdb":
        monkeypatch.setitem(data.DIGESTS, name, data._digest(arrays))
    return arrays


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
