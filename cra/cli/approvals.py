"""`cra approvals`: what waits for a person, and the word or the signature that decides it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, cast

import typer

from cra.cli import output
from cra.cli.arguments import user_name
from cra.cli.governed import open_project
from cra.cli.options import Json, ProjectDir
from cra.cli.output import Cell
from cra.cli.project import open_config
from cra.cli.select import sessions_of, short_length
from cra.errors import ApprovalPending, CraError, ExitCode, NotFound, UsageError
from cra.ledger.source import Source
from cra.printable import did_you_mean
from cra.runtime.waiting import FoundApproval, approvals_in

if TYPE_CHECKING:
    from cra.cli.answers.approvals import (
        ApprovalAnswer,
        ApprovalFacts,
        ApprovalsAnswer,
        ApproverKeyAnswer,
        DecidedAnswer,
        DeniedFacts,
        EarlierCall,
        GrantedFacts,
    )
    from cra.config import Config
    from cra.ledger.checkpoint import Signer
    from cra.protocol.events import ApprovalDenied, ApprovalGranted, Approver
    from cra.runtime.project import Project
    from cra.runtime.session import GovernedSession
    from cra.runtime.state import Execution, Given, Standing

_KEY_FILE: Final = "CRA_APPROVER_KEY_FILE"

ApprovalName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="APPROVAL", help="An id or how one begins, or `last`.", show_default=False
    ),
]
Why: TypeAlias = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the session.")
]
KeyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar=_KEY_FILE,
        help="Sign with an approver's key; needs no terminal.",
    ),
]

_ANYBODY: Final = "anybody on a terminal"
_HOW: Final = {"terminal": "on a terminal", "program": "through the host program"}
_STYLES: Final = {"pending": "warn", "stale": "dim", "granted": "good", "denied": "bad"}


def list_approvals(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that are decided or expired, too.")
    ] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> None:
    """List the calls that wait for an approval, in the sessions that are open.

    A stale one was asked for under other atlases, rules or settings: no grant would count.

    cra approvals list
    cra approvals list --all --json
    """
    config = open_config(project)
    approvals = _newest_first(config, _read_digest(config))
    found = [one for one in approvals if everything or one.is_waiting]
    if as_json:
        facts: ApprovalsAnswer = [_facts(one) for one in found]
        output.answer_json(facts)
        return
    if not found:
        output.tell("no call waits for an approval")
        return
    length = short_length(Path(one.approval.approval_id) for one in found)
    rows = [
        (
            one.approval.approval_id[:length],
            Cell(one.standing, _STYLES.get(one.standing, "")),
            one.approval.action_id,
            _agent(one),
            json.dumps(one.approval.asked["arguments"], ensure_ascii=False),
        )
        for one in found
    ]
    headers = ("APPROVAL", "STATE", "ACTION", "AGENT", "ARGUMENTS")
    output.table(rows, headers, cut=("ACTION", "AGENT", "ARGUMENTS"))
    if any(one.standing == "stale" for one in found):
        from cra.runtime.remedy import CALL_AGAIN

        output.tell(f"stale: what it was asked under has changed; {CALL_AGAIN}")


def show(name: ApprovalName, *, project: ProjectDir = None, as_json: Json = False) -> None:
    """Show all that there is to know of an approval before it is granted or denied.

    cra approvals show last
    """
    with open_project(project) as opened:
        found = find_approval(opened, name)
        if as_json:
            output.answer_json(_answer(found))
        else:
            _show(opened, found, is_whole=True)


def grant(  # its flags
    name: ApprovalName,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="For one call, as if nothing is said.")
    ] = False,
    for_session: Annotated[
        bool, typer.Option("--session", help="For any number of calls while the session is valid.")
    ] = False,
    times: Annotated[int | None, typer.Option("--times", metavar="N", help="For N calls.")] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Until a time or for a while: 17:30, 30m."),
    ] = None,
    any_arguments: Annotated[
        bool, typer.Option("--any-arguments", help="Whatever the arguments; never if critical.")
    ] = False,
    reason: Why = "",
    key: KeyFile = None,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Let a call be made that waits for an approval, once unless you say more.

    On a terminal it shows the call and asks, and your word is recorded as such: nobody checks it.
    Without a terminal an approver's key has to sign.

      cra approvals grant last
      cra approvals grant 0192f0c1 --times 3 --until 2h --reason "their refunds"
      cra approvals grant last --key approver.pem
    """
    from cra.runtime.grant import scope_of, words_of

    if once + for_session + (times is not None) > 1:
        raise UsageError("expected one of --once, --session and --times, found several")
    with open_project(project) as opened:
        found = find_approval(opened, name)
        now = Source().now()
        scope = scope_of(
            found,
            times=1 if once else times,
            until=_until(until, now),
            for_session=for_session,
            any_arguments=any_arguments,
        )
        approvals = opened.session(session_id=found.session_id).approvals
        approvals.check_waits(found.approval.approval_id, is_grant=True)
        by = _approver(opened, found, key, f"Let it be done {words_of(scope, now)}?")
        if by is None:
            return ExitCode.NO
        approvals.grant(
            found.approval.approval_id,
            by[0],
            reason=reason,
            scope=scope,
            signer=by[1],
            on_terminal=True,
        )
    _told(found, "granted", as_json=as_json)
    return ExitCode.OK


def deny(
    name: ApprovalName,
    *,
    reason: Why = "",
    key: KeyFile = None,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Refuse a call that waits for an approval; asking for it again is denied, too, for a while.

    cra approvals deny last --reason "not before the release"
    """
    with open_project(project) as opened:
        found = find_approval(opened, name)
        approvals = opened.session(session_id=found.session_id).approvals
        approvals.check_waits(found.approval.approval_id, is_grant=False)
        by = _approver(opened, found, key, "Deny it?")
        if by is None:
            return ExitCode.NO
        approvals.deny(
            found.approval.approval_id, by[0], reason=reason, signer=by[1], on_terminal=True
        )
    _told(found, "denied", as_json=as_json)
    return ExitCode.OK


def make_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
    *,
    as_json: Json = False,
) -> None:
    """Make a key for an approver, if there is none yet, and print what to list for it.

    The line belongs into `policies.approvers` of the configuration, or into the `approvers` of a
    rule. Keep the file where no agent can read it.

      cra approvals key ~/keys/approver.pem
    """
    from cra.ledger.keys import create_key, load_key

    made = not file.exists()
    signer = create_key(file) if made else load_key(file)
    if as_json:
        facts: ApproverKeyAnswer = {"key": str(signer.key), "file": str(file), "created": made}
        output.answer_json(facts)
    else:
        output.tell(f"{'created' if made else 'found'}: {output.safe(str(file))}")
        output.answer(str(signer.key))


# Which approval is meant.


def _read_digest(config: Config) -> str | None:
    """The digest of what the project says; None where that cannot be read."""
    from cra.atlas.snapshot import open_snapshot

    assert config.project is not None  # open_config has refused all else
    try:
        return open_snapshot(config.project, config).digest
    except CraError:
        return None  # whoever acts under it is told


def _newest_first(config: Config, snapshot: str | None) -> list[FoundApproval]:
    """The approvals of all sessions that are open. Ids are in the order of their times."""
    return sorted(
        approvals_in(sessions_of(config.trace_directory), Source().now(), snapshot),
        key=lambda one: one.approval.approval_id,
        reverse=True,
    )


def find_approval(opened: Project, name: str, *, standing: Standing = "pending") -> FoundApproval:
    """The approval that a name stands for; `last` is the newest of a standing, or that waits.

    Raises NotFound, UsageError for several, ApprovalPending where the last one that is granted is
    asked for and one is pending.
    """
    found = _newest_first(opened.config, opened.read_digest)
    if name == "last":
        is_asked = standing == "pending"
        fitting = [
            one for one in found if one.standing == standing or (is_asked and one.is_waiting)
        ][:1]
    else:
        fitting = [one for one in found if name and one.approval.approval_id.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        ids = "\n".join(f"  {one.approval.approval_id}" for one in fitting[:10])
        raise UsageError(
            f"expected one approval, found {len(fitting)} whose id begins with {name}:\n{ids}",
            fix="name one with more of its id",
        )
    pending = next((one for one in found if one.standing == "pending"), None)
    if name == "last" and pending is not None:
        asked_for = pending.approval
        key = " --key FILE" if asked_for.asked["approvers"] else ""
        raise ApprovalPending(
            f"expected an approval that is {standing}, found one for {asked_for.action_id} that is "
            "pending: nobody has decided on it yet",
            where=f"approval {asked_for.approval_id}",
            fix=f"cra approvals grant {asked_for.approval_id}{key}",
        )
    what, asked = f"an approval that is {standing}", ""
    if name != "last":
        what = f"the approval {name!r:.60}"
        known = [one.approval.approval_id for one in found]
        spelled = {"last": "last"} | {one[: len(name)]: one for one in known}
        asked = did_you_mean(name, spelled, spelled)
    raise NotFound(
        f"expected {what} in an open session, found none{asked}", fix="cra approvals list --all"
    )


def _until(text: str | None, now: str) -> str | None:
    """The timestamp of `--until`. Raises UsageError."""
    from cra.runtime.grant import moment

    if text is None:
        return None
    found = moment(text, now)
    if found is None:
        raise UsageError(
            "expected a time like 17:30 or 2026-11-27T17:30, or a duration like 90s, 15m, 1h or "
            f"30d, found {text!r:.40}"
        )
    return found


# Who decides.


def ask_for(opened: Project, working: GovernedSession, approval_id: str) -> bool:
    """Whether a call that waits is granted once, by whoever sits at the terminal."""
    if not output.is_interactive() or working.approvals.find(approval_id).asked["approvers"]:
        return False
    by = _approver(opened, find_approval(opened, approval_id), None, "Let it be done once?")
    if by is not None:
        working.approvals.grant(approval_id, by[0], on_terminal=True)
    return by is not None


def _approver(
    opened: Project, found: FoundApproval, key: Path | None, question: str
) -> tuple[Approver, Signer | None] | None:
    """Who decides: whoever holds an approver's key, or else whoever answers on the terminal; None
    if the answer is no. Raises UsageError without either."""
    by: Approver = {"how": "terminal", "name": user_name()}
    approvers = found.approval.asked["approvers"]
    # The environment names a key for wherever one counts. Where none is listed, none does, and the
    # word of whoever sits here does.
    is_meant = bool(approvers) or str(key) != os.environ.get(_KEY_FILE)
    if key is not None and is_meant:
        from cra.ledger.keys import load_key

        return by, load_key(key)
    if approvers and output.is_interactive():
        raise UsageError(
            f"expected a signature by one of {len(approvers)} approvers, found no --key: "
            "only a listed key counts here, and a person's word does not",
            fix=f"cra approvals show {found.approval.approval_id} lists them; add --key FILE",
        )
    if not output.is_interactive():
        raise UsageError(
            "expected a person on a terminal, found none: nobody grants or denies by a flag",
            fix="run it on a terminal, or name an approver's key with --key",
        )
    _show(opened, found, is_whole=output.is_verbose())
    if output.confirm(question, yes=False):
        return by, None
    output.tell("nothing was decided")
    return None


# What is shown.


def _show(opened: Project, found: FoundApproval, *, is_whole: bool) -> None:
    """What there is to know of a call: all of it, or what a person decides on, which has room on a
    terminal of 24 lines with the arguments above the question."""
    from cra.ledger.blobs import read_member
    from cra.runtime.places import place_now, places_by_id

    approval, asked = found.approval, found.approval.asked
    held = found.state.resolutions.get(asked["resolution_id"] or "")
    arguments = read_member(
        asked["arguments"], approval.salt, opened.config.trace_directory / "blobs"
    )
    rows = [
        ("state", found.standing if is_whole else ""),
        *(_decision_row(given, found) for given in approval.decisions),
        ("action", approval.action_id),
        ("risk tier", asked["risk_tier"]),
        ("agent", _agent(found)),
        ("session", found.session_id if is_whole else ""),
        ("goal", held.goal if held else ""),
        ("rule", asked["policy_id"]),
        ("where", place_now(places_by_id(opened), asked["policy_id"]) or ""),
        ("reason", asked["reason"]),
        ("expires at", asked["expires_at"]),
        ("approvers", (", ".join(asked["approvers"]) or _ANYBODY) if is_whole else ""),
    ]
    if is_whole:
        output.answer(f"{output.style('approval', 'accent')}  {approval.approval_id}")
    for name, text in rows:
        if text:
            output.answer(output.wrapped(f"{name + ':':<12}{text}", indent="  ", hang=" " * 12))
    if is_whole:
        output.answer("  a grant binds to:")
        for name, value in asked["binding"].items():
            output.answer(f"    {name + ':':<18}{output.safe(str(value))}")
    before = found.before()
    if before:
        output.answer("  before, in this session:")
        for one in before:
            words = f"{one.timestamp[:19]}  {one.action_id}: {one.status}"
            output.answer(f"    {output.safe(words)}")
    output.answer("  arguments:")
    for name, value in arguments.items():
        text = json.dumps(value, ensure_ascii=False)
        output.answer(output.wrapped(f"{name}: {text}", indent="    ", hang="  "))


def _decision_row(given: Given, found: FoundApproval) -> tuple[str, str]:
    """What was decided: who, how, how far, until when, and why."""
    payload = given.payload
    parts = [words_of_approver(payload["approver"])]
    if given.is_grant:
        uses = payload["uses"]
        left = f"{uses - found.approval.uses} of {uses}" if uses is not None else "any number of"
        parts.append(f"{left} uses left")
        parts += ["with any arguments"] if payload["any_arguments"] else []
    parts.append(f"until {payload['expires_at']}")
    parts += [] if given is found.given else ["which does not count"]
    why = f": {payload['reason']}" if payload["reason"] else ""
    return "granted" if given.is_grant else "denied", ", ".join(parts) + why


def words_of_approver(by: Approver) -> str:
    how = f"by the key {by['key']}" if "key" in by else _HOW[by["how"]]
    return f"by {by['name']}, {how}"


def _done(execution: Execution) -> EarlierCall:
    return {
        "timestamp": execution.timestamp,
        "action_id": execution.action_id,
        "status": execution.status,
    }


def _answer(found: FoundApproval) -> ApprovalAnswer:
    return {**_facts(found), "before": [_done(execution) for execution in found.before()]}


def _facts(found: FoundApproval) -> ApprovalFacts:
    held = found.state.resolutions.get(found.approval.asked["resolution_id"] or "")
    return {
        "state": found.standing,
        "session_id": found.session_id,
        "goal": held.goal if held else None,
        **found.approval.asked,
        "uses": found.approval.uses,
        "decisions": [_given(given) for given in found.approval.decisions],
    }


def _given(given: Given) -> GrantedFacts | DeniedFacts:
    if given.is_grant:
        return {"decision": "granted", **cast("ApprovalGranted", given.payload)}
    return {"decision": "denied", **cast("ApprovalDenied", given.payload)}


def _agent(found: FoundApproval) -> str:
    return str(found.state.started.get("agent_id"))


def _told(found: FoundApproval, decision: Literal["granted", "denied"], *, as_json: bool) -> None:
    approval = found.approval
    if as_json:
        facts: DecidedAnswer = {
            "approval_id": approval.approval_id,
            "action_id": approval.action_id,
            "session_id": found.session_id,
            "decision": decision,
        }
        output.answer_json(facts)
        return
    style = _STYLES[decision]
    output.answer(f"{output.style(decision.upper(), style)}: {output.safe(approval.action_id)}")
    if decision == "granted":
        name = f"{approval.action_id} --approval {approval.approval_id}"
        output.tell(f"next: cra execute {output.safe(name)}")
