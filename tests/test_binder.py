"""Binder builds the course from `binder/` alone, and a change of content reinstalls nothing."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
NAME_ON_BINDER = {"tensorflow": "tensorflow-cpu"}
on_posix = pytest.mark.skipif(os.name != "posix", reason="Binder's scripts are for bash on Linux")


def course_requirements():
    return [Requirement(line) for line in metadata.requires("dropout-course")]


def locked():
    lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(line.partition("#")[0]) for line in lines if line[0] != "#"]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def test_the_lock_holds_names_and_exact_versions_and_says_how_it_is_renewed():
    header, *lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    assert header.startswith("# ")
    renew, *lines = lines
    assert os.access(ROOT / renew.removeprefix("#").strip(), os.X_OK)
    for line in lines:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*( +# via [\w, .-]+)?", line)
    assert len(lines) == len(locked())


@pytest.mark.parametrize("requirement", course_requirements(), ids=lambda r: r.name)
def test_what_the_course_needs_is_locked_inside_its_range(requirement):
    pin = locked()[NAME_ON_BINDER.get(requirement.name, requirement.name)]
    assert requirement.specifier.contains(str(pin).removeprefix("=="))


def test_neither_gpu_support_nor_the_tests_are_installed_on_binder():
    unwanted = ("tensorflow", "nvidia", "pytest", "nbval", "playwright", "ruff", "hypothesis")
    assert not [name for name in locked() if name in unwanted or name.startswith("nvidia")]


def test_binders_python_is_one_that_the_package_supports():
    version = re.fullmatch(r"python-(3\.\d+)\n", (BINDER / "runtime.txt").read_text("utf-8"))[1]
    supported = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert SpecifierSet(supported[1]).contains(version)


@on_posix
@pytest.mark.parametrize("status", [0, 3])
def test_post_build_installs_the_helpers_alone_and_passes_failure_on(tmp_path, status):
    fake = tmp_path / "pip"
    fake.write_text(f'#!/bin/sh\necho "$@" >"{tmp_path}/asked"\nexit {status}\n')
    fake.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run([BINDER / "postBuild"], env={**os.environ, "PATH": path}, check=False)
    assert run.returncode == status
    assert (tmp_path / "asked").read_text() == "install --no-deps -e .\n"


@on_posix
def test_start_caps_threads_and_becomes_the_command():
    names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    show = f"import os; print(os.getpid(), *[os.environ[n] for n in {names}])"
    environment = {n: value for n, value in os.environ.items() if n not in names}
    command = [BINDER / "start", sys.executable, "-c", show]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        process, *threads = run.communicate()[0].split()
    assert int(process) == run.pid
    assert threads == ["1"] * len(names)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The build steps that repo2docker makes of the folder, as mybinder.org calls it."""
    copy = tmp_path_factory.mktemp("course")
    shutil.copytree(BINDER, copy / "binder")
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug"]
    command += ["--user-id", "1000", "--user-name", "jovyan", copy]
    # only the recipe is asked for: no engine has to answer
    environment = {n: value for n, value in os.environ.items() if not n.startswith("DOCKER_")}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return run.stdout + run.stderr


@on_posix
def test_repo2docker_builds_our_python_and_installs_the_lock_alone(recipe):
    version = (BINDER / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    assert f"Building conda environment for python={version}" in recipe
    installs = re.findall(r"pip install .*", recipe)
    assert len(installs) == 1
    assert installs[0].endswith('-r "binder/requirements.txt"')


@on_posix
def test_only_a_change_of_the_lock_reinstalls(recipe):
    install = recipe.index("pip install")
    content = recipe.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    assert recipe.index("src/binder/requirements.txt") < install < content
    copied = re.findall(r"^COPY .* src/(\S+) ", recipe[:content], flags=re.M)
    assert copied == ["binder/requirements.txt"]
    assert content < recipe.index("RUN ./binder/postBuild")


@on_posix
def test_start_is_the_entry_point(recipe):
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in recipe


def test_badges_open_the_course_and_each_lesson_and_follow_a_move(tmp_path):
    (tmp_path / ".ci").mkdir()
    script = shutil.copy(ROOT / ".ci" / "badges", tmp_path / ".ci")
    readme = Path(shutil.copy(ROOT / "README.md", tmp_path))
    links = []
    for place in ("an-org/before", "another.org/after", "another.org/after"):
        subprocess.run([sys.executable, script, place], check=True)
        links.append(re.findall(r"\]\((https://mybinder.org/v2/\S+)\)", readme.read_text("utf-8")))
    start = "https://mybinder.org/v2/gh/an-org/before/HEAD?urlpath=lab/tree/"
    opened = [link.removeprefix(start) for link in links[0]]
    assert opened == sorted(f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb"))
    assert links[1] == [link.replace("an-org/before", "another.org/after") for link in links[0]]
    assert links[2] == links[1]
    sites = re.findall(r"\[Read it on the web\]\((\S+)\)", readme.read_text("utf-8"))
    assert sites == ["https://another.org.github.io/after/"]
    assert subprocess.run([sys.executable, script, "nowhere"], check=False).returncode == 1
