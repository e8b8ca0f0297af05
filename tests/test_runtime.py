"""The runtime: what a session lets through, what it records, and what confers nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.errors import (
    ApprovalPending,
    ArgumentsRefused,
    AtlasError,
    ConfigError,
    Denied,
    ExecutionFailed,
    ExitCode,
    NotFound,
    OutcomeLost,
    SessionEnded,
    UnknownAction,
    UsageError,
    WriteFailed,
)
from cra.ledger import files, source
from cra.ledger.fold import Totals
from cra.ledger.retention import prune, redact
from cra.ledger.verify import Trust, verify_ledger
from cra.runtime.govern import govern
from cra.runtime.project import Project
from tests.governed import (
    ALLOW,
    DESK,
    GOAL,
    MANIFEST,
    begun,
    configure,
    events,
    limit,
    payload_of,
    rule,
    types_since,
    write_project,
    write_rules,
)
from tests.policies import KEY
from tests.program import answer

BOTH = ["action.approved", "action.executed"]


@pytest.fixture
def desk() -> Iterator[Project]:
    with Project.temporary([DESK], [ALLOW]) as project:
        yield project


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """Where the desk's actions leave a line for each time that they run."""
    return tmp_path / "witness"


def runs(witness: Path) -> int:
    return len(witness.read_text().splitlines()) if witness.exists() else 0


def note(witness: Path, text: str = "done") -> dict[str, str]:
    return {"file": str(witness), "text": text}


def in_another_process(place: Path, program: str) -> str:
    """Run a program in the project's directory, with `session` begun there. Returns its stdout."""
    opening = (
        "from cra.runtime.project import Project\n"
        "from tests.governed import GOAL\n"
        "project = Project.open('.')\n"
        "session = project.session()\n"
        "print(session.id, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", opening + program],
        cwd=place,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(place)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


# Projects of their own


def test_a_temporary_project_leaves_nothing_behind(desk):
    begun(desk)
    assert desk.root.is_dir()

    desk.close()
    desk.close()

    assert not desk.root.exists()


def test_a_project_and_a_session_say_which_they_are(desk):
    session = desk.session("reviewer")

    assert repr(desk) == f"<Project {desk.root}>"
    assert repr(session) == f"<GovernedSession {session.id} of reviewer>"


def test_a_temporary_project_goes_with_its_program():
    program = (
        "from cra.runtime.project import Project\n"
        "project = Project.temporary()\n"
        "project.session()\n"
        "print(project.root)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
    assert not Path(done.stdout.strip()).exists()


def test_a_temporary_project_outlives_a_forked_child():
    program = (
        "import os, sys\n"
        "from cra.runtime.project import Project\n"
        "project = Project.temporary()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "project.session()\n"
        "print(project.root.is_dir())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "True\n"


FORKED = """
import importlib, os, sys, signal, threading
from cra import Project, govern
from tests.governed import begun

call, session_id, module, function, needed = sys.argv[1:]
project = Project.open(".")
limited = begun(project) if call == "limited" else None
calls = {
    "host session": lambda: project.host_session().id,
    "session": lambda: project.session().id,
    "session again": lambda: project.session(session_id=session_id).id,
    "declaring": lambda: govern(lambda: 1, project=project, name="host.one")(),
    "governed": govern(lambda: 1, name="host.two"),
    "limited": lambda: limited.execute("ticket.note", {"file": "witness"}).status,
}
place = importlib.import_module(module)
real = getattr(place, function)
busy, held = threading.Event(), threading.Event()

def slow(*arguments):
    if needed in str(arguments):
        busy.set()
        held.wait()
    return real(*arguments)

setattr(place, function, slow)
other = threading.Thread(target=calls[call], daemon=True)
other.start()
busy.wait()
if not (child := os.fork()):
    signal.alarm(20)
    setattr(place, function, real)
    print(calls[call](), flush=True)
    project.close()
    os._exit(0)
held.set()
print(os.waitpid(child, 0)[1], flush=True)
other.join()
project.close()
"""


def forked(
    place: Path, call: str, session_id: str, module: str, function: str, needed: str = ""
) -> list[str]:
    """What a child says that calls the same as a thread of its parent, which is in the middle of a
    function when the child is forked; and how the child ended."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, call, session_id, module, function, needed],
        cwd=place,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(place)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("call", "module", "function"),
    [
        ("host session", "cra.ledger.opening", "ledger_of"),
        ("session", "cra.ledger.opening", "ledger_of"),
        ("session again", "cra.ledger.opening", "ledger_of"),
        ("declaring", "cra.runtime.host", "with_host"),
        ("governed", "cra.runtime.project", "open_snapshot"),
    ],
)
def test_a_fork_while_another_thread_opens_something_leaves_a_child_that_goes_on(
    tmp_path, call, module, function
):
    write_project(tmp_path, ALLOW, rule("host-allows", "allow", "host.*"))
    with Project.open(tmp_path) as project:
        session = project.session()

    assert forked(tmp_path, call, session.id, module, function)[1:] == ["0"]


def test_a_fork_while_another_thread_counts_leaves_a_child_that_counts_all(tmp_path):
    write_project(tmp_path, ALLOW, limit("few", "project", 1))
    with Project.open(tmp_path) as project:
        first = begun(project)
        first.execute("ticket.note", note(tmp_path / "witness"))

    said = forked(tmp_path, "limited", first.id, "orjson", "loads", "limit.reserved")

    assert said == ["denied", "0"]


def test_a_temporary_project_touches_nothing_of_the_user():
    with Project.temporary([DESK], [ALLOW]) as project:
        begun(project)

    assert list(Path.home().rglob("*")) == []


def test_a_temporary_project_accepts_what_an_atlas_grants():
    own = rule("own", "allow", "ticket.read")
    with Project.temporary([({**MANIFEST, "policies": [own]}, DESK[1])]) as project:
        assert begun(project).execute("ticket.read", {"id": 1}).policy_id == "own"


def test_a_temporary_project_names_the_mistakes_of_what_it_is_given():
    with pytest.raises(AtlasError, match="policy_id"):
        Project.temporary(policies=[{"type": "deny"}])
    with pytest.raises(AtlasError, match="atlas_id"):
        Project.temporary([{"name": "nothing else"}])
    with pytest.raises(ConfigError, match="rolls"):
        Project.temporary(config={"agents": {"bot": {"rolls": ["admin"]}}})


def test_agents_have_the_roles_that_a_temporary_project_gives_them():
    admins = rule("admins", "allow", conditions={"roles": ["admin"]})
    with Project.temporary(
        [DESK], [admins], config={"agents": {"boss": {"roles": ["admin"]}}}
    ) as project:
        assert begun(project, agent="boss").execute("ticket.read", {"id": 1}).status == "success"
        assert begun(project, agent="bot").execute("ticket.read", {"id": 1}).status == "denied"


# What happens is recorded, and what is recorded happened


def test_an_allowed_action_runs_between_two_events_of_one_span(desk):
    session = begun(desk)
    size = session.size

    done = session.execute("ticket.read", {"id": 7})

    assert done.result == {"id": 7, "title": "The printer is on fire"}
    assert types_since(session, size) == BOTH
    intent, outcome = events(session)[-2:]
    [resolved] = events(session, "carp.resolution.completed")
    assert intent.header["span_id"] == outcome.header["span_id"] == done.execution_id
    assert intent.header["parent_span_id"] == resolved.header["span_id"]
    assert payload_of(intent)["decision"]["policy_id"] == done.policy_id == "desk-allows"
    assert payload_of(intent)["arguments"] == {"id": 7}
    assert payload_of(outcome)["result"] == done.result


def test_a_denial_names_its_rule_and_nothing_runs(witness):
    never = rule("never-note", "deny", "ticket.note", reason="notes are for people")
    with Project.temporary([DESK], [ALLOW, never]) as project:
        session = begun(project)
        size = session.size

        denied = session.execute("ticket.note", note(witness))

        assert (denied.status, denied.policy_id) == ("denied", "never-note")
        with pytest.raises(Denied, match=r"notes are for people \(never-note\)"):
            _ = denied.result
        assert types_since(session, size) == ["action.denied"]
        assert payload_of(events(session)[-1])["policy_id"] == "never-note"
    assert runs(witness) == 0


def test_without_a_rule_everything_is_denied(witness):
    with Project.temporary([DESK]) as project:
        session = project.session()

        assert session.resolve(GOAL).decision == "deny"
        denied = session.execute("ticket.note", note(witness))

    assert denied.status == "denied"
    assert denied.policy_id.startswith("default:")
    assert runs(witness) == 0


def test_an_argument_decides_at_the_call_what_was_open_at_resolve(witness):
    secret = {"properties": {"text": {"const": "secret"}}, "required": ["text"]}
    no_secrets = rule("no-secrets", "deny", "ticket.note", conditions={"parameters": secret})
    with Project.temporary([DESK], [ALLOW, no_secrets]) as project:
        session = project.session()

        assert "ticket.note" in session.resolve(GOAL).allowed
        assert session.execute("ticket.note", note(witness, "fine")).status == "success"
        assert session.execute("ticket.note", note(witness, "secret")).policy_id == "no-secrets"
    assert runs(witness) == 1


def test_what_needs_an_approval_waits_for_it(witness):
    with Project.temporary([DESK], [ALLOW, rule("ask", "require_approval")]) as project:
        session = begun(project)

        pending = session.execute("ticket.note", note(witness))
        again = session.execute("ticket.note", note(witness))

        assert (pending.status, pending.policy_id) == ("pending_approval", "ask")
        assert again.approval_id == pending.approval_id
        assert len(events(session, "approval.requested")) == 1
        with pytest.raises(ApprovalPending):
            _ = pending.result
    assert runs(witness) == 0


def test_arguments_stay_recorded_as_they_were_given(desk):
    session = begun(desk)
    items = [3, 1, 2]

    done = session.execute("ticket.sort", {"items": items})
    items.append(4)
    done.result.append(5)

    intent, outcome = events(session)[-2:]
    assert payload_of(intent)["arguments"] == {"items": [3, 1, 2]}
    assert payload_of(outcome)["result"] == [1, 2, 3, "more"]
    assert items == [3, 1, 2, 4]


@pytest.mark.parametrize(
    ("action_id", "arguments", "error"),
    [
        ("ticket.raed", {"id": 1}, UnknownAction),
        ("ticket.read", {"id": "one"}, ArgumentsRefused),
        ("ticket.read", {}, ArgumentsRefused),
        ("ticket.read", {"id": 1, "more": 2}, ArgumentsRefused),
        ("ticket.read", {"id": 2**60}, ArgumentsRefused),
        ("ticket.read", {"id": object()}, ArgumentsRefused),
    ],
)
def test_a_call_that_is_none_is_recorded_as_denied(desk, action_id, arguments, error):
    session = begun(desk)
    size = session.size

    with pytest.raises(error):
        session.execute(action_id, arguments)

    assert types_since(session, size) == ["action.denied"]
    assert payload_of(events(session)[-1])["action_id"] == action_id


def test_an_action_that_fails_is_an_error_with_its_reason(desk):
    session = begun(desk)

    failed = session.execute("ticket.fail", {"why": "no paper"})

    assert failed.status == "error"
    with pytest.raises(ExecutionFailed, match="no paper"):
        _ = failed.result
    assert payload_of(events(session, "action.failed")[0])["error"] == failed.error


def test_a_literal_says_that_it_is_simulated(desk):
    session = begun(desk)

    done = session.execute("ticket.pretend")

    assert (done.result, done.simulated) == ({"pretended": True}, True)
    assert payload_of(events(session, "action.executed")[0])["simulated"] is True


def test_a_dry_run_runs_and_consumes_nothing(witness):
    with Project.temporary([DESK], [ALLOW, limit("once", "session", 1)]) as project:
        session = begun(project)

        for _ in range(3):
            tried = session.simulate("ticket.note", note(witness))
            assert (tried.status, tried.simulated) == ("success", True)
        assert runs(witness) == 0
        assert session.execute("ticket.note", note(witness), idempotency_key="key").status == (
            "success"
        )
        tried = session.simulate("ticket.note", note(witness))

        assert (tried.status, tried.policy_id) == ("denied", "once")
        simulated = [payload_of(one).get("simulated", False) for one in events(session)[-6:]]
        assert simulated == [True, True, True, False, False, True]
    assert runs(witness) == 1


# What confers nothing


def test_a_resolution_of_another_session_confers_nothing(desk):
    foreign = desk.session().resolve(GOAL)

    denied = desk.session().execute("ticket.read", {"id": 1}, resolution_id=foreign.resolution_id)

    assert denied.policy_id == "default:no-resolution"


def test_a_resolution_that_expired_confers_nothing(tmp_path):
    write_project(tmp_path, ALLOW)
    environ = {"HOME": str(tmp_path), "CRA_POLICIES_RESOLUTION_TTL_SECONDS": "0"}
    with Project.open(tmp_path, environ=environ) as project:
        session = begun(project)

        denied = session.execute("ticket.read", {"id": 1})

    assert denied.policy_id == "default:no-resolution"
    assert "expired" in denied.reason


def test_a_resolution_from_before_the_rules_changed_confers_nothing(tmp_path):
    write_project(tmp_path, ALLOW)
    with Project.open(tmp_path) as project:
        old = begun(project)
        assert old.execute("ticket.read", {"id": 1}).status == "success"
    write_rules(tmp_path, {**ALLOW, "reason": "in other words"})

    with Project.open(tmp_path) as project:
        session = project.session(session_id=old.id)
        denied = session.execute("ticket.read", {"id": 1})
        session.resolve(GOAL)

        assert denied.policy_id == "default:no-resolution"
        assert "changed" in denied.reason
        assert session.execute("ticket.read", {"id": 1}).status == "success"


def test_a_resolution_holds_in_another_process_too(tmp_path):
    write_project(tmp_path, ALLOW)
    session_id = in_another_process(tmp_path, "session.resolve(GOAL)").strip()

    with Project.open(tmp_path) as project:
        done = project.session(session_id=session_id).execute("ticket.read", {"id": 1})

    assert done.status == "success"


def test_a_resolution_that_nobody_vouches_for_confers_nothing(tmp_path):
    write_project(tmp_path, ALLOW)
    # The process ends before the first checkpoint that would cover what it resolved.
    program = (
        "import os\n"
        "from cra.ledger import files\n"
        "files.replace = lambda *_, **__: os._exit(0)\n"
        "session.resolve(GOAL)\n"
        "os._exit(0)\n"
    )
    session_id = in_another_process(tmp_path, program).strip()

    with Project.open(tmp_path) as project:
        session = project.session(session_id=session_id)
        [resolved] = events(session, "carp.resolution.completed")
        resolution_id = payload_of(resolved)["resolution_id"]
        denied = session.execute("ticket.read", {"id": 1}, resolution_id=resolution_id)

        assert denied.policy_id == "default:no-resolution"
        assert "nobody vouches" in denied.reason


def test_an_answer_given_again_confers_what_the_first_did(desk):
    session = desk.session()
    first, again = session.resolve(GOAL), session.resolve(GOAL)

    done = session.execute("ticket.read", {"id": 1}, resolution_id=again.resolution_id)

    assert (first.is_cached, again.is_cached) == (False, True)
    assert again.resolution_id != first.resolution_id
    assert again.allowed == first.allowed
    assert (done.status, done.resolution_id) == ("success", again.resolution_id)


def test_a_session_that_ended_does_nothing_more(desk, witness):
    session = begun(desk)
    session.end()

    with pytest.raises(SessionEnded):
        session.execute("ticket.note", note(witness))

    assert runs(witness) == 0


# Idempotency


def test_a_key_that_was_used_returns_what_was_recorded(desk, witness):
    session = begun(desk)

    first = session.execute("ticket.note", note(witness), idempotency_key="key")
    again = session.execute("ticket.note", note(witness), idempotency_key="key")

    assert (again.result, again.execution_id) == (first.result, first.execution_id)
    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert runs(witness) == 1


def test_a_failure_is_returned_again_too(desk):
    session = begun(desk)

    first = session.execute("ticket.fail", {"why": "no paper"}, idempotency_key="key")
    again = session.execute("ticket.fail", {"why": "no paper"}, idempotency_key="key")

    assert (again.status, again.error, again.is_repeated) == ("error", first.error, True)


def test_a_key_stands_for_one_call(desk, witness):
    session = begun(desk)
    session.execute("ticket.note", note(witness, "one"), idempotency_key="key")

    with pytest.raises(UsageError, match="idempotency key"):
        session.execute("ticket.note", note(witness, "two"), idempotency_key="key")
    with pytest.raises(UsageError, match="idempotency key"):
        session.execute("ticket.read", {"id": 1}, idempotency_key="key")

    assert runs(witness) == 1


def test_a_key_holds_in_another_process_too(tmp_path, witness):
    write_project(tmp_path, ALLOW)
    with Project.open(tmp_path) as project:
        first = begun(project)
        done = first.execute("ticket.note", note(witness), idempotency_key="key")

    with Project.open(tmp_path) as project:
        session = project.session(session_id=first.id)
        again = session.execute("ticket.note", note(witness), idempotency_key="key")
        with pytest.raises(UsageError, match="other arguments"):
            session.execute("ticket.note", note(witness, "else"), idempotency_key="key")

    assert (again.result, again.is_repeated) == (done.result, True)
    assert runs(witness) == 1


@pytest.mark.parametrize("is_child", [False, True])
def test_a_key_holds_in_every_session(desk, witness, is_child):
    first = begun(desk)
    done = first.execute("ticket.note", note(witness), idempotency_key="key")
    other = begun(desk, parent=first.id if is_child else None)
    size = other.size

    again = other.execute("ticket.note", note(witness), idempotency_key="key")

    assert (again.result, again.execution_id) == (done.result, done.execution_id)
    assert (again.is_repeated, again.trace_id) == (True, first.trace_id)
    with pytest.raises(UsageError, match="other arguments"):
        other.execute("ticket.note", note(witness, "else"), idempotency_key="key")
    assert types_since(other, size) == []
    assert runs(witness) == 1


def test_a_key_holds_in_another_session_of_another_process(tmp_path, witness):
    write_project(tmp_path, ALLOW)
    call = f"'ticket.note', {note(witness)!r}, idempotency_key='key'"
    program = f"session.resolve(GOAL)\nprint(session.execute({call}).is_repeated)\n"

    said = [in_another_process(tmp_path, program).split()[1] for _ in range(2)]

    assert said == ["False", "True"]
    assert runs(witness) == 1


def test_the_key_of_another_agent_is_refused(desk, witness):
    begun(desk, agent="one").execute("ticket.note", note(witness), idempotency_key="key")

    with pytest.raises(UsageError, match="one has used 'key'"):
        begun(desk, agent="other").execute("ticket.note", note(witness), idempotency_key="key")
    assert runs(witness) == 1


def test_a_key_is_not_used_by_a_call_that_did_not_run(desk, witness):
    unresolved, session = desk.session(), begun(desk)
    denied = unresolved.execute("ticket.note", note(witness), idempotency_key="key")
    tried = begun(desk).simulate("ticket.note", note(witness))

    done = session.execute("ticket.note", note(witness), idempotency_key="key")

    assert (denied.status, tried.simulated) == ("denied", True)
    assert (done.status, done.is_repeated, runs(witness)) == ("success", False, 1)


def test_what_was_redacted_or_pruned_is_not_run_again_in_another_session(desk, witness):
    first = begun(desk)
    first.execute("ticket.note", note(witness), idempotency_key="key")
    [outcome] = events(first, "action.executed")
    first.end()
    other = begun(desk)

    redact(desk.ledger, first.id, outcome.sequence, "private")
    with pytest.raises(UsageError, match="has been redacted; it is not run again"):
        other.execute("ticket.note", note(witness), idempotency_key="key")
    prune(desk.ledger, first.id, "tidying")
    with pytest.raises(UsageError, match="went with its session; it is not run again"):
        other.execute("ticket.note", note(witness), idempotency_key="key")
    assert runs(witness) == 1


def test_an_intent_that_could_not_be_recorded_leaves_a_key_that_runs_nothing(
    desk, witness, monkeypatch
):
    session = begun(desk)
    real = files.write_all

    def full(fd: int, data: bytes) -> None:
        if b"action.approved" in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", full)
        with pytest.raises(WriteFailed):
            session.execute("ticket.note", note(witness), idempotency_key="key")

    for each in (session, begun(desk)):
        with pytest.raises(UsageError, match="is not recorded; it is not run again"):
            each.execute("ticket.note", note(witness), idempotency_key="key")
    assert runs(witness) == 0


def test_one_of_many_processes_runs_what_all_call_with_one_key(tmp_path, witness):
    write_project(tmp_path, ALLOW)
    program = f"""
import sys
from cra.errors import UsageError
from cra.runtime.project import Project
from tests.governed import GOAL
with Project.open(".") as project:
    session = project.session()
    session.resolve(GOAL)
    sys.stdin.readline()
    for at in range(5):
        try:
            found = session.execute("ticket.note", {note(witness)!r}, idempotency_key=f"key-{{at}}")
            print("again" if found.is_repeated else "ran")
        except UsageError:
            print("open")
"""
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(8)
    ]
    for one in crowd:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60)[0].split() for one in crowd]

    assert [len(each) for each in said] == [5] * 8
    assert sum(each.count("ran") for each in said) == 5
    assert runs(witness) == 5
    assert verify_ledger(tmp_path / "cra.trace", Trust()).verdict.name == "INTACT"


def test_a_crash_leaves_an_open_intent_that_nothing_runs_again(tmp_path):
    write_project(tmp_path, ALLOW)
    program = "session.resolve(GOAL)\nsession.execute('ticket.die', idempotency_key='key')\n"
    session_id = in_another_process(tmp_path, program).strip()

    with Project.open(tmp_path) as project:
        session = project.session(session_id=session_id)
        session.resolve(GOAL)
        with pytest.raises(UsageError, match="never recorded"):
            session.execute("ticket.die", idempotency_key="key")
        with pytest.raises(UsageError, match="not run again"):
            begun(project).execute("ticket.die", idempotency_key="key")

    totals = Totals()
    totals.read(tmp_path / "cra.trace" / f"{session_id}.trace.jsonl")
    [intent] = totals.open_intents
    assert intent.action_id == "ticket.die"


# Ending while something runs


def test_a_session_is_not_ended_while_an_action_of_it_runs():
    with Project.temporary(policies=[rule("host-allows", "allow", "host.*")]) as project:
        session = project.session()
        refused = []

        def meanwhile() -> None:
            with pytest.raises(UsageError, match=r"host\.meanwhile") as found:
                session.end()
            refused.append(found.value.fix)

        govern(meanwhile, session=session, name="host.meanwhile")()
        session.end()

        assert len(refused) == 1
        assert [str(one.header["event_type"]) for one in events(session)[-3:]] == [
            *BOTH,
            "session.ended",
        ]


def test_an_outcome_that_comes_after_a_forced_end_is_said_to_be_lost(tmp_path):
    write_project(tmp_path, rule("host-allows", "allow", "host.*"))
    with Project.open(tmp_path) as project, Project.open(tmp_path) as elsewhere:
        session = project.session()

        def meanwhile() -> str:
            elsewhere.session(session_id=session.id).end(force=True)
            return "done"

        with pytest.raises(OutcomeLost, match=r"host\.meanwhile.*ended") as lost:
            govern(meanwhile, session=session, name="host.meanwhile")()
        [intent] = events(session, "action.approved")

    assert intent.header["span_id"] in str(lost.value.where)
    assert lost.value.exit_code == ExitCode.FAILED
    totals = Totals()
    totals.read(tmp_path / "cra.trace" / f"{session.id}.trace.jsonl")
    assert [one.action_id for one in totals.open_intents] == ["host.meanwhile"]
    assert verify_ledger(tmp_path / "cra.trace", Trust()).verdict.name == "INTACT"


def test_an_outcome_that_the_disk_refuses_is_said_to_be_lost(desk, witness, monkeypatch):
    session = begun(desk)
    real = files.os.write

    def full(fd: int, data: bytes) -> int:
        if b'"action.executed"' in bytes(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", full)
        with pytest.raises(OutcomeLost, match=r"ticket\.note, which has run.*No space left"):
            session.execute("ticket.note", note(witness))

    assert runs(witness) == 1
    with pytest.raises(UsageError, match=r"ticket\.note"):
        session.end()
    session.end(force=True)


def test_what_was_only_tried_does_not_keep_a_session_open(desk, witness):
    session = begun(desk)
    session.simulate("ticket.note", note(witness))
    session.execute("ticket.fail", {"why": "no paper"})

    session.end()


# Limits


def test_a_limit_of_a_session_holds_across_its_threads(witness):
    with (
        Project.temporary([DESK], [ALLOW, limit("five", "session", 5)]) as project,
        ThreadPoolExecutor(8) as pool,
    ):
        session = begun(project)

        done = list(pool.map(lambda _: session.execute("ticket.note", note(witness)), range(20)))

        assert sorted(one.status for one in done) == ["denied"] * 15 + ["success"] * 5
        assert {one.policy_id for one in done if one.status == "denied"} == {"five"}
        assert begun(project).execute("ticket.note", note(witness)).status == "success"
    assert runs(witness) == 6


def test_a_limit_of_a_project_holds_across_sessions_threads_and_openings(tmp_path, witness):
    write_project(tmp_path, ALLOW, limit("seven", "project", 7))
    with (
        Project.open(tmp_path) as one,
        Project.open(tmp_path) as other,
        ThreadPoolExecutor(8) as pool,
    ):
        sessions = [begun(project) for project in (one, other) for _ in range(2)]

        done = list(
            pool.map(lambda at: sessions[at % 4].execute("ticket.note", note(witness)), range(24))
        )

        assert sum(one.status == "success" for one in done) == 7
        assert {one.policy_id for one in done if one.status != "success"} == {"seven"}
    assert runs(witness) == 7

    with Project.open(tmp_path) as later:
        assert begun(later).execute("ticket.note", note(witness)).policy_id == "seven"


def test_a_limit_of_an_agent_is_each_agents_own(tmp_path, witness):
    write_project(tmp_path, ALLOW, limit("one-each", "agent", 1))
    with Project.open(tmp_path) as project:
        for agent in ("first", "second"):
            first, second = (begun(project, agent=agent) for _ in range(2))
            assert first.execute("ticket.note", note(witness)).status == "success"
            assert second.execute("ticket.note", note(witness)).policy_id == "one-each"


def test_a_budget_counts_what_actions_cost(witness):
    parameters = {"max_cost": 12, "window_seconds": 600}
    with Project.temporary([DESK], [ALLOW, rule("purse", "budget", parameters=parameters)]) as own:
        session = begun(own)

        for _ in range(2):
            assert session.execute("ticket.pay", note(witness)).status == "success"
        assert session.execute("ticket.pay", note(witness)).policy_id == "purse"
        for _ in range(2):
            assert session.execute("ticket.read", {"id": 1}).status == "success"
        assert session.execute("ticket.read", {"id": 1}).policy_id == "purse"


@pytest.mark.parametrize("per", ["session", "agent", "project"])
def test_a_refusal_by_a_limit_says_when_the_call_will_be_possible(witness, monkeypatch, per):
    with Project.temporary([DESK], [ALLOW, limit("two", per, 2)]) as project:
        session = begun(project)
        session.execute("ticket.note", note(witness))
        first = events(session, "action.approved")[0].header["timestamp"]
        session.execute("ticket.note", note(witness))
        refused = session.execute("ticket.note", note(witness))

        assert (refused.status, refused.policy_id) == ("denied", "two")
        assert refused.possible_at is not None
        at = datetime.fromisoformat(refused.possible_at)
        waits = (at - datetime.fromisoformat(first)).total_seconds()
        assert 599.9 < waits <= 600
        now = source.time.time_ns()
        monkeypatch.setattr(source.time, "time_ns", lambda: now + 601 * 10**9)
        assert session.execute("ticket.note", note(witness)).status == "success"


def test_what_costs_more_than_its_budget_is_never_possible(witness):
    parameters = {"max_cost": 4, "window_seconds": 600, "per": "session"}
    budget = rule("small", "budget", "ticket.pay", parameters=parameters)
    with Project.temporary([DESK], [ALLOW, budget]) as project:
        refused = begun(project).execute("ticket.pay", note(witness))

        assert (refused.status, refused.policy_id) == ("denied", "small")
        assert refused.possible_at is None


def test_what_is_denied_takes_nothing_of_a_shared_limit(tmp_path, witness):
    write_project(tmp_path, ALLOW, limit("one", "project", 1))
    with Project.open(tmp_path) as project:
        unresolved = project.session().execute("ticket.note", note(witness))
        done = begun(project).execute("ticket.note", note(witness))

    assert unresolved.policy_id == "default:no-resolution"
    assert done.status == "success"


# The ledger


@pytest.mark.parametrize("action_id", ["ticket.note", "ticket.close"])
def test_an_action_that_cannot_be_recorded_does_not_run(desk, witness, monkeypatch, action_id):
    session = begun(desk)
    size = session.size

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", full)
        with pytest.raises(WriteFailed):
            session.execute(action_id, note(witness))

    assert runs(witness) == 0
    assert types_since(session, size) == []
    assert session.execute(action_id, note(witness)).status == "success"


def test_calls_of_many_threads_are_all_recorded_each_with_its_span(tmp_path):
    write_project(tmp_path, ALLOW)
    with Project.open(tmp_path) as project, ThreadPoolExecutor(8) as pool:
        session = begun(project)

        def calls(worker: int) -> list[str]:
            numbers = range(worker * 50, worker * 50 + 50)
            return [session.execute("ticket.read", {"id": at}).execution_id for at in numbers]

        spans = [span for found in pool.map(calls, range(8)) for span in found]
        intents, outcomes = (events(session, event_type) for event_type in BOTH)

    assert len(set(spans)) == 400
    assert {one.header["span_id"] for one in intents} == set(spans)
    asked = {one.header["span_id"]: payload_of(one)["arguments"]["id"] for one in intents}
    given = {one.header["span_id"]: payload_of(one)["result"]["id"] for one in outcomes}
    assert asked == given
    assert verify_ledger(tmp_path / "cra.trace", Trust()).verdict.name == "INTACT"


# What was found by attacking it.


@pytest.mark.parametrize("key", ["", "k" * 257, "k" * 70_000, 7, ["k"], {"$blob": "x"}])
def test_a_key_that_is_none_is_refused_and_the_ledger_stays_whole(desk, witness, key):
    session = begun(desk)

    with pytest.raises(UsageError, match="idempotency key"):
        session.execute("ticket.note", {"file": str(witness)}, idempotency_key=key)
    session.execute("ticket.note", {"file": str(witness)}, idempotency_key="k" * 256)

    assert runs(witness) == 1
    session.barrier()
    assert verify_ledger(desk.ledger.directory, Trust()).verdict.exit_code == 0


def test_what_the_task_stated_still_holds_when_an_action_is_called(witness):
    asks = {"policy_id": "prod", "type": "require_approval"}
    rules = [ALLOW, asks | {"conditions": {"context": {"env": ["prod"]}}}]
    with Project.temporary([DESK], rules) as project:
        session = project.session()
        careful = session.resolve(GOAL, context={"env": "prod"}).resolution_id
        plain = session.resolve(GOAL, context={"env": "test"}).resolution_id
        found = [
            session.execute("ticket.note", {"file": str(witness)}, resolution_id=one).status
            for one in (careful, plain)
        ]

    assert found == ["pending_approval", "success"]
    assert runs(witness) == 1


def test_a_critical_task_makes_every_call_of_it_critical(desk, witness):
    session = desk.session()
    risky = session.resolve(GOAL, risk_tier="critical").resolution_id

    found = session.execute("ticket.note", {"file": str(witness)}, resolution_id=risky)

    assert found.status == "pending_approval"
    assert runs(witness) == 0


def test_whoever_changes_an_answer_changes_nothing_else(desk):
    session = desk.session()
    answer = session.resolve(GOAL)
    for action in answer.document["allowed_actions"]:
        action["parameters_schema"]["properties"].clear()
        action["parameters_schema"]["additionalProperties"] = True

    with pytest.raises(ArgumentsRefused):
        session.execute("ticket.read", {"id": "../../x", "more": 1})
    again = session.resolve(GOAL)
    assert again.is_cached
    assert again.document["allowed_actions"] != answer.document["allowed_actions"]


def test_a_clock_that_steps_back_takes_no_use_out_of_its_window(witness, monkeypatch):
    with Project.temporary([DESK], [ALLOW, limit("few", "session", 2)]) as project:
        session = begun(project)
        real = source.time.time_ns
        monkeypatch.setattr(source.time, "time_ns", lambda: real() - 700 * 10**9)
        found = [session.execute("ticket.note", {"file": str(witness)}).status for _ in range(5)]

    assert found == ["success", "success", "denied", "denied", "denied"]


def test_a_session_that_has_ended_takes_nothing_of_a_shared_limit(witness):
    with Project.temporary([DESK], [ALLOW, limit("few", "project", 1)]) as project:
        over, going = begun(project), begun(project)
        over.end()
        with pytest.raises(SessionEnded):
            over.execute("ticket.note", {"file": str(witness)})

        assert going.execute("ticket.note", {"file": str(witness)}).status == "success"


def test_threads_that_open_the_same_session_share_it(tmp_path):
    with Project.open(write_project(tmp_path, ALLOW), environ={}) as project:
        session_id = begun(project).id
    with Project.open(tmp_path, environ={}) as project, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: project.session(session_id=session_id), range(8)))

        assert len({id(session) for session in found}) == 1
        assert found[0].execute("ticket.read", {"id": 4}).status == "success"


def test_a_dry_run_that_needs_an_approval_is_recorded_and_asks_nobody(desk, witness):
    session = desk.session()
    risky = session.resolve(GOAL, risk_tier="critical").resolution_id
    call = ("ticket.note", {"file": str(witness)})

    tried = session.simulate(*call, resolution_id=risky)
    meant = session.execute(*call, resolution_id=risky)

    assert (tried.status, tried.approval_id) == ("pending_approval", None)
    [first, second] = events(session, "approval.requested")
    assert payload_of(first)["simulated"] is True
    assert payload_of(second)["approval_id"] == meant.approval_id


@pytest.mark.parametrize("arguments", ["ab", "", [], [1], [("a",)], [("id", 1)], 7])
def test_arguments_that_are_no_object_are_refused(desk, arguments):
    session = begun(desk)

    with pytest.raises(ArgumentsRefused):
        session.execute("ticket.read", arguments)


@pytest.mark.parametrize("seconds", [0, -1, 10**12])
def test_a_session_of_no_length_or_of_any_is_refused(desk, seconds):
    with pytest.raises(UsageError, match="expected a session of 1 to"):
        desk.session(ttl_seconds=seconds)


def test_a_session_that_is_over_lends_its_scopes_to_nobody(desk):
    parent = desk.session(scopes=["tickets"])
    child = desk.session(parent=parent.id)
    parent.end()

    assert child.caller.scopes == {"tickets"}
    with pytest.raises(UsageError, match="expected an open session as the parent"):
        desk.session(parent=parent.id)
    with pytest.raises(NotFound):
        desk.session(parent=desk.ledger.source.new_id())


def test_a_child_ends_no_later_than_its_parent(desk):
    parent = desk.session(ttl_seconds=1000)
    heir = desk.session(parent=parent.id)
    brief = desk.session(parent=parent.id, ttl_seconds=60)

    [ends] = [payload_of(one)["expires_at"] for one in events(parent, "session.started")]
    [inherited] = [payload_of(one) for one in events(heir, "session.started")]
    assert inherited["expires_at"] <= ends
    assert inherited["ttl_seconds"] <= 1000
    assert payload_of(events(brief)[0])["ttl_seconds"] == 60
    with pytest.raises(UsageError, match=r"at most \d+ seconds.* found 1001"):
        desk.session(parent=parent.id, ttl_seconds=1001)
    with pytest.raises(UsageError, match=brief.id):
        desk.session(parent=brief.id, ttl_seconds=61)


def test_a_parent_that_is_about_to_expire_has_no_child(desk, monkeypatch):
    parent = desk.session(ttl_seconds=2)
    real = source.time.time_ns
    monkeypatch.setattr(source.time, "time_ns", lambda: real() + 1_500_000_000)

    with pytest.raises(UsageError, match=parent.id):
        desk.session(parent=parent.id)


@pytest.mark.parametrize("generations", [1, 2])
def test_a_child_does_nothing_more_once_a_session_above_it_has_ended(tmp_path, generations):
    witness = tmp_path / "witness"
    write_project(tmp_path / "desk", ALLOW)
    with Project.open(tmp_path / "desk") as project, Project.open(tmp_path / "desk") as elsewhere:
        first = last = project.session()
        for _ in range(generations):
            last = begun(project, parent=last.id)
        assert last.execute("ticket.note", note(witness)).status == "success"

        elsewhere.session(session_id=first.id).end()

        with pytest.raises(SessionEnded, match=first.id):
            last.execute("ticket.note", note(witness))
        with pytest.raises(SessionEnded, match=first.id):
            last.resolve(GOAL)
        with pytest.raises(SessionEnded, match=first.id):
            elsewhere.session(session_id=last.id).execute("ticket.note", note(witness))
        last.end()
    assert runs(witness) == 1


def test_a_child_goes_on_while_its_parent_does(desk):
    parent = begun(desk)
    child = begun(desk, parent=parent.id)

    for _ in range(3):
        assert parent.execute("ticket.read", {"id": 1}).status == "success"
        assert child.execute("ticket.read", {"id": 1}).status == "success"


# Who calls, as the configuration and the host program say


SENIOR = rule("seniors", "allow", "ticket.*", conditions={"roles": ["senior"]})
STAGING = rule("staging", "allow", "ticket.*", conditions={"context": {"env": ["staging"]}})
FACTS = {"agents": {"agent": {"roles": ["senior"], "context": {"env": "staging"}}}}


@pytest.mark.parametrize("allows", [SENIOR, STAGING])
@pytest.mark.parametrize(
    ("config", "session", "resolution", "is_allowed"),
    [
        ({}, {}, {}, False),
        (FACTS, {}, {}, True),
        ({}, {"roles": ["senior"], "context": {"env": "staging"}}, {}, True),
        # A caller's own words only make a decision stricter.
        ({}, {}, {"context": {"env": "staging", "roles": ["senior"]}}, False),
        # What the configuration says goes before the host program.
        (
            {"agents": {"agent": {"context": {"env": "live"}}}},
            {"context": {"env": "staging"}},
            {},
            False,
        ),
    ],
)
def test_allow_rules_go_by_what_configuration_and_host_program_say(
    allows, config, session, resolution, is_allowed
):
    with Project.temporary([DESK], [allows], config=config) as project:
        found = project.session(**session).resolve(GOAL, **resolution)

        assert bool(found.allowed) is is_allowed


def test_what_a_host_program_says_of_a_session_holds_in_other_processes(tmp_path):
    write_project(tmp_path, SENIOR)
    with Project.open(tmp_path, environ={"HOME": str(tmp_path)}) as project:
        session = begun(project, roles=["senior"])
    with Project.open(tmp_path, environ={"HOME": str(tmp_path)}) as project:
        again = project.session(session_id=session.id)

        assert again.execute("ticket.read", {"id": 1}).status == "success"


def test_an_action_has_the_time_that_the_configuration_gives_it():
    slow = dict(DESK[1]) | {
        "desk.py": b"import time\n\n\ndef read(id):\n    time.sleep(5)\n"
        + DESK[1]["desk.py"].replace(b"def read(", b"def unread(")
    }
    config = {"runtime": {"timeout_ms": 50}}
    with Project.temporary([(MANIFEST, slow)], [ALLOW], config=config) as project:
        done = begun(project).execute("ticket.read", {"id": 1})

        assert (done.status, (done.error or {}).get("code")) == ("error", "timeout")


def test_a_result_that_nobody_would_read_is_refused():
    with Project.temporary([DESK], [ALLOW]) as project:
        done = begun(project).execute("ticket.sort", {"items": ["x" * 1024]})
        assert done.status == "success"
    large = DESK[1]["desk.py"].replace(
        b"def sort(items):",
        b"def sort(items):\n    return 'x' * (17 << 20)\n\n\ndef unsorted(items):",
    )
    with Project.temporary([(MANIFEST, {"desk.py": large})], [ALLOW]) as project:
        done = begun(project).execute("ticket.sort", {"items": []})

        assert (done.error or {}).get("code") == "invalid_result"
        assert "at most 16777216 bytes" in (done.error or {})["message"]


def test_rules_that_an_action_changed_do_not_change_unseen(tmp_path):
    """An action has the rights of whoever runs it. What it does to the rules shows."""
    swap = (
        b"\n\ndef sort(items):\n    import os\n\n    os.remove('policies/more.json')\n"
        b"    return items\n"
    )
    place = write_project(tmp_path / "project", ALLOW)
    code = DESK[1]["desk.py"].replace(b"def sort(", b"def unsorted(") + swap
    (place / "atlases" / "desk" / "desk.py").write_bytes(code)
    atlas = load_atlas(read_package(place / "atlases" / "desk"), "desk")
    write_lock(place, [pin_of(atlas, "atlases/desk")])
    kept = rule("no-reading", "deny", "ticket.read")
    (place / "policies" / "more.json").write_text(json.dumps([kept]))
    program = (
        "session.resolve(GOAL)\nsession.execute('ticket.sort', {'items': []})\nproject.close()"
    )
    session_id = in_another_process(place, program).split()[0]
    assert not (place / "policies" / "more.json").exists()

    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = project.session(session_id=session_id)
        # What was resolved under the old rules confers nothing, and the new ones are recorded.
        assert session.execute("ticket.read", {"id": 1}).policy_id == "default:no-resolution"
        before = session.size
        session.resolve(GOAL)
        assert types_since(session, before) == [
            "carp.request.received", "project.changed", "carp.resolution.completed"]  # fmt: skip
        [changed] = events(session, "project.changed")
        assert changed.header["severity"] == "warn"
        before = session.size
        session.resolve(GOAL)
        assert "project.changed" not in types_since(session, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"policies": {"require_approval_for": []}},
        {"policies": {"default_risk_tier": "low"}},
        {"policies": {"resolution_ttl_seconds": 86_400}},
        {"policies": {"approvers": [KEY]}},
        {"agents": {"agent": {"roles": ["admin"]}}},
        {"agents": {"agent": {"context": {"limit": 1e300, "count": 2**60}}}},
        {"secrets": ["TOKEN"]},
        {"keys": [KEY]},
    ],
)
def test_settings_that_decide_do_not_change_unseen(tmp_path, settings):
    place = write_project(tmp_path / "project", ALLOW)
    session_id = in_another_process(place, "session.resolve(GOAL)").strip()
    configure(place, **settings)

    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = project.session(session_id=session_id)
        assert session.execute("ticket.read", {"id": 1}).policy_id == "default:no-resolution"
        session.resolve(GOAL)
        assert len(events(session, "project.changed")) == 1
        assert session.execute("ticket.read", {"id": 1}).status == "success"


def test_the_settings_in_force_count_wherever_they_are_set(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    session_id = in_another_process(place, "session.resolve(GOAL)").strip()

    stricter = {"HOME": str(place), "CRA_POLICIES_DEFAULT_RISK_TIER": "high"}
    with Project.open(place, environ=stricter) as project:
        session = project.session(session_id=session_id)
        assert session.execute("ticket.read", {"id": 1}).policy_id == "default:no-resolution"
        session.resolve(GOAL)
        assert len(events(session, "project.changed")) == 1


def test_settings_that_decide_nothing_change_no_rules(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    session_id = in_another_process(place, "session.resolve(GOAL)").strip()
    configure(place, trace={"detail": "full"}, runtime={"timeout_ms": 10_000})

    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = project.session(session_id=session_id)
        assert session.execute("ticket.read", {"id": 1}).status == "success"


def test_a_function_that_is_declared_changes_no_project():
    with Project.temporary([DESK], [ALLOW]) as project:
        session = begun(project)
        govern(lambda number: number, project=project, name="host.declared")
        session.resolve(GOAL)

        assert events(session, "project.changed") == []


# What was done, by the record


def test_a_claim_is_held_against_what_the_session_has_done(desk, witness):
    session = begun(desk)
    done, failed = note(witness), {"why": "no paper"}
    session.execute("ticket.note", done)
    session.execute("ticket.note", dict(reversed(done.items())))
    session.execute("ticket.fail", failed)

    assert session.times_done("ticket.note", done) == 2
    for action_id, arguments in [
        ("ticket.note", note(witness, "another")),
        ("ticket.fail", failed),
        ("ticket.read", {"id": 1}),
        ("ticket.shred", {}),
        ("ticket.note", {**done, "text": object()}),
        ("ticket.note", "text"),
        ("ticket.note", None),
    ]:
        assert session.times_done(action_id, arguments) == 0
    session.end()
    assert session.times_done("ticket.note", done) == 2


def test_a_claim_with_a_secret_is_found_where_the_secret_is_not(desk, witness):
    session = begun(desk)
    token, other = ("ghp_" + letter * 3 + "dE6gH9kL2nP5rS8tV1xY4zA7cF0hJ3mQ6" for letter in "ab")
    session.execute("ticket.note", note(witness, token))

    assert token not in b"".join(session.stored_lines(0)).decode()
    assert session.times_done("ticket.note", note(witness, token)) == 1
    assert session.times_done("ticket.note", note(witness, other)) == 0


def test_a_denied_call_is_none_that_was_done(witness):
    with Project.temporary([DESK], [ALLOW, rule("nobody-notes", "deny", "ticket.note")]) as project:
        session = begun(project)
        session.execute("ticket.note", note(witness))

        assert session.times_done("ticket.note", note(witness)) == 0


def test_a_project_says_whether_its_ledger_is_whole(desk, witness):
    session = begun(desk)
    session.execute("ticket.note", note(witness))
    session.end()

    assert desk.verify().verdict.name == "INTACT"
    trace = desk.config.trace_directory / f"{session.id}.trace.jsonl"
    trace.write_bytes(trace.read_bytes().replace(b'"done"', b'"gone"'))
    found = desk.verify()
    assert (found.verdict.name, found.sessions[0].code) == ("DAMAGED", "CRA-3002")


@pytest.mark.parametrize(
    ("options", "environ", "level"),
    [
        ([], {}, "L2"),
        ([], {"XDG_STATE_HOME": os.devnull}, "L1"),
        ([], {"XDG_CONFIG_HOME": os.devnull, "XDG_STATE_HOME": os.devnull}, "L1, key unconfirmed"),
        (["--no-sign"], {}, "L0"),
    ],
    ids=["the owner", "without a memory", "a stranger", "unsigned"],
)
def test_a_project_s_verdict_is_what_the_command_says(tmp_path, options, environ, level):
    place = tmp_path / "shop"
    answer(tmp_path, "init", place, *options)
    with Project.open(place) as project:
        project.session().end()

    found = Project.open(place, environ={**os.environ, **environ}).verify()

    told = answer(place, "trace", "verify", "--json", **environ)
    assert str(found.level) == level == json.loads(told)["level"]
    assert found.verdict.name == json.loads(told)["verdict"] == "INTACT"
