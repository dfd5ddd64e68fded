"""The data sets: bundled samples, whole sets through Keras, or whole sets from a mirror folder.

``load("cifar10")`` reads the bundled sample. With ``DROPOUT_SCALE=full`` the same call reads the
whole set through Keras, or from the folder that ``DROPOUT_DATA_DIR`` names. One command makes such
a folder, for a classroom without a network, out of Keras's own downloads::

    python -m helpers.data FOLDER
"""

import argparse
import contextlib
import hashlib
import io
import itertools
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.checks import check_count, check_path, check_type, shown
from helpers.files import written_whole

SAMPLES = Path(__file__).parent / "samples"
SCALES = ("sample", "full")
CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    "imdb": ("negative", "positive"),
}
CITATIONS = {
    "mnist": "LeCun, Bottou, Bengio and Haffner (1998)",
    "fashion_mnist": "Xiao, Rasul and Vollgraf (2017)",
    "cifar10": "Krizhevsky (2009)",
    "imdb": "Maas, Daly, Pham, Huang, Ng and Potts (2011)",
}
# sha256 over every array of a whole set, see _digest
DIGESTS = {
    "mnist": "8fc8fc4f0343f34ece1fcfdfb65f0801fac48030ce7c70e62bbb62f64ee2e65b",
    "fashion_mnist": "37e5852d33933792bfddacf387e185c9c3d87fa20c45417517512181f092a44a",
    "cifar10": "80b3c18ee2939c77fc35655b1801749f57f7876bdbe810b3408c6860015b8931",
    "imdb": "cf583e2dae232f47e0dd374d193d7812f0362b669ea049fe6f2aa3c47b451e5c",
}
_IMAGE_KEYS = ("x_train", "y_train", "x_test", "y_test")
_REVIEW_KEYS = (
    *("train_tokens", "train_offsets", "train_labels"),
    *("test_tokens", "test_offsets", "test_labels", "vocabulary"),
)
_KERAS_FILES = {
    "mnist": "mnist.npz",
    "fashion_mnist": "fashion-mnist",
    "cifar10": "cifar-10-batches-py-target_archive",
    "imdb": "imdb.npz and imdb_word_index.json",
}


class DataError(RuntimeError):
    """A data set that cannot be read or written; the message says why and what to do.

    Example:
        >>> issubclass(DataError, RuntimeError)
        True
    """


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One data set, ready to use; its arrays are read-only.

    Args:
        name: "mnist", "fashion_mnist", "cifar10" or "imdb".
        scale: "sample" or "full".
        source: Who made it, and where it was read from.
        class_names: What label i means is class_names[i].
        x_train: Images, uint8 0–255, (n, height, width) or (n, height, width, 3); for IMDB a tuple
            of n reviews, each a 1-D int32 array of word ids, 1 = the commonest word.
        y_train: Labels, uint8, (n,).
        x_test: As x_train.
        y_test: As y_train.
        vocabulary: The words of IMDB, id i is vocabulary[i - 1]; empty for images.

    Example:
        >>> load("mnist", "sample")
        Dataset(mnist, sample: 4,000 to train on, 1,000 to test on, 10 classes)
    """

    name: str
    scale: str
    source: str
    class_names: tuple[str, ...]
    x_train: np.ndarray | tuple[np.ndarray, ...]
    y_train: np.ndarray
    x_test: np.ndarray | tuple[np.ndarray, ...]
    y_test: np.ndarray
    vocabulary: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name}, {self.scale}: {len(self.y_train):,} to train on, "
            f"{len(self.y_test):,} to test on, {len(self.class_names)} classes)"
        )


def load(name: str, scale: str | None = None) -> Dataset:
    """Return one data set.

    Args:
        name: "mnist", "fashion_mnist", "cifar10" or "imdb".
        scale: "sample" for the bundled sample, "full" for the whole set; by default what the
            environment variable DROPOUT_SCALE says, or else "sample".

    Returns:
        The data set, its arrays read-only and checked against known checksums. Keras cuts the
        reviews of IMDB into words in its own way, so what it loads, and a mirror made from it,
        have other ids than the sample; those are checked against Keras's own checksums.

    Raises:
        TypeError: If an argument is not a string.
        ValueError: If the data set or the scale is unknown.
        DataError: If a file is missing, broken or out of reach.

    Example:
        >>> digits = load("mnist", "sample")
        >>> digits.x_train.shape, digits.x_train.dtype
        ((4000, 28, 28), dtype('uint8'))
        >>> digits.y_train[:12]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], dtype=uint8)
    """
    name = _check_choice(name, "name", CLASS_NAMES)
    if scale is None:
        scale = _check_choice(os.environ.get("DROPOUT_SCALE") or "sample", "DROPOUT_SCALE", SCALES)
    else:
        scale = _check_choice(scale, "scale", SCALES)
    mirror = os.environ.get("DROPOUT_DATA_DIR")
    if scale == "sample":
        return _dataset(name, scale, "bundled sample", _read_sample(name))
    if mirror:
        return _dataset(name, scale, "mirror folder", _read_mirror(Path(mirror), name))
    return _dataset(name, scale, "keras.datasets", _read_keras(name))


def multi_hot(reviews: Sequence[np.ndarray], num_words: int) -> np.ndarray:
    """Return which of the commonest words occur in each review.

    Args:
        reviews: n reviews, each a 1-D array of word ids from 1 upwards.
        num_words: How many words to look at; rarer ones are left out.

    Returns:
        uint8, (n, num_words): 1 in column j if the word with id j + 1 occurs.

    Raises:
        TypeError: If a review does not hold whole numbers, or num_words is not one.
        ValueError: If there are no reviews, one is not 1-D, or an id is below 1.

    Example:
        >>> multi_hot([[1, 3, 3], [2, 9]], num_words=4)
        array([[1, 0, 1, 0],
               [0, 1, 0, 0]], dtype=uint8)
    """
    num_words = check_count(num_words, "num_words")
    reviews = _check_reviews(reviews)
    hot = np.zeros((len(reviews), num_words), np.uint8)
    for row, review in zip(hot, reviews, strict=True):
        row[review[review <= num_words] - 1] = 1
    return hot


def pad(reviews: Sequence[np.ndarray], length: int, num_words: int) -> np.ndarray:
    """Return the last words of each review as one matrix, filled up with zeros in front.

    Args:
        reviews: n reviews, each a 1-D array of word ids from 1 upwards.
        length: How many words to keep of each.
        num_words: How many words to know; rarer ones are dropped before the cut.

    Returns:
        int32, (n, length): word ids from 1 to num_words, 0 where there is no word.

    Raises:
        TypeError: If a review does not hold whole numbers, or a count is not one.
        ValueError: If there are no reviews, one is not 1-D, or an id or a count is below 1.

    Example:
        >>> pad([[1, 3, 3], [2, 9]], length=2, num_words=4)
        array([[3, 3],
               [0, 2]], dtype=int32)
    """
    length = check_count(length, "length")
    num_words = check_count(num_words, "num_words")
    reviews = _check_reviews(reviews)
    padded = np.zeros((len(reviews), length), np.int32)
    for row, review in zip(padded, reviews, strict=True):
        kept = review[review <= num_words][-length:]
        row[length - kept.size :] = kept
    return padded


def decode(review: np.ndarray, vocabulary: Sequence[str]) -> str:
    """Return a review as words.

    Args:
        review: Word ids, one axis; 0, the padding, is skipped.
        vocabulary: The word of id i is vocabulary[i - 1].

    Returns:
        The words with a space between them.

    Raises:
        TypeError: If an argument does not hold what it should.
        ValueError: If the review is not 1-D, or an id is outside the vocabulary.

    Example:
        >>> decode([0, 2, 1], ("film", "good"))
        'good film'
    """
    if not isinstance(vocabulary, (tuple, list)):
        raise TypeError(f"vocabulary must be a tuple of words, received {type(vocabulary)}")
    ids = _check_ids(review, "review", minimum=0)
    if ids.size and ids.max() > len(vocabulary):
        raise ValueError(
            f"review must hold ids of at most {len(vocabulary)}, the size of the vocabulary, "
            f"received {ids.max()}"
        )
    words = [vocabulary[i - 1] for i in ids.tolist() if i]
    return " ".join(check_type(word, "each word in vocabulary", str) for word in words)


def make_mirror(folder: str | Path) -> None:
    """Write every whole data set into a folder that DROPOUT_DATA_DIR can name.

    Sets that are there already, and whole, are left alone. A file appears only when it is complete.

    Args:
        folder: Where to write; made if it is not there.

    Raises:
        TypeError: If the folder is not a path.
        DataError: If Keras cannot load a set, or the folder cannot be written.

    Example:
        >>> make_mirror(SAMPLES / "README.md")
        Traceback (most recent call last):
        helpers.data.DataError: cannot write ...README.md...
    """
    with _writing(shown(folder)):
        folder = check_path(folder, "folder")
    for name in CLASS_NAMES:
        path = folder / f"{name}.npz"
        with contextlib.suppress(DataError):
            _read_mirror(folder, name)
            print(f"{path} is there")
            continue
        with _writing(path):
            folder.mkdir(parents=True, exist_ok=True)
        arrays = _read_keras(name)
        if _digest(arrays) != DIGESTS[name]:
            # Keras cuts IMDB into words in another way, so its file carries its own checksum
            arrays["sha256"] = np.frombuffer(bytes.fromhex(_digest(arrays)), np.uint8)
        _write_npz(path, arrays)
        print(f"{path} written")


def _check_choice(value: str, name: str, accepted: Sequence[str]) -> str:
    says = f"{name} must be one of {', '.join(map(repr, accepted))}, received {shown(value)}"
    if not isinstance(value, str):
        raise TypeError(says)
    if value not in accepted:
        raise ValueError(says)
    return value


def _check_reviews(reviews: Sequence[np.ndarray]) -> list[np.ndarray]:
    if not isinstance(reviews, (tuple, list, np.ndarray)) or getattr(reviews, "ndim", 1) == 0:
        raise TypeError(f"reviews must be a sequence of arrays, received {type(reviews)}")
    if not len(reviews):
        raise ValueError("reviews must hold at least one review, received none")
    return [_check_ids(review, "each review", minimum=1) for review in reviews]


def _check_ids(review: np.ndarray, name: str, minimum: int) -> np.ndarray:
    try:
        ids = np.asarray(review)
    except ValueError:
        raise ValueError(f"{name} must have one axis, received a ragged sequence") from None
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold whole numbers, received dtype {ids.dtype}")
    if ids.ndim != 1:
        raise ValueError(f"{name} must have one axis, received shape {ids.shape}")
    if not ids.size:
        return ids.astype(np.int32)
    if ids.min() < minimum:
        raise ValueError(f"{name} must hold ids of at least {minimum}, received {ids.min()}")
    return ids


def _dataset(name: str, scale: str, place: str, arrays: dict[str, np.ndarray]) -> Dataset:
    for array in arrays.values():
        array.flags.writeable = False
    if name == "imdb":
        split = {}
        for part in ("train", "test"):
            tokens = arrays[f"{part}_tokens"].astype(np.int32)
            tokens.flags.writeable = False
            ends = arrays[f"{part}_offsets"].tolist()
            split[f"x_{part}"] = tuple(tokens[a:b] for a, b in itertools.pairwise(ends))
            split[f"y_{part}"] = arrays[f"{part}_labels"]
        vocabulary = tuple(arrays["vocabulary"].tobytes().decode().split("\n"))
    else:
        split, vocabulary = arrays, ()
    return Dataset(
        name=name,
        scale=scale,
        source=f"{CITATIONS[name]}, {place}",
        class_names=CLASS_NAMES[name],
        vocabulary=vocabulary,
        **{key: split[key] for key in _IMAGE_KEYS},
    )


def _read_sample(name: str) -> dict[str, np.ndarray]:
    if name == "imdb":
        return _read_npz(io.BytesIO(_sample_bytes("imdb.npz")), _REVIEW_KEYS)
    mode, side = ("RGB", 32) if name == "cifar10" else ("L", 28)
    arrays = {}
    for split in ("train", "test"):
        content = io.BytesIO(_sample_bytes(f"{name}_{split}.webp"))
        try:
            sheet = np.asarray(Image.open(content).convert(mode))
        except OSError as error:
            raise DataError(
                f"Pillow cannot read WebP here ({error}); run `pip install --upgrade pillow`"
            ) from error
        grid = sheet.reshape(-1, side, sheet.shape[1] // side, side, *sheet.shape[2:])
        images = grid.swapaxes(1, 2).reshape(-1, side, side, *sheet.shape[2:])
        arrays[f"x_{split}"] = images
        # the classes take turns in a sheet
        arrays[f"y_{split}"] = (np.arange(len(images)) % 10).astype(np.uint8)
    return arrays


def _sample_bytes(file: str) -> bytes:
    advice = "restore it with `git checkout helpers/samples` or install the course again"
    try:
        lines = (SAMPLES / "SHA256SUMS").read_text("ascii").splitlines()
        known = {name: digest for digest, name in (line.split() for line in lines)}
        content = (SAMPLES / file).read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the bundled sample {file}: {error}; {advice}") from error
    if hashlib.sha256(content).hexdigest() != known.get(file):
        raise DataError(f"{SAMPLES / file} is broken: its checksum does not match; {advice}")
    return content


def _read_mirror(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = folder / f"{name}.npz"
    advice = (
        f"make it with `python -m helpers.data {folder}` on a machine with a network, "
        "or unset DROPOUT_DATA_DIR"
    )
    try:
        with open(path, "rb") as file:
            arrays = _read_npz(file, _REVIEW_KEYS if name == "imdb" else _IMAGE_KEYS)
            digest = _digest(arrays)
            if digest != DIGESTS[name]:
                if name != "imdb":
                    raise ValueError("its checksum is not that of the published data")
                stored = _read_npz(file, ("sha256",))["sha256"].tobytes().hex()
                if stored != digest:
                    raise ValueError("its checksum does not match")
                _check_layout(arrays)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"the mirror folder has no file {path}; {advice}") from error
    # whatever is wrong with a file of unknown content, the reader needs the same advice
    except Exception as error:
        raise DataError(f"{path} is broken or cannot be read ({error!r}); {advice}") from error
    return arrays


def _read_npz(file: io.BufferedIOBase, keys: Sequence[str]) -> dict[str, np.ndarray]:
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in keys}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        total.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).data)
    return total.hexdigest()


def _check_layout(arrays: dict[str, np.ndarray]) -> None:
    words = arrays["vocabulary"].tobytes().decode().count("\n") + 1
    for split in ("train", "test"):
        tokens, offsets, labels = (
            arrays[f"{split}_{part}"] for part in ("tokens", "offsets", "labels")
        )
        if not (
            tokens.ndim == offsets.ndim == labels.ndim == 1
            and (tokens.dtype, offsets.dtype, labels.dtype) == (np.uint32, np.int64, np.uint8)
            and len(offsets) == len(labels) + 1 > 1
            and offsets[0] == 0
            and offsets[-1] == len(tokens) > 0
            and (offsets[1:] >= offsets[:-1]).all()
            and 1 <= tokens.min() <= tokens.max() <= words
            and labels.max() <= 1
        ):
            raise ValueError(f"its {split} split is not laid out as reviews")


def _read_keras(name: str) -> dict[str, np.ndarray]:
    import helpers.quiet  # noqa: F401, I001
    import keras

    cache = _keras_cache()
    try:
        with _one_at_a_time(cache):
            if name == "imdb":
                arrays = _keras_imdb()
            else:
                (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
                values = (x_train, y_train.reshape(-1), x_test, y_test.reshape(-1))
                arrays = dict(zip(_IMAGE_KEYS, map(np.ascontiguousarray, values), strict=True))
                if _digest(arrays) != DIGESTS[name]:
                    raise ValueError("what Keras loaded is not the published data")
    # Keras raises a bare Exception when a download fails
    except Exception as error:
        raise DataError(
            f"keras.datasets.{name} cannot be loaded ({error!r}); check the network and the room "
            f"on the disk, delete {_KERAS_FILES[name]} in {cache} and try again, or set "
            "DROPOUT_DATA_DIR to a mirror folder, or use the scale 'sample'"
        ) from error
    return arrays


def _keras_imdb() -> dict[str, np.ndarray]:
    from keras.datasets import imdb

    ranks = imdb.get_word_index()
    # with these arguments the ids are the ranks themselves, and no word is left out
    train, test = imdb.load_data(
        num_words=len(ranks) + 1, start_char=None, oov_char=None, index_from=0
    )
    arrays = _pack_reviews(sorted(ranks, key=ranks.get), train=train, test=test)
    _check_layout(arrays)
    return arrays


def _pack_reviews(
    vocabulary: Sequence[str], **splits: tuple[Sequence[Sequence[int]], Sequence[int]]
) -> dict[str, np.ndarray]:
    """Return reviews as the flat arrays of an IMDB file, which needs no pickle.

    Review i of a split is tokens[offsets[i]:offsets[i + 1]]; the vocabulary is UTF-8, one word a
    line, in the order of the ids. Each split is given as train=(reviews, labels).
    """
    arrays = {"vocabulary": np.frombuffer("\n".join(vocabulary).encode(), np.uint8)}
    for split, (reviews, labels) in splits.items():
        offsets = np.cumsum([0, *map(len, reviews)], dtype=np.int64)
        words = itertools.chain.from_iterable(reviews)
        arrays[f"{split}_tokens"] = np.fromiter(words, np.uint32, offsets[-1])
        arrays[f"{split}_offsets"] = offsets
        arrays[f"{split}_labels"] = np.asarray(labels, np.uint8)
    return arrays


def _keras_cache() -> Path:
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    if not os.access(home, os.W_OK):
        # where Keras goes then
        home = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / ".keras"
    return home / "datasets"


@contextlib.contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    """Let one process of this machine at a time fill Keras's cache, which Keras does not see to.

    A lock of SQLite's works on every system and goes away with its process. Where none is to be
    had we go on without: the checksums still keep a wrong array out.
    """
    mark = hashlib.sha256(str(cache).encode()).hexdigest()[:12]
    path = Path(tempfile.gettempdir()) / f"dropout_course_{mark}.lock"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)
            lock = stack.enter_context(contextlib.closing(connection))
            while not lock.in_transaction:
                try:
                    lock.execute("BEGIN EXCLUSIVE")
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error):
                        raise
                    time.sleep(0.2)
        yield


@contextlib.contextmanager
def _writing(path: Path | str) -> Iterator[None]:
    try:
        yield
    # a path with a null character is a ValueError
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot write {path} ({error}); free some room or choose a folder that you can write"
        ) from error


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with _writing(path), written_whole(path) as file:
        np.savez(file, **arrays)


def _main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.data",
        description="Put the whole data sets, from Keras's downloads, into FOLDER as NAME.npz. "
        "Set DROPOUT_DATA_DIR=FOLDER to use them without a network.",
    )
    parser.add_argument("folder", metavar="FOLDER")
    try:
        make_mirror(parser.parse_args().folder)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
