"""Re-execute notebooks in a fresh kernel and save them clean.

    python -m helpers.execute notebooks/01_what_dropout_does.ipynb [more notebooks]

A notebook that raises, or writes to stderr, is not saved. Cells come out numbered 1…n, with their
outputs and without widget state or timings.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from helpers.checks import check_number, check_path, check_type
from helpers.files import written_whole

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class NotebookRefusedError(RuntimeError):
    """A notebook that was not saved: it raised, it wrote to stderr, or there was no room for it."""


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Strip what differs from run to run: widget state, timings, versions, cell ids.

    Args:
        notebook: An executed notebook; changed in place.

    Returns:
        The same notebook.

    Raises:
        TypeError: If it is not a notebook as `nbformat` reads it.

    Example:
        >>> notebook = nbformat.v4.new_notebook(metadata={"widgets": {}})
        >>> sorted(clean(notebook).metadata)
        ['kernelspec', 'language_info']
    """
    check_type(notebook, "notebook", nbformat.NotebookNode)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    number = 0
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03d}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            number += 1
            cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            for mime in ("image/png", "image/jpeg"):
                if "data" in output and mime in output.data:
                    output.data[mime] = output.data[mime].strip()
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def run(
    path: Path, *, timeout: float | None = 600, environment: Mapping[str, str] | None = None
) -> nbformat.NotebookNode:
    """Run one notebook in a fresh kernel, in its own folder, and leave its file alone.

    Args:
        path: The notebook.
        timeout: Seconds that one cell may take; no limit when None.
        environment: Environment variables of the kernel, besides those of this process.

    Returns:
        The executed notebook.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the path holds a null character, or the timeout is not above 0.
        FileNotFoundError: If there is no such notebook.
        NotebookRefusedError: If it is no notebook, or a cell raises, takes too long or writes
            to stderr.

    Example:
        >>> run(Path("missing.ipynb"))
        Traceback (most recent call last):
        FileNotFoundError: no notebook at missing.ipynb
    """
    path = check_path(path, "path")
    if timeout is not None:
        check_number(timeout, "timeout", above=0)
    variables = {} if environment is None else check_type(environment, "environment", Mapping)
    for text in (*variables, *variables.values()):
        check_type(text, "each name and value in environment", str)
    notebook = _read(path)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
    )
    try:
        client.execute(env={**os.environ, **variables})
    except (CellExecutionError, CellTimeoutError) as error:
        raise NotebookRefusedError(f"{path} was not saved: {error}") from error
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise NotebookRefusedError(
                    f"{path} was not saved: cell {index} wrote to stderr: {output.text.strip()}"
                )
    return notebook


def execute(path: Path, *, timeout: float | None = 600) -> None:
    """Run one notebook in a fresh kernel, in its own folder, and save it clean.

    Args:
        path: The notebook.
        timeout: Seconds that one cell may take; no limit when None.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the path holds a null character, or the timeout is not above 0.
        FileNotFoundError: If there is no such notebook.
        NotebookRefusedError: If it is no notebook, or a cell raises, takes too long or writes
            to stderr; the file stays as it was.
        OSError: If it cannot be written.

    Example:
        >>> execute(Path("missing.ipynb"))
        Traceback (most recent call last):
        FileNotFoundError: no notebook at missing.ipynb
    """
    path = check_path(path, "path")
    text = nbformat.writes(clean(run(path, timeout=timeout))) + "\n"
    try:
        with written_whole(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise NotebookRefusedError(
            f"{path} was not saved: {error}; free some room or make its folder writable"
        ) from error


def _read(path: Path) -> nbformat.NotebookNode:
    # unlike Path.is_file, this has no opinion on names that are too long
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no notebook at {path}")
    try:
        return nbformat.read(path, as_version=4)
    # whatever is wrong with a file of unknown content
    except Exception as error:
        raise NotebookRefusedError(f"{path} is not a notebook ({error!r})") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The notebooks to run; those of the command line when omitted.

    Returns:
        0 if every notebook was saved, else 1.

    Raises:
        SystemExit: If the arguments are not as ``--help`` says.

    Example:
        >>> main(["missing.ipynb"])
        no notebook at missing.ipynb
        1
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    failed = 0
    for path in parser.parse_args(arguments).notebooks:
        try:
            execute(path)
            print(f"{path} saved")
        except (FileNotFoundError, NotebookRefusedError) as error:
            print(error)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
