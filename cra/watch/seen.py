"""What of a project is watched: its files by what they hold, and the directories that they are in.

An event only says when to look. What has changed is told by comparing what files hold, so nothing
that a system leaves out or tells twice makes a difference.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cra import config as configuration
from cra.atlas.lock import LOCK_NAME
from cra.atlas.package import IGNORED
from cra.atlas.snapshot import POLICIES
from cra.config import FILE_NAME
from cra.replay.golden import FOLDER, sha256_of
from cra.runtime.policy_cases import TESTS
from cra.watch.look import Around
from cra.watch.names import is_golden_file, is_swap


class Places(NamedTuple):
    """Where what is watched lies, whether it is there or not; and what is left out of it."""

    paths: tuple[str, ...] = ()
    # Those, and where links among them lead to.
    real: frozenset[str] = frozenset()
    policies: str = ""
    tests: str = ""
    goldens: str = ""
    trace: str = ""

    def is_near(self, path: str) -> bool:
        """Whether a change there may be one of what is watched."""
        return any(_is_in(path, place) or _is_in(place, path) for place in self.real)


class Seen(NamedTuple):
    """What was there at one moment."""

    # By path: a digest of what the file holds, or what it is instead of a file.
    files: dict[str, str]
    # What editors left where it counts: it makes an atlas another one, but is nobody's change.
    swap: frozenset[str]
    # The directories in which a change is to be noticed, with what tells one from another.
    directories: dict[str, tuple[int, int]]

    def differs(self, before: Seen) -> bool:
        """Whether there is something to look at that was not there before."""
        return self.files != before.files or not before.swap <= self.swap

    def changed(self, before: Seen) -> list[str]:
        """The files that have come, gone or changed."""
        paths = {*self.files, *before.files}
        changed = {path for path in paths if self.files.get(path) != before.files.get(path)}
        return sorted(changed | (before.swap - self.swap))


def places_of(around: Around, before: Places) -> Places:
    """Where to watch, by the configuration as it is now.

    While that has mistakes, also where it was before: an atlas that is not named any more because
    of a comma that is missing is mended there as well.
    """
    root = around.root
    own = [root / name for name in (FILE_NAME, LOCK_NAME, POLICIES, TESTS, FOLDER)]
    paths = [str(path) for path in (*own, around.dirs.config_file)]
    trace, is_whole = before.trace, False
    # Whatever stands in the place of a file is for the look to tell.
    with suppress(OSError):
        config, problems = configuration.read(root, around.environ, around.dirs.config_file, {})
        paths += [os.path.normpath(root / source.path) for source in config.atlases]
        trace = os.path.normpath(config.trace_directory)
        is_whole = not problems and (root / FILE_NAME).is_file()
    if not is_whole:
        paths += before.paths
    policies, tests, goldens = (str(root / name) for name in (POLICIES, TESTS, FOLDER))
    real = frozenset((*paths, *map(os.path.realpath, paths)))
    return Places(tuple(dict.fromkeys(paths)), real, policies, tests, goldens, trace)


def see(places: Places) -> Seen:
    """What is there now. What goes while it is looked at is not there."""
    files: dict[str, str] = {}
    swap: set[str] = set()
    directories: dict[str, tuple[int, int]] = {}
    for place in places.paths:
        # A link leads to where changes happen.
        for path in {place, os.path.realpath(place)}:
            _note_directory(_nearest(os.path.dirname(path)), directories)
        found = [place] if not os.path.isdir(place) else _below(place, places, directories)
        for path in found:
            if is_swap(os.path.basename(path)):
                if _counts(path, place, places):
                    swap.add(path)
            elif (held := _held(path)) is not None:
                files[path] = held
    return Seen(files, frozenset(swap), directories)


def _below(folder: str, places: Places, directories: dict[str, tuple[int, int]]) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        _note_directory(place, directories)
        if places.goldens == folder:
            folders[:] = filter(is_golden_file, folders)
            names = [name for name in names if is_golden_file(name)]  # noqa: PLW2901
        folders[:] = [
            name
            for name in folders
            if name not in IGNORED and os.path.join(place, name) != places.trace
        ]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*names, *links):
            if name not in IGNORED:
                yield os.path.join(place, name)


def _counts(path: str, place: str, places: Places) -> bool:
    """Whether what an editor left there is read as if a person had put it there."""
    if place == places.policies:
        return not os.path.basename(path).startswith(".") or os.path.islink(path)
    return place not in (places.tests, places.goldens)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _note_directory(path: str, directories: dict[str, tuple[int, int]]) -> None:
    try:
        # What has no name in UTF-8 is in no atlas, and watchfiles knows none.
        path.encode()
        status = os.stat(path)
    except (OSError, UnicodeEncodeError):
        return
    directories[path] = status.st_dev, status.st_ino


def _nearest(path: str) -> str:
    """The nearest directory upwards that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _held(path: str) -> str | None:
    """What a file holds, as a digest, or what stands in its place; None for nothing."""
    try:
        mode = os.lstat(path).st_mode
        link = f"link to {os.readlink(path)}: " if stat.S_ISLNK(mode) else ""
    except OSError:
        return None
    try:
        return f"{link}{sha256_of(Path(path))}"
    except OSError as error:
        return f"{link}{error.strerror}"
