"""What `cra trace` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from cra.cli.answers.words import LevelName, OneOf, VerdictName
from cra.errors import Code
from cra.ledger.export import FORMATS
from cra.ledger.facts import Anomalies, Metrics, OutlineFacts
from cra.ledger.repair import Kind
from cra.ledger.verify import AnchorSource
from cra.protocol.events import EventHeader, Removed


class PageFacts(TypedDict):
    """How much there is beside the part of a list that is printed."""

    total_count: int
    has_more: bool


class AnomalousSession(OutlineFacts):
    """A session as --anomalies lists it."""

    anomalies: Anomalies


class TraceListAnswer(PageFacts):
    sessions: list[OutlineFacts | AnomalousSession]


# Events.


class FaultFacts(TypedDict):
    code: Code
    message: str


class StoredEvent(EventHeader):
    """An event as it stands in its line; without payload and salt it is a redacted one."""

    payload: NotRequired[dict[str, Any]]
    salt: NotRequired[str]
    event_hash: str


class ShownEvent(StoredEvent):
    # Whether a checkpoint covers it.
    covered: bool
    # Why it is not the event of its place.
    error: NotRequired[FaultFacts]


class LostEvent(TypedDict):
    """A line that is no event."""

    sequence: int
    error: FaultFacts


class CheckpointFacts(TypedDict):
    size: int
    verified: Literal[False]


class CoverageFacts(TypedDict):
    # By which events are called covered.
    checkpoint: CheckpointFacts


class EventsAnswer(PageFacts, CoverageFacts):
    events: list[ShownEvent | LostEvent]


class ShownEventAnswer(ShownEvent, CoverageFacts):
    """The event that --seq names."""


class LostEventAnswer(LostEvent, CoverageFacts):
    """The line that --seq names, where it is no event."""


EventAnswer: TypeAlias = ShownEventAnswer | LostEventAnswer


class LostLine(TypedDict):
    """A line that is no event."""

    error: FaultFacts


TailedLine: TypeAlias = StoredEvent | LostLine


class StatsAnswer(Metrics):
    sessions: int
    # When the first event was recorded, and when the last.
    first: str | None
    last: str | None


# Exports.

FormatName: TypeAlias = Annotated[str, OneOf(tuple(FORMATS))]


class ExportFacts(TypedDict):
    # The file.
    output: str
    session_id: str
    events: int


class EventsExportAnswer(ExportFacts):
    format: FormatName
    # None: of a file that is not named like a session's.
    verdict: VerdictName | None
    code: Code | None


class BundleExportAnswer(ExportFacts):
    format: Literal["bundle"]
    blobs: int
    redactions: int
    # The key that signs the ledger.
    key: str | None
    # The SHA-256 of the verify.py in it.
    verifier: str
    verdict: VerdictName


ExportAnswer: TypeAlias = EventsExportAnswer | BundleExportAnswer


# Verdicts and proofs.


class ChainFacts(TypedDict):
    """The verdict on a session or on the journal."""

    name: str
    verdict: VerdictName
    code: Code | None
    message: str | None
    level: LevelName | None
    events: int
    unattested: int
    redacted: int
    pruned: bool
    # How many events were not read again, and the day (UTC) on which they were.
    skipped: int
    verified_on: str | None
    warnings: list[str]


class LeakFacts(TypedDict):
    """An event that holds what reads like a secret, and how much of which kind."""

    session_id: str
    sequence: int
    event_type: str
    counts: Mapping[str, int]


class VerifyAnswer(TypedDict):
    directory: str
    ledger_id: str | None
    verdict: VerdictName
    code: Code | None
    # None: what is stored is not what was recorded.
    level: LevelName | None
    anchor: AnchorSource | None
    exit: int
    # None: judged without one.
    journal: ChainFacts | None
    sessions: list[ChainFacts]
    notes: list[str]
    # None: without --secrets.
    secrets: list[LeakFacts] | None


class ProofAnswer(TypedDict):
    proof: str
    # The file that it was written to.
    output: str | None


class ProvenCheckpoint(TypedDict):
    origin: str
    size: int
    root: str


class ProvenFacts(TypedDict):
    valid: Literal[True]
    level: LevelName
    ledger_id: str
    signer: str | None
    checkpoint: ProvenCheckpoint


class ProvenEvent(EventHeader):
    event_hash: str
    # None: redacted.
    payload: dict[str, Any] | None


class ProvenEventAnswer(ProvenFacts):
    """An event was recorded."""

    event: ProvenEvent


class ProvenAnchorAnswer(ProvenFacts):
    """The journal goes on from a head that was anchored."""

    anchor: str


ProvenAnswer: TypeAlias = ProvenEventAnswer | ProvenAnchorAnswer


class AnchorAnswer(TypedDict):
    # The line to keep elsewhere.
    anchor: str
    ledger_id: str
    size: int
    root: str
    # That it was noted on, with --git.
    commit: str | None


# Changes.

RepairName: TypeAlias = Annotated[str, OneOf(tuple(kind.name.lower() for kind in Kind))]


class AcceptableFacts(TypedDict):
    name: str
    kind: RepairName
    message: str


class AcceptedFacts(TypedDict):
    name: str
    kind: RepairName
    removed: Removed | None


class BeyondFacts(TypedDict):
    """What cannot be mended: evidence."""

    name: str
    code: Code | None
    message: str | None


class RepairAnswer(TypedDict):
    acceptable: list[AcceptableFacts]
    # Empty without --accept.
    accepted: list[AcceptedFacts]
    beyond: list[BeyondFacts]


class RedactAnswer(TypedDict):
    session_id: str
    sequence: int
    event_hash: str
    # How many were removed.
    blobs: int
    # Whether there was nothing left to do.
    was_done: bool


class PrunedFacts(TypedDict):
    session_id: str
    ended_at: str | None
    bytes: int
    # Why it stays, if it does.
    kept: str | None


class PruneAnswer(TypedDict):
    dry_run: bool
    sessions: list[PrunedFacts]
