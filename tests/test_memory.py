"""The memory watchdog sees what a kernel takes, and kills it where Binder would."""

import sys

import memory
import nbformat
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def hungry(tmp_path):
    """A notebook that holds 200 MB for a moment only."""
    cells = ["data = bytearray(b'x' * 200_000_000)", "del data", "import time; time.sleep(0.5)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, tmp_path / "hungry.ipynb")
    return tmp_path / "hungry.ipynb"


def test_a_short_peak_is_seen(hungry):
    peak, _, problem = memory.measure(hungry)
    assert not problem
    assert 200 < peak < 1000


def test_above_the_limit_the_kernel_is_killed(hungry):
    peak, _, problem = memory.measure(hungry, limit_mb=150)
    assert problem == "killed above 150 MB"
    assert peak > 150


def test_a_notebook_that_fails_for_another_reason_says_so(tmp_path):
    cells = [nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "wrong.ipynb")
    assert "ZeroDivisionError" in memory.measure(tmp_path / "wrong.ipynb")[2]
