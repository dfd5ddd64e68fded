"""Run notebooks in a fresh kernel and save them clean.

    python -m helpers.authors.execute notebooks/01_what_dropout_does.ipynb [more notebooks]

A notebook that raises, or writes to stderr, is not saved. Cells come out numbered 1…n, with their
outputs and without widget state or timings.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from helpers.records import write_whole

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class NotebookError(RuntimeError):
    """A notebook that raised, took too long, or wrote to stderr."""


def run(
    notebook: nbformat.NotebookNode,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = 600,
) -> nbformat.NotebookNode:
    """Run a notebook in a fresh kernel; return the same notebook with its new outputs.

    Args:
        notebook: The notebook.
        folder: Where its kernel runs.
        environment: Environment variables of the kernel, besides those of this process.
        timeout: Seconds that one cell may take; no limit when None.

    Raises:
        NotebookError: If a cell takes too long, or raises and is not tagged "raises-exception".
    """
    where = {"kernel_name": "python3", "resources": {"metadata": {"path": folder}}}
    client = NotebookClient(notebook, timeout=timeout, coalesce_streams=True, **where)
    try:
        client.execute(env={**os.environ, **(environment or {})})
    except (CellExecutionError, CellTimeoutError) as error:
        raise NotebookError(re.sub("\x1b\\[[0-9;]*m", "", str(error))) from error
    return notebook


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Strip an executed notebook of what differs from run to run; return the same notebook.

    Example:
        >>> notebook = nbformat.v4.new_notebook(metadata={"widgets": {}})
        >>> sorted(clean(notebook).metadata)
        ['kernelspec', 'language_info']
    """
    usual = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    notebook.metadata, number = nbformat.from_dict(usual), 0
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03d}"
        kept = {"tags": cell.metadata.get("tags")}
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            kept["jupyter"] = {"source_hidden": True}
        cell.metadata = nbformat.from_dict({key: value for key, value in kept.items() if value})
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            cell.execution_count = number = number + 1
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            for mime in output.get("data", {}).keys() & {"image/png", "image/jpeg"}:
                output.data[mime] = output.data[mime].strip()
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def save(path: Path) -> None:
    """Run one notebook in its own folder and save it clean, or not at all if it complains."""
    notebook = clean(run(nbformat.read(path, as_version=4), path.parent))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise NotebookError(f"{cell.source}\nwrote to stderr: {output.text.strip()}")
    write_whole(path, f"{nbformat.writes(notebook)}\n".encode())


def each(paths: Sequence[Path], action: Callable[[Path], object], done: str) -> int:
    """Do something with each notebook; say of each how it went, and return 1 if one failed."""
    failed = 0
    for path in paths:
        try:
            action(path)
            print(f"{path} {done}", flush=True)
        except (NotebookError, OSError, ValueError) as error:
            print(f"{path} failed: {error}", flush=True)
            failed = 1
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Example:
        >>> main(["missing.ipynb"])
        missing.ipynb failed: [Errno 2] No such file or directory: 'missing.ipynb'
        1
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    return each(parser.parse_args(arguments).notebooks, save, "saved")


if __name__ == "__main__":
    sys.exit(main())
