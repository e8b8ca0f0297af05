"""An action whose secret is not to be had: refused before anybody is asked, and told by doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from tests.governed import configure, rule, write_rules
from tests.program import answer, at_terminal, cra

MANIFEST = {
    "atlas_version": "1.0",
    "atlas_id": "com.example.weather",
    "version": "1.0.0",
    "name": "Weather",
    "description": "Alerts of a weather service",
    "actions": [
        {
            "action_id": "weather.alert",
            "name": "Create an alert",
            "description": "create an alert for a place",
            "executor": {
                "type": "process",
                "command": ["true"],
                "environment": {"KEY": "${secret:W_HDR}"},
            },
        }
    ],
}
ALLOW = rule("all", "allow", "weather.*")
ASK = rule("ask", "require_approval", "weather.*")
NOT_LISTED = "expected a secret that the configuration lists, found W_HDR"
NOT_SET = "expected a value of the secret W_HDR in the environment, found none"
LIST_IT = 'add "W_HDR" to secrets in cra.config.json'
SET_IT = "set W_HDR in the environment that cra runs in"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    atlas = place / "weather"
    atlas.mkdir(parents=True)
    (place / "cra.config.json").write_text(json.dumps({"atlases": ["weather"]}))
    (atlas / "atlas.json").write_text(json.dumps(MANIFEST))
    write_lock(place, [pin_of(load_atlas(read_package(atlas), "weather"), "weather")])
    write_rules(place, ALLOW, ASK)
    return place


def resolve(place: Path) -> None:
    answer(place, "resolve", "--goal", "create an alert")


def recorded(place: Path) -> list[dict[str, Any]]:
    """The events of calls and of approvals."""
    found = json.loads(answer(place, "trace", "show", "last", "--json"))["events"]
    return [event for event in found if event["event_type"].startswith(("action.", "approval."))]


@pytest.mark.parametrize(
    ("listed", "environ", "found", "fix"),
    [
        ([], {"W_HDR": "x"}, NOT_LISTED, LIST_IT),
        (["W_HDR"], {}, NOT_SET, SET_IT),
        (["W_HDR"], {"W_HDR": ""}, NOT_SET.replace("none", "an empty one"), SET_IT),
    ],
)
def test_nobody_is_asked_for_a_call_that_would_lack_a_secret(place, listed, environ, found, fix):
    configure(place, secrets=listed)
    resolve(place)
    code, screen = at_terminal(place, "execute", "weather.alert", typed="y\n", **environ)

    assert code == 1, screen
    shown = " ".join(screen.split())
    assert "[y/N]" not in shown
    assert f"DENIED: {found} (default:not-executable)" in shown
    assert f"fix: {fix}" in shown
    [denied] = recorded(place)
    assert (denied["event_type"], denied["payload"]["policy_id"]) == (
        "action.denied", "default:not-executable")  # fmt: skip


def test_a_grant_is_not_used_up_by_a_call_that_would_lack_a_secret(place):
    configure(place, secrets=["W_HDR"])
    resolve(place)
    pending = cra(place, "execute", "weather.alert", W_HDR="x")
    assert pending.returncode == 4, pending.stderr
    at_terminal(place, "approvals", "grant", "last", typed="y\n")

    denied = cra(place, "execute", "--approval", "last")
    assert (denied.returncode, NOT_SET in denied.stdout) == (1, True), denied.stdout
    shown = answer(place, "approvals", "show", recorded(place)[0]["payload"]["approval_id"])
    assert "1 of 1 uses left" in shown
    done = cra(place, "execute", "--approval", "last", W_HDR="x")
    assert done.returncode == 0, done.stderr


def test_a_call_that_would_lack_a_secret_leaves_no_intent(place):
    write_rules(place, ALLOW)
    resolve(place)

    assert cra(place, "execute", "weather.alert").returncode == 1
    assert [event["event_type"] for event in recorded(place)] == ["action.denied"]


def test_what_policy_denies_is_denied_by_its_rule_whatever_it_lacks(place):
    resolve(place)
    write_rules(place, rule("never", "deny", "weather.*"))

    assert "(never)" in cra(place, "execute", "weather.alert").stdout


def test_what_a_denied_call_lacked_is_told_with_what_mends_it(place):
    resolve(place)
    cra(place, "execute", "weather.alert")

    told = " ".join(answer(place, "explain", "--session", "last").split())
    assert NOT_LISTED in told
    assert LIST_IT in told


@pytest.mark.parametrize(
    ("listed", "environ", "state", "said", "fix"),
    [
        ([], {}, "WARN", NOT_LISTED, LIST_IT),
        (["W_HDR"], {}, "WARN", NOT_SET, SET_IT),
        (["W_HDR"], {"W_HDR": "hunter2"}, "OK", "1 secret that actions name", None),
    ],
)
def test_doctor_names_the_action_and_the_secret_that_it_lacks(
    place, listed, environ, state, said, fix
):
    configure(place, secrets=listed)
    told = cra(place, "doctor", "--json", **environ)
    [check] = [one for one in json.loads(told.stdout)["checks"] if one["name"] == "secrets"]

    assert (check["state"], check["fix"]) == (state, fix)
    assert said in check["message"]
    assert state == "OK" or "weather.alert cannot be carried out" in check["message"]
    assert "hunter2" not in told.stdout + told.stderr
