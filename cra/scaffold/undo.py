"""Changes of files that are taken back, unless the work they belong to comes to its end."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path


class Undo:
    """What was changed so far, and how each of it is taken back."""

    def __init__(self) -> None:
        self._back: list[Callable[[], object]] = []

    def keep(self, path: Path) -> None:
        """Remember what is at a path, a file or nothing, which others are about to change."""
        if path.is_file():
            real = Path(os.path.realpath(path))
            mode = stat.S_IMODE(real.stat().st_mode)
            self._back.append(partial(_put, real, real.read_bytes(), mode))
        elif not os.path.lexists(path):
            self._back.append(partial(_remove, path))

    def leave_empty(self, path: Path) -> None:
        """Remember that there is no such directory. One that others make goes again if it is empty
        by then: what another process has put there is not this one's."""
        if not os.path.lexists(path):
            self._back.append(path.rmdir)

    def create(self, path: Path, data: bytes) -> None:
        """Write a new file. Raises FileExistsError."""
        self._make_directories(path.parent)
        with path.open("xb") as file:
            self._back.append(partial(_remove, path))
            file.write(data)

    def replace(self, path: Path, data: bytes) -> None:
        """Write a file that is there, whole or not at all. One that a link leads to is changed,
        not the link."""
        self.keep(path)
        real = Path(os.path.realpath(path))
        _put(real, data, stat.S_IMODE(real.stat().st_mode))

    def remove(self, path: Path) -> None:
        self.keep(path)
        path.unlink()

    def link(self, path: Path, target: str) -> None:
        path.symlink_to(target)
        self._back.append(partial(_remove, path))

    def take_back(self) -> None:
        """What cannot be taken back stays, and hinders nothing else."""
        while self._back:
            with suppress(OSError):
                self._back.pop()()

    def _make_directories(self, path: Path) -> None:
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir()
            self._back.append(each.rmdir)


@contextmanager
def undoing() -> Iterator[Undo]:
    """Take back what was changed if anything is raised, a Ctrl-C too."""
    undo = Undo()
    try:
        yield undo
    except BaseException:
        undo.take_back()
        raise


def _put(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
