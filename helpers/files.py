"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once everything has reached the disk.

    Args:
        path: What the file is called at the end; an older one stays as it is until then.

    Yields:
        A binary file to write to.

    Raises:
        OSError: If it cannot be written; nothing is left behind.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.txt")
        ...     with written_whole(path) as file:
        ...         _ = file.write(b"all of it")
        ...     path.read_text()
        'all of it'
    """
    number, part = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    try:
        with open(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # a temporary file is private, these are for everybody
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
