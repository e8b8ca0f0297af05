"""`cra watch`, run as a program beside somebody who changes files."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from select import select
from typing import Any

import pytest

from cra.config import UserDirs
from cra.ledger.verify import Trust
from cra.watch.follow import Follower
from cra.watch.look import Around, Kept, look
from tests.governed import rule
from tests.program import ROOT, answer, cra
from tests.secrets_corpus import KEYS

ATLASES = ROOT / "examples" / "atlases"
CLOSES = rule("no-closing", "deny", "ticket.close")
LISTS = rule("no-lists", "deny", "ticket.list", conditions={"roles": ["clerk"]})
OVER_50 = {
    "type": "object",
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 50}},
    "required": ["amount"],
}
ASKS = rule("large-refunds", "require_approval", "refund.issue", conditions={"parameters": OVER_50})
CASES = [
    {
        "name": "90 asks",
        "call": {"action": "refund.issue", "parameters": {"ticket": 1042, "amount": 90}},
        "expect": {"decision": "requires_approval", "policy_id": "large-refunds"},
    },
    {
        "name": "nothing is deleted",
        "call": {"action": "ticket.delete", "parameters": {"id": 1042}},
        "expect": {"decision": "deny"},
    },
]
# A loaded machine is no failure.
PATIENCE = 60
PROGRAM = "from cra.__main__ import program; program()"
# Keys are of the terminal that a program has for its own.
AT_SHELL = """
import fcntl, os, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
"""
AT_TERMINAL = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {PROGRAM}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with a rule, a test of it, and a golden."""
    place = tmp_path_factory.mktemp("watched") / "desk"
    place.mkdir()
    answer(place, "init", "--no-sign")
    shutil.copytree(ATLASES / "support-desk", place / "support-desk")
    answer(place, "atlas", "add", "support-desk", "--yes")
    write(place / "policies" / "rules.json", [CLOSES, ASKS])
    write(place / "policies" / "more.yaml", [LISTS])
    write(place / "tests" / "policies" / "refunds.json", {"tests": CASES})
    answer(place, "resolve", "--goal", "refund the ticket about the printer")
    answer(place, "execute", "ticket.read", "-p", "id=1042")
    answer(place, "execute", "refund.issue", "-p", "ticket=1042", "-p", "amount=40")
    answer(place, "golden", "record", "last", "--name", "refunds")
    return place


@pytest.fixture
def desk(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "desk", symlinks=True)


def write(path: Path, document: Any) -> None:
    save(path, json.dumps(document, indent=2))


def save(path: Path, text: str) -> None:
    """Put a whole file in the place of another, so that a slow disk shows nobody an empty one."""
    beside = Path.home() / "saved"
    beside.parent.mkdir(exist_ok=True)
    beside.write_text(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.rename(path)


class Watching:
    """A `cra watch` that runs, and what it has said and nobody has read yet."""

    def __init__(self, process: subprocess.Popen[bytes], said: int, keys: int | None) -> None:
        self.process = process
        self._said = said
        self._keys = keys
        self._unread = b""

    def read(self, is_enough: Callable[[bytes], int]) -> str:
        """What it says, as far as `is_enough` tells how much of it that is; 0: not yet."""
        until = time.monotonic() + PATIENCE
        while not (length := is_enough(self._unread)):
            left = until - time.monotonic()
            assert left > 0, f"expected more than {self._unread!r}"
            if select([self._said], [], [], left)[0]:
                part = os.read(self._said, 65_536)
                assert part, f"expected more than {self._unread!r}, found {self._last_words()}"
                self._unread += part
        found, self._unread = self._unread[:length], self._unread[length:]
        return found.decode()

    def _last_words(self) -> str:
        """How it ended, and what it said of that."""
        said = self.process.stderr.read().decode() if self.process.stderr is not None else ""
        return f"the end, with {self.process.wait()}: {said}"

    def verdict(self) -> Any:
        """The next verdict, of --json."""
        return json.loads(self.read(lambda said: said.find(b"\n") + 1))

    def screen_to(self, words: str) -> str:
        """What is on the screen up to words that are waited for."""
        end = words.encode()
        return self.read(lambda said: said.find(end) + len(end) if end in said else 0)

    def type(self, keys: str) -> None:
        assert self._keys is not None
        os.write(self._keys, keys.encode())

    def ends(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def running(
    place: Path, *arguments: str, stdin: int, stdout: int, said: int, keys: int | None = None
) -> Iterator[Watching]:
    with subprocess.Popen(
        [sys.executable, "-c", AT_TERMINAL if keys is not None else PROGRAM, "watch", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE if keys is None else stdout,
        start_new_session=True,
    ) as process:
        try:
            yield Watching(process, said, keys)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def watching(place: Path, *arguments: str) -> Iterator[Watching]:
    """Watch without a terminal; each verdict is a line of JSON."""
    said, its = os.pipe()
    try:
        with running(
            place, "--json", *arguments, stdin=subprocess.DEVNULL, stdout=its, said=said
        ) as watch:
            os.close(its)
            yield watch
            watch.process.terminate()
            assert watch.process.stderr is not None
            assert watch.process.stderr.read() == b""
    finally:
        os.close(said)


@contextmanager
def at_keys(place: Path, *arguments: str) -> Iterator[tuple[Watching, int]]:
    """Watch on a terminal, whose other end is given as well."""
    ours, its = pty.openpty()
    try:
        with running(place, *arguments, stdin=its, stdout=its, said=ours, keys=ours) as watch:
            watch.screen_to("q ends\r\n")
            yield watch, its
    finally:
        os.close(ours)
        os.close(its)


def rules(desk: Path, *given: Any) -> None:
    write(desk / "policies" / "rules.json", list(given))


def only(verdict: Any) -> Any:
    [finding] = verdict["findings"]
    return finding


def tree(place: Path) -> dict[str, str]:
    files = (path for path in place.rglob("*") if path.is_file())
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def test_it_checks_everything_once_and_then_waits(desk):
    with watching(desk) as watch:
        found = watch.verdict()

    assert found["passed"]
    assert found["complete"]
    assert (found["changed"], found["findings"]) == ([], [])
    counts = ("atlases", "policy_tests", "scenarios", "goldens", "goldens_as_before")
    assert [found[name] for name in counts] == [1, 2, 4, 2, 0]


def test_a_rule_that_was_made_worse_fails_its_test_until_it_is_mended(desk):
    with watching(desk) as watch:
        watch.verdict()
        rules(desk, CLOSES)
        worse = watch.verdict()
        rules(desk, CLOSES, ASKS)
        mended = watch.verdict()

    assert not worse["passed"]
    assert worse["changed"] == ["policies/rules.json"]
    found = only(worse)
    assert found["part"] == "policy test"
    assert found["message"].startswith("90 asks: expected requires_approval by large-refunds")
    assert found["where"] == "tests/policies/refunds.json:3:5"
    assert cra(desk, *found["fix"].split()[1:]).returncode == 0
    assert (mended["passed"], mended["findings"]) == (True, [])


def test_an_atlas_that_was_changed_is_told_with_the_command_that_accepts_it(desk):
    with watching(desk) as watch:
        watch.verdict()
        with open(desk / "support-desk" / "desk.py", "a") as file:
            file.write("\n# one line more\n")
        changed = watch.verdict()
        answer(desk, *only(changed)["fix"].split()[1:], "--yes")
        accepted = watch.verdict()

    found = only(changed)
    assert (found["code"], found["fix"]) == ("CRA-2131", "cra atlas lock")
    assert found["message"].endswith("found files changed: desk.py")
    assert not changed["complete"]
    assert accepted["passed"]
    assert accepted["changed"] == ["cra.atlases.lock"]


def test_what_keeps_everything_from_working_is_told_before_what_fails(desk):
    """The house rules are in a golden of the atlas, and in its pin."""
    with watching(desk) as watch:
        watch.verdict()
        with open(desk / "support-desk" / "house-rules.md", "a") as file:
            file.write("Answer within a day.")
        found = watch.verdict()["findings"]

    assert [one["part"] for one in found] == ["lock", "golden"]


def test_a_mistake_in_an_atlas_is_told_with_its_place(desk):
    manifest = desk / "support-desk" / "atlas.json"
    with watching(desk) as watch:
        watch.verdict()
        save(manifest, manifest.read_text().replace('"deny"', '"denied"', 1))
        found = only(watch.verdict())

    assert found["part"] == "atlas"
    assert found["where"].startswith("support-desk/atlas.json:")
    assert cra(desk, *found["fix"].split()[1:]).returncode == 2


def test_a_scenario_that_fails_is_told_with_its_place(desk):
    scenarios = desk / "support-desk" / "scenarios.json"
    document = json.loads(scenarios.read_text())
    calls = [each for each in document["scenarios"] if "call" in each]
    calls[0]["expect"] = {
        "decision": "allow" if calls[0]["expect"]["decision"] != "allow" else "deny"
    }
    with watching(desk) as watch:
        watch.verdict()
        write(scenarios, document)
        found = [one for one in watch.verdict()["findings"] if one["part"] == "scenario"]

    [scenario] = found
    assert scenario["where"].startswith("support-desk/scenarios.json:")


def test_only_goldens_that_depend_on_a_change_are_replayed(desk):
    """Two of the project, which rest on its rules, and one of the atlas, which does not."""
    shutil.copytree(desk / "goldens" / "refunds", desk / "goldens" / "again")
    manifest = desk / "goldens" / "again" / "manifest.json"
    with watching(desk) as watch:
        kept = [watch.verdict()["goldens_as_before"]]
        for path in (
            desk / "policies" / "rules.json",
            desk / "tests" / "policies" / "refunds.json",
            manifest,
        ):
            save(path, path.read_text() + "\n")
            found = watch.verdict()
            assert found["passed"], found
            assert (found["goldens"], found["goldens_of_atlases"]) == (3, 1)
            kept.append(found["goldens_as_before"])

    assert kept == [0, 1, 3, 2]


def test_a_golden_that_a_rule_makes_differ_is_told_and_nothing_is_written(desk):
    before = tree(desk)
    with watching(desk) as watch:
        watch.verdict()
        rules(desk, CLOSES, ASKS, rule("no-refunds", "deny", "refund.issue"))
        found = [one for one in watch.verdict()["findings"] if one["part"] == "golden"]
        rules(desk, CLOSES, ASKS)
        assert watch.verdict()["passed"]

    [golden] = found
    assert "no-refunds" in golden["message"]
    assert golden["where"] == "goldens/refunds/manifest.json"
    assert golden["fix"] == "cra replay --manifest goldens/refunds/manifest.json"
    assert tree(desk) == before


def test_a_golden_that_was_damaged_is_told(desk):
    [trace] = (desk / "goldens" / "refunds").glob("*.trace.jsonl")
    with watching(desk) as watch:
        watch.verdict()
        trace.write_bytes(trace.read_bytes().replace(b"printer", b"plotter"))
        found = only(watch.verdict())

    assert (found["part"], found["code"]) == ("golden", "CRA-3025")


def test_a_mistake_in_a_goldens_manifest_is_told_with_its_place(desk):
    manifest = desk / "goldens" / "refunds" / "manifest.json"
    with watching(desk) as watch:
        watch.verdict()
        save(manifest, manifest.read_text().replace('"1.0"', '"2.0"', 1))
        found = only(watch.verdict())

    assert found["where"] == "goldens/refunds/manifest.json:2:23"
    assert "manifest_version" in found["message"]


def test_an_editor_that_writes_beside_a_file_and_moves_is_followed(desk):
    path = desk / "policies" / "rules.json"
    with watching(desk) as watch:
        watch.verdict()
        for given, passes in (([CLOSES], False), ([CLOSES, ASKS], True), ([CLOSES], False)):
            backup, beside = path.with_name("rules.json~"), path.with_name(".rules.json.swp")
            write(beside, given)
            path.rename(backup)
            beside.rename(path)
            backup.unlink()
            found = watch.verdict()
            assert found["passed"] == passes
            assert found["changed"] == ["policies/rules.json"]


@pytest.mark.parametrize("name", ["policies", "support-desk", "goldens", "tests/policies", "tests"])
def test_what_vanishes_and_comes_back_is_followed_from_then_on(desk, tmp_path, name):
    inside = {
        "policies": "rules.json",
        "support-desk": "desk.py",
        "goldens": "refunds/manifest.json",
        "tests/policies": "refunds.json",
        "tests": "policies/refunds.json",
    }
    place = desk / name
    shutil.copytree(place, tmp_path / "kept")
    with watching(desk) as watch:
        first = watch.verdict()
        shutil.rmtree(place)
        gone = watch.verdict()
        shutil.copytree(tmp_path / "kept", place)
        back = watch.verdict()
        # Copied one by one: what was half there may have been looked at.
        while (back["passed"], back["policy_tests"], back["goldens"]) != (True, 2, 2):
            back = watch.verdict()
        save(place / inside[name], "broken")
        broken = watch.verdict()

    assert gone["changed"]
    assert {**back, **dict.fromkeys(("time", "changed", "seconds", "goldens_as_before"))} == {
        **first,
        **dict.fromkeys(("time", "changed", "seconds", "goldens_as_before")),
    }
    assert broken["changed"] == [f"{name}/{inside[name]}"]
    assert not broken["passed"]


def test_the_project_may_go_and_come_back_with_the_directory_that_the_watch_began_in(
    desk, tmp_path
):
    with watching(desk) as watch:
        first = watch.verdict()
        shutil.copytree(desk, tmp_path / "kept", symlinks=True)
        shutil.rmtree(desk)
        while (gone := watch.verdict())["complete"]:
            pass
        (tmp_path / "kept").rename(desk)
        while not (back := watch.verdict())["passed"]:
            pass

    assert [one["message"] for one in gone["findings"]] == [
        "expected a cra project, found no cra.config.json"
    ]
    assert [back[name] for name in ("scenarios", "policy_tests", "goldens")] == [
        first[name] for name in ("scenarios", "policy_tests", "goldens")
    ]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("policies/rules.json", "CRA-2101"),
        ("tests/policies/refunds.json", "CRA-2101"),
        ("support-desk/atlas.json", "CRA-2101"),
        ("cra.config.json", "CRA-2001"),
        ("cra.atlases.lock", "CRA-2101"),
        ("policies/more.yaml", "CRA-2101"),
    ],
)
def test_half_a_file_is_one_line_with_its_place_until_the_rest_is_written(desk, name, code):
    path = desk / name
    whole = path.read_text()
    with watching(desk) as watch:
        watch.verdict()
        save(path, whole[: len(whole) // 2])
        half = watch.verdict()
        save(path, whole)
        mended = watch.verdict()

    found = only(half)
    assert (found["code"], "\n" in found["message"]) == (code, False)
    assert found["where"].startswith(f"{name}:")
    assert mended["passed"]


def test_the_verdict_after_rapid_saves_is_about_the_last_one(desk):
    with watching(desk) as watch:
        watch.verdict()
        path = desk / "policies" / "rules.json"
        for at in range(50):
            more = rule(f"rule-{at}", "deny", "ticket.delete", priority=at)
            path.write_text(json.dumps([CLOSES, ASKS, more]))
        path.write_text(json.dumps([CLOSES]))
        # A save that took longer than a pause between two has a verdict of its own.
        while not (found := watch.verdict()["findings"]) or found[0]["part"] != "policy test":
            pass
        write(desk / "tests" / "policies" / "refunds.json", {"tests": CASES[1:]})
        after = watch.verdict()

    assert found[0]["message"].startswith("90 asks")
    assert after["changed"] == ["tests/policies/refunds.json"]


def test_what_decides_nothing_is_passed_over(desk):
    rubbish = [
        "cra.trace/new.trace.jsonl",
        ".git/index",
        "notes.txt",
        "policies/.rules.json.swp",
        "tests/policies/refunds.json~",
        "support-desk/.desk.py.swp",
        "support-desk/__pycache__/desk.pyc",
        "support-desk/.git/index",
        "goldens/refunds.new/manifest.json",
        "goldens/.refunds.new.7.tmp/manifest.json",
        "goldens/refunds/4913",
    ]
    with watching(desk) as watch:
        watch.verdict()
        for name in rubbish:
            write(desk / name, "rubbish")
        for name in rubbish:
            if "swp" in name:
                (desk / name).unlink()
        rules(desk, ASKS, CLOSES)
        found = watch.verdict()

    assert found["changed"] == ["policies/rules.json"]
    assert found["passed"], found


def test_what_an_editor_left_in_an_atlas_is_told_until_it_goes(desk):
    """It is a file of the atlas, which nothing opens while it is there."""
    swap = desk / "support-desk" / ".desk.py.swp"
    save(swap, "left")
    with watching(desk) as watch:
        found = only(watch.verdict())
        swap.unlink()
        after = watch.verdict()

    assert "close the editor" in found["fix"]
    assert (after["passed"], after["changed"]) == (True, ["support-desk/.desk.py.swp"])


def test_the_configuration_says_where_to_look_and_is_followed_itself(desk, tmp_path):
    outside = shutil.copytree(ATLASES / "hello-world", tmp_path / "elsewhere" / "hello")
    config = desk / "cra.config.json"
    with watching(desk) as watch:
        assert watch.verdict()["atlases"] == 1
        answer(desk, "atlas", "add", str(outside), "--yes")
        while (added := watch.verdict())["atlases"] != 2 or not added["complete"]:
            pass
        save(outside / "README.md", "changed")
        changed = watch.verdict()
        whole = config.read_text()
        save(config, whole[:-4])
        assert only(watch.verdict())["part"] == "configuration"
        # What the configuration does not name while it is broken is followed all the same.
        save(outside / "README.md", (ATLASES / "hello-world" / "README.md").read_text())
        assert watch.verdict()["changed"] == [str(outside / "README.md")]
        save(config, whole)
        mended = watch.verdict()

    assert changed["changed"] == [str(outside / "README.md")]
    assert only(changed)["fix"] == "cra atlas lock"
    assert mended["findings"] == added["findings"]


def test_a_configuration_that_is_gone_is_told_and_may_come_back(desk):
    config = desk / "cra.config.json"
    whole = config.read_bytes()
    with watching(desk) as watch:
        watch.verdict()
        config.unlink()
        gone = only(watch.verdict())
        config.write_bytes(whole)
        assert watch.verdict()["passed"]

    assert gone["message"] == "expected a cra project, found no cra.config.json"


def test_what_is_odd_is_told_and_fails_nothing(desk):
    with watching(desk) as watch:
        watch.verdict()
        rules(desk, CLOSES, ASKS, rule("typing", "deny", "tikcet.read"))
        found = watch.verdict()

    assert found["passed"]
    assert (only(found)["warning"], only(found)["where"]) == (True, "policies/rules.json:30:3")


def test_a_secret_in_a_mistake_is_not_shown(desk):
    secret = KEYS["github_token"][0](Random(1))
    with watching(desk) as watch:
        watch.verdict()
        rules(desk, {**ASKS, "type": secret})
        found = watch.verdict()

    assert "[redacted" in only(found)["message"]
    assert secret not in json.dumps(found)


def test_what_changes_during_a_look_is_looked_at_again(desk):
    """No verdict is about a mixture of two states. Policy tests come before goldens, and whom to
    trust is asked for the goldens: what is saved then was looked at already."""
    path = desk / "tests" / "policies" / "refunds.json"
    late = [{**CASES[1], "expect": {"decision": "allow"}}]
    saves = iter([None, {"tests": CASES[1:]}, {"tests": late}])

    def meanwhile(_: object) -> Trust:
        document = next(saves, None)
        if document is not None:
            write(path, document)
        return Trust()

    follower = Follower(Around(desk, UserDirs.of(os.environ, Path.home()), {}, meanwhile))
    first = follower.look(lambda: False)
    write(path, {"tests": CASES})
    save(path, path.read_text() + " ")
    second = follower.look(lambda: False)

    assert first is not None
    assert first.look.is_good
    assert next(saves, None) is None
    assert second is not None
    assert [one.part for one in second.look.findings] == ["policy test"]


def test_a_directory_that_was_made_anew_is_noticed_by_its_events(desk, tmp_path):
    """Its number may be the same as before, so that only an event tells that it is another one."""
    follower = Follower(Around(desk, UserDirs.of(os.environ, Path.home()), {}, lambda _: Trust()))
    policies = desk / "policies"
    follower.look(lambda: False)
    # Nothing else is removed, so that its number is free for the next directory.
    paths = list(policies.iterdir())
    for path in paths:
        path.rename(tmp_path / path.name)
    policies.rmdir()
    policies.mkdir()
    for path in paths:
        (tmp_path / path.name).rename(path)
    follower.has_changed(lambda: True)
    follower.look(lambda: False)
    asked = count()
    rules(desk, CLOSES)

    # Asked every 20 ms: without an event it would be noticed after three seconds.
    assert follower.has_changed(lambda: next(asked) > 1_000)
    assert next(asked) < 75


def test_a_look_that_nobody_waits_for_any_more_is_given_up(desk):
    """A key that is typed does not wait for all goldens."""
    around = Around(desk, UserDirs.of(os.environ, Path.home()), {}, lambda _: Trust())
    asked = iter([False, True])

    assert look(around, Kept(), lambda: next(asked)) is None
    assert Follower(around).look(lambda: True) is None


def test_goldens_of_atlases_are_told_from_those_that_replay_counts(desk):
    assert cra(desk, "replay").stdout.startswith("1 golden: ")
    with at_keys(desk) as (watch, _):
        watch.type("\n")
        both = " ".join(watch.screen_to(" s\r\n").split())
        shutil.rmtree(desk / "goldens")
        left = " ".join(watch.screen_to(" s\r\n").split())

    assert ", 1 golden and 1 of atlases " in both
    assert ", 1 golden of atlases (1 as before) " in left


def test_a_line_says_when_what_and_how(desk):
    with at_keys(desk) as (watch, _):
        rules(desk, CLOSES)
        screen = watch.screen_to("refunds.json\r\n")
        rules(desk, CLOSES, ASKS)
        mended = watch.screen_to(" s\r\n")

    clock, what, word, *_ = screen.split("  ")
    told = " ".join(screen.split())
    assert (len(clock), what, word) == (8, "policies/rules.json", "FAILED")
    assert "2 policy tests, 4 scenarios, 1 golden and 1 of atlases (1 as before) " in told
    assert "tests/policies/refunds.json:3:5: 90 asks: expected requires_approval by" in told
    assert screen.endswith("  fix: cra policy test tests/policies/refunds.json\r\n")
    assert max(map(len, screen.split("\r\n"))) <= 80
    assert "policies/rules.json  ok  " in mended


def test_q_ends_it_and_gives_the_terminal_back(desk):
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    os.close(ours)
    os.close(its)
    with at_keys(desk) as (watch, terminal):
        assert termios.tcgetattr(terminal)[3] != before[3]
        watch.type("xq")
        code = watch.ends()
        after = termios.tcgetattr(terminal)

    assert code == 0
    assert after[3] == before[3]


def test_keys_count_again_after_a_stop_whose_shell_has_set_the_terminal(desk, tmp_path):
    """bash is in charge of the terminal: it stops the watch by Ctrl-Z, and fg lets it go on."""
    program = tmp_path / "cra"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cra "$@"\n')
    program.chmod(0o755)
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", AT_SHELL],
        cwd=desk,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PS1": "shell: ", "NO_COLOR": "1"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        shell = Watching(process, ours, ours)
        try:
            shell.screen_to("shell: ")
            before = termios.tcgetattr(its)
            shell.type(f"{program} watch\n")
            shell.screen_to("q ends\r\n")
            watched = termios.tcgetattr(its)
            shell.type("\x1a")
            shell.screen_to("shell: ")
            shell.type("stty -a | tr ' ;' '\\n\\n' | grep -x 'icanon\\|-icanon'\n")
            stopped = shell.screen_to("icanon\r\n")
            # As a shell does that lets a program go on with the terminal as it is itself.
            shell.type("stty icanon echo; fg\n")
            shell.screen_to("watch\r\n")
            shell.type("\n")
            shell.screen_to("everything  ok")
            shell.type("q")
            shell.screen_to("shell: ")
            shell.type("exit $?\n")
            code = shell.ends()
        finally:
            if process.poll() is None:
                process.kill()
            os.close(ours)
            os.close(its)

    assert before[3] & termios.ICANON
    assert not watched[3] & termios.ICANON
    assert "-icanon" not in stopped.splitlines()
    assert code == 0


def test_enter_checks_everything_again_and_a_shows_all_that_is_wrong(desk):
    rules(desk, rule("all-stops", "deny", "ticket.*", "refund.*"))
    with at_keys(desk) as (watch, _):
        watch.type("a")
        shown = watch.screen_to("replay --manifest goldens/refunds/manifest.json\r\n")
        watch.type("\r")
        again = watch.screen_to("replay --manifest goldens/refunds/manifest.json\r\n")
        watch.type("q")
        assert watch.ends() == 0

    for screen in (shown, again):
        assert "90 asks" in screen
        assert "everything  FAILED" in screen
        assert "as before" not in screen


@pytest.mark.parametrize("is_at_terminal", [True, False])
def test_a_signal_ends_it_as_it_ends_every_command(desk, is_at_terminal):
    for sent, expected in ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)):
        if is_at_terminal:
            with at_keys(desk) as (watch, terminal):
                before = termios.tcgetattr(terminal)[3]
                if sent == signal.SIGINT:
                    watch.type("\x03")
                else:
                    watch.process.send_signal(sent)
                assert watch.ends() == expected
                assert termios.tcgetattr(terminal)[3] != before
        else:
            said, its = os.pipe()
            with running(desk, stdin=subprocess.DEVNULL, stdout=its, said=said) as watch:
                os.close(its)
                watch.read(lambda text: b" s\n" in text)
                watch.process.send_signal(sent)
                assert watch.ends() == expected
            os.close(said)


def test_it_ends_when_nobody_reads_any_more(desk):
    said, its = os.pipe()
    with running(desk, stdin=subprocess.DEVNULL, stdout=its, said=said) as watch:
        os.close(its)
        watch.read(lambda text: b" s\n" in text)
        os.close(said)
        assert watch.ends() == 0


def test_without_a_project_it_says_how_to_make_one(tmp_path):
    done = cra(tmp_path, "watch")

    assert done.returncode == 2
    assert "error[CRA-2001]: expected a cra project" in done.stderr
    assert "fix: cra init" in done.stderr


@pytest.mark.parametrize("name", ["cra.config.json", "cra.atlases.lock", "policies/rules.json"])
def test_what_stands_in_the_place_of_a_file_is_told(desk, name):
    path = desk / name
    whole = path.read_bytes()
    with watching(desk) as watch:
        watch.verdict()
        path.unlink()
        path.symlink_to(path)
        linked = watch.verdict()
        path.unlink()
        path.mkdir()
        (path / "inside").touch()
        folder = watch.verdict()
        shutil.rmtree(path)
        path.write_bytes(whole)
        assert watch.verdict()["passed"]

    assert not linked["passed"]
    assert not folder["passed"]


def test_a_configuration_that_is_a_link_is_followed_to_where_it_is_written(desk, tmp_path):
    written = tmp_path / "elsewhere" / "config.json"
    written.parent.mkdir()
    (desk / "cra.config.json").rename(written)
    (desk / "cra.config.json").symlink_to(written)
    whole = written.read_text()
    with watching(desk) as watch:
        watch.verdict()
        save(written, whole[:-4])
        assert only(watch.verdict())["part"] == "configuration"
        save(written, whole)
        assert watch.verdict()["passed"]


def test_names_that_are_no_text_end_nothing(desk):
    folder = os.fsencode(desk / "support-desk") + b"/\xff"
    with watching(desk) as watch:
        watch.verdict()
        os.mkdir(folder)
        with open(folder + b"/\xfe", "w") as file:
            file.write("x")
        found = watch.verdict()
        shutil.rmtree(folder)
        assert watch.verdict()["passed"]

    assert only(found)["code"] == "CRA-2110"


def test_no_golden_runs_whatever_its_manifest_says(desk, tmp_path):
    ran = tmp_path / "ran"
    code = desk / "support-desk" / "desk.py"
    save(code, f"{code.read_text()}\nopen({str(ran)!r}, 'w').close()\n")
    manifests = [desk / "goldens" / "refunds" / "manifest.json"]
    manifests += (desk / "support-desk" / "goldens").glob("*/manifest.json")
    for manifest in manifests:
        write(manifest, {**json.loads(manifest.read_text()), "mode": "execute"})
    answer(desk, "atlas", "lock", "--yes")
    with watching(desk) as watch:
        found = watch.verdict()

    assert (found["passed"], found["goldens"]) == (True, 2)
    assert not ran.exists()
    cra(desk, "replay")
    assert ran.exists()
