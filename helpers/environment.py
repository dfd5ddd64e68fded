"""Whether this machine can run the course: versions, data and memory, with one clear verdict."""

import html
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from helpers import data

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
OLDEST_PYTHON = (3, 10)
NEEDED_MEMORY_GB = 1.0
DATA_SETS = ("mnist", "fashion_mnist", "cifar10", "imdb")


@dataclass(frozen=True)
class Check:
    """One thing that the course needs.

    Args:
        name: What it is.
        wanted: What the course accepts.
        found: What this machine has.
        passed: Whether that will do.

    Example:
        >>> Check("Python", "3.10 or later", "3.12.1", True).passed
        True
    """

    name: str
    wanted: str
    found: str
    passed: bool


@dataclass(frozen=True)
class Environment:
    """Everything that was checked; a notebook shows it as a table.

    Args:
        checks: One entry for each thing that the course needs.

    Example:
        >>> Environment((Check("Python", "3.10 or later", "3.12.1", True),)).verdict()
        Ready: this machine has everything that the course needs.
    """

    checks: tuple[Check, ...]

    def verdict(self) -> None:
        """Print whether the course can run here, and if not, what is missing and what to do.

        Example:
            >>> Environment((Check("keras", ">=3.12", "not installed", False),)).verdict()
            Not ready. keras: wanted >=3.12, found not installed.
            In the folder of the course, run: pip install -r requirements.txt
        """
        failed = [check for check in self.checks if not check.passed]
        if not failed:
            print("Ready: this machine has everything that the course needs.")
            return
        reasons = "; ".join(f"{c.name}: wanted {c.wanted}, found {c.found}" for c in failed)
        print(f"Not ready. {reasons}.")
        print("In the folder of the course, run: pip install -r requirements.txt")

    def __str__(self) -> str:
        return "\n".join(
            f"{'ok' if c.passed else 'NO'} | {c.name} | {c.wanted} | {c.found}" for c in self.checks
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(text)}</td>" for text in row)
            for row in (
                (c.name, c.wanted, c.found, "yes" if c.passed else "no") for c in self.checks
            )
        )
        return (
            "<table><thead><tr><th>Needed</th><th>Accepted</th><th>Found</th><th>Fits</th></tr>"
            f"</thead><tbody>{rows}</tbody></table>"
        )


def check_environment() -> Environment:
    """Look at the Python, the packages, the bundled data and the memory of this machine.

    Returns:
        What was found, with a verdict.

    Example:
        >>> [check.name for check in check_environment().checks][:2]
        ['Python', 'tensorflow']
    """
    checks = [_python(), *map(_package, _requirements()), *map(_sample, DATA_SETS), _memory()]
    return Environment(tuple(checks))


def _python() -> Check:
    wanted = ".".join(map(str, OLDEST_PYTHON)) + " or later"
    found = platform.python_version()
    passed = tuple(map(int, platform.python_version_tuple()[:2])) >= OLDEST_PYTHON
    return Check("Python", wanted, found, passed)


def _requirements() -> list[Requirement]:
    # a reader needs the packages above the tests' own
    course = REQUIREMENTS.read_text(encoding="utf-8").split("# the tests")[0]
    lines = course.splitlines()
    texts = [line.split("#")[0].strip() for line in lines]
    return [Requirement(text) for text in texts if text and not text.startswith("-")]


def _package(requirement: Requirement) -> Check:
    wanted = str(requirement.specifier) or "any"
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        if requirement.name == "tensorflow":
            # Binder installs the build without GPU support under a name of its own
            return _package(Requirement(f"tensorflow-cpu{requirement.specifier}"))
        return Check(requirement.name, wanted, "not installed", False)
    return Check(requirement.name, wanted, found, requirement.specifier.contains(found))


def _sample(name: str) -> Check:
    try:
        data.load(name, "sample")
    except data.DataError as error:
        return Check(f"{name} sample", "the bundled file", str(error), False)
    return Check(f"{name} sample", "the bundled file", "intact", True)


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    return Check(
        "free memory", f"{NEEDED_MEMORY_GB} GB or more", f"{free:.1f} GB", free >= NEEDED_MEMORY_GB
    )
