"""Whether this machine can run the course: versions, data and memory, with one clear verdict."""

import platform
from importlib import metadata

import psutil
from packaging.requirements import Requirement

from helpers import data
from helpers.evidence import Table

NEEDED_GB = 1.0
Row = tuple[str, str, str, bool]  # what is needed, accepted, found; whether it fits


class Environment(Table):
    """What the course needs and what this machine has, as a table."""

    def verdict(self) -> None:
        """Print whether the course can run here, and if not, what is missing and what to do."""
        failed = [row for row in self.rows if row[-1] == "no"]
        if not failed:
            print("Ready: this machine has everything that the course needs.")
            return
        reasons = [f"{name}: wanted {wanted}, found {found}" for name, wanted, found, _ in failed]
        print(f"Not ready. {'; '.join(reasons)}.")
        if failed[0][0] == "Python":
            print("Install a Python that is accepted, then begin again with the README's commands.")
        else:
            print("In the folder of the course, run: pip install -r requirements.txt")


def check_environment() -> Environment:
    """Return what the course needs of Python, packages, data and memory, and what is here.

    Example:
        >>> check_environment().header
        ('Needed', 'Accepted', 'Found', 'Fits')
    """
    rows = [*_versions(), *map(_sample, data.DATA_SETS), _memory()]
    cells = [(*words, "yes" if fits else "no") for *words, fits in rows]
    return Environment(("Needed", "Accepted", "Found", "Fits"), cells)


def _versions() -> list[Row]:
    try:
        course = metadata.metadata("dropout-course")  # as pyproject.toml says
    except metadata.PackageNotFoundError:
        return [("this course", "installed", "not installed", False)]
    packages = [Requirement(text) for text in course.get_all("Requires-Dist", [])]
    python = Requirement(f"Python{course['Requires-Python']}")
    return [_python(python), *map(_package, packages)]


def _python(needed: Requirement) -> Row:
    found = platform.python_version().rstrip("+")
    fits = needed.specifier.contains(found, prereleases=True)
    words = "" if fits else ", for which there is no TensorFlow that the course can use"
    return needed.name, str(needed.specifier), found + words, fits


def _package(needed: Requirement) -> Row:
    try:
        found = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        if needed.name == "tensorflow":
            # Binder installs the build without GPU support under a name of its own
            return _package(Requirement(f"tensorflow-cpu{needed.specifier}"))
        return needed.name, str(needed.specifier), "not installed", False
    return needed.name, str(needed.specifier), found, needed.specifier.contains(found)


def _sample(name: str) -> Row:
    try:
        data.load(name, "sample")
    except data.DataError as error:
        return f"{name} sample", "the bundled file", str(error), False
    return f"{name} sample", "the bundled file", "intact", True


def _memory() -> Row:
    free = psutil.virtual_memory().available / 1e9
    return "free memory", f"{NEEDED_GB} GB or more", f"{free:.1f} GB", free >= NEEDED_GB
