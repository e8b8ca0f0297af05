"""The dialogue that grants or denies a call: what is typed, what it comes to, what is recorded."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.ledger.index import session_files
from cra.ledger.keys import create_key, load_key
from cra.ledger.source import Source
from cra.runtime.project import Project
from cra.runtime.result import ExecutionResult
from cra.runtime.waiting import FoundApproval, approvals_in
from cra.tui.app import TraceApp
from tests.governed import ALLOW, GOAL, configure, rule, write_project, write_rules
from tests.program import at_terminal
from tests.viewer import SMALL, WIDE, press, seen, setting_of, settled, until, viewed

NARROW = (50, 20)


def asking(**more: Any) -> dict[str, Any]:
    return rule("closing-needs-a-person", "require_approval", "ticket.close", **more)


@pytest.fixture
def place(tmp_path):
    return write_project(tmp_path / "project", ALLOW, asking())


@pytest.fixture
def key(tmp_path):
    """The file of an approver's key."""
    create_key(tmp_path / "approver.pem")
    return tmp_path / "approver.pem"


@pytest.fixture
def guarded(tmp_path, key):
    """A project where that key alone counts."""
    listed = asking(parameters={"approvers": [str(load_key(key).key)]})
    return write_project(tmp_path / "guarded", ALLOW, listed)


def governing(place: Path, key: Path | None = None) -> TraceApp:
    @contextmanager
    def project():
        with Project.open(place) as found:
            yield found

    setting = setting_of(place / "cra.trace", project=project, root=place)
    named = {} if key is None else {"CRA_APPROVER_KEY_FILE": str(key)}
    return TraceApp(setting._replace(environ={**setting.environ, **named}))


def close(place: Path, session_id: str | None = None) -> ExecutionResult:
    """Have an agent close a ticket, in a session of its own or once more in another."""
    with Project.open(place) as project:
        session = project.session(session_id=session_id)
        if session_id is None:
            session.resolve(GOAL)
        return session.execute("ticket.close", {"file": str(place / "closed")})


def waiting(place: Path) -> FoundApproval:
    """The one approval of a project, as its ledger has it."""
    [found] = approvals_in(session_files(place / "cra.trace"), Source().now())
    return found


def state_of(place: Path) -> tuple[str, int]:
    """How the approval stands, and how many decisions are recorded."""
    found = waiting(place)
    return found.standing, len(found.approval.decisions)


def payload_of(place: Path) -> dict[str, Any]:
    """The one decision that is recorded."""
    [given] = waiting(place).approval.decisions
    return dict(given.payload)


def after(app: TraceApp, *keys: str, size: tuple[int, int] = WIDE) -> str:
    """What is seen once the approvals are, and then some keys were pressed."""

    async def script(pilot):
        await press(pilot, "A")
        return words_in(await press(pilot, *keys))

    return viewed(app, script, size)


def words_in(shown: str) -> str:
    """What is seen, as one line: where a line breaks depends on the room."""
    return " ".join(shown.split())


def inside(shown: str) -> str:
    """What is seen in the dialogue on a small screen; what is below it shows on both sides."""
    return words_in("\n".join(row[8:72] for row in shown.split("\n")))


def typed(text: str) -> list[str]:
    names = {" ": "space", "*": "asterisk", ":": "colon", "-": "minus"}
    return [names.get(char, char) for char in text]


LATER = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


# How far it goes.


def test_what_is_typed_is_told_in_words(place):
    close(place)
    told = {
        "once": ("once, until ", "Z (1 h from now)"),
        "12 times": ("12 times, until ", "Z (1 h from now)"),
        "45m": ("any number of times, until ", "Z (45 min from now)"),
        "3 45m": ("3 times, until ", "Z (45 min from now)"),
        "once 2h": ("once, until ", "Z (2 h from now)"),
        "session 45m": ("any number of times, until ", "Z (45 min from now)"),
        "3 45m*": ("3 times, until ", "Z, with any arguments (45 min from now)"),
        "*": ("once, until ", "Z, with any arguments (1 h from now)"),
        LATER: (f"any number of times, until {LATER} (", " h"),
    }

    async def script(pilot):
        await press(pilot, "A", "g")
        return [inside(await press(pilot, "ctrl+u", *typed(text))) for text in told]

    for shown, (begin, end) in zip(
        viewed(governing(place), script, SMALL), told.values(), strict=True
    ):
        assert begin in shown
        assert end in shown.partition(begin)[2]
    assert state_of(place) == ("pending", 0)


@pytest.mark.parametrize(
    ("text", "words", "uses", "seconds"),
    [
        ("", "once, until ", 1, 3600),
        ("3 45m", "3 times, until ", 3, 2700),
        ("session 9d", "any number of times, until ", None, 3600),
    ],
)
def test_a_grant_goes_as_far_as_is_typed(place, text, words, uses, seconds):
    close(place)

    done = after(governing(place), "g", *typed(text), "enter")

    given = payload_of(place)
    ends = datetime.fromisoformat(given["expires_at"]) - datetime.now(UTC)
    assert f"0 calls wait ticket.close granted {words}" in done
    assert given["expires_at"][11:19] in done
    assert (given["uses"], given["any_arguments"]) == (uses, False)
    assert seconds - 60 < ends.total_seconds() <= seconds
    # A person sat there, and no program decided by itself.
    assert given["approver"] == {"how": "terminal", "name": "kim"}


@pytest.mark.parametrize(("text", "uses"), [("*", 1), ("* 45m", None)])
def test_a_star_is_for_any_arguments(place, text, uses):
    close(place)

    done = after(governing(place), "g", *typed(text), "enter")

    given = payload_of(place)
    assert ", with any arguments" in done
    assert (given["uses"], given["any_arguments"]) == (uses, True)


def test_a_mistake_is_said_where_it_is_typed_and_decides_nothing(place):
    close(place)
    said = {
        "soon": "expected once, 3 times, 45m, 17:30, 3 45m or session, found 'soon'",
        " ": "3 45m or session, found nothing",
        "3 5": "found '5'",
        "45m 3": "found '45m 3'",
        "session 3": "found '3'",
        "³": "found '³'",
        "0": "expected a grant for 1 to 1000000 calls, found 0",
        "9999999999": "found '9999999999'",
        "3 2020-01-01": "expected a time to come, found 2020-01-01",
        "00:00:00Z": "for tomorrow: ",
        "999999999d": "expected a time before the year 10000",
        "[/b]": "found '[/b]'",
    }

    async def script(pilot):
        await press(pilot, "A", "g", "tab", *"fine", "shift+tab")
        shown = [await press(pilot, *typed(text), "tab", "enter") for text in said]
        # Each enter has brought the focus back to the line, and what is typed replaces it.
        return shown, await press(pilot, *"2h", "enter")

    mistakes, done = viewed(governing(place), script, SMALL)

    for shown, expected in zip(mistakes, said.values(), strict=True):
        assert expected in inside(shown)
    assert "granted any number of times" in done
    assert state_of(place) == ("granted", 1)
    assert payload_of(place)["reason"] == "fine"


def test_a_critical_action_is_granted_with_its_arguments_alone(place):
    atlas = place / "atlases" / "desk"
    manifest = json.loads((atlas / "atlas.json").read_text())
    for action in manifest["actions"]:
        action["risk_tier"] = "critical"
    (atlas / "atlas.json").write_text(json.dumps(manifest))
    write_lock(place, [pin_of(load_atlas(read_package(atlas), "desk"), "atlases/desk")])
    close(place)

    async def script(pilot):
        await press(pilot, "A", "g")
        return inside(await press(pilot, *typed("once *"), "enter"))

    shown = viewed(governing(place), script, SMALL)

    assert "expected the same arguments for an action of risk tier critical" in shown
    assert "whatever its arguments" not in shown
    assert state_of(place) == ("pending", 0)


def test_arrows_choose_and_what_is_chosen_can_be_typed_on(place):
    close(place)

    async def script(pilot):
        await press(pilot, "A", "g")
        second = await press(pilot, "down")
        last = await press(pilot, *["down"] * 9)
        await press(pilot, *["up"] * 9)
        first = await press(pilot, *typed(" 2h"))
        return second, last, await press(pilot, "enter"), first

    second, last, done, first = viewed(governing(place), script)

    assert "3 times, until" in second
    assert "once, until" in last
    assert "with any arguments" in last
    assert "once 2h" in first
    assert "granted once, until" in done


def test_the_mouse_chooses_and_a_second_click_decides(place):
    close(place)

    async def script(pilot):
        await press(pilot, "A", "g")
        await pilot.click("ChoiceList", offset=(4, 4))
        chosen = await settled(pilot)
        typed_on = await press(pilot, "asterisk")
        await pilot.click("ChoiceList", offset=(4, 1), times=2)
        return chosen, typed_on, await settled(pilot)

    chosen, typed_on, done = viewed(governing(place), script)

    assert "(2 h from now)" in chosen
    assert "2h*" in typed_on
    assert "granted 3 times, until" in done


@pytest.mark.parametrize("size", [SMALL, NARROW])
def test_the_dialogue_fits(place, size):
    close(place)

    async def script(pilot):
        await press(pilot, "A")
        return await press(pilot, "g", *typed("soon"))

    shown = viewed(governing(place), script, size)

    # Nothing is cut, at the sides or below.
    for words in (
        "Let ticket.close be done",
        "(type, or choose with ↑ ↓):",
        "'soon'",
        "any number of times within 30 minutes",
        "any number of times in the session",
        "one call, whatever its arguments",
        "Why (kept in the session):",
        "enter decides, tab goes on, escape leaves",
    ):
        assert words in shown


# Keys of approvers.


def test_a_signed_grant_lets_the_call_through(guarded, key):
    close(guarded)

    done = after(governing(guarded, key), "g", *typed("3 45m"), "enter")

    given = payload_of(guarded)
    assert "granted 3 times, until" in done
    assert given["approver"] == {"how": "key", "key": str(load_key(key).key), "name": "kim"}
    assert given["signature"]
    assert close(guarded, waiting(guarded).session_id).status == "success"
    assert (guarded / "closed").read_text() == "done\n"


def test_a_signed_denial_counts(guarded, key):
    close(guarded)

    done = after(governing(guarded, key), "d", *"no", "enter")

    assert "ticket.close denied" in done
    assert payload_of(guarded)["approver"]["how"] == "key"
    assert close(guarded, waiting(guarded).session_id).status == "denied"


@pytest.mark.parametrize(("pressed", "verb"), [("g", "grant"), ("d", "deny")])
def test_where_a_key_is_needed_and_none_is_named_it_says_what_to_do(guarded, pressed, verb):
    approval_id = close(guarded).approval_id

    shown = after(governing(guarded), pressed)

    assert "nothing was decided: " in shown
    assert "begin with CRA_APPROVER_KEY_FILE=FILE" in shown
    assert f"cra approvals {verb} {approval_id} --key FILE" in shown
    assert "Why (kept" not in shown
    assert state_of(guarded) == ("pending", 0)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("missing", "key.pem: expected a private key, found No such file or directory"),
        ("directory", "key.pem: expected a private key, found Is a directory"),
        ("no key", "key.pem: expected an Ed25519 key in PEM"),
        ("open", "found mode 644; chmod 600"),
        ("stranger", "expected the key of a listed approver, found cra"),
    ],
)
def test_a_key_that_cannot_sign_decides_nothing(guarded, tmp_path, spoilt, said):
    close(guarded)
    file = tmp_path / "key.pem"
    if spoilt == "directory":
        file.mkdir(mode=0o700)
    elif spoilt != "missing":
        create_key(file)
    if spoilt == "no key":
        file.write_bytes(b"no key")
    if spoilt == "open":
        file.chmod(0o644)

    shown = after(governing(guarded, file), "g", "enter")

    assert "nothing was decided: " in shown
    assert said in shown
    assert "1 call waits" in shown
    assert state_of(guarded) == ("pending", 0)


def test_where_nobody_is_listed_a_key_is_not_needed_and_not_read(place, tmp_path):
    close(place)

    after(governing(place, tmp_path / "missing.pem"), "g", "enter")

    assert payload_of(place)["approver"] == {"how": "terminal", "name": "kim"}


# What happens while the dialogue is open.


@pytest.mark.parametrize(
    ("verb", "standing", "done"),
    [("grant", "granted", "granted it"), ("deny", "denied", "denied it")],
)
def test_the_first_decision_wins_and_the_other_person_is_told_whose_it_is(
    place, verb, standing, done
):
    approval_id = close(place).approval_id

    async def script(pilot):
        await press(pilot, "A", "g", *typed("3"))
        code, screen = at_terminal(place, "approvals", verb, "last", typed="y\n")
        assert code == 0, screen
        await until(pilot, "0 calls wait")
        # The dialogue is still there, and ends as it always does.
        assert "Why (kept" in seen(pilot)
        shown = await press(pilot, "enter")
        return words_in(shown), await press(pilot, "q")

    shown, left = viewed(governing(place), script)

    who = payload_of(place)["approver"]["name"]
    assert "nothing was decided: " in shown
    assert f"found that {approval_id} is {standing}: {who} {done}" in shown
    assert "no call waits for an approval" in shown
    assert "by begun" in left
    assert state_of(place) == (standing, 1)


def test_an_approval_that_expires_meanwhile_is_not_granted(place):
    configure(place, policies={"approval_ttl_seconds": 3})
    approval_id = close(place).approval_id

    async def script(pilot):
        opened = await press(pilot, "A", "g")
        while waiting(place).standing == "pending":
            time.sleep(0.1)
        return opened, words_in(await press(pilot, "enter"))

    opened, shown = viewed(governing(place), script)

    assert "once, until" in opened
    assert f"found that {approval_id} is expired" in shown
    assert "no call waits for an approval" in shown
    assert state_of(place) == ("expired", 0)


# What changed since a call was asked for.


def test_a_stale_approval_is_shown_as_such_and_nobody_is_asked(place):
    close(place)
    write_rules(place, ALLOW, asking(reason="closed tickets are read by many"))

    shown = after(governing(place))
    refused = after(governing(place), "g")

    assert "0 calls wait" in shown
    assert "· ticket.close stale" in shown
    assert "have changed since, so that a grant would not" in shown
    assert "nothing was decided: the atlases, policies or settings have changed" in refused
    assert "Let ticket.close be done" not in refused
    assert state_of(place) == ("pending", 0)


def test_a_stale_approval_can_be_denied_for_as_long_as_the_call_may_be_made_again(place):
    close(place)
    write_rules(place, ALLOW, asking(reason="closed tickets are read by many"))
    after(governing(place), "d", "enter")

    assert state_of(place) == ("denied", 1)


# What cannot be known.


def test_a_ledger_that_cannot_be_read_is_told_and_looked_at_again(place, monkeypatch):
    close(place)
    is_closed = True

    def listed(directory):
        if is_closed:
            raise PermissionError(13, "Permission denied", str(directory))
        return session_files(directory)

    monkeypatch.setattr("cra.tui.deciding.session_files", listed)

    async def script(pilot):
        nonlocal is_closed
        closed = words_in(await press(pilot, "A"))
        is_closed = False
        opened = await until(pilot, "1 call waits")
        is_closed = True
        return closed, opened, await until(pilot, "Permission denied")

    closed, opened, again = viewed(governing(place), script)

    assert "Permission denied" in closed
    assert "cra.trace" in closed
    assert "what waits is not known" in closed
    assert "0 calls wait" not in closed
    assert "ticket.close" in opened
    assert "call waits" not in again


@pytest.mark.parametrize("size", [WIDE, SMALL])
def test_what_waits_is_not_known_until_a_rule_that_is_broken_is_mended(place, size):
    close(place)
    broken = place / "policies" / "and-one-that-has-a-long-name.json"
    broken.write_text("[{")

    async def script(pilot):
        unknown = words_in(await press(pilot, "A"))
        pressed = words_in(await press(pilot, "d"))
        broken.unlink()
        return unknown, pressed, await until(pilot, "1 call waits")

    unknown, pressed, mended = viewed(governing(place), script, size)

    assert "expected JSON" in unknown
    assert f"where: policies/{broken.name}" in unknown
    assert "fix: mend it; cra policy check says whether all is read then" in unknown
    assert "what waits is not known" in unknown
    assert "0 calls wait" not in unknown
    assert "Why (kept" not in pressed
    assert "ticket.close" in mended


def test_a_call_is_shown_as_stale_as_soon_as_a_rule_is_another(place):
    close(place)

    async def script(pilot):
        await press(pilot, "A")
        await until(pilot, "1 call waits")
        write_rules(place, ALLOW, asking(reason="closed tickets are read by many"))
        return await until(pilot, "0 calls wait")

    assert "stale" in viewed(governing(place), script)
