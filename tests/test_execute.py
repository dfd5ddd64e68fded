"""The command that re-executes notebooks saves clean ones and refuses the others."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers import execute


@pytest.fixture
def notebook(tmp_path):
    def write(*sources):
        path = tmp_path / "lesson.ipynb"
        cells = [new_markdown_cell("# Lesson"), *map(new_code_cell, sources)]
        cells[-1].metadata["tags"] = ["nbval-ignore-output"]
        cells[-1].metadata["collapsed"] = True
        nbformat.write(new_notebook(cells=cells, metadata={"widgets": {"state": 1}}), path)
        return path

    return write


def test_a_clean_run_is_saved_numbered_and_stripped(notebook, capsys):
    slider = "import ipywidgets\nipywidgets.IntSlider(description='n')"
    path = notebook("1 + 1", "", slider)
    assert execute.main([str(path)]) == 0
    assert "saved" in capsys.readouterr().out
    saved = nbformat.read(path, as_version=4)
    assert set(saved.metadata) == {"kernelspec", "language_info"}
    assert [cell.get("execution_count") for cell in saved.cells] == [None, 1, None, 2]
    assert saved.cells[1].outputs[0].data["text/plain"] == "2"
    assert saved.cells[-1].metadata == {"tags": ["nbval-ignore-output"]}


@pytest.mark.parametrize("source", ["1 / 0", "import sys; print('oh', file=sys.stderr)"])
def test_a_run_that_fails_or_complains_is_not_saved(notebook, source, capsys):
    path = notebook("1 + 1", source)
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    assert "was not saved" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_cell_that_takes_too_long_is_named_and_ends_the_run(notebook):
    path = notebook("import time\ntime.sleep(60)")
    with pytest.raises(execute.NotebookRefusedError, match=r"(?s)after 1 seconds.*time\.sleep"):
        execute.run(path, timeout=1)
