"""Draws the bundled samples from the whole data sets and writes their checksums.

    python helpers/samples/draw_samples.py [FOLDER]    # FOLDER: where to write; here by default

The whole data sets are read as ``helpers.data`` reads them: from the mirror folder that
DROPOUT_DATA_DIR names, or through Keras. Everything is drawn without replacement from one seed, so
that the same data give the same samples; README.md beside this file is the data sheet.
"""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import data

SEED = 2014
IMAGES_PER_CLASS = {"train": 400, "test": 100}
REVIEWS_PER_CLASS = {"train": 2000, "test": 1000}
WORDS = 20_000
COLUMNS = 100


def draw_images(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows to keep, as many of each of the ten classes, the classes taking turns.

    Args:
        labels: Class of every row, 0–9, one axis.
        per_class: How many rows to keep of each class.
        rng: Where the chance comes from.

    Returns:
        10 * per_class row numbers; row i of the sample has class i % 10.
    """
    rows = [rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in range(10)]
    return np.stack(rows, axis=1).ravel()


def sheet(images: np.ndarray) -> bytes:
    """Return images side by side, `COLUMNS` in a row, as a lossless WebP file.

    Args:
        images: uint8, (n, height, width) or (n, height, width, 3).

    Returns:
        The bytes of the file.
    """
    n, height, width = images.shape[:3]
    grid = images.reshape(n // COLUMNS, COLUMNS, *images.shape[1:]).swapaxes(1, 2)
    grid = grid.reshape(n // COLUMNS * height, COLUMNS * width, *images.shape[3:])
    file = io.BytesIO()
    Image.fromarray(grid).save(file, "WEBP", lossless=True, quality=100, method=6)
    return file.getvalue()


def draw_reviews(full: data.Dataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return two disjoint sets of reviews, both from the public train split, in the mirror layout.

    Args:
        full: IMDB, whole; nothing of its test split is looked at.
        rng: Where the chance comes from.

    Returns:
        Arrays as an IMDB mirror file holds them, but the ids in two bytes; the `WORDS` commonest
        words are kept.
    """
    # some reviews were posted more than once: keep the first of each
    first = {review.tobytes(): i for i, review in reversed(list(enumerate(full.x_train)))}
    rows = np.sort(np.fromiter(first.values(), np.int64))
    taken = {"train": [], "test": []}
    for label in (0, 1):
        order = rng.permutation(rows[full.y_train[rows] == label])
        start = 0
        for split, count in REVIEWS_PER_CLASS.items():
            taken[split].append(order[start : start + count])
            start += count
    splits = {}
    for split, chosen in taken.items():
        chosen = rng.permutation(np.concatenate(chosen))
        kept = [full.x_train[i][full.x_train[i] <= WORDS] for i in chosen]
        splits[split] = (kept, full.y_train[chosen])
    arrays = data._pack_reviews(full.vocabulary[:WORDS], **splits)
    for split in splits:
        arrays[f"{split}_tokens"] = arrays[f"{split}_tokens"].astype(np.uint16)
    return arrays


def main(folder: Path) -> None:
    """Write every sample file and SHA256SUMS into `folder`.

    Args:
        folder: A folder that exists.
    """
    files = {}
    for name in ("mnist", "fashion_mnist", "cifar10"):
        full = data.load(name, "full")
        rng = np.random.default_rng(SEED)
        for split, per_class in IMAGES_PER_CLASS.items():
            images, labels = getattr(full, f"x_{split}"), getattr(full, f"y_{split}")
            files[f"{name}_{split}.webp"] = sheet(images[draw_images(labels, per_class, rng)])
    reviews = io.BytesIO()
    full = data.load("imdb", "full")
    np.savez_compressed(reviews, **draw_reviews(full, np.random.default_rng(SEED)))
    files["imdb.npz"] = reviews.getvalue()
    sums = ""
    for name, content in files.items():
        (folder / name).write_bytes(content)
        sums += f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        print(f"{name}: {len(content) / 1e6:.2f} MB")
    (folder / "SHA256SUMS").write_text(sums, "ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
