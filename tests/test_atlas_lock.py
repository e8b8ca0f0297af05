"""The lock, what a change would mean, and the snapshot that a project opens to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cra.atlas.lock import LOCK_NAME, compare, pin_of, read_lock, write_lock
from cra.atlas.manifest import atlas_of, load_atlas
from cra.atlas.model import Atlas
from cra.atlas.package import read_package
from cra.atlas.snapshot import open_snapshot, snapshot_of
from cra.config import load
from cra.errors import AtlasError, Fault
from cra.policy.pattern import Pattern

ALLOW = {"policy_id": "allow", "type": "allow", "actions": ["ticket.*"]}


def manifest(name: str = "com.example.support", **members: Any) -> dict[str, Any]:
    return {"atlas_version": "1.0", "atlas_id": name, "version": "1.0.0", **members}


def actions(*names: str, **members: Any) -> list[dict[str, Any]]:
    return [{"action_id": name, **members} for name in names]


def support(files: Mapping[str, bytes] | None = None, **members: Any) -> Atlas:
    return atlas_of(manifest(**members), files or {})


def put(project: Path, source: str, content: Mapping[str, Any]) -> None:
    folder = project / source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "atlas.json").write_text(json.dumps(content))


def configure(project: Path, *sources: Any) -> None:
    (project / "cra.config.json").write_text(json.dumps({"atlases": sources}))


def lock(project: Path, *sources: str) -> None:
    found = [load_atlas(read_package(project / source), source) for source in sources]
    write_lock(
        project, [pin_of(atlas, source) for atlas, source in zip(found, sources, strict=True)]
    )


def opened(project: Path) -> Any:
    return open_snapshot(project, load(project, {}, None, {}))


def refusal(project: Path) -> AtlasError:
    with pytest.raises(AtlasError) as caught:
        opened(project)
    return caught.value


@pytest.fixture
def project(tmp_path: Path) -> Path:
    put(tmp_path, "atlases/a", manifest(actions=actions("ticket.read"), policies=[ALLOW]))
    configure(tmp_path, "atlases/a")
    lock(tmp_path, "atlases/a")
    return tmp_path


# Pins


def test_a_lock_is_read_as_it_was_written_and_sorted(tmp_path):
    pins = [pin_of(support(), "b"), pin_of(atlas_of(manifest("com.a"), {}), "../a.zip")]
    write_lock(tmp_path, pins)
    text = (tmp_path / LOCK_NAME).read_text()

    assert read_lock(tmp_path) == {pin.atlas_id: pin for pin in pins}
    assert list(json.loads(text)["atlases"]) == ["com.a", "com.example.support"]
    write_lock(tmp_path, reversed(pins))
    assert (tmp_path / LOCK_NAME).read_text() == text
    assert os.listdir(tmp_path) == [LOCK_NAME]


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    write_lock(tmp_path, [pin_of(support(), "a")])
    before = (tmp_path / LOCK_NAME).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AtlasError, match="No space left"):
        write_lock(tmp_path, [])
    assert (tmp_path / LOCK_NAME).read_bytes() == before
    assert os.listdir(tmp_path) == [LOCK_NAME]


def test_a_project_without_a_lock_has_no_pins(tmp_path):
    assert read_lock(tmp_path) == {}


DIGEST = "0" * 64
ENTRY: dict[str, Any] = {
    "version": "1.0.0",
    "source": "a",
    "digest": DIGEST,
    "grants": [],
    "files": {},
    "reach": [],
}

BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"digest": "0"}, "digest"),
    ({"digest": "A" * 64}, "digest"),
    ({"version": "1"}, "version"),
    ({"source": ""}, "source"),
    ({"grants": ["Ticket.*"]}, "grants[0]"),
    ({"grants": ["tick*"]}, "grants[0]"),
    ({"grants": "ticket.*"}, "grants"),
    ({"files": {"a": "x"}}, "files.a"),
    ({"more": 1}, "more"),
]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{", "the file"),
        ("[]", "the file"),
        ("{}", "the file"),
        ('{"lock_version": "2"}', "lock_version"),
        ('{"lock_version": "1", "atlas": {}}', "atlas"),
        (json.dumps({"lock_version": "1", "atlases": {"A": ENTRY}}), "atlases.A"),
        *[
            (
                json.dumps({"lock_version": "1", "atlases": {"com.a": ENTRY | members}}),
                f"atlases.com.a.{key}",
            )
            for members, key in BROKEN
        ],
        (
            f'{{"lock_version": "1", "atlases": {{"com.a": {json.dumps(ENTRY)}, "com.a": 1}}}}',
            "atlases.com.a",
        ),
    ],
)
def test_a_lock_with_a_mistake_is_refused(tmp_path, text, key):
    (tmp_path / LOCK_NAME).write_text(text)

    with pytest.raises(AtlasError) as caught:
        read_lock(tmp_path)
    assert f"{key}: expected" in caught.value.message
    assert caught.value.fix is not None


def test_a_lock_that_is_a_link_or_a_pipe_is_refused(tmp_path):
    (tmp_path / LOCK_NAME).symlink_to("/etc/passwd")
    with pytest.raises(AtlasError, match="found a link"):
        read_lock(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    os.mkfifo(tmp_path / LOCK_NAME)
    with pytest.raises(AtlasError, match="expected a file"):
        read_lock(tmp_path)


@pytest.mark.parametrize(
    ("rules", "grants"),
    [
        ([], []),
        ([ALLOW], ["ticket.read", "ticket.write"]),
        ([ALLOW | {"actions": ["ticket.read"]}], ["ticket.read"]),
        ([ALLOW | {"actions": ["user.*"]}], []),
        ([{"policy_id": "all", "type": "allow"}], ["ticket.read", "ticket.write"]),
        ([ALLOW | {"type": "deny"}], []),
    ],
)
def test_the_grants_of_an_atlas_are_its_actions_that_its_allow_rules_name(rules, grants):
    atlas = support(actions=actions("ticket.write", "ticket.read"), policies=rules)

    assert [pattern.text for pattern in pin_of(atlas, "a").grants] == grants


# Changes


def test_an_atlas_that_is_what_its_pin_says_has_no_change():
    atlas = support(actions=actions("ticket.read"), policies=[ALLOW])

    assert not compare(pin_of(atlas, "a"), atlas)


def test_a_change_tells_files_grants_and_reach():
    process = {"type": "process", "command": ["pay"], "environment": {"A": "${secret:KEY}"}}
    http = {"type": "http", "method": "GET", "url": "https://h.example/", "hosts": ["h.example"]}
    before = support(
        {"a.md": b"1", "b.md": b"1"},
        actions=actions("ticket.read", executor=http),
        policies=[ALLOW],
    )
    after = support(
        {"b.md": b"2", "c.md": b"1"},
        version="1.1.0",
        actions=actions("ticket.delete", executor=process),
        policies=[ALLOW],
    )
    change = compare(pin_of(before, "a"), after)

    assert change.version == ("1.0.0", "1.1.0")
    assert (change.files_added, change.files_removed) == (("c.md",), ("a.md",))
    assert change.files_changed == ("atlas.json", "b.md")
    assert (change.grants_wider, change.grants_unused) == (("ticket.delete",), ("ticket.read",))
    assert change.reach_added == ("program pay", "secret KEY")
    assert change.reach_removed == ("host h.example",)


def ticket_delete(**members: Any) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"ticket": {"type": "string"}}}
    process = {"type": "process", "command": ["rm", "{ticket}"]}
    return actions("ticket.delete", **{"parameters_schema": schema, "executor": process, **members})


def test_a_change_tells_rules_that_are_gone_new_or_other_ones():
    keep = {
        "policy_id": "keep",
        "type": "deny",
        "actions": ["ticket.delete"],
        "conditions": {"roles": ["clerk"], "context": {"env": ["live"]}},
    }
    few = {"policy_id": "few", "type": "rate_limit"}
    limit = few | {"parameters": {"max_calls": 2, "window_seconds": 60}}
    wider = few | {"parameters": {"max_calls": 20, "window_seconds": 60}}
    before = support(actions=ticket_delete(), policies=[ALLOW, keep, limit])
    after = support(
        actions=ticket_delete(),
        policies=[wider, ALLOW, {"policy_id": "shy", "type": "deny"}],
    )
    change = compare(pin_of(before, "a"), after)

    assert change.rules_removed == {
        "keep": 'deny ticket.delete for the role clerk, if env is "live"'
    }
    assert change.rules_added == {"shy": "deny everything"}
    assert change.rules_changed == {
        "few": (
            "rate_limit everything to 2 in 60 s per session",
            "rate_limit everything to 20 in 60 s per session",
        )
    }


@pytest.mark.parametrize(
    ("was", "fact", "told"),
    [
        ({"requires_confirmation": True}, "requires_confirmation", ("true", None)),
        ({"risk_tier": "high"}, "risk_tier", ("high", None)),
        (
            {"rate_limit": {"max_calls": 5, "window_seconds": 60}},
            "rate_limit",
            ("5 in 60 s", None),
        ),
        (
            {"executor": {"type": "process", "command": ["rm", "--", "{ticket}"]}},
            "executor.command",
            ('["rm", "--", "{ticket}"]', '["rm", "{ticket}"]'),
        ),
        (
            {
                "executor": {
                    "type": "process",
                    "command": ["rm", "{ticket}"],
                    "environment": {"A": "1"},
                }
            },
            "executor.environment",
            ('{"A": "1"}', None),
        ),
    ],
)
def test_a_change_tells_what_restricts_an_action_and_what_it_does(was, fact, told):
    change = compare(
        pin_of(support(actions=ticket_delete(**was)), "a"), support(actions=ticket_delete())
    )

    assert change.actions_changed == {"ticket.delete": {fact: told}}


def test_a_change_of_a_long_schema_is_told_by_its_digest():
    schema = {"type": "object", "properties": {"ticket": {"type": "string", "enum": ["t" * 600]}}}
    before = pin_of(support(actions=ticket_delete(parameters_schema=schema)), "a")
    change = compare(before, support(actions=ticket_delete()))

    [(old, new)] = change.actions_changed["ticket.delete"].values()
    assert str(old).startswith("sha256 ")
    assert '"ticket"' in str(new)


def test_a_change_tells_new_actions_with_what_they_do_and_those_that_are_gone():
    change = compare(
        pin_of(support(actions=actions("ticket.read")), "a"), support(actions=ticket_delete())
    )

    assert change.actions_removed == ("ticket.read",)
    assert change.actions_added["ticket.delete"]["executor.command"] == '["rm", "{ticket}"]'


def test_a_lock_that_says_nothing_of_rules_has_a_change_that_says_so():
    pin = pin_of(support(policies=[{"policy_id": "shy", "type": "deny"}]), "a")
    change = compare(pin._replace(rules=None, actions=None), support())

    assert change.is_partly_unknown
    assert (change.context_packs_added, change.capabilities_removed) == ({}, ())
    assert (change.rules_removed, change.rules_added) == ({}, {})


@pytest.mark.parametrize(
    ("executor", "reach"),
    [
        ("python:tools:run", {"python tools.py", "python in this process"}),
        (
            {"type": "process", "command": ["make"], "directory": "project"},
            {"program make", "programs in the project's directory"},
        ),
        (
            {
                "type": "http",
                "method": "GET",
                "url": "https://h.example/",
                "hosts": ["h.example", "i.example"],
                "allow_private": True,
                "headers": {"A": "${secret:KEY}"},
            },
            {"host h.example", "host i.example", "private addresses", "secret KEY"},
        ),
        ({"type": "file", "operation": "read", "root": "out", "path": "x"}, {"file read out"}),
        ({"type": "static", "result": 1}, set()),
    ],
)
def test_the_reach_of_an_atlas_names_what_its_executors_touch(executor, reach):
    atlas = support({"tools.py": b"def run(): ..."}, actions=actions("a.b", executor=executor))

    assert set(pin_of(atlas, "a").reach) == reach


# Opening a project


def test_a_project_opens_to_what_its_lock_pins(project):
    (project / "policies").mkdir()
    (project / "policies/own.yaml").write_text(
        "policy_id: own\ntype: deny\nactions: ['*.delete']\n"
    )
    (project / "policies/README.md").write_text("notes")
    snapshot = opened(project)

    assert [atlas.atlas_id for atlas in snapshot.atlases] == ["com.example.support"]
    atlas, action = snapshot.actions["ticket.read"]
    assert (atlas, action.action_id) == (snapshot.atlases[0], "ticket.read")
    assert snapshot.pins["com.example.support"].grants == (Pattern("ticket.read"),)
    assert [str(rule.origin) for rule in snapshot.policies] == ["policies/own.yaml:1:1"]


def test_an_empty_project_opens_to_an_empty_snapshot(tmp_path):
    configure(tmp_path)

    assert opened(tmp_path).atlases == ()


def test_any_other_byte_than_the_pinned_ones_is_refused_with_the_command_that_accepts_it(project):
    (project / "atlases/a/notes.md").write_text("new")
    error = refusal(project)

    assert error.code == Fault.CHANGED
    assert "com.example.support (atlases/a)" in error.message
    assert error.fix == "cra atlas lock shows what changed and accepts it"


def test_an_atlas_in_the_configuration_alone_or_in_the_lock_alone_is_refused(project):
    put(project, "atlases/b", manifest("com.example.b"))
    configure(project, "atlases/a", "atlases/b")
    assert refusal(project).code == Fault.UNLOCKED
    assert "atlases/b is in the configuration alone" in refusal(project).message

    configure(project)
    assert "com.example.support is in the lock alone" in refusal(project).message
    assert refusal(project).fix == "cra atlas lock"


def test_a_lock_whose_entry_says_another_version_is_refused(project):
    text = (project / LOCK_NAME).read_text()
    (project / LOCK_NAME).write_text(text.replace('"1.0.0"', '"1.0.1"'))

    assert "expected com.example.support 1.0.1" in refusal(project).message


def test_an_atlas_that_is_not_there_is_refused(project):
    (project / "atlases/a/atlas.json").unlink()
    (project / "atlases/a").rmdir()

    found = refusal(project)
    assert (found.code, found.message) == (
        Fault.DANGLING,
        "expected the atlas com.example.support at atlases/a, found nothing there",
    )
    assert found.fix == "cra atlas remove com.example.support, or put it there"


def test_an_atlas_that_loads_on_request_is_marked(project):
    configure(project, {"path": "./atlases/a/", "auto_load": False})

    assert opened(project).on_request == {"com.example.support"}


def test_one_action_in_two_atlases_is_refused(project):
    put(project, "atlases/b", manifest("com.example.b", actions=actions("ticket.read")))
    configure(project, "atlases/a", "atlases/b")
    lock(project, "atlases/a", "atlases/b")

    assert refusal(project).code == Fault.DUPLICATE
    assert "found it in com.example.b too" in refusal(project).message or (
        "found it in com.example.support too" in refusal(project).message
    )


def test_one_policy_id_in_a_project_and_its_atlas_is_refused(project):
    (project / "policies").mkdir()
    (project / "policies/a.json").write_text(json.dumps(ALLOW))

    assert refusal(project).code == Fault.DUPLICATE
    found = refusal(project)
    assert (found.where, found.message) == (
        "policies/a.json:1:1",
        "allow: expected each policy_id once in a project, "
        "found it at atlases/a/atlas.json:1:137 of the atlas com.example.support too",
    )
    assert found.fix == "give the project's rule another policy_id"


@pytest.mark.parametrize("name", ["rules.jsonc", "deny.json.bak", "deny.JSON", "sub/deny.json"])
def test_a_file_whose_rules_would_protect_nobody_is_refused(project, name):
    path = project / "policies" / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(ALLOW))

    assert "expected rules in *.json and *.yaml" in refusal(project).message


def test_every_mistake_in_the_projects_rules_is_told(project):
    (project / "policies").mkdir()
    (project / "policies/a.json").write_text("{")
    (project / "policies/b.yaml").write_text("a: *x")

    assert refusal(project).message.startswith("expected policies without mistakes, found 2\n")


def test_policies_that_are_a_link_are_refused(project, tmp_path_factory):
    (project / "policies").symlink_to(tmp_path_factory.mktemp("elsewhere"))

    assert refusal(project).code == Fault.BAD_PACKAGE


def test_the_digest_is_over_atlases_grants_rules_and_what_loads_on_request(project):
    seen = {opened(project).digest}
    pin = read_lock(project)["com.example.support"]

    write_lock(project, [pin._replace(grants=())])
    seen.add(opened(project).digest)
    configure(project, {"path": "atlases/a", "auto_load": False})
    seen.add(opened(project).digest)
    (project / "policies").mkdir()
    (project / "policies/a.json").write_text("[]")
    seen.add(opened(project).digest)
    put(
        project,
        "atlases/a",
        manifest(actions=actions("ticket.read"), policies=[ALLOW], license="x"),
    )
    lock(project, "atlases/a")
    seen.add(opened(project).digest)

    assert len(seen) == 5


def test_where_an_atlas_lies_does_not_change_the_digest(project):
    before = opened(project).digest
    (project / "atlases/a").rename(project / "moved")
    configure(project, "moved")
    lock(project, "moved")

    assert opened(project).digest == before


def test_atlases_without_a_project_are_accepted_as_they_are():
    atlas = support(actions=actions("ticket.read"), policies=[ALLOW])
    snapshot = snapshot_of([atlas])

    assert snapshot.actions["ticket.read"][0] == atlas
    assert snapshot.pins[atlas.atlas_id].grants == (Pattern("ticket.read"),)
    with pytest.raises(AtlasError, match="expected each atlas once"):
        snapshot_of([atlas, atlas])
