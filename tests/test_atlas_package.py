"""The files of an atlas: read from a directory or a zip file to the same digest, and confined."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import stat
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cra.atlas import package as module
from cra.atlas.package import Package, package_of, read_package
from cra.errors import AtlasError, Fault

FILES = {"atlas.json": b"{}", "docs/refunds.md": b"thirty days", "tools.py": b"x = 1\n"}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def packed(path: Path, files: Mapping[str, bytes], **settings: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **settings) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def member(name: str, **facts: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


def refusal(path: Path) -> str:
    with pytest.raises(AtlasError) as caught:
        read_package(path)
    assert caught.value.code == Fault.BAD_PACKAGE
    return caught.value.message


# What is read


def test_a_directory_and_a_zip_file_of_the_same_files_are_the_same_package(tmp_path):
    folder = write(tmp_path / "atlas", FILES)
    (folder / "empty").mkdir()
    (folder / "tools.py").chmod(0o755)
    from_folder = read_package(folder)

    assert from_folder == read_package(packed(tmp_path / "atlas.zip", FILES))
    assert from_folder == package_of(dict(reversed(FILES.items())))
    assert from_folder.files == FILES


def test_the_digest_is_over_sorted_paths_lengths_and_bytes():
    expected = hashlib.sha256(
        b"cra atlas tree 1\n"
        + b"\0\0\0\0\0\0\0\1"
        + b"A"
        + b"\0\0\0\0\0\0\0\0"
        + b"\0\0\0\0\0\0\0\3"
        + b"b/c"
        + b"\0\0\0\0\0\0\0\2"
        + b"xy"
        + b"\0\0\0\0\0\0\0\2"
        + "é".encode()
        + b"\0\0\0\0\0\0\0\1"
        + b"z"
    )

    assert package_of({"é": b"z", "b/c": b"xy", "A": b""}).digest == expected.hexdigest()


def test_what_tools_leave_behind_is_no_part_of_a_package(tmp_path):
    folder = write(tmp_path / "atlas", FILES)
    before = read_package(folder)
    write(folder, {".git/config": b"x", "docs/.DS_Store": b"x", "__pycache__/tools.pyc": b"x"})
    (folder / "docs" / ".git").symlink_to("/")
    zipped = packed(tmp_path / "a.zip", {**FILES, "__MACOSX/atlas.json": b"x", ".git/x": b"x"})

    assert read_package(folder) == read_package(zipped) == before


NAMES = st.text("abAB.é日 _-", min_size=1, max_size=6).filter(lambda name: name.strip("."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PACKAGES = st.dictionaries(PATHS, st.binary(max_size=50), max_size=8)


def accepted(files: Mapping[str, bytes]) -> Package | None:
    try:
        return package_of(files)
    except AtlasError:
        return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much])
@given(PACKAGES)
def test_any_package_is_the_same_from_a_directory_and_from_a_zip_file(tmp_path_factory, files):
    expected = accepted(files)
    if expected is None:
        return
    place = tmp_path_factory.mktemp("packages")

    assert read_package(write(place / "folder", files)) == expected if files else True
    assert read_package(packed(place / "package.zip", files)) == expected


@given(PACKAGES.filter(bool), st.data())
def test_any_byte_changed_changes_the_digest(files, data):
    before = accepted(files)
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name])))
    other = data.draw(st.sampled_from([b"", b"\0", b"x", b"y\0"]))
    changed = {**files, name: files[name][:at] + other + files[name][at + 1 :]}
    after = accepted(changed)

    if before is not None and after is not None:
        assert (before.digest == after.digest) == (files == changed)


@given(PACKAGES, PACKAGES)
def test_two_packages_have_one_digest_only_if_they_are_one(some, others):
    one, other = accepted(some), accepted(others)

    if one is not None and other is not None:
        assert (one.digest == other.digest) == (some == others)


# Names


BAD_NAMES = [
    ("/etc/passwd", "a relative path"),
    ("../x", "a path of names"),
    ("a/../../x", "a path of names"),
    ("a/./x", "a path of names"),
    ("a//x", "a path of names"),
    ("a\\x", "a path with / between names"),
    ("..\\x", "a path with / between names"),
    ("a\nb", "a path of visible characters"),
    ("a\x1b[2Jb", "a path of visible characters"),
    ("a\x7fb", "a path of visible characters"),
    ("a\u202eb", "a path of visible characters"),
    ("a\u200bb", "a path of visible characters"),
    ("a\u2028b", "a path of visible characters"),
    ("n" * 256, "names of at most 255 bytes"),
    ("é" * 128, "names of at most 255 bytes"),
    ("/".join(["d" * 200] * 6), "a path of at most 1024 bytes"),
    ("/".join("d" * 33), "at most 32 names in a path"),
]


@pytest.mark.parametrize(("name", "expected"), BAD_NAMES)
def test_a_name_that_leaves_or_hides_is_refused_in_a_zip_file_and_in_memory(
    tmp_path, name, expected
):
    files = {"atlas.json": b"{}", name: b"x"}

    assert f"expected {expected}" in refusal(packed(tmp_path / "a.zip", files))
    with pytest.raises(AtlasError, match=expected):
        package_of(files)


@pytest.mark.parametrize("name", ["a\\x", "a\nb", "a\u202eb", "\udcff"])
def test_a_name_that_a_file_system_allows_and_a_package_does_not_is_refused(tmp_path, name):
    folder = write(tmp_path / "atlas", {"atlas.json": b"{}", name: b""})

    assert "expected a path" in refusal(folder)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.md", "A.md"),
        ("straße", "STRASSE"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        ("Docs/x", "docs/y"),
        ("a/B/x", "a/b"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_refused(tmp_path, one, other):
    files = {one: b"1", other: b"2"}

    assert "beyond case and accents" in refusal(write(tmp_path / "atlas", files))
    assert "beyond case and accents" in refusal(packed(tmp_path / "a.zip", files))


# Directories


def test_every_link_is_refused_wherever_it_leads(tmp_path):
    (tmp_path / "outside").write_text("secret")
    for number, target in enumerate(["../outside", "atlas.json", "/etc", "nowhere", "."]):
        folder = write(tmp_path / f"atlas{number}", FILES)
        (folder / "link").symlink_to(target)

        assert "found a link" in refusal(folder)


def test_a_link_in_the_place_of_the_package_is_refused(tmp_path):
    write(tmp_path / "atlas", FILES)
    (tmp_path / "link").symlink_to("atlas")

    assert "found a link" in refusal(tmp_path / "link")


def test_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path):
    folder = write(tmp_path / "atlas", FILES)
    os.mkfifo(folder / "pipe")
    assert "found a device, a pipe or a socket" in refusal(folder)

    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        assert "found a device, a pipe or a socket" in refusal(folder)

    os.mkfifo(tmp_path / "pipe")
    assert "expected a directory or a zip file" in refusal(tmp_path / "pipe")
    assert "expected a directory or a zip file" in refusal(Path("/dev/null"))


def exchanging(folder: Path, victim: str, replace: Any) -> Any:
    """os.open that lets an attacker act between the look at a name and its opening."""
    real = os.open

    def racing(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if path == victim:
            replace(folder / victim)
        return real(path, flags, *rest, **named)

    return racing


def test_a_file_exchanged_for_a_link_before_it_is_opened_gains_nothing(tmp_path, monkeypatch):
    folder = write(tmp_path / "atlas", FILES)
    (tmp_path / "secret").write_text("secret")

    def to_link(path: Path) -> None:
        path.unlink()
        path.symlink_to(tmp_path / "secret")

    monkeypatch.setattr(os, "open", exchanging(folder, "tools.py", to_link))
    assert "found a link" in refusal(folder)


def test_a_file_exchanged_for_a_pipe_before_it_is_opened_keeps_nobody_waiting(
    tmp_path, monkeypatch
):
    folder = write(tmp_path / "atlas", FILES)

    def to_pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    monkeypatch.setattr(os, "open", exchanging(folder, "tools.py", to_pipe))
    assert "found something else" in refusal(folder)


def test_a_directory_exchanged_for_a_link_before_it_is_opened_gains_nothing(tmp_path, monkeypatch):
    folder = write(tmp_path / "atlas", FILES)
    outside = write(tmp_path / "outside", {"refunds.md": b"secret"})

    def to_link(path: Path) -> None:
        path.rename(tmp_path / "away")
        path.symlink_to(outside)

    monkeypatch.setattr(os, "open", exchanging(folder, "docs", to_link))
    assert "found a link" in refusal(folder)


def test_a_package_that_is_not_there_is_our_error(tmp_path):
    with pytest.raises(AtlasError) as caught:
        read_package(tmp_path / "nothing")

    assert caught.value.code == Fault.DANGLING
    assert caught.value.where == str(tmp_path / "nothing")


def test_directories_without_end_are_refused(tmp_path):
    deep = tmp_path / "atlas"
    for _ in range(40):
        deep = deep / "d"
    deep.mkdir(parents=True)

    assert "at most 32 names" in refusal(tmp_path / "atlas")


def test_too_many_files_and_too_many_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILES", 3)
    files = {f"{number}": b"x" for number in range(4)}
    assert "at most 3 files" in refusal(write(tmp_path / "a", files))
    assert "at most 3 files" in refusal(packed(tmp_path / "a.zip", files))

    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 1000)
    for files in ({"a": b"x" * 1001}, {"a": b"x" * 501, "b": b"x" * 501}):
        assert "at most 1000 bytes" in refusal(write(tmp_path / str(len(files)), files))
        path = packed(tmp_path / f"{len(files)}.zip", files)
        assert "bytes" in refusal(path)


# Zip files


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"create_system": 3, "external_attr": (stat.S_IFLNK | 0o777) << 16}, "found a link"),
        ({"create_system": 0, "external_attr": (stat.S_IFLNK | 0o777) << 16}, "found a link"),
        ({"external_attr": stat.S_IFIFO << 16}, "found something else"),
        ({"external_attr": stat.S_IFCHR << 16}, "found something else"),
        ({"external_attr": stat.S_IFDIR << 16}, "found something else"),
    ],
)
def test_a_member_that_is_no_file_is_refused(tmp_path, facts, found):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member("x", **facts), b"/etc/passwd")

    assert found in refusal(path)


def with_bytes(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def test_encrypted_members_are_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"x": b"1"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    assert "found an encrypted one" in refusal(path)


def test_a_name_twice_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"x": b"1", "y": b"2"})

    assert "expected each file once" in refusal(with_bytes(path, b"y", b"x"))


def test_a_file_and_a_directory_under_one_name_are_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"x": b"1", "x/y": b"2"})

    assert "both under one name" in refusal(path)


@pytest.mark.parametrize("name", ["../", "/", "a/../"])
def test_a_folder_that_leaves_is_refused_though_it_holds_nothing(tmp_path, name):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member(name), b"")

    assert "expected" in refusal(path)


def test_a_name_that_readers_decode_differently_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"aéb": b"1"})
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + flags + 1] &= 0xF7
    path.write_bytes(data)

    assert "read in one way" in refusal(path)


def test_a_name_with_nul_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"evil.py_.md": b"1"})

    assert "expected a" in refusal(with_bytes(path, b"evil.py_.md", b"evil.py\0.md"))


def test_a_name_that_differs_between_the_two_headers_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"good": b"1"})
    data = path.read_bytes().replace(b"good", b"evil", 1)
    path.write_bytes(data)

    assert "expected a whole zip file" in refusal(path)


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", {"x": bytes(4 << 20)})
    assert "bytes at most" in refusal(path)

    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 1 << 16)
    path = packed(tmp_path / "b.zip", {str(number): bytes(1 << 14) for number in range(8)})
    assert "bytes at most" in refusal(path)


def test_a_directory_that_names_one_stream_many_times_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {"x": bytes(1 << 19)})
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    count = 50
    closing = bytearray(data[end:])
    closing[8:12] = count.to_bytes(2, "little") * 2
    closing[12:16] = (len(entry) * count).to_bytes(4, "little")
    path.write_bytes(data[:start] + entry * count + bytes(closing))

    assert "expected each file once" in refusal(path)


def test_an_archive_with_more_entries_than_files_allowed_is_not_even_listed(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", {"x": b"1"})
    path.write_bytes(b"PK\x01\x02" * 20_001 + path.read_bytes())
    monkeypatch.setattr(zipfile, "ZipFile", None)

    assert "at most 10000 files" in refusal(path)


@pytest.mark.parametrize("data", [b"", b"no zip file", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_zip_file_is_refused(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)

    assert "expected a whole zip file" in refusal(tmp_path / "a.zip")


WHOLE = io.BytesIO()
with zipfile.ZipFile(WHOLE, "w", zipfile.ZIP_DEFLATED) as whole:
    whole.writestr("atlas.json", b'{"atlas_version": "1.0"}' * 20)
    whole.writestr("docs/é.md", b"text")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE.getvalue()) - 1), st.integers(0, 255)), max_size=4)
)
def test_a_damaged_zip_file_is_read_or_refused_and_nothing_else(tmp_path, changes):
    data = bytearray(WHOLE.getvalue())
    for at, byte in changes:
        data[at] = byte
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with suppress(AtlasError):
        read_package(path)


def test_a_member_with_another_checksum_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x", b"true")

    assert "expected a whole zip file" in refusal(with_bytes(path, b"true", b"fals"))
