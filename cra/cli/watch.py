"""`cra watch`: a verdict on the project after each change, while somebody works on it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
    Nothing is changed or run. A process that runs keeps the rules that it opened; the next command
    goes by the new ones, and asks for a new resolve where the resolution does not hold any more.

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
    here = os.getcwd()
    with _ending_by_signals(), _typing() as keys:

        def stops() -> bool:
            _stand_in(here)
            return keys.are_waiting() or output.is_abandoned()

        follower = Follower(around)
        found, is_asked = None, True
        while True:
            if is_asked or follower.has_changed(stops):
                now = follower.look(stops, anew=is_asked)
                if now is not None and (is_asked or now.changed):
                    show(now, root, shows_all=is_asked and found is not None)
                    if found is None and keys.are_here():
                        output.tell("enter checks all again, a shows all that is wrong, q ends")
                    found = now
                # A key that is typed meanwhile comes first.
                is_asked = is_asked and now is None
            key = keys.read()
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


class _Keys:
    """What is typed on a terminal, where each key counts at once while it is this program's.

    A shell sets its terminal anew when it stops a program and when it lets it go on, and one that
    began in the background has the terminal later. So each look at it sets it where it has to be.
    """

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal
        # How the terminal was before it was set.
        self._before: list[Any] | None = None

    def are_here(self) -> bool:
        """Whether keys are typed for this program, each of which counts at once from now on."""
        import termios

        if self._terminal is None or not _is_ours(self._terminal):
            return False
        # One that has gone has no settings any more: to read from it tells that.
        with suppress(termios.error):
            own = termios.tcgetattr(self._terminal)
            if own[3] & (termios.ICANON | termios.ECHO):
                self._before = termios.tcgetattr(self._terminal)
                own[3] &= ~(termios.ICANON | termios.ECHO)
                own[6][termios.VMIN], own[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, own)
        return True

    def are_waiting(self) -> bool:
        from select import select

        if self._terminal is None or not self.are_here():
            return False
        return bool(select([self._terminal], [], [], 0)[0])

    def read(self) -> str:
        """The key that was typed, if one was; where the terminal has gone, as if it was q."""
        if self._terminal is None or not self.are_waiting():
            return ""
        try:
            return os.read(self._terminal, 1).decode(errors="replace") or "q"
        except OSError:
            return "q"

    def give_back(self) -> None:
        """Let the terminal be as it was, if it is this program's to set."""
        import termios

        if self._terminal is not None and self._before is not None and _is_ours(self._terminal):
            with suppress(termios.error):  # it has gone
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        self._before = None


@contextmanager
def _typing() -> Iterator[_Keys]:
    """The keys; the terminal is given back at the end, and whenever Ctrl-Z stops this."""
    keys = _Keys(sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None)

    def stop(_signal: int, _frame: object) -> None:
        keys.give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # From here on when it goes on.
        signal.signal(signal.SIGTSTP, stop)

    # Where a stop is ignored, it stays ignored.
    is_stoppable = signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
    if is_stoppable:
        signal.signal(signal.SIGTSTP, stop)
    try:
        yield keys
    finally:
        keys.give_back()
        if is_stoppable:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)


def _is_ours(terminal: int) -> bool:
    """Whether a terminal is for this program: one in the background that uses it is stopped."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False


def _stand_in(here: str) -> None:
    """Work in a directory by its path. One that was removed is not the one that is there by now,
    and in one that is gone no path can be told."""
    try:
        if os.getcwd() == here:
            return
    except FileNotFoundError:
        os.chdir(os.sep)
    with suppress(OSError):
        os.chdir(here)


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
