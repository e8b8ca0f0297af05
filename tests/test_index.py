"""A ledger file is read at any place, however large it is, while others write to it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.errors import Code, IntegrityError, NotFound
from cra.ledger.chain import MAX_LINE
from cra.ledger.filter import containing, parse
from cra.ledger.index import (
    BLOCK,
    LedgerFile,
    end_of_lines,
    lines_backwards,
    session_files,
    whole_lines,
)


def write(path: Path, lines: list[bytes], rest: bytes = b"") -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines) + rest)
    return path


def numbered(count: int, *, seed: int = 7) -> list[bytes]:
    """Lines of very different lengths, some of which end exactly where a block does."""
    rng = random.Random(seed)
    lines, offset = [], 0
    for number in range(count):
        line = b"%d " % number + b"x" * rng.choice([0, 1, 700, 5_000, 70_000])
        to_block = BLOCK - offset % BLOCK
        if number % 5 == 0 and to_block > len(line) + 1 and to_block < MAX_LINE:
            line = line.ljust(to_block - 1, b"y")
        lines.append(line)
        offset += len(line) + 1
    return lines


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return numbered(400)


@pytest.fixture
def ledger(tmp_path: Path, lines: list[bytes]) -> Iterator[LedgerFile]:
    with LedgerFile(write(tmp_path / "a.trace.jsonl", lines, b"half a li")) as opened:
        yield opened


def test_every_complete_line_has_its_number(ledger, lines):
    assert ledger.count == len(lines)
    assert [ledger.line(number) for number in range(ledger.count)] == lines


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 0), (0, 1), (0, None), (17, 93), (399, 400), (399, 9_999), (400, None)]
)
def test_a_range_of_lines_is_what_stands_between_its_ends(ledger, lines, start, stop):
    assert list(ledger.lines(start, stop)) == lines[start:stop]


@pytest.mark.parametrize("number", [-1, 400, 10**9])
def test_a_number_that_no_line_has_is_an_error_that_names_the_last_one(ledger, number):
    with pytest.raises(NotFound, match=f"0 to 399, found {number}"):
        ledger.line(number)


def test_an_empty_file_has_no_lines_and_says_so(tmp_path):
    with LedgerFile(write(tmp_path / "a.trace.jsonl", [])) as ledger:
        assert (ledger.count, list(ledger.lines())) == (0, [])
        with pytest.raises(NotFound, match="found none"):
            ledger.line(0)


def test_a_file_that_grows_is_extended_line_by_line(tmp_path, lines):
    path = write(tmp_path / "a.trace.jsonl", [])
    whole = b"".join(line + b"\n" for line in lines)
    cuts = [*sorted(random.Random(1).sample(range(len(whole)), 60)), len(whole)]
    with LedgerFile(path) as ledger, path.open("ab") as file:
        for start, stop in zip([0, *cuts], cuts, strict=False):
            file.write(whole[start:stop])
            file.flush()

            assert ledger.refresh() == whole[:stop].count(b"\n")
        assert list(ledger.lines()) == lines
        assert ledger.line(200) == lines[200]


def test_a_partial_line_that_is_rolled_back_leaves_no_trace_in_the_index(tmp_path):
    path = write(tmp_path / "a.trace.jsonl", [b"one", b"two"], b"z" * 3 * BLOCK)
    with LedgerFile(path) as ledger:
        os.truncate(path, 8)
        ledger.refresh()
        later = numbered(100)
        write(path, [b"one", b"two", *later])

        assert ledger.refresh() == 102
        assert [ledger.line(number) for number in range(2, 102)] == later


def test_a_file_that_was_cut_raises_an_alarm(ledger):
    os.truncate(ledger.path, 1_000)

    with pytest.raises(IntegrityError, match="was cut") as caught:
        ledger.refresh()
    assert caught.value.finding is Code.CHECKPOINT_UNMET


def test_a_file_with_another_in_its_place_raises_an_alarm(ledger, tmp_path):
    write(tmp_path / "other", [b"x" * 9_000_000])
    os.rename(tmp_path / "other", ledger.path)

    with pytest.raises(IntegrityError, match="another in its place") as caught:
        ledger.refresh()
    assert caught.value.finding is Code.SESSION_MISSING


def test_a_file_that_was_removed_raises_an_alarm(ledger):
    ledger.path.unlink()

    with pytest.raises(IntegrityError, match="found none"):
        ledger.refresh()


def test_a_file_that_is_cut_while_it_is_read_raises_an_alarm(ledger):
    reading = ledger.lines()
    next(reading)
    os.truncate(ledger.path, 1_000)

    with pytest.raises(IntegrityError, match="ends before"):
        list(reading)


def test_of_a_line_that_is_longer_than_an_event_only_the_beginning_is_held(tmp_path):
    endless = b"e" * 20_000_000
    path = write(tmp_path / "a.trace.jsonl", [b"before", endless, b"after"])
    with LedgerFile(path) as ledger:
        found = list(ledger.lines())

        assert ledger.count == 3
        assert (found[0], found[2]) == (b"before", b"after")
        assert MAX_LINE < len(found[1]) < 2 * MAX_LINE
        assert ledger.line(2) == b"after"
        assert [number for number, _ in ledger.search(containing(b"after"))] == [2]


def test_a_search_finds_the_numbers_of_lines_across_blocks(ledger, lines):
    wanted = containing(b"3 ")

    found = list(ledger.search(wanted))

    assert found == [(n, line) for n, line in enumerate(lines) if b"3 " in line]
    assert list(ledger.search(wanted, 50)) == [item for item in found if item[0] >= 50]


def test_a_search_without_terms_gives_every_line(ledger, lines):
    assert list(ledger.search(parse(""))) == list(enumerate(lines))


def test_a_search_tells_how_far_it_is(ledger):
    told: list[int] = []

    assert list(ledger.search(containing(b"nowhere"), advance=told.append)) == []
    assert sum(told) == ledger.end


@given(st.binary(max_size=300).map(lambda data: data.replace(b"a", b"\n")))
def test_lines_read_from_either_end_are_the_same(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "a.trace.jsonl"
    path.write_bytes(data)
    expected = data.split(b"\n")[:-1]
    fd = os.open(path, os.O_RDONLY)
    end = end_of_lines(fd)
    backwards = list(lines_backwards(fd, end))
    forwards = b"".join(chunk for _, chunk in whole_lines(fd, 0, end))
    os.close(fd)

    assert backwards[::-1] == expected
    assert forwards.split(b"\n")[:-1] == expected
    with LedgerFile(path) as ledger:
        assert list(ledger.lines()) == expected


def test_reading_backwards_passes_blocks_and_ends_at_an_endless_line(tmp_path, lines):
    path = write(tmp_path / "a.trace.jsonl", [b"e" * 1_000_000, *lines], b"rest")
    fd = os.open(path, os.O_RDONLY)
    found = list(lines_backwards(fd, end_of_lines(fd)))
    os.close(fd)

    assert found[:-1] == lines[::-1]
    assert len(found[-1]) == MAX_LINE + 1


def test_a_file_without_a_line_end_has_no_complete_line(tmp_path):
    fd = os.open(write(tmp_path / "a", [], b"x" * 200_000), os.O_RDONLY)

    assert end_of_lines(fd) == 0
    assert list(lines_backwards(fd, 0)) == []
    os.close(fd)


def test_sessions_are_listed_from_the_last_one_begun(tmp_path):
    for name in ("01a.trace.jsonl", "01c.trace.jsonl", "journal.trace.jsonl", "01a.checkpoint"):
        (tmp_path / name).touch()

    names = [path.name for path in session_files(tmp_path)]

    assert names == ["01c.trace.jsonl", "01a.trace.jsonl"]
    assert session_files(tmp_path / "nowhere") == []
