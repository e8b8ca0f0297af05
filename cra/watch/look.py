"""One look at a whole project: whether everything that decides in it says what it is meant to say.

Nothing is written, nothing runs, and no session notices. What rests on something that is broken is
not looked at: a policy test on rules that cannot be read, say.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from cra import config as configuration
from cra.atlas.acceptance import Acceptance
from cra.atlas.lock import LOCK_NAME, Change, pin_of, read_lock
from cra.atlas.manifest import read_atlas
from cra.atlas.model import Atlas, Pin
from cra.atlas.package import Package, package_at
from cra.atlas.problem import AtlasProblem
from cra.atlas.snapshot import open_snapshot, place_of, read_policies
from cra.config import FILE_NAME, Config, UserDirs
from cra.errors import ConfigError, CraError, Fault, NotFound
from cra.ledger.verify import Trust
from cra.replay.atlas import check_atlas
from cra.replay.check import Report, Settings, check
from cra.replay.golden import FOLDER, find_manifests, sha256_of
from cra.runtime.places import place_of as place_of_rule
from cra.runtime.policy_cases import TESTS, files_of_tests, read_tests, run_tests_of
from cra.runtime.project import Project
from cra.runtime.scenarios import run_scenarios
from cra.watch.names import is_golden_file, is_swap
from cra.watch.part import Part

_LOCK: Final = "cra atlas lock"
_CONFIG: Final = "cra config validate"
# What fails of these keeps nothing from working; all else does.
_TESTS: Final = frozenset({"policy test", "scenario", "golden"})
# As many names as one line has room for.
_MAX_NAMES: Final = 3


class Around(NamedTuple):
    """Where a project is looked at: it, and what of the user's and of the environment counts."""

    root: Path
    dirs: UserDirs
    environ: Mapping[str, str]
    # Whom to trust, by the configuration of the moment. Raises SignerRefused.
    trust_of: Callable[[Config], Trust]


class ProjectFinding(NamedTuple):
    """What is not as it is meant to be, where, and the command that mends it or tells more."""

    part: Part
    message: str
    code: str | None = None
    # A file, and line and column where they are known, from the project's directory.
    where: str | None = None
    fix: str | None = None
    is_warning: bool = False


class Tally(NamedTuple):
    """How much was looked at. Of the goldens some keep an earlier verdict: nothing of what they
    depend on has changed."""

    atlases: int = 0
    rules: int = 0
    policy_tests: int = 0
    scenarios: int = 0
    goldens: int = 0
    # Of the goldens those that atlases have for themselves, which cra replay leaves to them.
    of_atlases: int = 0
    kept: int = 0


class Kept(NamedTuple):
    """What holds for as long as the bytes are the same that it was found of."""

    # By an atlas's place and its digest.
    atlases: Mapping[tuple[str, str], _LookedAtlas] = {}
    # By a golden's manifest, its files, and what of the project it depends on.
    goldens: Mapping[tuple[Path, str, str], Report] = {}


class Look(NamedTuple):
    """What one look came to, the gravest first."""

    findings: tuple[ProjectFinding, ...]
    tally: Tally
    # Whether everything was looked at: nothing was broken that the rest depends on.
    is_whole: bool
    kept: Kept

    @property
    def is_good(self) -> bool:
        return all(finding.is_warning for finding in self.findings)


class _LookedAtlas(NamedTuple):
    """What an atlas is by itself: a function of its bytes."""

    atlas: Atlas | None
    findings: tuple[ProjectFinding, ...]
    scenarios: int
    goldens: int


def look(around: Around, kept: Kept, gives_up: Callable[[], bool] = lambda: False) -> Look | None:
    """What there is to say of a project now, of which some is known of an earlier look.

    None if `gives_up`, which is asked before what takes long, says so.
    """
    looking = _Looking(around, kept, gives_up)
    try:
        is_whole = looking.everything()
    except _GivenUp:
        return None
    findings = sorted(looking.findings, key=lambda one: (one.is_warning, one.part in _TESTS))
    # Goldens that were not looked at wait for what is broken to be as it was.
    goldens = looking.goldens if is_whole else kept.goldens
    known = Kept(looking.atlases, goldens)
    return Look(tuple(findings), looking.tally, is_whole, known)


class _GivenUp(Exception):
    """Nobody waits for the answer any more."""


class _Looking:
    """One look while it lasts: what it has found, and what the next one may keep of it."""

    def __init__(self, around: Around, kept: Kept, gives_up: Callable[[], bool]) -> None:
        self._around = around
        self._gives_up = gives_up
        self._root = around.root
        self._before = kept
        self.findings: list[ProjectFinding] = []
        self.tally = Tally()
        self.atlases: dict[tuple[str, str], _LookedAtlas] = {}
        self.goldens: dict[tuple[Path, str, str], Report] = {}

    def everything(self) -> bool:
        """Look at each part, as far as what it rests on is in order; whether all of them were."""
        config = self._reads("configuration", self._config)
        if config is None:
            return False
        fits = self._atlases(config)
        fits = self._reads("policy", lambda: read_policies(self._root)) is not None and fits
        if not fits:
            return False
        project = self._reads("atlas", lambda: self._opened(config))
        if project is None:
            return False
        with project:
            if self._reads("policy", lambda: self._rules(project)) is None:
                return False
            self._reads("policy test", lambda: self._policy_tests(project))
        return self._reads("golden", lambda: self._goldens(config)) is not None

    def _reads(self, part: Part, reading: Callable[[], Any]) -> Any:
        """What reading a part gives; None, and noted, if that is refused."""
        try:
            return reading()
        except CraError as error:
            self.findings += self._refused(part, error)
        except OSError as error:
            where = self._near(str(error.filename or self._root))
            message = f"expected to read it, found: {error.strerror}"
            self.findings.append(ProjectFinding(part, message, where=where))
        return None

    def _config(self) -> Config | None:
        path = self._root / FILE_NAME
        if not path.is_file():
            message = f"expected a cra project, found no {FILE_NAME}"
            fix = f"bring it back, or cra init {self._root}"
            code = ConfigError.code
            self.findings.append(ProjectFinding("configuration", message, code, FILE_NAME, fix))
            return None
        config, problems = configuration.read(
            self._root, self._around.environ, self._around.dirs.config_file, {}
        )
        self.findings += [
            ProjectFinding(
                "configuration", str(one), ConfigError.code, self._near(one.where), _CONFIG
            )
            for one in problems
        ]
        return None if problems else config

    def _opened(self, config: Config) -> Project:
        snapshot = open_snapshot(self._root, config)
        return Project(config, snapshot, dirs=self._around.dirs, environ=self._around.environ)

    # Atlases and their lock.

    def _atlases(self, config: Config) -> bool:
        """Whether each atlas is in order and as the lock has it."""
        pins: Mapping[str, Pin] | None = self._reads("lock", lambda: read_lock(self._root))
        by_place = {place_of(self._root, pin.source): pin for pin in (pins or {}).values()}
        is_right, seen = pins is not None, set()
        for path in [source.path for source in config.atlases]:
            pin = by_place.get(place_of(self._root, path))
            package = self._reads("atlas", partial(self._package, path, pin))
            if package is None:
                is_right = False
                seen |= {pin.atlas_id} if pin is not None else set()
                continue
            looked = self._atlas(path, package)
            is_right = is_right and looked.atlas is not None
            atlas = looked.atlas
            seen |= {one.atlas_id for one in (pin, atlas) if one is not None}
            if (
                pins is not None
                and atlas is not None
                and (pin is None or pin.digest != atlas.digest)
            ):
                self.findings.append(_unlocked(pins, atlas, path))
                is_right = False
        for name in sorted((pins or {}).keys() - seen):
            message = f"expected {name} in the configuration, found it in {LOCK_NAME} alone"
            code = Fault.UNLOCKED.value
            self.findings.append(ProjectFinding("lock", message, code, LOCK_NAME, _LOCK))
            is_right = False
        return is_right

    def _package(self, path: str, pin: Pin | None) -> Package:
        return package_at(self._root, path, pin.atlas_id if pin is not None else None)

    def _atlas(self, label: str, package: Package) -> _LookedAtlas:
        key = label, package.digest
        looked = self._before.atlases.get(key)
        tally = self.tally
        if looked is None:
            self._go_on()
            looked = self._atlas_anew(label, package)
        else:
            tally = tally._replace(kept=tally.kept + looked.goldens)
        self.atlases[key] = looked
        self.findings += looked.findings
        self.tally = tally._replace(
            atlases=tally.atlases + 1,
            scenarios=tally.scenarios + looked.scenarios,
            goldens=tally.goldens + looked.goldens,
            of_atlases=tally.of_atlases + looked.goldens,
        )
        return looked

    def _atlas_anew(self, label: str, package: Package) -> _LookedAtlas:
        reading = read_atlas(package, label)
        fix = f"cra atlas validate {label}"
        findings = [_of_problem(one, fix) for one in reading.errors]
        findings += [_of_problem(one, fix, is_warning=True) for one in reading.warnings]
        atlas = reading.atlas
        if atlas is None:
            return _LookedAtlas(None, tuple(findings), 0, 0)
        scenarios: Sequence[Any] = ()
        reports: Sequence[Report] = ()
        test = f"cra atlas test {label}"
        try:
            scenarios = run_scenarios(atlas, label, self._around.dirs)
            findings += [
                ProjectFinding(
                    "scenario", f"{one.name}: {_first(problems)}", where=one.where, fix=test
                )
                for one, problems in scenarios
                if problems
            ]
            reports = check_atlas(atlas, package.files)
            places = (f"{label}/{FOLDER}/{one.name}/{one.manifest.name}" for one in reports)
            findings += _failed(zip(reports, places, strict=True), lambda _: test)
        except CraError as error:
            findings += self._refused("scenario", error)
        return _LookedAtlas(atlas, tuple(findings), len(scenarios), len(reports))

    # Rules.

    def _rules(self, project: Project) -> bool:
        remarks = [remark for remark in project.remarks() if not remark.is_note]
        self.tally = self.tally._replace(rules=len(project.policy.rules))
        for remark in remarks:
            where = place_of_rule(project, remark.origin) if remark.origin else None
            message, fix = remark.message, "cra policy check"
            finding = ProjectFinding("policy", message, None, where, fix, is_warning=True)
            self.findings.append(finding)
        return True

    def _policy_tests(self, project: Project) -> None:
        try:
            files = files_of_tests([self._root / TESTS])
        except NotFound:
            return
        tests = read_tests(files, self._root)
        self.tally = self.tally._replace(policy_tests=len(tests))
        for file, (line, column), result in run_tests_of(project, tests):
            if result.problem is not None:
                message = f"{result.case.name}: {result.problem}"
                where, fix = f"{file}:{line}:{column}", f"cra policy test {file}"
                self.findings.append(ProjectFinding("policy test", message, None, where, fix))

    # Goldens.

    def _goldens(self, config: Config) -> bool:
        """Replay the goldens that depend on what has changed."""
        folder = self._root / FOLDER
        if not any(is_golden_file(name) for name in _names_in(folder)):
            return True
        manifests = find_manifests(folder)
        trust = self._around.trust_of(config)
        depends = self._depends(config, trust)
        keys = {path: (path, _digest_below(path.parent), depends) for path in manifests}
        found = {
            path: self._before.goldens[key]
            for path, key in keys.items()
            if key in self._before.goldens
        }
        kept = len(found)
        for path in manifests:
            if path not in found:
                self._go_on()
                # One by one: to start processes takes longer than most projects' goldens do here,
                # where everything is loaded.
                found[path] = check(path, config, Settings(trust=trust, is_at_rest=True))
        self.goldens = {keys[path]: found[path] for path in manifests}
        tally = self.tally
        self.tally = tally._replace(goldens=tally.goldens + len(manifests), kept=tally.kept + kept)
        reports = [(found[path], os.path.relpath(path, self._root)) for path in manifests]
        self.findings += _failed(reports, lambda place: f"cra replay --manifest {place}")
        return True

    def _depends(self, config: Config, trust: Trust) -> str:
        """What every golden of the project depends on: all that is decided by, the settings around
        that, and whom to trust."""
        # A replay goes by the project's own file alone.
        own = configuration.load(self._root, {}, None, {})
        digest = open_snapshot(self._root, own).digest
        settings = sha256_of(self._root / FILE_NAME)
        return f"{digest} {settings} {trust} {config.project}"

    def _go_on(self) -> None:
        if self._gives_up():
            raise _GivenUp

    def _refused(self, part: Part, error: CraError) -> Iterator[ProjectFinding]:
        """What an error tells of, each mistake by itself."""
        first, *each = error.message.split("\n")
        if error.code == Fault.SEVERAL.value and each:
            for line in each:
                place, _, message = line.partition(": ")
                yield ProjectFinding(part, message, error.code, self._near(place), error.fix)
            return
        where = self._near(error.where) if error.where else None
        yield ProjectFinding(part, first, error.code, where, error.fix)

    def _near(self, where: str) -> str:
        """A place as it is named from the project's directory."""
        return where.removeprefix(f"{self._root}{os.sep}")


def _unlocked(pins: Mapping[str, Pin], atlas: Atlas, path: str) -> ProjectFinding:
    """What accepting an atlas as it is now would change."""
    one = Acceptance(pins.get(atlas.atlas_id), pin_of(atlas, path), atlas)
    if one.change is None:
        message = f"expected {atlas.atlas_id} in {LOCK_NAME}, found it in the configuration alone"
        return ProjectFinding("lock", message, Fault.UNLOCKED.value, path, _LOCK)
    told = "; ".join(_told(one.change)) or f"it in {path}"
    message = f"expected {atlas.atlas_id} as {LOCK_NAME} pins it, found {told}"
    left = next((name for name in one.change.files_added if is_swap(os.path.basename(name))), None)
    fix = _LOCK if left is None else f"close the editor that left {left}, then {_LOCK}"
    return ProjectFinding("lock", message, Fault.CHANGED.value, path, fix)


def _told(change: Change) -> Iterator[str]:
    """How an atlas differs from what was accepted, in short; cra atlas lock says all of it."""
    if change.version is not None:
        yield " → ".join(change.version)
    facts: dict[str, Iterable[str]] = {
        "files changed": change.files_changed,
        "files added": change.files_added,
        "files removed": change.files_removed,
        "now allows": change.grants_wider,
        "allows no more": change.grants_unused,
        "now reaches": change.reach_added,
        "reaches no more": change.reach_removed,
        "rules gone": change.rules_removed,
        "rules added": change.rules_added,
        "rules changed": change.rules_changed,
        "actions gone": change.actions_removed,
        "actions added": change.actions_added,
        "actions changed": change.actions_changed,
        "context packs gone": change.context_packs_removed,
        "context packs added": change.context_packs_added,
        "context packs changed": change.context_packs_changed,
        "capabilities gone": change.capabilities_removed,
        "capabilities added": change.capabilities_added,
        "capabilities changed": change.capabilities_changed,
    }
    for words, names in facts.items():
        listed = list(names)
        if listed:
            more = len(listed) - _MAX_NAMES
            rest = f" and {more} more" if more > 0 else ""
            yield f"{words}: {', '.join(listed[:_MAX_NAMES])}{rest}"


def _of_problem(one: AtlasProblem, fix: str, *, is_warning: bool = False) -> ProjectFinding:
    return ProjectFinding("atlas", str(one), one.fault.value, one.where, fix, is_warning)


def _failed(
    reports: Iterable[tuple[Report, str]], fix_of: Callable[[str], str]
) -> Iterator[ProjectFinding]:
    """The goldens that did not pass, each with the first cause."""
    for report, place in reports:
        if report.error is not None:
            code, message, _, fix = report.error
            first, *each = message.split("\n")
            # A manifest's mistakes have places in it.
            if each and each[0].startswith(f"{report.manifest}:"):
                at, _, first = each[0].removeprefix(str(report.manifest)).partition(": ")
                place += at  # noqa: PLW2901
            yield ProjectFinding("golden", first, code, place, fix or fix_of(place))
        elif report.state != "passed":
            told = _first(report.causes())
            yield ProjectFinding("golden", told, None, place, fix_of(place))


def _first(causes: Sequence[str]) -> str:
    """The first of several, in one line, and how many there are beside it."""
    first = causes[0] if causes else "it differs"
    return f"{first} (and {len(causes) - 1} more)" if len(causes) > 1 else first


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _digest_below(folder: Path) -> str:
    """A digest of the files of a golden."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if is_golden_file(os.path.relpath(path, folder)) and path.is_file():
            digest.update(f"{path} {sha256_of(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
