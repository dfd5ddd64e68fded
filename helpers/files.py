"""Files that are written whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from helpers.checks import check_path, shown


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once everything has reached the disk.

    Args:
        path: What the file is called at the end; an older one stays as it is until then.

    Yields:
        A binary file to write to.

    Raises:
        TypeError: If `path` is not a path.
        ValueError: If it cannot be the name of a file.
        OSError: If it cannot be written; nothing is left behind where the disk still allows it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.txt")
        ...     with written_whole(path) as file:
        ...         _ = file.write(b"all of it")
        ...     path.read_text()
        'all of it'
    """
    path = check_path(path, "path")
    if not path.name:
        raise ValueError(f"path must name a file, received {shown(path)}")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        # a disk that has become read-only keeps it; what went wrong first is what matters
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
