"""What the pages load besides the theme: fetched once from npm, by version and checksum.

`npm pack` asks the registry that the machine is set up for. What was fetched stays in docs/.assets.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sphinx.util import logging

FOLDER = Path(os.environ.get("COURSE_ASSETS", Path(__file__).parent / ".assets"))
# package: version, checksum of its archive, where its files go, and which they are
PACKAGES = {
    "@jupyter-widgets/html-manager": (
        "1.0.15",  # for ipywidgets 8
        "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        "static/html-manager",
        r"dist/(embed\.js|.*\.woff2)",
    ),
    "mathjax": (
        "3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        "static/mathjax",
        r"es5/(tex-chtml\.js|output/chtml/fonts/woff-v2/.*\.woff)",
    ),
    "axe-core": (  # for the tests
        "4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        "axe-core",
        r"(axe\.min\.js)",
    ),
}


def fetch() -> bool:
    """Fetch what is not there yet; where that fails, say so in one sentence and return False."""
    wanted = FOLDER / "fetched"
    if wanted.exists() and wanted.read_text("utf-8") == str(PACKAGES):
        return True
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        for name, (version, checksum, place, files) in PACKAGES.items():
            _unpack(_archive(f"{name}@{version}", checksum), FOLDER / place, files)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        shutil.rmtree(FOLDER, ignore_errors=True)
        logging.getLogger(__name__).warning(
            "the site has still pictures and equations as TeX, for npm could not fetch %s", error
        )
        return False
    wanted.write_text(str(PACKAGES), "utf-8")
    return True


def _archive(package: str, checksum: str) -> bytes:
    """Return a package's archive, whose checksum is as expected."""
    npm = shutil.which("npm")
    if not npm:
        raise OSError(f"{package}: there is no npm on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", package, "--loglevel=error", "--fetch-retries=0"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        archives = list(Path(folder).glob("*.tgz"))
        if not archives:
            said = re.findall(r"error code (.+)", run.stderr) or [f"exit {run.returncode}"]
            raise OSError(f"{package}: {said[0]}")
        data = archives[0].read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != checksum:
        raise ValueError(f"{package}: its checksum is {found}, not {checksum}")
    return data


def _unpack(archive: bytes, place: Path, files: str) -> None:
    """Write those files of a package whose names match, and its licence."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed.getmembers():
            inside = member.name.partition("/")[2]
            match = re.fullmatch(files, inside) or re.fullmatch(r"(LICENSE)(?:\.\w+)?", inside)
            if match and member.isfile():
                path = place / match[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packed.extractfile(member).read())
