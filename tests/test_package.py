"""What is installed from a checkout is enough: a lesson runs in any folder, with no clone around it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASK = """
import helpers
from helpers import data, evidence, live, records
print(helpers.__file__)
for path in records.FOLDER.parent.glob("*"): print("a clone:", path)
print(all(len(data.load(name).x_test) for name in data.DATA_SETS))
print(records.load("09_case_imdb").settings["repeats"], len(evidence.recorded()) > 0)
print("render" in live.Circles._esm and "render" in live.Masks._esm)
"""


def test_the_package_holds_samples_records_and_scripts(tmp_path):
    pytest.importorskip("setuptools", "77")
    checkout, built = tmp_path / "checkout", tmp_path / "built"
    for folder in ("helpers", "notebooks/results"):
        ignored = shutil.ignore_patterns("__pycache__", "unfinished")
        shutil.copytree(ROOT / folder, checkout / folder, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, checkout)
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build_py"]
    subprocess.run([*build, "--build-lib", built], cwd=checkout, check=True)
    shutil.rmtree(checkout)
    said = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(built), "DROPOUT_SCALE": "sample"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == [
        str(built / "helpers" / "__init__.py"), "True", "10 True", "True",
    ]  # fmt: skip
