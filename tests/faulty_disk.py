"""A disk whose calls are counted, so that each of them can be made to fail.

Python's own files do the work: `File` stands where they meet the operating system, below the
buffers, so that a fault arrives at the code under test as a real one would. What lies outside the
folder is left alone.
"""

import builtins
import errno
import io
import os
import pathlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class PowerCutError(BaseException):
    """The machine is off: nothing that follows reaches the disk."""


class Disk:
    """The files of one folder while `mounted`.

    Args:
        folder: Where the disk begins.
        fault: Called before every call to the operating system with the number of the call, its
            name and the bytes to write; raises what goes wrong, or returns how many bytes fit.
    """

    def __init__(self, folder: Path, fault: Callable = lambda number, name, size: None):
        self.folder = os.path.join(os.path.abspath(folder), "")
        self.fault = fault
        self.calls: list[str] = []
        self.files: list[File] = []
        self.names: dict[str, int] = {}  # what would be left of a file without power, in bytes

    def call(self, name: str, size: int = 0) -> int:
        self.calls.append(name)
        room = self.fault(len(self.calls) - 1, name, size)
        return size if room is None else room

    def holds(self, path: object) -> bool:
        return isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(
            self.folder
        )

    @contextmanager
    def mounted(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            opened = self._opened(builtins.open)
            for owner in (builtins, io):
                patch.setattr(owner, "open", opened)
            patch.setattr(pathlib.Path, "open", self._opened(pathlib.Path.open))
            for name in ("stat", "mkdir", "chmod", "replace", "rename", "unlink", "remove"):
                patch.setattr(os, name, self._counted(name, getattr(os, name)))
            patch.setattr(os, "fsync", self._synced(os.fsync))
            yield

    def lose_power(self) -> None:
        """Leave of each file only what had been forced onto the disk."""
        for path, size in self.names.items():
            if os.path.exists(path):
                os.truncate(path, size)

    def _opened(self, real: Callable) -> Callable:
        def opened(path, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **more):
            if not self.holds(path):
                return real(path, mode, buffering, encoding, errors, newline, **more)
            raw = File(self, os.path.abspath(path), mode.translate({98: None, 116: None}))
            if buffering == 0:
                return raw
            file = (io.BufferedReader if raw.readable() else io.BufferedWriter)(raw)
            return file if "b" in mode else io.TextIOWrapper(file, encoding, errors, newline)

        return opened

    def _counted(self, name: str, real: Callable) -> Callable:
        def counted(path, *args, **kwargs):
            if not self.holds(path):
                return real(path, *args, **kwargs)
            self.call(name)
            done = real(path, *args, **kwargs)
            if name == "replace":
                self.names[os.path.abspath(args[0])] = self.names.pop(os.path.abspath(path), 0)
            return done

        return counted

    def _synced(self, real: Callable) -> Callable:
        def synced(number):
            for file in self.files:
                if not file.closed and file.fileno() == number:
                    self.call("fsync")
                    self.names[file.name] = os.fstat(number).st_size
            return real(number)

        return synced


class File(io.FileIO):
    """A file without a buffer whose disk may fail."""

    def __init__(self, disk: Disk, path: str, mode: str):
        self.disk = disk
        disk.call("open")
        super().__init__(path, mode)
        disk.files.append(self)
        if self.writable():
            disk.names[path] = 0

    def read(self, size=-1):
        self.disk.call("read")
        return super().read(size)

    def readall(self):
        self.disk.call("read")
        return super().readall()

    def readinto(self, buffer):
        self.disk.call("read")
        return super().readinto(buffer)

    def write(self, content):
        view = memoryview(content).cast("B")
        return super().write(view[: self.disk.call("write", len(view))])

    def close(self):
        if self.closed:
            return
        try:
            self.disk.call("close")
        finally:
            # as the operating system does it: the number is free even when closing reports an error
            super().close()


def failing(at: int, error: BaseException, *, forever: bool = False) -> Callable:
    """Return a fault: one call fails, or every call from then on."""

    def fault(number, name, size):
        if number == at or (forever and number > at):
            raise error

    return fault


def full(room: int) -> Callable:
    """Return a fault: a disk that takes so many bytes more."""

    def fault(number, name, size):
        nonlocal room
        if name != "write":
            return None
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(room, size)
        room -= taken
        return taken

    return fault


def killed(at: int) -> Callable:
    """Return a fault: the process dies before a call, or in the middle of one that writes."""
    half = False

    def fault(number, name, size):
        nonlocal half
        if half or (number == at and size < 2):
            os.kill(os.getpid(), signal.SIGKILL)
        half = number == at
        return size // 2 if half else None

    return fault
