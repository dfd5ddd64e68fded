"""Run notebooks at full scale, so that they record their runs; the notebooks stay as they are.

    python -m helpers.authors.record [--resume] notebooks/09_case_imdb.ipynb [more notebooks]

A record, notebooks/results/NAME.json, starts anew; with --resume it goes on from its runs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from helpers.authors import execute


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--resume", action="store_true", help="keep the runs already recorded")
    options = parser.parse_args(arguments)
    wanted = {"DROPOUT_SCALE": "full", "DROPOUT_RECORD": "resume" if options.resume else "new"}

    def record(path: Path) -> None:
        execute.run(nbformat.read(path, as_version=4), path.parent, wanted, timeout=None)

    return execute.each(options.notebooks, record, "ran at full scale")


if __name__ == "__main__":
    sys.exit(main())
