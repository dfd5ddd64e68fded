"""Draws the bundled samples from the whole data sets; helpers/samples/README.md is the data sheet.

    python -m helpers.authors.samples [FOLDER]    # where to write; helpers/samples by default

The whole sets are read as `helpers.data` reads them. Everything is drawn without replacement from
one seed, so that the same data give the same samples.
"""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import data
from helpers.authors.mirror import packed

SEED = 2014
IMAGES_PER_CLASS = {"train": 400, "test": 100}
REVIEWS_PER_CLASS = {"train": 2000, "test": 1000}
WORDS = 20_000
COLUMNS = 100


def draw_images(labels: np.ndarray, per_class: int, rng: np.random.Generator) -> np.ndarray:
    """Return as many row numbers of each class: row i of the sample has class i % 10."""
    rows = [rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in range(10)]
    return np.stack(rows, axis=1).ravel()


def sheet(images: np.ndarray) -> bytes:
    """Return uint8 images side by side, `COLUMNS` in a row, as a lossless WebP file."""
    n, height, width, *channels = images.shape
    grid = images.reshape(n // COLUMNS, COLUMNS, height, width, *channels).swapaxes(1, 2)
    grid = grid.reshape(n // COLUMNS * height, COLUMNS * width, *channels)
    file = io.BytesIO()
    Image.fromarray(grid).save(file, "WEBP", lossless=True, quality=100, method=6)
    return file.getvalue()


def draw_reviews(full: data.Dataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return two disjoint sets of reviews, as a file holds them, from the train split alone."""
    # some reviews were posted more than once: keep the first of each
    first = {review.tobytes(): i for i, review in reversed(list(enumerate(full.x_train)))}
    rows = np.sort(np.fromiter(first.values(), np.int64))
    orders = [rng.permutation(rows[full.y_train[rows] == label]) for label in (0, 1)]
    parts, start = {"vocabulary": full.vocabulary[:WORDS]}, 0
    for split, count in REVIEWS_PER_CLASS.items():
        chosen = rng.permutation(np.concatenate([o[start : start + count] for o in orders]))
        parts[f"x_{split}"] = [full.x_train[i][full.x_train[i] <= WORDS] for i in chosen]
        parts[f"y_{split}"] = full.y_train[chosen]
        start += count
    arrays = packed(parts)
    return arrays | {k: arrays[k].astype(np.uint16) for k in ("train_tokens", "test_tokens")}


def _files(name: str) -> list[bytes]:
    full, rng = data.load(name, "full"), np.random.default_rng(SEED)
    if not data.DATA_SETS[name].shape:
        file = io.BytesIO()
        np.savez_compressed(file, **draw_reviews(full, rng))
        return [file.getvalue()]
    files = []
    for split, count in IMAGES_PER_CLASS.items():
        rows = draw_images(getattr(full, f"y_{split}"), count, rng)
        files.append(sheet(getattr(full, f"x_{split}")[rows]))
    return files


def main(folder: Path) -> None:
    """Write every sample file into `folder`, and print what `data.DATA_SETS` must say of it."""
    for name, about in data.DATA_SETS.items():
        for file, content in zip(about.samples, _files(name), strict=True):
            (folder / file).write_bytes(content)
            print(f'"{file}": "{hashlib.sha256(content).hexdigest()[:32]}",')


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else data.SAMPLES)
