"""`cra golden`, `cra replay` and `cra trace diff`, run as programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cra.cli.replay_reports import report_to_ci
from cra.ledger.checkpoint import open_checkpoint, seal
from cra.ledger.store import Ledger
from cra.ledger.verify import Trust
from cra.replay.check import Report
from cra.replay.compare import TraceDifference
from tests.goldens import (
    change_desk,
    golden_of,
    manifest_of,
    opened,
    replayed,
    reseal,
    set_config,
    write_desk,
    write_manifest,
)
from tests.governed import ALLOW, CODE, begun, rule, write_rules
from tests.lives import APPROVER, NOTE, SIGNER, TOKEN
from tests.program import answer, at_terminal, cra

NO_NOTES = rule("no-notes", "deny", "ticket.note", reason="not today")
FLIP = "the decision flipped: allowed, now denied by no-notes: not today"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with one session and its golden."""
    place = write_desk(tmp_path_factory.mktemp("example") / "desk", ALLOW)
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.note", NOTE)
        session.execute("ticket.read", {"id": 4})
        session.end()
    answer(place, "golden", "record", "last", "--name", "one")
    return place


@pytest.fixture
def desk(example: Path, tmp_path: Path) -> Path:
    place = tmp_path / "desk"
    shutil.copytree(example, place)
    return place


@pytest.fixture
def changed(desk: Path) -> Path:
    """The desk with a rule by which the golden differs."""
    write_rules(desk, ALLOW, NO_NOTES)
    return desk


def facts(place: Path, *arguments: str, code: int, **environ: str) -> dict[str, Any]:
    done = cra(place, *arguments, "--json", **environ)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def more_goldens(place: Path, *names: str) -> None:
    """Copies of the golden, by other names."""
    for name in names:
        shutil.copytree(golden_of(place), golden_of(place, name))


# Recording


def test_a_session_is_recorded_and_replays_at_once(desk):
    done = cra(desk, "golden", "record", "last", "--name", "two")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "Recorded: goldens/two/manifest.json, 8 events\n"
    assert "next: git add goldens/two .gitattributes" in done.stderr
    assert (desk / ".gitattributes").read_text() == "goldens/** -text\n"
    assert manifest_of(desk, "two")["steps"][1:] == [
        "ticket.note: allowed by desk-allows",
        "ticket.read: allowed by desk-allows",
    ]


def test_a_recording_that_differs_already_says_so(changed):
    done = cra(changed, "golden", "record", "last", "--name", "two")

    assert done.returncode == 1
    assert "note: it differs already; cra replay says how" in done.stderr


def test_what_reads_like_a_secret_is_recorded_only_when_that_is_wanted(desk):
    ledger = Ledger(desk / "cra.trace")
    session = ledger.start_session("agent")
    # As a version that knew fewer kinds of secrets would have recorded it.
    said = {"action_id": "ticket.nope", "reason": f"no {TOKEN}", "policy_id": None}
    session.append("action.denied", said)
    session.end()
    ledger.close()
    command = ("golden", "record", "last", "--name", "two")
    refused = cra(desk, *command)

    assert refused.returncode == 2
    assert "1 event hold what reads like a secret (1)" in refused.stderr
    assert at_terminal(desk, *command, typed="n\n")[0] == 2
    assert not golden_of(desk, "two").exists()
    cra(desk, *command, "--yes")
    assert golden_of(desk, "two").exists()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project that lists the key of who began it, cloned by somebody with a key of their own."""
    place = tmp_path_factory.mktemp("two")
    answer(place, "init", "shop", "--template", "minimal", HOME=str(place), XDG_CONFIG_HOME="")
    shutil.copytree(place / "shop", place / "clone", ignore=shutil.ignore_patterns("cra.trace"))
    other = {"XDG_CONFIG_HOME": str(place / "other"), "XDG_STATE_HOME": str(place / "state")}
    answer(place / "clone", "init", "--yes", **other)
    answer(place / "clone", "resolve", "--goal", "hello", **other)
    return place / "clone", other


def test_a_session_signed_by_a_key_that_the_project_does_not_list_becomes_no_golden(theirs):
    place, other = theirs
    refused = cra(place, "golden", "record", "last", "--name", "mine", **other)

    key = answer(place, "doctor", "--json", **other).split("signs as ")[1].split(",")[0]
    assert refused.returncode == 2
    assert f"found it signed by {key}\n" in refused.stderr
    assert f'fix: whoever decides on the project adds "{key}" to keys in cra.config.j' in (
        refused.stderr
    )
    assert not golden_of(place, "mine").exists()


def test_a_golden_signed_by_a_key_that_is_not_listed_says_so_and_is_good_once_it_is(
    theirs, tmp_path
):
    source, other = theirs
    place = tmp_path / "clone"
    shutil.copytree(source, place)
    key = answer(place, "doctor", "--json", **other).split("signs as ")[1].split(",")[0]
    settings = place / "cra.config.json"
    before = settings.read_text()
    settings.write_text(before.replace('"keys": [', f'"keys": ["{key}", '))
    assert key in settings.read_text()
    answer(place, "golden", "record", "last", "--name", "mine", **other)
    listed = cra(place, "replay", **other)
    settings.write_text(before)
    unlisted = cra(place, "replay", "mine", **other)
    given = cra(place, "replay", "mine", "--key", APPROVER, **other)

    short = "+".join(key.split("+")[:2])
    assert listed.returncode == 0, listed.stdout
    assert (unlisted.returncode, given.returncode) == (3, 3)
    assert f"fix: a key signed it that keys in cra.config.json does not list, {short}: if" in (
        unlisted.stdout
    )
    assert "record it anew" not in unlisted.stdout
    assert f"fix: give the key that signed it, {short}, with --key;" in given.stdout


def test_what_is_recorded_is_told_to_programs(desk):
    found = facts(desk, "golden", "record", "last", "--name", "two", code=0)

    assert (found["name"], found["events"], found["compatibility"], found["unverifiable"]) == (
        "two", 8, "identical", [])  # fmt: skip
    again = cra(desk, "golden", "record", "last", "--name", "two")
    assert again.returncode == 2
    assert "expected a name without a golden, found two" in again.stderr
    assert cra(desk, "golden", "record", "last", "--name", "two", "--replace").returncode == 0


# Replaying


def test_a_golden_that_passes_is_one_line_which_names_the_mode(desk):
    done = cra(desk, "replay")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 golden: 1 passed, 0 failed\n\npassed     one  decide, identical\n"


def test_a_golden_that_differs_says_where_and_what_the_rule_is(changed):
    done = cra(changed, "replay")

    assert done.returncode == 1
    assert "DIFFERENT  one  decide, breaking, 1 difference, and 10 that follow" in done.stdout
    assert "since it was recorded: policies/rules.json has changed" in done.stdout
    assert "~ breaking  ticket.note: the decision flipped: allowed, now denied" in done.stdout
    assert "(policies/rules.json:1:74)" in done.stdout
    assert "next: cra golden review" in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_both_sides_stand_beside_each_other_as_wide_as_the_terminal_is(changed):
    narrow, wide = (cra(changed, "replay", "-v", COLUMNS=columns) for columns in ("60", "200"))

    assert max(map(len, narrow.stdout.splitlines())) <= 80
    rows = [line for line in wide.stdout.splitlines() if "│" in line]
    assert any("resolve: do everything that can be done with a ticket" in row for row in rows)
    assert max(map(len, rows)) <= 160


def test_a_program_is_told_the_same(changed):
    found = facts(changed, "replay", code=1)
    [one] = found["goldens"]

    assert (found["passed"], found["failed"], found["left_over"]) == (0, 1, [])
    assert (one["name"], one["mode"], one["state"], one["compatibility"]) == (
        "one", "decide", "different", "breaking")  # fmt: skip
    assert one["differences"][0]["reason"] == f"{FLIP} (policies/rules.json:1:74)"
    assert one["changed"] == ["policies/rules.json has changed"]
    assert one["pending"] == "goldens/one.new"
    assert one["error"] is None


def test_goldens_are_replayed_once_each_in_the_order_of_their_names(desk):
    more_goldens(desk, "c", "a", "b")

    def names(*arguments: str) -> list[str]:
        return [one["name"] for one in facts(desk, "replay", *arguments, code=0)["goldens"]]

    assert names() == ["a", "b", "c", "one"]
    assert names("goldens/[ab]/manifest.json", "-m", "goldens/b") == ["b", "a"]
    assert names("goldens/*") == ["a", "b", "c", "one"]
    assert names("goldens/c", "goldens/a/manifest.json", "goldens") == ["c", "a", "b", "one"]


def test_a_golden_is_replayed_by_its_name_and_a_path_goes_before_a_name(desk):
    more_goldens(desk, "two", "three")
    below = desk / "one"
    shutil.copytree(golden_of(desk, "two"), below / "two")

    def named(place: Path, *arguments: str) -> list[str]:
        found = facts(place, "replay", *arguments, code=0)["goldens"]
        return [os.path.relpath(place / one["manifest"], desk) for one in found]

    assert named(desk, "two") == ["goldens/two/manifest.json"]
    assert named(desk, "three", "-m", "two") == [
        "goldens/two/manifest.json", "goldens/three/manifest.json"]  # fmt: skip
    assert named(below, "three") == ["goldens/three/manifest.json"]
    assert named(desk, "one") == ["one/two/manifest.json"]


def test_many_goldens_are_replayed_at_once_in_a_stable_order(desk):
    more_goldens(desk, *(f"g{at:02}" for at in range(13)))
    found = facts(desk, "replay", code=0)

    assert [one["name"] for one in found["goldens"]] == [*(f"g{at:02}" for at in range(13)), "one"]
    assert {one["state"] for one in found["goldens"]} == {"passed"}


def test_which_weight_fails_is_chosen(desk):
    change_desk(desk, code=CODE + b"#\n")

    assert cra(desk, "replay").returncode == 0
    failed = cra(desk, "replay", "--fail-on", "minor")
    assert failed.returncode == 1
    assert "implementation changed, not run: the code of ticket.note" in failed.stdout
    assert cra(desk, "replay", "--fail-on", "nothing").returncode == 2


def test_the_worst_of_several_goldens_is_the_exit_code(changed):
    more_goldens(changed, "broken", "refused")
    path = next(golden_of(changed, "broken").glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"ticket.note", b"ticket.nope"))
    write_manifest(changed, {"manifest_version": "9"}, "refused")

    assert cra(changed, "replay", "goldens/one").returncode == 1
    assert cra(changed, "replay", "goldens/one", "goldens/refused").returncode == 2
    done = cra(changed, "replay")
    assert done.returncode == 3
    assert [line.split()[0] for line in done.stdout.splitlines()[2:5]] == [
        "DAMAGED", "DIFFERENT", "REFUSED"]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mode", "guess"),
        ("--order", "none"),
        ("--trace", "last", "--mode", "decide"),
        ("--require-signed",),
        ("-m", "goldens/nothing"),
        ("goldens/x*",),
        ("--base", "no-such-revision"),
        ("--base", "--output=x"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(desk, arguments):
    done = cra(desk, "replay", *arguments)

    assert done.returncode == 2
    assert "error[CRA-100" in done.stderr
    assert sorted(path.name for path in desk.iterdir()) == [
        ".gitattributes", "atlases", "cra.atlases.lock", "cra.config.json", "cra.trace", "goldens",
        "policies"]  # fmt: skip


def test_a_project_without_goldens_says_how_one_is_made(tmp_path):
    place = write_desk(tmp_path / "desk", ALLOW)
    done = cra(place, "replay")

    assert done.returncode == 2
    assert "fix: cra golden record SESSION --name NAME" in done.stderr
    listed = cra(place, "golden", "list")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "no golden" in listed.stderr
    assert facts(place, "golden", "list", code=0) == {"goldens": []}


def test_a_session_is_compared_with_a_golden(desk):
    manifest = "goldens/one/manifest.json"
    assert cra(desk, "replay", "--trace", "last", "-m", manifest).returncode == 0
    with opened(desk) as project:
        begun(project).end()
    done = cra(desk, "replay", "--trace", "last", "-m", manifest)

    assert done.returncode == 1
    assert "one  compare, breaking" in done.stdout
    assert "missing: ticket.note allowed by desk-allows" in done.stdout
    assert not golden_of(desk, "one.new").exists()


def test_the_files_alone_are_verified(changed):
    done = cra(changed, "replay", "--mode", "verify")

    assert (done.returncode, done.stdout.splitlines()[2]) == (0, "passed     one  verify")


def test_actions_really_run_in_the_mode_execute(desk):
    change_desk(desk, code=CODE.replace(b"on fire", b"fine"))
    done = cra(desk, "replay", "--mode", "execute")

    assert done.returncode == 1
    assert "one  execute, breaking" in done.stdout
    assert "The printer is on fire" in done.stdout
    assert "The printer is fine" in done.stdout


def test_a_list_runs_nothing_and_trusts_whom_a_replay_trusts(desk):
    change_desk(desk, code=CODE.replace(b"on fire", b"fine"))
    write_manifest(desk, manifest_of(desk) | {"mode": "execute"})

    [row] = facts(desk, "golden", "list", code=0)["goldens"]
    # What comes of the action is another, and nothing of it was run.
    assert (row["state"], row["compatibility"]) == ("passed", "minor")

    set_config(desk, keys=[str(SIGNER.key)])
    assert cra(desk, "replay", "--mode", "decide").returncode == 3
    [row] = facts(desk, "golden", "list", code=0)["goldens"]
    assert row["state"] == "integrity"


def test_the_ledgers_of_replays_are_kept_where_that_is_wanted(desk, tmp_path):
    assert cra(desk, "replay", "--keep", tmp_path / "kept").returncode == 0
    [path] = (tmp_path / "kept" / "one" / "ledger").glob("0*.trace.jsonl")

    assert cra(desk, "trace", "verify", path).returncode == 0
    again = cra(desk, "replay", "--keep", tmp_path / "kept")
    assert again.returncode == 2
    assert "Traceback" not in again.stderr


def test_a_minimal_manifest_replays(changed):
    whole = manifest_of(changed)
    names = ("manifest_version", "trace_id", "artifacts", "nondeterminism")
    write_manifest(changed, {name: whole[name] for name in names})
    write_rules(changed, ALLOW)

    assert cra(changed, "replay").returncode == 0
    write_rules(changed, ALLOW, NO_NOTES)
    assert cra(changed, "replay").returncode == 1


def test_a_manifest_may_be_written_in_yaml_and_its_rules_count(changed):
    whole = manifest_of(changed)
    text = "\n".join(
        [
            "manifest_version: '1.0'",
            f"trace_id: {whole['trace_id']}",
            "artifacts:",
            *(f"  - {{name: {a['name']}, uri: {a['uri']}, sha256: '{a['sha256']}'}}"
              for a in whole["artifacts"]),
            "order: unordered",
            "nondeterminism:",
            "  - {field: time, rule: ignore}",
            "  - {field: payload.nothing, rule: ignore, reason: a mistake}",
        ]
    )  # fmt: skip
    (golden_of(changed) / "manifest.json").unlink()
    (golden_of(changed) / "manifest.yaml").write_text(text + "\n")
    write_rules(changed, ALLOW)
    done = cra(changed, "replay")

    assert done.returncode == 0, done.stderr
    assert "warning: one: the rule for payload.nothing is about nothing" in done.stderr
    write_rules(changed, ALLOW, NO_NOTES)
    assert cra(changed, "replay", "--update", "--yes").returncode == 0
    assert not (golden_of(changed) / "manifest.yaml").exists()
    assert manifest_of(changed)["nondeterminism"][1]["reason"] == "a mistake"
    assert manifest_of(changed)["order"] == "unordered"


# Integrity comes first


def damage_a_line(golden: Path) -> None:
    path = next(golden.glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"id":4', b'"id":5'))


def damage_a_line_and_its_digest(golden: Path) -> None:
    damage_a_line(golden)
    reseal(golden)


def lose_a_line(golden: Path) -> None:
    path = next(golden.glob("*.jsonl"))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    reseal(golden)


def break_a_signature(golden: Path) -> None:
    sign(golden)
    path = next(golden.glob("*.checkpoint"))
    body, _, signature = path.read_bytes().rpartition(b" ")
    at = len(signature) // 2
    other = b"A" if signature[at : at + 1] != b"A" else b"B"
    path.write_bytes(body + b" " + signature[:at] + other + signature[at + 1 :])
    reseal(golden)


def lose_a_file(golden: Path) -> None:
    next(golden.glob("*.checkpoint")).unlink()


def sign(golden: Path) -> None:
    path = next(golden.glob("*.checkpoint"))
    found = open_checkpoint(path.read_bytes(), None, [], signed=False)
    path.write_bytes(seal(found.checkpoint, SIGNER))
    reseal(golden)


@pytest.mark.parametrize(
    "damage",
    [damage_a_line, damage_a_line_and_its_digest, lose_a_line, break_a_signature, lose_a_file],
)
def test_what_is_not_the_golden_that_was_recorded_is_damaged_and_never_different(changed, damage):
    damage(golden_of(changed))
    [against] = (changed / "cra.trace").glob("0*.jsonl")
    trust = Trust(confirmed=(SIGNER.key,))
    for mode in ("decide", "verify", "compare", "execute"):
        report = replayed(changed, mode=mode, trust=trust, against=against, environ={}, writes=True)
        assert (report.state, report.compatibility, report.differences) == ("integrity", None, ())
    done = cra(changed, "replay", "--key", APPROVER)

    assert done.returncode == 3, done.stdout
    assert done.stdout.splitlines()[2].startswith("DAMAGED    one")
    assert not golden_of(changed, "one.new").exists()


def test_line_ends_that_git_changed_are_called_so(desk):
    path = next(golden_of(desk).glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    done = cra(desk, "replay")

    assert done.returncode == 3
    assert "its line ends were changed to CRLF" in done.stdout
    assert "-text" in done.stdout


def test_a_golden_is_refused_unless_a_given_key_signed_it(desk):
    unsigned = cra(desk, "replay", "--require-signed", "--key", APPROVER)
    assert unsigned.returncode == 3
    assert "expected a signature by" in unsigned.stdout

    sign(golden_of(desk))
    assert cra(desk, "replay").returncode == 0
    assert cra(desk, "replay", "--require-signed", "--key", APPROVER).returncode == 0
    assert cra(desk, "replay", "--require-signed", CRA_VERIFY_KEY=APPROVER).returncode == 0


def test_goldens_changed_since_a_revision_are_listed(desk):
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=desk, check=True, capture_output=True)

    more_goldens(desk, "two", "three")
    shutil.move(golden_of(desk, "three"), desk / "three")
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one")
    assert facts(desk, "replay", "--base", "HEAD", code=0)["changed_since_base"] == []
    shutil.move(desk / "three", golden_of(desk, "three"))
    manifest = golden_of(desk) / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")

    assert facts(desk, "replay", "--base", "HEAD", code=0)["changed_since_base"] == [
        "goldens/one/manifest.json", "goldens/three/manifest.json"]  # fmt: skip
    said = cra(desk, "replay", "--base", "HEAD")
    assert "changed since the base: goldens/one/manifest.json" in said.stdout
    (desk / "goldens" / "one" / "sub").mkdir()
    inner = cra(desk / "atlases", "replay", "--base", "HEAD")
    assert "changed since the base: ../goldens/one/manifest.json" in inner.stdout


# Accepting


def test_what_differs_waits_beside_the_golden_and_is_accepted(changed):
    assert cra(changed, "replay").returncode == 1
    assert cra(changed, "golden", "review").returncode == 1
    assert facts(changed, "golden", "review", code=1) == {"waiting": ["goldens/one.new"]}
    assert "waits" in answer(changed, "golden", "list")
    [row] = facts(changed, "golden", "list", code=0)["goldens"]
    assert (row["pending"], row["compatibility"], row["steps"], row["changed"]) == (
        True, "breaking", 3, ["policies/rules.json has changed"])  # fmt: skip

    assert answer(changed, "golden", "review", "--accept") == "Accepted: one"
    assert answer(changed, "golden", "review") == "nothing waits"
    assert cra(changed, "replay").returncode == 0
    assert manifest_of(changed)["steps"][1] == "ticket.note: denied by no-notes"
    assert not golden_of(changed, "one.new").exists()
    assert cra(changed, "trace", "verify", next(golden_of(changed).glob("*.jsonl"))).returncode == 0


def test_what_differs_is_rejected_and_goes(changed):
    before = {path.name: path.read_bytes() for path in golden_of(changed).iterdir()}
    cra(changed, "replay")
    found = facts(changed, "golden", "review", "one", "--reject", code=0)

    assert found == {"decided": [{"name": "one", "decision": "rejected"}]}
    assert [path.name for path in (changed / "goldens").iterdir()] == ["one"]
    assert {path.name: path.read_bytes() for path in golden_of(changed).iterdir()} == before


def test_what_passes_again_waits_no_more(changed):
    cra(changed, "replay")
    write_rules(changed, ALLOW)
    assert cra(changed, "replay").returncode == 0
    assert not golden_of(changed, "one.new").exists()


def test_a_name_for_which_nothing_waits_is_none(desk):
    assert cra(desk, "golden", "review", "two", "--accept").returncode == 2
    assert cra(desk, "golden", "review", "--accept", "--reject").returncode == 2


def test_in_ci_nothing_is_written_and_nothing_updated(changed):
    before = sorted((changed / "goldens").rglob("*"))
    assert cra(changed, "replay", CI="true").returncode == 1
    refused = cra(changed, "replay", "--update", "--yes", CI="1")

    assert refused.returncode == 2
    assert "expected --update where somebody looks at it, found CI" in refused.stderr
    assert sorted((changed / "goldens").rglob("*")) == before
    assert cra(changed, "replay", "--update", "--yes", "--force", CI="true").returncode == 0
    assert cra(changed, "replay", CI="true").returncode == 0
    assert cra(changed, "replay", CI="false").returncode == 0


def test_an_update_asks_once_it_was_shown(changed):
    code, screen = at_terminal(changed, "replay", "--update", typed="n\n")
    assert code == 1
    assert screen.index("the decision flipped") < screen.index("Update 1 golden? [y/N]")
    assert "nothing was updated" in screen
    assert cra(changed, "replay", "--update").returncode == 2

    code, screen = at_terminal(changed, "replay", "--update", typed="y\n")
    assert (code, cra(changed, "replay").returncode) == (0, 0)
    assert "Updated: " in screen


def test_an_update_of_what_is_damaged_is_none(changed):
    more_goldens(changed, "two")
    damage_a_line(golden_of(changed, "two"))
    done = cra(changed, "replay", "--update", "--yes")

    assert done.returncode == 3
    assert "nothing was updated: not every golden could be replayed" in done.stderr


def test_what_is_left_over_or_missing_fails_in_ci_alone(desk):
    golden = golden_of(desk)
    (golden / "notes.txt").write_text("mine")
    (desk / "goldens" / "empty").mkdir()
    assert cra(desk, "replay").returncode == 0
    found = facts(desk, "replay", code=1, CI="true")

    assert found["left_over"] == ["goldens/empty", "goldens/one/notes.txt"]
    shutil.rmtree(golden)
    assert cra(desk, "replay", CI="true").returncode == 2


def test_a_review_goes_through_what_waits_one_by_one(changed):
    more_goldens(changed, "two", "three", "four")
    cra(changed, "replay")
    code, screen = at_terminal(changed, "golden", "review", typed="x\nd\na\nr\ns\nq\n")

    assert code == 1
    assert screen.count("skip [s], details [d], edit [e], quit [q], then enter?") == 6
    assert screen.count(FLIP.partition(", now")[0]) >= 4
    for words in ("Accepted: four", "Rejected: one", "Skipped: three"):
        assert words in screen
    assert facts(changed, "golden", "review", code=1)["waiting"] == [
        "goldens/three.new", "goldens/two.new"]  # fmt: skip


def test_a_review_opens_both_traces_in_an_editor(changed, tmp_path):
    cra(changed, "replay")
    editor = tmp_path / "an editor"
    editor.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$WITNESS"\n')
    editor.chmod(0o755)
    witness = tmp_path / "witness"
    typed = "e\na\n"
    code, screen = at_terminal(changed, "golden", "review", typed=typed,
                               EDITOR=f"'{editor}' --diff", WITNESS=str(witness))  # fmt: skip
    assert code == 0, screen
    flag, one, other = witness.read_text().splitlines()
    assert (flag, Path(one).parent.name, Path(other).parent.name) == ("--diff", "one", "one.new")


def test_a_review_without_an_editor_goes_on(changed):
    cra(changed, "replay")
    for editor in ("/no/such/editor", "'unbalanced"):
        code, screen = at_terminal(changed, "golden", "review", typed="e\nq\n", EDITOR=editor)

        assert code == 1
        assert "Traceback" not in screen
        assert "set EDITOR" in screen


def test_a_review_that_is_left_changes_nothing(changed):
    cra(changed, "replay")
    code, _ = at_terminal(changed, "golden", "review", typed="\x04")

    assert code == 1
    assert golden_of(changed, "one.new").is_dir()


# Two sessions


def test_two_sessions_are_compared(desk):
    with opened(desk) as project:
        for arguments in (NOTE, {**NOTE, "text": "b"}):
            session = begun(project)
            session.execute("ticket.note", arguments)
            session.end()
    ids = [path.name.partition(".")[0] for path in sorted((desk / "cra.trace").glob("0*.jsonl"))]
    same = cra(desk, "trace", "diff", ids[1], ids[1])
    assert (same.returncode, same.stdout) == (0, "identical (6 and 6 events)\n")

    other = cra(desk, "trace", "diff", ids[1], "last")
    assert other.returncode == 1
    assert other.stdout.startswith("breaking: 1 difference")
    found = facts(desk, "trace", "diff", ids[1], ids[2], code=1)
    assert found["differences"][0]["path"] == "span#3/action.approved/payload.arguments.text"
    assert cra(desk, "trace", "diff", ids[0], ids[1], "--order", "subset").returncode == 0
    assert cra(desk, "trace", "diff", ids[0], ids[1], "--order", "sideways").returncode == 2


def test_sessions_with_redacted_payloads_are_compared(desk):
    [path] = (desk / "cra.trace").glob("0*.jsonl")
    answer(desk, "trace", "redact", "last:3", "--reason", "a slip", "--yes")
    trace = next(golden_of(desk).glob("*.jsonl"))
    done = cra(desk, "trace", "diff", path, trace, "-v")

    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert cra(desk, "trace", "diff", trace, path, "-v").returncode == 1


# Reports for CI


def difference(at: int = 1, **members: Any) -> TraceDifference:
    usual: dict[str, Any] = {
        "path": f"span#{at}/decision", "type": "changed", "significance": "breaking",
        "reason": "the decision flipped", "before": "a", "after": "b",
        "event_type": "action.denied", "action_id": "ticket.note", "golden": at, "found": at,
    }  # fmt: skip
    return TraceDifference(**{**usual, **members})


def different(place: Path, *differences: TraceDifference, **members: Any) -> Report:
    usual: dict[str, Any] = {
        "name": "one", "manifest": golden_of(place) / "manifest.json", "mode": "decide",
        "state": "different", "compatibility": "breaking", "differences": differences,
    }  # fmt: skip
    return Report(**{**usual, **members})


def refused(place: Path, message: str, **members: Any) -> Report:
    error = ("CRA-1008", message, "goldens/one", "record it anew")
    return different(
        place, **{"state": "refused", "compatibility": None, "error": error, **members}
    )


def junit(place: Path, reports: Sequence[Report], stale: Sequence[str] = ()) -> ElementTree.Element:
    path = place / "report.xml"
    report_to_ci(reports, stale, junit=path, github=False)
    return ElementTree.parse(path).getroot()


def test_a_junit_report_holds_each_golden(changed):
    more_goldens(changed, "two")
    write_manifest(changed, {}, "two")
    done = cra(changed, "replay", "--junit", "report.xml", CI="true")
    root = ElementTree.parse(changed / "report.xml").getroot()
    one, two = root.iter("testcase")

    assert done.returncode == 2
    assert root.attrib == {"tests": "2", "failures": "1", "errors": "1"}
    assert (one.attrib["name"], one[0].tag, one[0].attrib["type"]) == ("one", "failure", "breaking")
    assert one[0].attrib["message"] == f"ticket.note: {FLIP} (policies/rules.json:1:74)"
    assert (two[0].tag, two[0].attrib["type"]) == ("error", "CRA-1008")
    assert cra(changed, "replay", "--junit", "no/such/place.xml").returncode == 2


def test_a_junit_report_can_be_read_whatever_was_recorded(desk):
    evil = "\x00\x1b[31m\ud800\ufffe]]><&\"'\x08 é😀"
    root = junit(desk, [refused(desk, evil), different(desk, difference(reason=evil), name=evil)],
                 [evil])  # fmt: skip
    text = "".join(root.itertext())

    assert "😀" in text
    assert "]]><&" in text
    assert not set("\x00\x1b\x08") & set(text)
    assert root.attrib == {"tests": "3", "failures": "2", "errors": "1"}


def annotated(capsys: pytest.CaptureFixture[str], reports: Sequence[Report],
                stale: Sequence[str] = ()) -> list[str]:  # fmt: skip
    report_to_ci(reports, stale, junit=None, github=True)
    return capsys.readouterr().err.splitlines()


def test_at_most_ten_annotations_of_a_kind_the_most_severe_first(desk, capsys):
    found = [difference(at) for at in range(1, 25)]
    found += [difference(at, significance="minor") for at in range(1, 14)]
    found += [difference(99, follows=True)]
    damaged = refused(desk, "a broken chain", state="integrity")
    lines = annotated(capsys, [different(desk, *found), damaged], ["goldens/old"])
    errors = [line for line in lines if line.startswith("::error ")]
    warnings = [line for line in lines if line.startswith("::warning ")]

    assert (len(errors), len(warnings), len(lines)) == (10, 10, 20)
    assert errors[0].endswith("::a broken chain")
    assert errors[-1].endswith("(and 16 more: see the log)")
    assert warnings[-1].endswith("(and 3 more: see the log)")
    assert not any("more: see the log" in line for line in (*errors[:-1], *warnings[:-1]))


def test_an_annotation_names_the_file_and_the_line_of_the_golden(desk, capsys, monkeypatch):
    monkeypatch.chdir(desk)
    trace = next(golden_of(desk).glob("*.jsonl")).relative_to(desk)
    [line] = annotated(capsys, [different(desk, difference(4), name="a:b,c")])

    assert line == (
        f"::error file={trace},line=5,title=cra replay%3A a%3Ab%2Cc::ticket.note: "
        "the decision flipped"
    )


def test_no_text_of_a_trace_is_a_command_to_the_runner(desk, capsys):
    evil = "100%\r\n::set-output name=x::y"
    lines = annotated(capsys, [refused(desk, evil), different(desk, difference(reason=evil))])

    assert len(lines) == 2
    assert all(line.startswith("::error ") for line in lines)
    assert "100%25%0D%0A::set-output" in lines[0]


def test_a_summary_stays_below_what_github_shows(desk, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    long = [different(desk, difference(reason="é" * 30_000), name=f"g{at}") for at in range(200)]
    report_to_ci(long, (), junit=None, github=True)

    assert summary.stat().st_size < 900 * 1024
    assert "cut here: the log has all" in summary.read_text()


def test_a_summary_is_a_table_and_each_failure(desk, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    reports = [
        different(desk, *(difference(at) for at in range(25)), name="a|b<c>"),
        different(desk, state="passed", compatibility="identical", name="good"),
        refused(desk, "no\n```\nmanifest"),
    ]
    report_to_ci(reports, ["goldens/`old`"], junit=None, github=True)
    text = summary.read_text()

    assert "### cra replay: 1 passed, 2 failed" in text
    assert "| a\\|b&lt;c> | different | breaking | 25 |" in text
    assert "and 5 more" in text
    assert "goldens/" in text
    assert text.count("```") == 4
    assert text.rstrip().endswith("and commit the goldens.")


def test_github_is_spoken_to_where_it_runs_this_or_where_that_is_wanted(changed, tmp_path):
    summary = tmp_path / "summary.md"
    there = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    assert "::error file=goldens/one/" in cra(changed, "replay", **there).stderr
    assert "### cra replay: 0 passed, 1 failed" in summary.read_text()
    assert "::error" not in cra(changed, "replay", "--no-github", **there).stderr
    assert "::error" not in cra(changed, "replay", CI="true").stderr
    forced = cra(changed, "replay", "--github", "--json", CI="true")
    assert "::error" in forced.stderr
    json.loads(forced.stdout)
