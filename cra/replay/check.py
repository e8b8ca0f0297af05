"""Goldens against today's project: each one's verdict, and what of the project has changed since.

Integrity comes first: what is not the golden that was recorded is compared with nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, TypeAlias

from cra import config as configuration
from cra.atlas.model import Snapshot
from cra.atlas.snapshot import open_snapshot, where_written
from cra.config import Config, UserDirs
from cra.errors import CraError, GoldenRefused, IntegrityError, UsageError
from cra.ledger.keys import load_key
from cra.ledger.reading import usable_cores
from cra.ledger.verdict import Level
from cra.ledger.verify import Trust
from cra.replay.compare import (
    Comparison,
    Compatibility,
    Order,
    TraceDifference,
    compare,
)
from cra.replay.golden import LIMITS, Golden, open_golden, sha256_of
from cra.replay.manifest import NAMES, Expectations, GoldenManifest, Mode, State, at_rest
from cra.replay.mark import Marks, marks_of
from cra.replay.reading import Trace
from cra.replay.replay import Replayed, replay
from cra.replay.step import told
from cra.replay.writing import (
    artifacts_in,
    install,
    pending_of,
    put,
    reject,
    save_manifest,
    staged,
    tidy,
    write_trace,
)

FailOn: TypeAlias = Literal["breaking", "minor", "any"]
# From which compatibility on a replay fails.
_FAILS: Final[Mapping[FailOn, Sequence[Compatibility]]] = {
    "breaking": ("breaking",),
    "minor": ("minor", "breaking"),
    "any": ("semantically_equivalent", "minor", "breaking"),
}
# Starting a process takes as long as replaying a few goldens.
_WORTH_PROCESSES: Final = 12
_NOBODY: Final = Trust()
# How often a golden is looked at that is replaced while it is.
_TRIES: Final = 5
# What a copy of a project leaves behind; an atlas in it has goldens of its own.
_LEFT_BEHIND: Final = (".git", ".venv", "goldens")


@dataclass(frozen=True)
class Settings:
    """How goldens are replayed; what is None, the manifest says."""

    trust: Trust = _NOBODY
    # What is decided by, instead of the project's atlases and rules.
    snapshot: Snapshot | None = None
    mode: Mode | None = None
    # Whether nothing may run, whatever the manifest says.
    is_at_rest: bool = False
    order: Order | None = None
    fail_on: FailOn = "breaking"
    # The trace that is compared, in the mode `compare`.
    against: Path | None = None
    # Where the replay's own ledger is kept, if it is.
    keep: Path | None = None
    is_signed: bool = False
    environ: Mapping[str, str] | None = None
    # Whether what differs is written beside the golden, and the key file that it is signed with.
    writes: bool = False
    # Whether that is done also where nothing differs but what it was recorded on.
    refreshes: bool = False
    signing_key: Path | None = None


@dataclass(frozen=True)
class Report:
    """What came of one golden."""

    name: str
    manifest: Path
    mode: Mode
    state: State
    compatibility: Compatibility | None = None
    differences: tuple[TraceDifference, ...] = ()
    golden_events: int = 0
    found_events: int = 0
    # What of the project is another than when it was recorded.
    changed: tuple[str, ...] = ()
    unverifiable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    # Where what differs was written, for whoever accepts it.
    pending: Path | None = None
    # What the replay wrote, where its ledger is kept.
    replayed: Replayed | None = None
    # The code, the message, the place and the way out of what kept it from being compared.
    error: tuple[str, str, str | None, str | None] | None = None

    def causes(self) -> list[str]:
        """What keeps it from passing, a line for each; not what follows from that."""
        if self.error is not None:
            return [f"{self.error[0]}: {self.error[1]}"]
        own = [one for one in self.differences if not one.follows]
        return [f"{one.significance}: {one.told}" for one in own]


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether nobody looks on: what runs a build sets the variable CI."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


def usual_settings(trust: Trust, environ: Mapping[str, str], dirs: UserDirs) -> Settings:
    """How goldens are replayed where nobody says otherwise: what differs is written beside them,
    signed if there is a key, but not in CI."""
    return Settings(
        trust=trust,
        environ=dict(environ),
        writes=not is_ci(environ),
        signing_key=dirs.signing_key if dirs.has_key() else None,
    )


def check_all(paths: Sequence[Path], config: Config, settings: Settings) -> Iterator[Report]:
    """Replay goldens, several at once where that pays; reports are in the order of the paths."""
    cores = min(usable_cores(), len(paths))
    if cores == 1 or len(paths) < _WORTH_PROCESSES:
        yield from (check(path, config, settings) for path in paths)
        return
    work = partial(check, config=config, settings=settings)
    # A fork would take over locks that threads of this process hold.
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, paths)


def check(path: Path, config: Config, settings: Settings) -> Report:
    """Replay one golden. What is wrong with it is in the report."""
    for _ in range(_TRIES):
        before = sha256_of(path)
        report = _check_once(path, config, settings)
        if report.error is None or sha256_of(path) == before:
            break  # otherwise another golden was put in its place meanwhile
    return report


def _check_once(path: Path, config: Config, settings: Settings) -> Report:
    name, mode = path.parent.name, settings.mode or "decide"
    try:
        golden = open_golden(path, settings.trust)
        stated = golden.manifest.mode
        mode = settings.mode or (at_rest(stated) if settings.is_at_rest else stated)
        if settings.is_signed and golden.level < Level.L1:
            raise GoldenRefused(
                f"expected a golden signed by a key that was given, found {golden.level}",
                where=str(golden.trace),
                fix="record it in a project with a key, or give the key that signed it with --key",
            )
        return _checked(golden, mode, _own(config), settings)
    except IntegrityError as error:
        return Report(name, path, mode, "integrity", error=_facts(error))
    except CraError as error:
        return Report(name, path, mode, "refused", error=_facts(error))
    except OSError as error:
        refused = GoldenRefused(
            f"expected to read and write what a replay needs, found: {error.strerror}",
            where=str(error.filename or path),
        )
        return Report(name, path, mode, "refused", error=_facts(refused))


def _own(config: Config) -> Config:
    """What the project's file says: a user's own and the environment are others elsewhere."""
    project = config.project
    if project is None or not (project / configuration.FILE_NAME).is_file():
        return config
    return configuration.load(project, {}, None, {})


def _checked(golden: Golden, mode: Mode, config: Config, settings: Settings) -> Report:
    report = Report(golden.name, golden.path, mode, "passed")
    if mode == "verify":
        return report
    manifest = golden.manifest
    order = settings.order or manifest.order
    with ExitStack() as stack:
        trace = stack.enter_context(Trace(golden.trace))
        if mode == "compare":
            if settings.against is None:
                raise UsageError(
                    "expected the trace to compare with the golden, found none",
                    fix="--trace SESSION, or --mode decide",
                )
            found = stack.enter_context(Trace(settings.against))
            compared = compare(trace, found, manifest.nondeterminism, order)
            report = _of_comparison(report, compared, compared.differences)
        else:
            root, place = _places(golden, mode, config, settings, stack)
            config = replace(config, project=root)
            snapshot = settings.snapshot or open_snapshot(root, config)
            runs_with = (settings.environ or {}) if mode == "execute" else None
            done = replay(golden, config, snapshot, place, runs_with=runs_with)
            found = stack.enter_context(Trace(done.trace, done.replaced))
            compared = compare(trace, found, manifest.nondeterminism, order)
            now = marks_of(root, snapshot, manifest.actions)
            placed = _placed(compared.differences, snapshot)
            differences = [*_told(placed, done, manifest, trace)]
            if mode == "decide":
                differences += _of_code(manifest, now)
            report = replace(
                _of_comparison(report, compared, differences),
                changed=tuple(_changed(manifest, now)),
                unverifiable=tuple(
                    f"event {at}: {done.unverifiable[at]}"
                    for at in manifest.expectations.unverifiable
                    if at in done.unverifiable
                ),
                replayed=done if settings.keep is not None else None,
            )
            if settings.writes:
                report = _written(report, golden, done, now, (config, settings))
        fails = report.compatibility in _FAILS[settings.fail_on]
        return replace(report, state="different" if fails else "passed")


def _written(
    report: Report,
    golden: Golden,
    done: Replayed,
    now: Marks,
    by: tuple[Config, Settings],
) -> Report:
    """Write what differs beside the golden; what waited there before goes."""
    config, settings = by
    key = settings.signing_key
    folder = golden.path.parent
    pending = pending_of(folder)
    if pending.exists():
        reject(pending)
    tidy(folder)
    differs = report.compatibility in ("minor", "breaking")
    if not differs and not (settings.refreshes and report.changed):
        return report
    with staged(pending) as place:
        write_replayed(golden, done, now, place, (config, key))
        install(place, pending)
    return replace(report, pending=pending)


def write_replayed(
    golden: Golden, done: Replayed, now: Marks, place: Path, by: tuple[Config, Path | None]
) -> Report:
    """Write what a replay of a golden did as a golden of its own, signed with the key file of the
    two that it is by. Returns what a replay of it says."""
    config, key = by
    write_trace(done, place, load_key(key) if key is not None else None)
    limits = golden.artifact(LIMITS)
    if limits is not None:
        put(place / limits.name, limits.read_bytes())
    with Trace(done.trace, done.replaced) as events:
        trace_id = events.event(0)["trace_id"]
        steps, _ = told(events)
    manifest = replace(
        golden.manifest,
        trace_id=trace_id,
        artifacts=tuple(artifacts_in(place)),
        steps=steps,
        atlases=now.atlases,
        policies=now.policies,
        actions=now.actions,
        expectations=Expectations(),
    )
    return save_with_expectations(place, manifest, config)


def save_with_expectations(
    folder: Path, manifest: GoldenManifest, config: Config, trust: Trust = _NOBODY
) -> Report:
    """Write a new golden's manifest, which says what of it cannot be decided again. Returns what a
    replay of it says."""
    save_manifest(folder, manifest)
    path = folder / NAMES[0]
    settings = Settings(trust=trust)
    report = check(path, config, settings)
    expected = tuple(
        one.golden
        for one in report.differences
        if one.type == "unverifiable" and one.golden is not None
    )
    if not expected:
        return report
    save_manifest(folder, replace(manifest, expectations=Expectations(expected)))
    return check(path, config, settings)


def _places(
    golden: Golden, mode: Mode, config: Config, settings: Settings, stack: ExitStack
) -> tuple[Path, Path]:
    """The project that is asked, and where the replay's own ledger is."""
    assert config.project is not None  # whoever replays has a project
    if settings.keep is not None:
        place = settings.keep / golden.name
        place.mkdir(parents=True)
    else:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="cra-replay-")))
    if mode != "execute":
        return config.project, place / "ledger"
    _copy_project(config, place / "project")
    return place / "project", place / "ledger"


def _copy_project(config: Config, target: Path) -> None:
    """The project without its ledger, for actions to run in. Links stay links."""
    assert config.project is not None
    root, trace = config.project, config.trace_directory.resolve()

    def left_behind(folder: str, names: list[str]) -> list[str]:
        here = Path(folder)
        left = _LEFT_BEHIND if here == root else ()
        return [name for name in names if name in left or (here / name).resolve() == trace]

    shutil.copytree(root, target, symlinks=True, ignore=left_behind)


def _of_comparison(
    report: Report, compared: Comparison, differences: Sequence[TraceDifference]
) -> Report:
    weights = {one.significance for one in differences}
    compatibility = compared.compatibility
    if "breaking" in weights:
        compatibility = "breaking"
    elif weights:
        compatibility = "minor"
    elif compared.differences:
        compatibility = "semantically_equivalent"
    return replace(
        report,
        compatibility=compatibility,
        differences=tuple(differences),
        golden_events=compared.golden_events,
        found_events=compared.found_events,
        warnings=tuple(f"the rule for {name} is about nothing" for name in compared.idle_rules),
    )


def _placed(
    differences: Iterable[TraceDifference], snapshot: Snapshot
) -> Iterator[TraceDifference]:
    """The differences, with the place of the rule where one decides otherwise now."""
    rules = [*snapshot.policies, *(rule for atlas in snapshot.atlases for rule in atlas.policies)]
    by_id = {rule.policy_id: rule for rule in rules}
    for difference in differences:
        rule = by_id.get(difference.policy_id or "")
        if rule is None:
            yield difference
        else:
            place = where_written(snapshot, rule.origin)
            yield replace(difference, reason=f"{difference.reason} ({place})")


def _told(
    differences: Iterable[TraceDifference], done: Replayed, manifest: GoldenManifest, trace: Trace
) -> Iterator[TraceDifference]:
    """The differences, with what the replay says of them: why a step could not be done again, and
    which ones could not be decided."""

    own = trace.event(0)["span_id"]

    def span_of(at: int) -> str:
        span: str = trace.event(at)["span_id"]
        return f"event {at}" if span == own else span

    refused = {span_of(at): why for at, why in done.refused.items()}
    unverifiable = {span_of(at): why for at, why in done.unverifiable.items()}
    for difference in differences:
        span = "" if difference.golden is None else span_of(difference.golden)
        # What a session comes to follows from its calls.
        is_sum = difference.event_type == "session.ended" and "/payload.summary" in difference.path
        if span in unverifiable or (is_sum and unverifiable):
            continue
        if difference.type == "removed" and span in refused:
            difference = replace(difference, reason=f"{difference.reason}: {refused[span]}")  # noqa: PLW2901
        yield difference
    for at, why in done.unverifiable.items():
        if at not in manifest.expectations.unverifiable:
            event = trace.event(at)
            action_id = event["payload"].get("action_id")
            kind = event["event_type"]
            yield TraceDifference(
                f"event {at}", "unverifiable", "minor", why, None, None, kind, action_id, at, None
            )


def _of_code(manifest: GoldenManifest, now: Marks) -> Iterator[TraceDifference]:
    """Actions of the golden whose implementation is another: nothing of it was run."""
    for name, before in manifest.actions.items():
        after = now.actions.get(name)
        if after is None:
            continue
        for part in ("executor", "code"):
            old, new = getattr(before, part), getattr(after, part)
            if old != new:
                yield TraceDifference(
                    f"actions/{name}/{part}",
                    "changed",
                    "minor",
                    f"implementation changed, not run: the {part} of {name}",
                    old,
                    new,
                    "",
                    name,
                    None,
                    None,
                )


def _changed(manifest: GoldenManifest, now: Marks) -> Iterator[str]:
    for name, mark in manifest.atlases.items():
        atlas = now.atlases.get(name)
        if atlas is None:
            yield f"the atlas {name} is gone"
        elif atlas.version != mark.version:
            yield f"the atlas {name} is {atlas.version}, was {mark.version}"
        elif atlas.digest != mark.digest:
            yield f"the atlas {name} has changed"
    for name in sorted({*manifest.policies, *now.policies} if manifest.policies else ()):
        old, new = manifest.policies.get(name), now.policies.get(name)
        if old != new:
            words = "is gone" if new is None else "is new" if old is None else "has changed"
            yield f"{name} {words}"


def _facts(error: CraError) -> tuple[str, str, str | None, str | None]:
    return error.code, error.message, error.where, error.fix
