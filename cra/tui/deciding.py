"""Calls that wait for a person, in all sessions, and the word that decides them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from cra.amount import counted
from cra.errors import CraError
from cra.ledger.index import session_files
from cra.ledger.source import Source
from cra.printable import safe
from cra.tui.granting import DecisionScreen, Settled, told_of
from cra.tui.listing import Listing, Page, Part, fitted, wrapped
from cra.tui.setting import Setting
from cra.tui.telling import fault_lines

if TYPE_CHECKING:
    from cra.protocol.events import Approver
    from cra.runtime.approval import Scope
    from cra.runtime.waiting import FoundApproval
    from cra.tui.app import TraceApp

_LOOK_SECONDS: Final = 0.5
_LABEL: Final = 12
_STALE: Final = (
    "the atlases, policies or settings have changed since, so that a grant would not count: have "
    "the call made again"
)
_KEY_FILE: Final = "CRA_APPROVER_KEY_FILE"
_UNKNOWN: Final = "what waits is not known"


class Waiting(NamedTuple):
    """An approval, and where the rule is written that asks for it."""

    found: FoundApproval
    where: str
    # The arguments whole, wherever a part of them is kept.
    arguments: dict[str, Any]
    # How long a grant holds that says nothing of it.
    ttl_seconds: int


def waiting_in(setting: Setting) -> list[Waiting]:
    """The calls that wait, and those that are to be made again, the newest first.

    Raises CraError.
    """
    if setting.open_project is None:
        return []
    from cra.ledger.blobs import read_member
    from cra.runtime.places import place_now, places_by_id
    from cra.runtime.waiting import approvals_in

    now, files = Source().now(), session_files(setting.directory)
    if not any(one.is_waiting for one in approvals_in(files, now)):
        return []
    with setting.open_project() as project:
        places, ttl_seconds = places_by_id(project), project.config.policies.approval_ttl_seconds
        snapshot = project.read_digest
    found = [one for one in approvals_in(files, now, snapshot) if one.is_waiting]
    found.sort(key=lambda one: one.approval.approval_id, reverse=True)
    blobs = setting.directory / "blobs"
    return [
        Waiting(
            one,
            place_now(places, one.approval.asked["policy_id"]) or "",
            read_member(one.approval.asked["arguments"], one.approval.salt, blobs),
            ttl_seconds,
        )
        for one in found
    ]


def decide(setting: Setting, found: FoundApproval, decided: Settled) -> Scope | None:
    """Record what was decided, as `cra approvals` does, and return how far a grant goes.

    Raises CraError.
    """
    assert setting.open_project is not None
    from cra.ledger.keys import load_key

    asked, approval_id = found.approval.asked, found.approval.approval_id
    # Where none are listed, no key counts, and the word of whoever sits here does.
    signer = load_key(Path(setting.environ[_KEY_FILE])) if asked["approvers"] else None
    by: Approver = {"how": "terminal", "name": setting.user}
    with setting.open_project() as project:
        approvals = project.session(session_id=found.session_id).approvals
        if decided.scope is None:
            approvals.deny(approval_id, by, reason=decided.reason, signer=signer, on_terminal=True)
            return None
        return approvals.grant(
            approval_id,
            by,
            reason=decided.reason,
            scope=decided.scope,
            signer=signer,
            on_terminal=True,
        )


def details_of(one: Waiting, columns: int) -> list[list[Part]]:
    """All that there is to know before it is decided."""
    found = one.found
    approval, asked = found.approval, found.approval.asked
    held = found.state.resolutions.get(asked["resolution_id"] or "")
    rows = [
        ("stale", _STALE if found.standing == "stale" else ""),
        ("action", approval.action_id),
        ("risk tier", asked["risk_tier"]),
        ("agent", str(found.state.started.get("agent_id"))),
        ("goal", held.goal if held else ""),
        ("rule", asked["policy_id"]),
        ("written in", one.where),
        ("reason", asked["reason"]),
        ("expires at", asked["expires_at"]),
        ("approvers", ", ".join(asked["approvers"]) or "anybody on a terminal"),
        ("session", found.session_id),
        ("approval", approval.approval_id),
    ]
    lines = [line for name, text in rows if text for line in _row(name, text, columns)]
    lines.append([("arguments", "accent")])
    for name, value in one.arguments.items():
        text = safe(f"{name}: {json.dumps(value, ensure_ascii=False)}")
        lines += [[("  " + part, "good")] for part in wrapped(text, columns - 3)]
    lines.append([("a grant binds to", "accent")])
    for name, value in asked["binding"].items():
        lines.append([(safe(f"  {name:<17} {value}"), "dim")])
    before = found.before()
    if before:
        lines.append([("before, in this session", "accent")])
    for done in before:
        words = f"  {done.timestamp[:19]}  {done.action_id}: {done.status}"
        lines.append([(safe(words), "bad" if done.status == "error" else "")])
    return [[(" ", ""), *line] for line in lines]


def wrong_lines(error: CraError | OSError, columns: int) -> list[list[Part]]:
    """Why it cannot be told what waits, where, and the way out."""
    if isinstance(error, OSError):
        where = str(error.filename) if error.filename else None
        lines = fault_lines(str(error.strerror or error), where, None, columns)
    else:
        lines = fault_lines(f"{error.code}: {error.message}", error.where, error.fix, columns)
    return [[(" ", ""), *line] for line in lines]


def _row(name: str, text: str, columns: int) -> Iterable[list[Part]]:
    for at, part in enumerate(wrapped(safe(text), max(8, columns - _LABEL - 2))):
        yield [(("" if at else name).ljust(_LABEL), "accent"), (part, "")]


class WaitingList(Listing):
    """The rows of calls that wait."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,g", "choose", "Grant")]
    empty_text = "looking …"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.waiting: list[Waiting] = []

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        found, _, arguments, _ = self.waiting[row]
        is_stale = found.standing == "stale"
        yield (" · ", "dim") if is_stale else (" ▲ ", "warn")
        yield fitted(safe(found.approval.action_id), 18) + " ", "dim" if is_stale else "strong"
        yield fitted("stale" if is_stale else safe(found.approval.asked["risk_tier"]), 9), "dim"
        yield fitted(safe(str(found.state.started.get("agent_id"))), 12) + " ", ""
        yield safe(json.dumps(arguments, ensure_ascii=False)), "good"


class Awaited(Message):
    """What waits, or why that is not known."""

    def __init__(self, waiting: list[Waiting], wrong: CraError | OSError | None) -> None:
        super().__init__()
        self.waiting = waiting
        self.wrong = wrong


class ApprovalsScreen(Screen[None]):
    """What waits, what there is to know of it, and the two keys that decide."""

    app: TraceApp

    CSS = """
    ApprovalsScreen > WaitingList { height: 30%; min-height: 4; }
    ApprovalsScreen > Page { height: 1fr; border-top: solid $foreground 20%; }
    ApprovalsScreen > #status { height: auto; max-height: 6; padding: 0 1; background: $surface; }
    """
    AUTO_FOCUS = "WaitingList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "deny", "Deny"),
        Binding("o", "open", "Open the session"),
        Binding("y", "copy_command", "Copy the command", show=False),
        Binding("q,escape", "app.leave", "Back"),
        Binding("tab,shift+tab", "app.focus_next", "To the other pane", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._is_looking = False
        self._looked_at: Any = None
        # Why it is not known what waits.
        self._wrong: CraError | OSError | None = None
        # What came of the last decision.
        self._said = ""
        self._is_refused = False

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield WaitingList()
        yield Page()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        head = Content.assemble(("cra trace  ", "bold $text-primary"), ("approvals", "bold"))
        self.query_one("#head", Static).update(head)
        self._look()
        self.set_interval(_LOOK_SECONDS, self._look)

    @property
    def _list(self) -> WaitingList:
        return self.query_one(WaitingList)

    def _look(self) -> None:
        if self._is_looking:
            return
        self._is_looking = True
        setting, before = self.app.setting, self._looked_at

        def work() -> None:
            found: list[Waiting] = []
            wrong: CraError | OSError | None = None
            try:
                now: Any = _stamps(setting)
            except OSError as error:
                now, wrong = str(error), error
            if now == before:
                self._is_looking = False
                return
            try:
                found = waiting_in(setting) if wrong is None else []
            except (CraError, OSError) as error:
                wrong = error
            self._looked_at = now
            self.post_message(Awaited(found, wrong))

        self.run_worker(work, group="waiting", thread=True)

    def on_awaited(self, message: Awaited) -> None:
        self._is_looking = False
        shown = self._list
        here = shown.waiting[shown.cursor].found.approval.approval_id if shown.waiting else ""
        shown.waiting = message.waiting
        self._wrong = message.wrong
        if message.wrong is not None:
            shown.empty_text = _UNKNOWN
        elif self.app.setting.open_project is not None:
            shown.empty_text = "no call waits for an approval"
        else:
            shown.empty_text = "approvals belong to a project: there is none here"
        shown.resize_to(len(message.waiting))
        ids = [one.found.approval.approval_id for one in message.waiting]
        shown.move_to(ids.index(here) if here in ids else 0)
        self._tell()

    def on_listing_moved(self) -> None:
        self._show_details()

    def on_resize(self) -> None:
        self._show_details()

    def _show_details(self) -> None:
        one, columns = self._chosen, self.app.size.width - 2
        lines: list[list[Part]] = []
        if self._wrong is not None:
            lines = wrong_lines(self._wrong, columns - 1)
        elif one is not None:
            lines = details_of(one, columns)
        self.query_one(Page).write(lines)

    @property
    def _chosen(self) -> Waiting | None:
        shown = self._list
        return shown.waiting[shown.cursor] if shown.cursor < len(shown.waiting) else None

    def _tell(self) -> None:
        count = sum(one.found.standing == "pending" for one in self._list.waiting)
        words = counted(count, "call waits", "calls wait")
        parts = [(words, "bold $text-warning" if count else "dim")]
        if self._wrong is not None:
            parts = [(_UNKNOWN, "bold $text-error")]
        parts.append((f"  {self._said}", "$text-error" if self._is_refused else "$text-success"))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        # One question at a time, however fast somebody types.
        if message.listing is self._list and self.app.screen is self:
            self._ask(is_grant=True)

    def action_deny(self) -> None:
        self._ask(is_grant=False)

    def _ask(self, *, is_grant: bool) -> None:
        one = self._chosen
        if one is None:
            self.notify("no call waits" if self._wrong is None else _UNKNOWN)
            return
        if is_grant and one.found.standing == "stale":
            self._refuse(_STALE)
            return
        if one.found.approval.asked["approvers"] and not self.app.setting.environ.get(_KEY_FILE):
            self._refuse(
                "expected a signature of a listed approver: begin with "
                f"{_KEY_FILE}=FILE, or cra approvals {'grant' if is_grant else 'deny'} "
                f"{one.found.approval.approval_id} --key FILE"
            )
            return

        def take(decided: Settled | None) -> None:
            if decided is not None:
                self._decide(one.found, decided)

        screen = DecisionScreen(one.found, one.ttl_seconds, is_grant=is_grant)
        self.app.push_screen(screen, take)

    def _decide(self, found: FoundApproval, decided: Settled) -> None:
        setting = self.app.setting

        def work() -> None:
            try:
                scope = decide(setting, found, decided)
            except (CraError, OSError) as error:
                self.app.call_from_thread(self._refuse, told_of(error))
            else:
                self.app.call_from_thread(self._conclude, found.approval.action_id, scope)

        self.run_worker(work, group="decide", thread=True)

    def _refuse(self, words: str) -> None:
        self._say(f"nothing was decided: {words}", is_refused=True)

    def _conclude(self, action_id: str, scope: Scope | None) -> None:
        from cra.runtime.grant import words_of

        done = f"granted {words_of(scope, Source().now())}" if scope is not None else "denied"
        self._say(f"{safe(action_id)} {done}", is_refused=False)

    def _say(self, words: str, *, is_refused: bool) -> None:
        self._said, self._is_refused = words, is_refused
        self._tell()
        # What has expired meanwhile changes no file.
        self._looked_at = None
        self._look()

    def action_open(self) -> None:
        one = self._chosen
        if one is not None:
            path = self.app.setting.directory / f"{one.found.session_id}.trace.jsonl"
            self.app.read(path, at=one.found.approval.sequence)

    def action_copy_command(self) -> None:
        one = self._chosen
        if one is not None:
            self.app.copy(f"cra approvals grant {one.found.approval.approval_id}")


def _stamps(setting: Setting) -> list[tuple[str, int, int]]:
    """What tells whether any session has changed, or what decides in the project; with the minute,
    in which some expire. Raises OSError."""
    found = [("", int(Source().now()[14:16]), 0)]
    for path in (*session_files(setting.directory), *_sources(setting)):
        try:
            status = os.stat(path)
        except OSError:
            continue
        # Of a file that can be read again, nothing else is another one.
        found.append((str(path), status.st_size, status.st_ctime_ns))
    return found


def _sources(setting: Setting) -> Iterator[Path]:
    """What a project's settings, atlases and rules are read from, as far as that can be told."""
    if setting.root is None:
        return
    from cra.atlas.lock import LOCK_NAME, read_lock
    from cra.atlas.snapshot import POLICIES
    from cra.config import FILE_NAME, UserDirs

    yield UserDirs.of(setting.environ, Path.home()).config_file
    yield setting.root / FILE_NAME
    yield setting.root / LOCK_NAME
    places = [setting.root / POLICIES]
    # A lock that cannot be read has to be mended first.
    with suppress(CraError):
        places += [setting.root / pin.source for pin in read_lock(setting.root).values()]
    for place in places:
        yield place
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names)
