"""Writes the whole data sets, as Keras downloads them, into a folder for a classroom without one.

python -m helpers.authors.mirror FOLDER    # then set DROPOUT_DATA_DIR=FOLDER
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from helpers import data
from helpers.records import write_whole


def make_mirror(folder: Path) -> None:
    """Write every whole data set that is not there yet; a file appears only when it is complete."""
    for about in data.DATA_SETS.values():
        path = folder / f"{about.name}.npz"
        with contextlib.suppress(data.DataError):
            data._read_mirror(about, folder)
            print(f"{path} is there")
            continue
        arrays = data._read_keras(about)
        if not about.shape:
            arrays = packed(arrays)
            # Keras cuts IMDB into words in another way, so its file carries its own checksum
            arrays["sha256"] = np.frombuffer(bytes.fromhex(data._digest(arrays)), np.uint8)
        _write(path, arrays)
        print(f"{path} written; {about.citation}, terms: {about.terms}")


def packed(parts: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return reviews, labels and vocabulary as an IMDB file holds them: end to end, no pickle."""
    arrays = {"vocabulary": np.frombuffer("\n".join(parts["vocabulary"]).encode(), np.uint8)}
    for split in data.SPLITS:
        reviews = parts[f"x_{split}"]
        arrays[f"{split}_tokens"] = np.concatenate(reviews).astype(np.uint32)
        arrays[f"{split}_offsets"] = np.cumsum([0, *map(len, reviews)], dtype=np.int64)
        arrays[f"{split}_labels"] = parts[f"y_{split}"]
    return arrays


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    content = io.BytesIO()
    np.savez(content, **arrays)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise data.DataError(
            f"cannot write {path} ({error}); free some room or choose a folder that you can write"
        ) from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m helpers.authors.mirror")
    parser.add_argument("folder", type=Path, help="where to write NAME.npz of each data set")
    try:
        make_mirror(parser.parse_args().folder)
    except data.DataError as error:
        sys.exit(f"error: {error}")
