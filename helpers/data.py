"""The data sets: ``load("cifar10")`` reads the bundled sample.

With ``DROPOUT_SCALE=full`` the same call reads the whole set through Keras, or from the folder that
``DROPOUT_DATA_DIR`` names. One command makes such a folder, for a classroom without a network:
``python -m helpers.authors.mirror FOLDER``.
"""

import hashlib
import io
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from helpers._engine.checks import check_choice, shown

SAMPLES = Path(__file__).parent / "samples"
SPLITS = ("train", "test")
# what an npz file holds; review i is tokens[offsets[i]:offsets[i + 1]], so that none is a pickle,
# and the vocabulary is UTF-8, one word a line, in the order of the ids
IMAGE_KEYS = ("x_train", "y_train", "x_test", "y_test")
REVIEW_KEYS = (
    *("train_tokens", "train_offsets", "train_labels"),
    *("test_tokens", "test_offsets", "test_labels", "vocabulary"),
)


@dataclass(frozen=True)
class Description:
    """All that the course knows of one data set; samples/README.md is the sheet for people."""

    name: str  # in keras.datasets and in a mirror folder too
    shape: tuple[int, ...]  # of one image; empty for reviews
    class_names: tuple[str, ...]  # label i means class_names[i]
    citation: str
    terms: str
    samples: Mapping[str, str]  # bundled files, and the first 32 digits of their sha256
    digest: str  # sha256 over the arrays of the whole published set, see _digest
    keras_files: str  # what to delete from Keras's cache where they are broken


_DESCRIPTIONS = (
    Description(
        name="mnist",
        shape=(28, 28),
        class_names=tuple("0123456789"),
        citation="LeCun, Bottou, Bengio and Haffner (1998)",
        terms="CC BY-SA 3.0",
        samples={
            "mnist_train.webp": "67c91fa70a0fe717d6898fe66cdef175",
            "mnist_test.webp": "f0d0323e63241f854dfd73d645367368",
        },
        digest="8fc8fc4f0343f34ece1fcfdfb65f0801fac48030ce7c70e62bbb62f64ee2e65b",
        keras_files="mnist.npz",
    ),
    Description(
        name="fashion_mnist",
        shape=(28, 28),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        citation="Xiao, Rasul and Vollgraf (2017)",
        terms="MIT",
        samples={
            "fashion_mnist_train.webp": "4b7dc7e4fb4112c75930fce1d07b3ebd",
            "fashion_mnist_test.webp": "d28e0657f4b93e947d570731e1624044",
        },
        digest="37e5852d33933792bfddacf387e185c9c3d87fa20c45417517512181f092a44a",
        keras_files="fashion-mnist",
    ),
    Description(
        name="cifar10",
        shape=(32, 32, 3),
        class_names=(
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
        citation="Krizhevsky (2009)",
        terms="its maker states no licence and asks to be cited",
        samples={
            "cifar10_train.webp": "8f2d6b58d8f98f9c9f7d0d34c2680dff",
            "cifar10_test.webp": "071091aeb90c1a26e3032e100e091cb5",
        },
        digest="80b3c18ee2939c77fc35655b1801749f57f7876bdbe810b3408c6860015b8931",
        keras_files="cifar-10-batches-py-target_archive",
    ),
    Description(
        name="imdb",
        shape=(),
        class_names=("negative", "positive"),
        citation="Maas, Daly, Pham, Huang, Ng and Potts (2011)",
        terms="its makers ask to be cited",
        samples={"imdb.npz": "ad7ce9ad8da6bba4d102bb1c641a00a1"},
        digest="cf583e2dae232f47e0dd374d193d7812f0362b669ea049fe6f2aa3c47b451e5c",
        keras_files="imdb.npz and imdb_word_index.json",
    ),
)
DATA_SETS = {about.name: about for about in _DESCRIPTIONS}


class DataError(RuntimeError):
    """A data set that cannot be read or written; the message says why and what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One data set, ready to use; its arrays are read-only.

    Args:
        name: A key of DATA_SETS.
        scale: "sample" or "full".
        source: Who made it, and where it was read from.
        class_names: What label i means is class_names[i].
        x_train: Images, uint8 0–255, (n, height, width) or (n, height, width, 3); for IMDB a tuple
            of n reviews, each a 1-D int32 array of word ids, 1 = the commonest word. So x_test.
        y_train: Labels, uint8, (n,). So y_test.
        vocabulary: The words of IMDB, id i is vocabulary[i - 1]; empty for images.
    """

    name: str
    scale: str
    source: str
    class_names: tuple[str, ...]
    x_train: np.ndarray | tuple[np.ndarray, ...]
    y_train: np.ndarray
    x_test: np.ndarray | tuple[np.ndarray, ...]
    y_test: np.ndarray
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in (self.x_train, self.y_train, self.x_test, self.y_test):
            for array in part if isinstance(part, tuple) else [part]:
                array.flags.writeable = False

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}, {self.scale}: {len(self.y_train):,} to train on, "
            f"{len(self.y_test):,} to test on, {len(self.class_names)} classes)"
        )


def load(name: str, scale: str | None = None) -> Dataset:
    """Return one data set, checked against known checksums.

    Args:
        name: "mnist", "fashion_mnist", "cifar10" or "imdb".
        scale: "sample" for the bundled sample, "full" for the whole set; by default what the
            environment variable DROPOUT_SCALE says, or else "sample".

    Returns:
        The data set. Keras cuts the reviews of IMDB into words in its own way, so what it loads,
        and a mirror made from it, have other ids than the sample.

    Example:
        >>> digits = load("mnist", "sample")
        >>> digits.x_train.shape, digits.x_train.dtype
        ((4000, 28, 28), dtype('uint8'))
        >>> digits.y_train[:12]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], dtype=uint8)
    """
    about = DATA_SETS[check_choice(name, "name", DATA_SETS)]
    scale = os.environ.get("DROPOUT_SCALE") or "sample" if scale is None else scale
    check_choice(scale, "scale (or DROPOUT_SCALE)", ("sample", "full"))
    mirror = os.environ.get("DROPOUT_DATA_DIR")
    if scale == "sample":
        place, parts = "bundled sample", _read_sample(about)
    elif mirror:
        place, parts = "mirror folder", _read_mirror(about, Path(mirror))
    else:
        place, parts = "keras.datasets", _read_keras(about)
    return Dataset(name, scale, f"{about.citation}, {place}", about.class_names, **parts)


def multi_hot(reviews: Sequence[np.ndarray], num_words: int) -> np.ndarray:
    """Return which of the commonest words occur in each review.

    Args:
        reviews: n reviews, each a 1-D array of word ids from 1 upwards.
        num_words: How many words to look at; rarer ones are left out.

    Returns:
        uint8, (n, num_words): 1 in column j if the word with id j + 1 occurs.

    Example:
        >>> multi_hot([[1, 3, 3], [2, 9]], num_words=4)
        array([[1, 0, 1, 0],
               [0, 1, 0, 0]], dtype=uint8)
    """
    hot = np.zeros((len(reviews), num_words), np.uint8)
    for row, review in zip(hot, reviews, strict=True):
        ids = _word_ids(review, lowest=1)
        row[ids[ids <= num_words] - 1] = 1
    return hot


def decode(review: np.ndarray, vocabulary: Sequence[str]) -> str:
    """Return a review as words: that of id i is vocabulary[i - 1]; 0, the padding, is skipped.

    Example:
        >>> decode([0, 2, 1], ("film", "good"))
        'good film'
    """
    return " ".join(vocabulary[i - 1] for i in _word_ids(review, lowest=0).tolist() if i)


def _word_ids(review: np.ndarray, lowest: int) -> np.ndarray:
    ids = np.asarray(review)
    ids = ids if ids.size else ids.astype(int)  # of an empty list NumPy makes floats
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or ids.min(initial=lowest) < lowest:
        raise ValueError(
            f"a review must be word ids of at least {lowest} along one axis, received {shown(ids)}"
        )
    return ids


def _read_sample(about: Description) -> dict[str, Any]:
    contents = [_bundled(SAMPLES / file, digest) for file, digest in about.samples.items()]
    if not about.shape:
        return _unpacked(_read_npz(io.BytesIO(contents[0]), REVIEW_KEYS))
    parts = {}
    for split, content in zip(SPLITS, contents, strict=True):
        images = parts[f"x_{split}"] = _cut_sheet(content, about.shape)
        # the classes take turns in a sheet
        parts[f"y_{split}"] = (np.arange(len(images)) % len(about.class_names)).astype(np.uint8)
    return parts


def _bundled(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:32] != digest:
            raise OSError("its checksum does not match")
    except OSError as error:
        raise DataError(
            f"the bundled sample {path} is missing or broken ({error}); restore it with "
            "`git checkout helpers/samples` or install the course again"
        ) from error
    return content


def _cut_sheet(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return the images of a sheet, which lie side by side in rows."""
    height, width, *channels = shape
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB" if channels else "L"))
    grid = sheet.reshape(-1, height, sheet.shape[1] // width, width, *channels)
    return grid.swapaxes(1, 2).reshape(-1, *shape)


def _read_mirror(about: Description, folder: Path) -> dict[str, Any]:
    path = folder / f"{about.name}.npz"
    try:
        arrays = _read_npz(path, IMAGE_KEYS if about.shape else REVIEW_KEYS)
        digest, known = _digest(arrays), about.digest
        if digest != known and not about.shape:
            # reviews that Keras has cut into words carry a checksum of their own
            known = _read_npz(path, ["sha256"])["sha256"].tobytes().hex()
        if digest != known:
            raise ValueError("its checksum is not that of the published data")
        return arrays if about.shape else _unpacked(arrays)
    # whatever is wrong with a file of unknown content, the reader needs the same advice
    except Exception as error:
        raise DataError(
            f"{path} is missing or broken ({error!r}); make it with `python -m "
            f"helpers.authors.mirror {folder}` on a machine with a network, or unset "
            "DROPOUT_DATA_DIR"
        ) from error


def _read_keras(about: Description) -> dict[str, Any]:
    from helpers._engine.backend import keras

    loader = getattr(keras.datasets, about.name)
    try:
        if not about.shape:
            return _keras_reviews(loader)
        (x_train, y_train), (x_test, y_test) = loader.load_data()
        values = (x_train, y_train.reshape(-1), x_test, y_test.reshape(-1))
        arrays = dict(zip(IMAGE_KEYS, map(np.ascontiguousarray, values), strict=True))
        # Keras knows no checksum of some, and another process may be filling its cache just now
        if _digest(arrays) != about.digest:
            raise ValueError("what Keras loaded is not the published data")
        return arrays
    # Keras raises a bare Exception when a download fails
    except Exception as error:
        raise DataError(
            f"keras.datasets.{about.name} cannot be loaded ({error!r}); check the network and the "
            f"room on the disk, delete {about.keras_files} in the folder datasets of KERAS_HOME "
            "(~/.keras where it is not set) and try again, or set DROPOUT_DATA_DIR to a mirror "
            "folder, or use the scale 'sample'"
        ) from error


def _keras_reviews(imdb: ModuleType) -> dict[str, Any]:
    ranks = imdb.get_word_index()
    # with these arguments the ids are the ranks themselves, and no word is left out
    plain = {"start_char": None, "oov_char": None, "index_from": 0}
    parts = {"vocabulary": tuple(sorted(ranks, key=ranks.get))}
    loaded = imdb.load_data(num_words=len(ranks) + 1, **plain)
    for split, (reviews, labels) in zip(SPLITS, loaded, strict=True):
        parts[f"x_{split}"] = tuple(np.array(review, np.int32) for review in reviews)
        parts[f"y_{split}"] = np.asarray(labels, np.uint8)
    return parts


def _read_npz(file: Path | io.BytesIO, keys: Sequence[str]) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in keys}


def _unpacked(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    parts = {"vocabulary": tuple(arrays["vocabulary"].tobytes().decode().split("\n"))}
    for split in SPLITS:
        tokens, offsets = arrays[f"{split}_tokens"].astype(np.int32), arrays[f"{split}_offsets"]
        parts[f"x_{split}"] = tuple(tokens[a:b] for a, b in itertools.pairwise(offsets.tolist()))
        parts[f"y_{split}"] = arrays[f"{split}_labels"]
    return parts


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        total.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).data)
    return total.hexdigest()
