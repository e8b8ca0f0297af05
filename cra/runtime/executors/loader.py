"""Code of an atlas as modules, made from the snapshot's bytes.

Each atlas is a package of its own with a private name, so files of the same name never meet, and an
atlas shadows nothing: within it, `from . import other` finds its files, `import json` what Python
has.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import ModuleType
from typing import Final

from cra.runtime.executors.work import Stopped


def load(package: str, files: Mapping[str, bytes], file: str) -> ModuleType:
    """The module of a file, executed once per package. What its code raises passes through."""
    if file not in files:
        raise Stopped("not_found", f"expected the file {file} in the atlas, found none")
    stem, dot, suffix = file.rpartition(".")
    if suffix != "py" or not dot or "." in stem or not all(stem.split("/")):
        raise Stopped(
            "refused", f"expected a file like tools/mail.py with one dot in its name, found {file}"
        )
    name = _FINDER.add(package, files)
    return importlib.import_module(f"{name}.{stem.replace('/', '.')}")


def folder_of(package: str) -> str:
    """What the file names of an atlas's code begin with, in tracebacks: no path of a disk."""
    return f"<atlas {package.removeprefix('sha256:')[:12]}>/"


class _Loader(importlib.abc.Loader):
    def __init__(self, source: bytes, filename: str) -> None:
        self._source = source
        self._filename = filename

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._source, self._filename, "exec", dont_inherit=True)
        # What tracebacks show. An entry without a time is never looked for on the disk.
        lines = importlib.util.decode_source(self._source).splitlines(keepends=True)
        linecache.cache[self._filename] = (len(self._source), None, lines, self._filename)
        exec(code, module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules below the private names, and answers for no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packages: dict[str, tuple[str, Mapping[str, bytes]]] = {}

    def add(self, package: str, files: Mapping[str, bytes]) -> str:
        name = f"_cra_atlas_{sha256(package.encode()).hexdigest()[:32]}"
        with self._lock:
            self._packages.setdefault(name, (folder_of(package), files))
            if self not in sys.meta_path:
                # First: elsewhere a directory of that name could be found on sys.path.
                sys.meta_path.insert(0, self)
        return name

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        root, _, rest = fullname.partition(".")
        if root not in self._packages:
            return None
        folder, files = self._packages[root]
        stem = rest.replace(".", "/")
        inner = f"{stem}/" if stem else ""
        init = f"{inner}__init__.py"
        is_package = init in files or any(path.startswith(inner) for path in files)
        if is_package:
            # A directory without __init__.py is a package whose code is empty.
            loader = _Loader(files.get(init, b""), folder + init)
        elif f"{stem}.py" in files:
            loader = _Loader(files[f"{stem}.py"], f"{folder}{stem}.py")
        else:
            return None
        return importlib.util.spec_from_loader(fullname, loader, is_package=is_package)


_FINDER: Final = _Finder()
