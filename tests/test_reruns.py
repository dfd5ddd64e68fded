"""A quick lesson bears interrupts, cells run twice, and Run All again; reruns.py does it for all."""

import sys

import nbformat
import pytest
import reruns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process of its own")


def test_a_lesson_bears_a_restless_reader():
    report = reruns.rerun(reruns.NOTEBOOKS / "02_rate_or_p.ipynb")
    assert report.problems == []
    assert report.interrupts > 0


def test_what_cannot_be_run_twice_or_does_not_stop_is_found(tmp_path):
    stubborn = "import time\ntry:\n    time.sleep(0.7)\nexcept KeyboardInterrupt:\n    1 / 0"
    sources = ["n = 0", "n += 1\nprint(n)", stubborn]
    cells = [
        nbformat.v4.new_code_cell(source, execution_count=number)
        for number, source in enumerate(sources, 1)
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "restless.ipynb")
    problems = "\n".join(reruns.rerun(tmp_path / "restless.ipynb").problems)
    assert 'cell 2, run once more: [{"stdout": "' in problems
    assert "cell 3, interrupted: ZeroDivisionError" in problems
