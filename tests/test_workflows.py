"""The workflow files are valid, and what they try is what the course declares."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(name):
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    return yaml.safe_load(text)["jobs"]


def test_the_files_follow_the_schema():
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.github-workflows", *PATHS]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_scripts_that_they_call_are_there(path):
    for script in re.findall(r"\.ci/\w+", path.read_text("utf-8")):
        assert os.access(ROOT / script, os.X_OK), script


def test_every_python_that_the_package_supports_is_tried_at_both_ends_of_the_range():
    matrix = jobs("ci.yml")["range"]["strategy"]["matrix"]
    declared = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    supported = SpecifierSet(declared[1])
    assert all(supported.contains(python) for python in matrix["python"])
    oldest, *_ = matrix["python"]
    major, minor = map(int, oldest.split("."))
    assert not supported.contains(f"{major}.{minor - 1}")
    assert matrix["versions"] == ["oldest", "newest"]


def test_three_systems_are_tried():
    matrix = jobs("ci.yml")["range"]["strategy"]["matrix"]
    systems = {*matrix["system"], *(entry["system"] for entry in matrix["include"])}
    assert systems == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert set(jobs("monthly.yml")["beyond"]["strategy"]["matrix"]["system"]) == systems


@pytest.mark.skipif(os.name != "posix", reason="a bash script")
@pytest.mark.parametrize("words", [[], ["3.12"], ["3.12", "middle"]])
def test_the_matrix_script_says_what_it_accepts(words):
    run = subprocess.run([ROOT / ".ci" / "matrix", *words], capture_output=True, text=True)
    assert run.returncode
    assert ("which Python" if not words else "oldest, newest or beyond") in run.stderr
