"""`cra watch`: a verdict on the project after each change, while somebody works on it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cra.amount import counted
from cra.cli import output
from cra.cli.options import Json, ProjectDir
from cra.cli.project import project_dir, user_dirs
from cra.errors import ExitCode
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.cli.answers.project import ProjectFindingFacts, WatchedVerdict
    from cra.watch.follow import FollowedLook
    from cra.watch.look import ProjectFinding, Tally

_MAX_NAMES: Final = 2


def watch(project: ProjectDir = None, *, as_json: Json = False) -> ExitCode:
    """Check the project after each change of its atlases, rules, configuration and goldens.

    A change is followed by one verdict: the atlases are valid and as cra.atlases.lock has them, the
    rules can be read, and policy tests, scenarios and the goldens that depend on what has changed
    pass. Otherwise by the first thing that is wrong, where it is, and the command that mends it.
    Nothing is changed or run; a session that is open goes on with what it began with.

    On a terminal enter checks everything again, a shows all that is wrong, and q ends it, with exit
    code 0. --json prints a line for each verdict.

      cra watch
      cra watch --json
    """
    root = project_dir(project, required=True)
    assert root is not None
    from cra.cli.ledger import trust_of
    from cra.watch.follow import Follower
    from cra.watch.look import Around

    around = Around(root, user_dirs(), os.environ, lambda config: trust_of(config, None))
    show = _print_json if as_json else _print
    with _ending_by_signals(), _keys() as keys:

        def stops() -> bool:
            return _is_waiting(keys) or output.is_abandoned()

        follower = Follower(around)
        found, is_asked = None, True
        while True:
            if is_asked or follower.has_changed(stops):
                now = follower.look(stops, anew=is_asked)
                if now is not None and (is_asked or now.changed):
                    show(now, root, shows_all=is_asked and found is not None)
                    if found is None and keys is not None:
                        output.tell("enter checks all again, a shows all that is wrong, q ends")
                    found = now
                # A key that is typed meanwhile comes first.
                is_asked = is_asked and now is None
            key = _read_key(keys)
            if key == "q" or output.is_abandoned():
                return ExitCode.OK
            if key == "a" and found is not None:
                show(found, root, shows_all=True)
            is_asked = is_asked or key in ("\n", "\r")


# What a verdict says.


def _print(found: FollowedLook, root: Path, *, shows_all: bool) -> None:
    look = found.look
    word, style = ("ok", "good") if look.is_good else ("FAILED", "bad")
    counts = ", ".join(_counts(look.tally, look.findings))
    parts = (Source().now()[11:19], _what(found.changed, root), word, counts)
    line = output.fitted("  ".join([*filter(None, parts), f"{found.seconds:.2f} s"]))
    output.answer(line.replace(f"  {word}  ", f"  {output.style(word, style)}  ", 1))
    shown = look.findings if shows_all else look.findings[:1]
    for finding in shown:
        _print_finding(finding)
    if not look.is_whole:
        output.answer("  what rests on that was not looked at")
    if len(look.findings) > len(shown):
        output.answer(f"  and {len(look.findings) - len(shown)} more")
    output.flush()


def _print_finding(finding: ProjectFinding) -> None:
    kind = "warning" if finding.is_warning else finding.code
    parts = (finding.where, f"{kind} {finding.message}" if kind else finding.message)
    text = ": ".join(part for part in parts if part)
    output.answer(output.fitted(output.discreet(text), indent="  "))
    if finding.fix is not None:
        output.answer(f"  fix: {output.safe(finding.fix)}")


def _what(changed: tuple[str, ...], root: Path) -> str:
    if not changed:
        return "everything"
    names = _named(changed, root)
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _named(changed: tuple[str, ...], root: Path) -> list[str]:
    """Files by their paths from the project; those outside of it by all of their path."""
    return [path.removeprefix(f"{root}{os.sep}") for path in changed]


def _counts(tally: Tally, findings: tuple[ProjectFinding, ...]) -> Iterator[str]:
    """How much of each kind was tested, or was only read where there is no test."""
    tested = ((tally.policy_tests, "policy test", ""), (tally.scenarios, "scenario", ""))
    is_tested = tally.goldens > 0 or any(count for count, *_ in tested)
    read = ((tally.atlases, "atlas", "atlases"), (tally.rules, "rule", ""))
    for count, one, many in tested if is_tested else read:
        if count:
            yield counted(count, one, many)
    if tally.goldens:
        yield _goldens(tally)
    warnings = sum(finding.is_warning for finding in findings)
    if warnings:
        yield counted(warnings, "warning")


def _goldens(tally: Tally) -> str:
    """Those of the project, which cra replay counts, and those that atlases have for themselves."""
    own = tally.goldens - tally.of_atlases
    told = [counted(own, "golden")] if own else []
    if tally.of_atlases:
        others = str(tally.of_atlases) if own else counted(tally.of_atlases, "golden")
        told.append(f"{others} of atlases")
    return " and ".join(told) + (f" ({tally.kept} as before)" if tally.kept else "")


def _print_json(found: FollowedLook, root: Path, *, shows_all: bool) -> None:  # noqa: ARG001
    look = found.look
    facts: WatchedVerdict = {
        "time": Source().now(),
        "passed": look.is_good,
        "complete": look.is_whole,
        "changed": _named(found.changed, root),
        "seconds": round(found.seconds, 3),
        "atlases": look.tally.atlases,
        "rules": look.tally.rules,
        "policy_tests": look.tally.policy_tests,
        "scenarios": look.tally.scenarios,
        "goldens": look.tally.goldens,
        "goldens_of_atlases": look.tally.of_atlases,
        "goldens_as_before": look.tally.kept,
        "findings": [_finding_facts(finding) for finding in look.findings],
    }
    output.answer_jsonl([facts])
    output.flush()


def _finding_facts(finding: ProjectFinding) -> ProjectFindingFacts:
    return {
        "part": finding.part,
        "warning": finding.is_warning,
        "code": finding.code,
        "message": output.discreet(finding.message),
        "where": finding.where,
        "fix": finding.fix,
    }


# The terminal, and how it ends.


@contextmanager
def _keys() -> Iterator[int | None]:
    """The terminal that keys are typed on, each of which counts at once; None if there is none, or
    if it is another program's at the moment."""
    import termios

    keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    if keys is None or not _is_ours(keys):
        yield None
        return
    before = termios.tcgetattr(keys)
    own = termios.tcgetattr(keys)
    own[3] &= ~(termios.ICANON | termios.ECHO)
    own[6][termios.VMIN], own[6][termios.VTIME] = 1, 0
    termios.tcsetattr(keys, termios.TCSADRAIN, own)
    try:
        yield keys
    finally:
        # A terminal that has gone has no settings any more.
        with suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _is_ours(keys: int) -> bool:
    """Whether the terminal is for this program: one in the background that reads is stopped."""
    try:
        return os.tcgetpgrp(keys) == os.getpgrp()
    except OSError:
        return False


def _is_waiting(keys: int | None) -> bool:
    from select import select

    return keys is not None and _is_ours(keys) and bool(select([keys], [], [], 0)[0])


def _read_key(keys: int | None) -> str:
    """The key that was typed, if one was; where the terminal has gone, as if it was q."""
    if keys is None or not _is_waiting(keys):
        return ""
    try:
        return os.read(keys, 1).decode(errors="replace") or "q"
    except OSError:
        return "q"


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Clean up before SIGTERM ends this, as for Ctrl-C; it ends it all the same."""
    is_terminated = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal is_terminated
        is_terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_terminated:
            os.kill(os.getpid(), signal.SIGTERM)
