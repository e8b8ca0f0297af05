"""Bad goldens, hostile ones, and what happens around a replay: there is an answer, and a golden."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from cra import config
from cra.cli import run
from cra.errors import CraError, GoldenRefused, IntegrityError
from cra.ledger.verify import Trust
from cra.replay import writing
from cra.replay.check import Report, Settings, check
from cra.replay.compare import Compatibility, compare
from cra.replay.golden import find_manifests, open_golden, trace_of
from cra.replay.manifest import read_manifest
from cra.replay.normal import Normaliser
from cra.replay.reading import Trace
from cra.replay.replay import Replayed
from cra.replay.step import told
from cra.replay.writing import (
    accept,
    all_pending,
    artifacts_in,
    pending_of,
    reject,
    save_manifest,
    write_trace,
)
from tests.conftest import FULL
from tests.goldens import (
    change_desk,
    golden_of,
    manifest_of,
    opened,
    recorded,
    replayed,
    reseal,
    write_desk,
    write_manifest,
)
from tests.governed import ALLOW, CODE, begun, limit, rule, write_rules
from tests.lives import ASK, BY, NOTE, TOKEN, asked
from tests.program import ROOT, cra

NO_NOTES = rule("no-notes", "deny", "ticket.note", reason="not today")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with a golden of many kinds of steps, and one of a session beside it."""
    place = write_desk(
        tmp_path_factory.mktemp("example") / "desk",
        ALLOW,
        limit("few", "project", 5),
        rule("asks", "require_approval", "ticket.pay"),
    )
    with opened(place) as project:
        one, other = begun(project), begun(project)
        for session in (one, other):
            session.execute("ticket.note", NOTE)
            session.execute("ticket.sort", {"items": ["x" * 70_000, TOKEN]})
            session.approvals.grant(asked(session, "ticket.pay"), BY)
            session.execute("ticket.pay", NOTE)
            session.execute("ticket.fail", {"why": "x"})
            session.resolve(f"use {TOKEN}")
        one.end()
        recorded(one, "one")
        recorded(other, "other")
    return place


@pytest.fixture
def desk(example: Path, tmp_path: Path) -> Path:
    place = tmp_path / "desk"
    shutil.copytree(example, place)
    return place


def refusal(place: Path, name: str = "one") -> str:
    """Why a golden is refused."""
    report = replayed(place, name)
    assert report.error is not None, report
    assert (report.state, report.compatibility, report.differences) == ("refused", None, ())
    return report.error[1]


# Manifests that are none


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"manifest_version": "2.0"}, "manifest_version: expected one of 1.0"),
        ({"manifest_version": None}, "manifest_version"),
        ({"more": 1}, "more: expected a known key"),
        ({"mode": "guess"}, "mode: expected"),
        ({"order": "random"}, "order: expected"),
        ({"trace_id": "x"}, "trace_id: expected an id"),
        ({"artifacts": []}, "expected one trace (*.trace.jsonl) among the artifacts, found 0"),
        ({"nondeterminism": [{"field": "a..b", "rule": "ignore"}]}, "nondeterminism[0].field"),
        ({"nondeterminism": [{"field": "a", "rule": "guess"}]}, "nondeterminism[0].rule"),
        ({"nondeterminism": [{"field": "a", "rule": "pattern"}]}, "expected a pattern, found none"),
        ({"nondeterminism": [{"field": "a", "rule": "ignore", "why": ""}]}, "why: expected"),
        ({"nondeterminism": [{"field": "a", "rule": "tolerance", "tolerance": -1}]},
         "expected a tolerance from 0 on"),
        ({"expectations": {"unverifiable": [-1]}}, "unverifiable"),
        ({"expectations": {"other": []}}, "other: expected a known key"),
    ],
)  # fmt: skip
def test_a_manifest_with_a_mistake_is_refused_by_its_name(desk, changed, said):
    write_manifest(desk, {**manifest_of(desk), **changed})

    assert said in refusal(desk)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", "{}", "{" * 5_000, "a: &b [*b]"])
def test_what_is_no_manifest_is_refused(desk, text):
    (golden_of(desk) / "manifest.json").write_bytes(text.encode("latin-1"))

    refusal(desk)


@pytest.mark.parametrize("text", ["a: &b [*b]", "manifest_version: 1.0", "- a", "!!python/x y"])
def test_what_is_no_manifest_in_yaml_is_refused(desk, text):
    (golden_of(desk) / "manifest.json").unlink()
    (golden_of(desk) / "manifest.yaml").write_text(text)
    report = check(golden_of(desk) / "manifest.yaml", config.load(desk, {}, None, {}), Settings())

    assert report.state == "refused"


def artifact(place: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in manifest_of(place)["artifacts"] if one["name"] == name
    )
    return found


def with_artifact(place: Path, **changed: Any) -> None:
    """Let the manifest's entry of the checkpoint be another."""
    document = manifest_of(place)
    for one in document["artifacts"]:
        if one["name"] == "checkpoint":
            one.update(changed)
    write_manifest(place, document)


@pytest.mark.parametrize(
    "uri", ["/etc/passwd", "a\\b", "", "..", "../../cra.config.json", "x/../../other/y", "a\nb"]
)
def test_an_artifact_is_below_its_manifest(desk, uri):
    with_artifact(desk, uri=uri)
    said = refusal(desk)

    assert "expected checkpoint below the manifest" in said or "a path below the manifest" in said


def test_a_link_out_of_a_golden_is_refused(desk, tmp_path):
    path = golden_of(desk) / artifact(desk, "checkpoint")["uri"]
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    assert "found it outside" in refusal(desk)


def test_a_link_within_a_golden_is_a_file_of_it(desk):
    path = golden_of(desk) / artifact(desk, "checkpoint")["uri"]
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")

    assert replayed(desk).state == "passed"


@pytest.mark.parametrize("kind", ["directory", "pipe", "loop"])
def test_an_artifact_that_is_no_file_is_refused_and_keeps_nobody_waiting(desk, kind):
    path = golden_of(desk) / artifact(desk, "checkpoint")["uri"]
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name)
    report = replayed(desk)

    assert report.state in ("refused", "integrity")


def test_goldens_behind_links_are_found_once(desk):
    (desk / "goldens" / "alias").symlink_to("one")
    (desk / "goldens" / "round").symlink_to("..")
    (desk / "goldens" / ".hidden").mkdir()
    shutil.copy(golden_of(desk) / "manifest.json", desk / "goldens" / ".hidden")

    found = [path.parent.name for path in find_manifests(desk / "goldens")]
    assert found == ["one", "other"]
    done = cra(desk, "replay", "goldens", "goldens/alias", "--json")
    assert [one["name"] for one in json.loads(done.stdout)["goldens"]] == ["one", "other"]


def test_a_manifest_outside_the_project_is_refused(desk, tmp_path):
    shutil.copytree(golden_of(desk), tmp_path / "outside")
    (desk / "goldens" / "link").symlink_to(tmp_path / "outside")
    for place in (tmp_path / "outside", "goldens/link/manifest.json", "../outside"):
        done = cra(desk, "replay", place)

        assert done.returncode == 2
        assert "expected a golden of the project" in done.stderr


# Traces that are none of this golden


def test_a_manifest_of_another_trace_is_damaged(desk):
    write_manifest(desk, {**manifest_of(desk), "trace_id": manifest_of(desk, "other")["trace_id"]})
    report = replayed(desk)

    assert report.state == "integrity"
    assert report.error is not None
    assert "expected the trace " in report.error[1]


def test_a_journal_is_no_golden(desk):
    golden = golden_of(desk)
    shutil.copy(desk / "cra.trace" / "journal.trace.jsonl", golden)
    document = manifest_of(desk)
    document["artifacts"] = [
        {"name": "trace", "uri": "journal.trace.jsonl", "sha256": "0" * 64}]  # fmt: skip
    write_manifest(desk, document)
    reseal(golden)

    assert replayed(desk).state in ("refused", "integrity")


def test_a_trace_of_another_name_is_not_the_one(desk):
    golden, document = golden_of(desk), manifest_of(desk)
    for one in document["artifacts"]:
        if one["name"] == "trace":
            (golden / one["uri"]).rename(golden / "a.trace.jsonl")
            one["uri"] = "a.trace.jsonl"
    write_manifest(desk, document)

    assert replayed(desk).state in ("refused", "integrity")


def test_two_traces_are_none(desk):
    document = manifest_of(desk)
    shutil.copy(golden_of(desk) / artifact(desk, "trace")["uri"], golden_of(desk) / "b.trace.jsonl")
    document["artifacts"].append({"name": "b", "uri": "b.trace.jsonl", "sha256": "0" * 64})
    write_manifest(desk, document)
    reseal(golden_of(desk))

    assert "found 2" in refusal(desk)


def test_an_empty_trace_is_none(desk):
    (golden_of(desk) / artifact(desk, "trace")["uri"]).write_bytes(b"")
    reseal(golden_of(desk))

    assert replayed(desk).state in ("refused", "integrity")


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[1]", b'[{"timestamp": 1}]', b"[", b'[{"key": "x", "cost": "1"}]']
)
def test_what_other_sessions_took_of_limits_has_its_form(desk, text):
    assert artifact(desk, "limits")["uri"] == "limits.json"
    (golden_of(desk) / "limits.json").write_bytes(text)
    reseal(golden_of(desk))

    assert refusal(desk) == "expected what other sessions took of limits, found something else"


def test_a_blob_that_is_gone_or_another_is_damage(desk):
    blob = next((golden_of(desk) / "blobs").iterdir())
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + b"!")
    assert replayed(desk).state == "integrity"
    reseal(golden_of(desk))
    assert replayed(desk).state == "integrity"
    blob.unlink()
    assert replayed(desk).state == "integrity"
    document = manifest_of(desk)
    document["artifacts"] = [one for one in document["artifacts"] if "blobs" not in one["uri"]]
    write_manifest(desk, document)
    assert replayed(desk).state == "integrity"


ODD: list[Any] = [
    None, 1, -1, True, "x", "", [], {}, [1], {"a": 1}, "2026-01-05T00:00:00.000000Z",
    {"$redacted": "x", "mac": "y"}, {"$obj": 1}, {"$int": "x"}, {"$text": [1]}, {"$b64": "?"},
]  # fmt: skip


def made_odd(event: Any, chance: random.Random) -> tuple[str, Any]:
    """A member of an event's payload, with something in it that is another."""
    payload = json.loads(json.dumps(event["payload"]))
    name = within = chance.choice([*payload])
    place = payload
    while isinstance(place[within], dict | list) and place[within] and chance.random() < 0.7:
        place = place[within]
        within = chance.choice([*place]) if isinstance(place, dict) else 0
    if place is not payload and isinstance(place, dict) and chance.random() < 0.3:
        del place[within]
    else:
        place[within] = chance.choice(ODD)
    return name, payload[name]


def test_a_golden_whose_events_say_anything_is_answered(desk):
    """Whoever makes the trace and its checkpoint makes a whole chain of whatever it wants."""
    chance = random.Random(3)
    manifest = read_manifest(golden_of(desk) / "manifest.json")
    source = trace_of(golden_of(desk) / "manifest.json")
    with Trace(source) as trace:
        events = list(trace)
    odd = golden_of(desk, "odd")
    states = set()
    for _ in range(300 if FULL else 40):
        at = chance.randrange(len(events))
        name, value = made_odd(events[at], chance)
        shutil.rmtree(odd, ignore_errors=True)
        odd.mkdir()
        write_trace(Replayed(source, {at: {name: value}}, {}, {}), odd, None)
        shutil.copy(golden_of(desk) / "limits.json", odd)
        changed = replace(manifest, artifacts=tuple(artifacts_in(odd)))
        save_manifest(odd, changed)
        states.add(replayed(desk, "odd").state)
        with Trace(source) as one, Trace(trace_of(odd / "manifest.json")) as other:
            assert compare(one, other).compatibility in get_args(Compatibility)
            assert compare(other, one).compatibility in get_args(Compatibility)
            assert told(other)

    assert states == {"different", "passed", "refused"}


def test_a_golden_is_whole_without_the_projects_own_ledger(desk):
    shutil.rmtree(desk / "cra.trace")

    assert replayed(desk).compatibility == "identical"
    assert not (desk / "cra.trace").exists()


def test_a_project_whose_rules_are_none_refuses_its_goldens(desk):
    (desk / "policies" / "rules.json").write_text("[")
    report = replayed(desk)

    assert report.state == "refused"
    done = cra(desk, "replay")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_call_without_an_outcome_is_allowed_and_left_open(tmp_path):
    """What was denied then is allowed now: there is no outcome of it."""
    place = write_desk(tmp_path / "desk", ALLOW, NO_NOTES)
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.note", NOTE)
        session.execute("ticket.read", {"id": 4})
        session.end()
        recorded(session)
    write_rules(place, ALLOW)
    report = replayed(place, writes=True)

    assert report.compatibility == "breaking"
    assert report.pending is not None
    accept(report.pending)
    again = replayed(place)
    assert (again.state, again.compatibility) == ("passed", "identical")


# The world around a replay


def test_a_report_is_the_same_bytes_in_every_place_and_order(desk):
    """Every hash seed, time zone and locale; the goldens in any order."""
    change_desk(desk, code=CODE + b"#\n")
    write_rules(desk, ALLOW, limit("few", "project", 1), ASK, NO_NOTES)
    chance = random.Random(3)
    zones = ("UTC", "Pacific/Auckland", "America/St_Johns", "Nowhere/None")
    locales = ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.ISO-8859-1")
    found: dict[str, set[str]] = {"one": set(), "other": set()}
    for at in range(50 if FULL else 4):
        names = ["goldens/one", "goldens/other"]
        chance.shuffle(names)
        done = cra(desk, "replay", *names, "--json", PYTHONHASHSEED=str(at), TZ=zones[at % 4],
                   LC_ALL=locales[at % 4], LANG=locales[at % 4], CI="true")  # fmt: skip
        assert done.returncode == 1, done.stderr
        for one in json.loads(done.stdout)["goldens"]:
            found[one["name"]].add(json.dumps(one))

    assert {name: len(reports) for name, reports in found.items()} == {"one": 1, "other": 1}
    assert '"breaking"' in found["one"].pop()


def test_a_replay_in_one_process_is_the_same_any_number_of_times(desk):
    change_desk(desk, code=CODE + b"#\n")
    write_rules(desk, ALLOW, ASK, NO_NOTES)
    reports = [repr(replayed(desk, name)) for name in ("one", "other") * (50 if FULL else 3)]

    assert len(set(reports)) == 2


def test_a_replay_of_a_copy_elsewhere_says_the_same(desk, tmp_path):
    write_rules(desk, ALLOW, NO_NOTES)
    copy = tmp_path / "further" / "away"
    shutil.copytree(desk, copy)
    one, other = (cra(place, "replay", "--json", CI="true").stdout for place in (desk, copy))

    assert one == other


def test_what_is_written_for_review_is_alike_each_time(desk):
    write_rules(desk, ALLOW, NO_NOTES)
    found = []
    for _ in range(2):
        replayed(desk, writes=True)
        found.append(likeness(golden_of(desk, "one.new")))

    assert found[0] == found[1]


def test_a_project_that_is_written_meanwhile_is_seen_before_or_after(desk):
    """Each replay is under one reading of the rules, never a mix."""
    rules = desk / "policies" / "rules.json"
    texts = [json.dumps([ALLOW, limit("few", "project", 5), ASK, *more])
             for more in ([], [NO_NOTES])]  # fmt: skip
    expected = set()
    for text in texts:
        rules.write_text(text)
        expected.add(without_marks(replayed(desk)))
    over = threading.Event()

    def write() -> None:
        at = 0
        while not over.is_set():
            at += 1
            temporary = desk / "rules.tmp"
            temporary.write_text(texts[at % 2])
            temporary.replace(rules)
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = {without_marks(replayed(desk)) for _ in range(20)}
    finally:
        over.set()
        writer.join()

    assert found <= expected


def without_marks(report: Report) -> str:
    return repr((report.state, report.compatibility, report.differences, report.error))


# Interrupted


class Died(BaseException):
    """Stands for the end of the process: nothing that it does after it reaches the disk."""


class Mortal:
    """Lets the calls that change goldens go through until one at which the process ends."""

    CALLS = ("mkdir", "rename", "replace", "rmdir", "unlink")

    def __init__(self, patch: pytest.MonkeyPatch, place: Path, last: int) -> None:
        self.calls = 0
        self.last = last
        self.place = str(place / "goldens")
        for name in self.CALLS:
            patch.setattr(os, name, self.guarded(getattr(os, name)))

    def guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(path: Any, *args: Any, **kwargs: Any) -> Any:
            if self.is_about(path, kwargs.get("dir_fd")):
                self.calls += 1
                if self.calls > self.last:
                    raise Died
            return call(path, *args, **kwargs)

        return guarded

    def is_about(self, path: Any, folder: int | None) -> bool:
        if folder is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        return os.fspath(path).startswith(self.place)


def survey(desk: Path, tmp_path: Path, work: Callable[[Path], object]) -> Iterator[Path]:
    """A copy of the desk for each call at which the process may end, once it has."""
    for last in range(10_000):
        place = tmp_path / f"at {last}"
        shutil.copytree(desk, place)
        with pytest.MonkeyPatch.context() as patch:
            mortal = Mortal(patch, place, last)
            try:
                work(place)
            except Died:
                pass
            else:
                assert mortal.calls == last
                return
        yield place
        shutil.rmtree(place)


def content(golden: Path) -> dict[str, bytes]:
    """The bytes of a golden, whole or not."""
    manifest = json.loads((golden / "manifest.json").read_bytes())
    named = [one["uri"] for one in manifest["artifacts"]]
    return {name: (golden / name).read_bytes() for name in ("manifest.json", *named)}


def likeness(golden: Path) -> Any:
    """What a whole golden says, but for digests of what is another each time: how long it took."""
    path = golden / "manifest.json"
    open_golden(path, Trust())
    document = json.loads(path.read_bytes())
    del document["artifacts"]
    normaliser = Normaliser()
    with Trace(trace_of(path)) as trace:
        return document, [normaliser.take(event) for event in trace]


@pytest.fixture
def waiting(desk: Path) -> Path:
    """The desk with a difference that waits to be decided on."""
    write_rules(desk, ALLOW, NO_NOTES)
    assert replayed(desk, writes=True).pending is not None
    return desk


def test_a_review_that_is_killed_leaves_the_golden_before_or_after(waiting, tmp_path):
    old = content(golden_of(waiting))
    new = content(golden_of(waiting, "one.new"))
    likely = likeness(golden_of(waiting, "one.new"))
    seen = set()
    points = 0
    for place in survey(waiting, tmp_path, lambda place: accept(golden_of(place, "one.new"))):
        points += 1
        golden = golden_of(place)
        open_golden(golden / "manifest.json", Trust())
        found = content(golden)
        assert found in (old, new)
        seen.add(found == new)
        # Whoever decides again is done with it.
        for pending in all_pending(place / "goldens"):
            accept(pending)
        report = replayed(place, writes=True)
        if report.pending is not None:
            accept(report.pending)
        assert likeness(golden) == likely
        assert all_pending(place / "goldens") == []

    assert seen == {True, False}
    assert points > 10


def test_a_rejection_that_is_killed_leaves_what_waits_or_nothing(waiting, tmp_path):
    old = content(golden_of(waiting))
    new = content(golden_of(waiting, "one.new"))
    likely = likeness(golden_of(waiting, "one.new"))
    for place in survey(waiting, tmp_path, lambda place: reject(golden_of(place, "one.new"))):
        assert content(golden_of(place)) == old
        for pending in all_pending(place / "goldens"):
            assert content(pending) == new
        assert replayed(place, writes=True).pending is not None
        assert likeness(golden_of(place, "one.new")) == likely


def test_a_replay_that_is_killed_leaves_the_golden_and_nothing_half_written(desk, tmp_path):
    write_rules(desk, ALLOW, NO_NOTES)
    old = content(golden_of(desk))
    replayed(desk, writes=True)
    likely = likeness(golden_of(desk, "one.new"))
    reject(golden_of(desk, "one.new"))
    for place in survey(desk, tmp_path, lambda place: replayed(place, writes=True)):
        assert content(golden_of(place)) == old
        for pending in all_pending(place / "goldens"):
            open_golden(pending / "manifest.json", Trust())
        assert replayed(place, writes=True).pending == golden_of(place, "one.new")
        assert likeness(golden_of(place, "one.new")) == likely
        assert {path.name for path in (place / "goldens").iterdir()} <= {"one", "other", "one.new"}


def test_what_a_killed_process_left_beside_the_goldens_goes_with_the_next(desk):
    write_rules(desk, ALLOW, NO_NOTES)
    left = desk / "goldens" / ".one.new.1.tmp"
    left.mkdir()
    (left / "half").write_text("x")
    worked_on = desk / "goldens" / ".one.new.2.tmp"
    worked_on.mkdir()
    with open_and_locked(worked_on):
        replayed(desk, writes=True)

    assert (left.exists(), worked_on.exists()) == (False, True)


def open_and_locked(folder: Path) -> Any:
    return writing._held(folder)  # noqa: SLF001  # as another process would hold it


def test_a_program_that_is_killed_while_it_updates_leaves_a_whole_golden(desk):
    """As above, with a real process and SIGKILL."""
    chance = random.Random(3)
    for at in range(20 if FULL else 4):
        write_rules(desk, ALLOW, *([NO_NOTES] if at % 2 == 0 else []))
        process = subprocess.Popen(
            [sys.executable, "-m", "cra", "replay", "--update", "--yes"],
            cwd=desk,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.1, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        for name in ("one", "other"):
            open_golden(golden_of(desk, name) / "manifest.json", Trust())

    assert cra(desk, "replay", "--update", "--yes").returncode == 0
    assert cra(desk, "replay", CI="true").returncode == 0
    assert sorted(path.name for path in (desk / "goldens").iterdir()) == ["one", "other"]


def test_two_updates_at_once_follow_one_another(desk):
    for at in range(6 if FULL else 2):
        write_rules(desk, ALLOW, *([NO_NOTES] if at % 2 == 0 else []))
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "cra", "replay", "--update", "--yes"],
                cwd=desk,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
            for _ in range(3)
        ]
        for process in processes:
            _, complaint = process.communicate(timeout=120)
            assert process.returncode in (0, 1), complaint
            assert "Traceback" not in complaint
        assert cra(desk, "replay", CI="true").returncode == 0
        assert sorted(path.name for path in (desk / "goldens").iterdir()) == ["one", "other"]


def test_a_golden_that_another_replay_takes_away_meanwhile_is_no_mistake(desk, monkeypatch, capsys):
    write_rules(desk, ALLOW, NO_NOTES)
    monkeypatch.chdir(desk)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("cra.replay.golden.trace_of", lambda manifest: manifest.with_name("gone"))

    assert run(["replay"]) == 1
    assert "decided on meanwhile" in capsys.readouterr().err


def test_many_threads_that_accept_the_same_difference_leave_it_accepted(waiting):
    new = content(golden_of(waiting, "one.new"))
    errors: list[BaseException] = []

    def decide() -> None:
        try:
            accept(pending_of(golden_of(waiting)))
        except CraError:
            pass  # another was first
        except BaseException as error:  # noqa: BLE001  # it fails the test below
            errors.append(error)

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert content(golden_of(waiting)) == new


# Large


@pytest.mark.slow
def test_a_golden_of_100_megabytes_is_replayed(tmp_path):
    place = write_desk(tmp_path / "desk", ALLOW)
    with opened(place) as project:
        session = begun(project)
        filler = "x" * 9_000
        for at in range(5_600):
            session.execute("ticket.sort", {"items": [str(at), filler]})
        session.end()
        report = recorded(session).report
    size = sum(path.stat().st_size for path in golden_of(place).rglob("*"))

    assert size > 100 << 20
    assert report.compatibility == "identical"
    write_rules(place, ALLOW, rule("no-sorting", "deny", "ticket.sort"))
    assert replayed(place, writes=True).compatibility == "breaking"


def test_the_errors_of_a_golden_are_named(desk):
    """What cannot be read is refused; what is not what it was is damaged."""
    path = golden_of(desk) / "manifest.json"
    path.write_text("{}")
    with pytest.raises(GoldenRefused):
        open_golden(path, Trust())
    other = golden_of(desk, "other")
    next(other.glob("*.checkpoint")).write_text("x")
    with pytest.raises(IntegrityError):
        open_golden(other / "manifest.json", Trust())
