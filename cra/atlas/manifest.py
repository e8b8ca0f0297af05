"""From the files of a package to an Atlas: every accepted spelling normalised, every mistake noted
with its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from cra.atlas.executor import A_FILE, BoundNames, missing_function, mistakes_in, names_in
from cra.atlas.model import Action, Atlas, PythonExecutor
from cra.atlas.package import Package, package_of
from cra.atlas.problem import (
    YAML_SUFFIXES,
    AtlasProblem,
    Problems,
    SourceText,
    read_source,
    refusal,
)
from cra.atlas.semver import parse_range
from cra.atlas.written import MANIFESTS, SPELLINGS, Manifest
from cra.config.text import Node, Path, name_of, parse_member
from cra.config.unplaced import Mistaken, UnplacedReader
from cra.config.values import WRONG, nearest_of, read_value, shown
from cra.errors import Fault, ValueRefused
from cra.policy.document import read_rules
from cra.policy.rule import Rule
from cra.policy.schema import flaws_of


class ReadAtlas(NamedTuple):
    """What a package says. The atlas is None if anything in it is wrong."""

    atlas: Atlas | None
    errors: tuple[AtlasProblem, ...]
    warnings: tuple[AtlasProblem, ...]


class _Entry(NamedTuple):
    """A value of the manifest, or of a file that it names, and its name in messages."""

    source: SourceText
    node: Node
    path: Path = ()

    def inside(self, *path: str | int) -> _Entry:
        """A member, or the nearest value around it that is written."""
        node = self.node
        for step in path:
            members: Any = node.value
            if isinstance(members, dict) and step in members:
                node = members[step][1]
            elif isinstance(members, list) and isinstance(step, int) and step < len(members):
                node = members[step]
            else:
                break
        return _Entry(self.source, node, (*self.path, *path))

    def note(self, fault: Fault, expected: str, found: str, nearest: str | None = None) -> None:
        name = name_of(self.path) or "the file"
        self.source.noting(fault)(self.node.offset, name, expected, found, nearest)

    def warn(self, expected: str, found: str, nearest: str | None = None) -> None:
        note = self.source.noting(Fault.DANGLING, is_warning=True)
        note(self.node.offset, name_of(self.path), expected, found, nearest)


def read_atlas(package: Package, label: str, *, is_pinned: bool = False) -> ReadAtlas:
    """The atlas of a package; `label` stands before the paths of its files in messages.

    What only costs a later surprise is not looked for again in a pinned one: whether schemas
    compile and Python files hold the functions that they are named for.
    """
    problems = Problems()
    reader = _ManifestReader(package, label, problems, is_pinned)
    atlas = reader.atlas()
    errors = sorted(problems.errors, key=lambda each: (each.file, each.line, each.column))
    return ReadAtlas(None if errors else atlas, tuple(errors), tuple(problems.warnings))


def load_atlas(package: Package, label: str, *, is_pinned: bool = False) -> Atlas:
    """The atlas of a package. Raises AtlasError with every mistake."""
    atlas = _read_again(package, label) if is_pinned else None
    if atlas is not None:
        return atlas
    reading = read_atlas(package, label, is_pinned=is_pinned)
    if reading.atlas is None:
        fix = "mend it; cra schema atlas-manifest shows what a manifest may hold"
        if all(one.expected == A_FILE for one in reading.errors):
            fix = "bring the file back, or let the manifest name one that is there"
        raise refusal("an atlas", reading.errors, fix)
    return reading.atlas


def _read_again(package: Package, label: str) -> Atlas | None:
    """The atlas of bytes that had no mistake when they were accepted; None if one is found."""
    try:
        return _ManifestReader(package, label, Problems(), is_pinned=True).atlas_again()
    except (Mistaken, ValueError, RecursionError):
        return None


def atlas_of(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Atlas:
    """An atlas that no directory holds, from a manifest and other files. Raises AtlasError."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    whole = {**files, MANIFESTS[0]: text.encode("utf-8", "surrogatepass")}
    label = manifest.get("atlas_id", manifest.get("id", "atlas"))
    return load_atlas(package_of(whole), str(label))


_UNPLACED: Final = UnplacedReader(SPELLINGS)


@dataclass(frozen=True)
class _ManifestReader:
    package: Package
    label: str
    problems: Problems
    is_pinned: bool
    # Of each file of Python, which may hold the functions of many actions.
    bound: dict[str, BoundNames] = field(default_factory=dict)

    def atlas(self) -> Atlas | None:
        present = [name for name in MANIFESTS if name in self.package.files]
        if len(present) != 1:
            found = " and ".join(present) or "none"
            expected = "one of " + ", ".join(MANIFESTS)
            self.problems.errors.append(
                AtlasProblem(self.label, 0, 0, "manifest", expected, found, fault=Fault.UNREADABLE)
            )
            return None
        root = self._file(present[0])
        if root is None:
            return None
        note = root.source.noting(Fault.MALFORMED)
        manifest = read_value(Manifest, root.node, "", note, SPELLINGS)
        if manifest is WRONG:
            return None
        entries = list(self._entries(root, "actions"))
        actions = [self._action(entry) for entry in entries]
        rules = tuple(self._rules(root, manifest.atlas_id))
        if self.problems.errors:
            # What follows compares values with one another, so all of them have to be there.
            return None
        self._check_ids(entries, [action.action_id for action in actions], "action_id")
        self._check_packs(root, manifest)
        self._check_names(root, manifest)
        self._check_capabilities(root, manifest, actions)
        broken: set[str] = set()
        users = Counter(
            action.executor.file
            for action in actions
            if isinstance(action.executor, PythonExecutor)
        )
        for entry, action in zip(entries, actions, strict=True):
            self._check_action(entry, action, broken, users)
        _check_rules(root, rules)
        return _assembled(manifest, self.package, tuple(actions), rules)

    def atlas_again(self) -> Atlas:
        """As `atlas`, but only rules are read with their places, which takes a fifth of the time.

        Raises Mistaken or ValueError for a mistake, without a word about it.
        """
        present = [name for name in MANIFESTS if name in self.package.files]
        if present != [MANIFESTS[0]]:
            raise Mistaken
        written = self._plain(MANIFESTS[0])
        manifest = _UNPLACED.read(Manifest, written)
        actions = tuple(_UNPLACED.read(Action, one) for one in self._plain_actions(written))
        if any(True for action in actions for _ in mistakes_in(action, self.package.files)):
            raise Mistaken
        rules: tuple[Rule, ...] = ()
        if manifest.policies:
            text = self.package.files[MANIFESTS[0]].decode()
            source = SourceText(f"{self.label}/{MANIFESTS[0]}", text, self.problems)
            policies = parse_member(text, "policies", source.noting(Fault.UNREADABLE))
            root = _Entry(source, Node(0, {"policies": (policies.offset, policies)}))
            rules = tuple(self._rules(root, manifest.atlas_id))
        if self.problems.errors:
            raise Mistaken
        return _assembled(manifest, self.package, actions, rules)

    def _plain(self, name: str) -> Any:
        if name.endswith(YAML_SUFFIXES) or name not in self.package.files:
            raise Mistaken
        return orjson.loads(self.package.files[name])

    def _plain_actions(self, written: Mapping[str, Any]) -> Iterator[Any]:
        """As `_entries`, of values without places."""
        entries = written.get("actions", [])
        if not isinstance(entries, list):
            raise Mistaken
        for entry in entries:
            found = self._plain(entry) if isinstance(entry, str) else entry
            yield from found if isinstance(found, list) else [found]

    def _file(self, name: str) -> _Entry | None:
        data = self.package.files[name]
        source, node = read_source(f"{self.label}/{name}", data, self.problems)
        return None if node is None else _Entry(source, node)

    def _named_file(self, entry: _Entry) -> _Entry | None:
        """The file whose path stands at an entry."""
        name = entry.node.value
        if name in self.package.files:
            return self._file(name)
        files = {path: path for path in self.package.files}
        entry.note(Fault.DANGLING, A_FILE, shown(name), nearest_of(name, files))
        return None

    def _entries(self, root: _Entry, key: str) -> Iterator[_Entry]:
        """The values of a list in the manifest, those in files that it names among them."""
        for entry in self._listed(root, key):
            if not isinstance(entry.node.value, str):
                yield entry
                continue
            named = self._named_file(entry)
            if named is not None and isinstance(named.node.value, list):
                yield from (named.inside(at) for at in range(len(named.node.value)))
            elif named is not None:
                yield named

    def _listed(self, root: _Entry, key: str) -> Iterator[_Entry]:
        members = root.node.value
        if key not in members:
            return
        entry = root.inside(key)
        if isinstance(entry.node.value, list):
            yield from (entry.inside(at) for at in range(len(entry.node.value)))
        else:
            entry.note(Fault.MALFORMED, "a list", shown(entry.node.value))

    def _action(self, entry: _Entry) -> Any:
        note = entry.source.noting(Fault.MALFORMED)
        return read_value(Action, entry.node, name_of(entry.path), note, SPELLINGS)

    def _rules(self, root: _Entry, atlas_id: Any) -> Iterator[Rule]:
        for entry in self._listed(root, "policies"):
            named: _Entry | None = entry
            if isinstance(entry.node.value, str):
                named = self._named_file(entry)
            if named is not None:
                yield from read_rules(
                    named.node,
                    named.source.noting(Fault.MALFORMED),
                    file=named.source.file.removeprefix(f"{self.label}/"),
                    place=named.source.place,
                    atlas_id=str(atlas_id),
                    is_pinned=self.is_pinned,
                )

    def _check_ids(self, entries: Iterable[_Entry], ids: Iterable[str], key: str) -> None:
        seen: dict[str, _Entry] = {}
        for entry, one in zip(entries, ids, strict=True):
            if one in seen:
                line, _ = seen[one].source.place(seen[one].node.offset)
                found = f"{one} again, first in line {line} of {seen[one].source.file}"
                entry.inside(key).note(Fault.DUPLICATE, "each id once", found)
            seen.setdefault(one, entry)

    def _check_packs(self, root: _Entry, manifest: Manifest) -> None:
        packs = list(self._listed(root, "context_packs"))
        self._check_ids(packs, [pack.pack_id for pack in manifest.context_packs], "pack_id")
        for entry, pack in zip(packs, manifest.context_packs, strict=True):
            for at, name in enumerate(pack.files):
                self._check_file(entry.inside("files", at), name)
        capabilities = list(self._listed(root, "capabilities"))
        ids = [each.capability_id for each in manifest.capabilities]
        self._check_ids(capabilities, ids, "capability_id")

    def _check_names(self, root: _Entry, manifest: Manifest) -> None:
        """The files and ranges that the manifest itself names."""
        for key, name in manifest.adapters.items():
            self._check_file(root.inside("adapters", key), name)
        for at, name in enumerate(manifest.tests):
            self._check_file(root.inside("tests", at), name)
        for key, text in manifest.dependencies.items():
            try:
                parse_range(text)
            except ValueRefused as error:
                expected, _, found = error.message.removeprefix("expected ").partition(", found ")
                root.inside("dependencies", key).note(Fault.MALFORMED, expected, found)

    def _check_file(self, entry: _Entry, name: str) -> None:
        if name not in self.package.files:
            files = {path: path for path in self.package.files}
            entry.note(Fault.DANGLING, A_FILE, shown(name), nearest_of(name, files))

    def _check_capabilities(
        self, root: _Entry, manifest: Manifest, actions: Iterable[Action]
    ) -> None:
        known = {
            "actions": {action.action_id: action.action_id for action in actions},
            "context_packs": {pack.pack_id: pack.pack_id for pack in manifest.context_packs},
        }
        for number, capability in enumerate(manifest.capabilities):
            for key, names in known.items():
                for at, name in enumerate(getattr(capability, key)):
                    if name not in names:
                        entry = root.inside("capabilities", number, key, at)
                        entry.warn("one that the atlas has", shown(name), nearest_of(name, names))

    def _check_action(
        self, entry: _Entry, action: Action, broken: set[str], users: Mapping[str, int]
    ) -> None:
        """`broken` are the files that are known to be gone or no Python: each is told once, with
        how many actions are its users."""
        if action.executor is None:
            entry.warn("an executor", "none: the action is declared, not executable")
        executor = action.executor
        mistakes = list(mistakes_in(action, self.package.files))
        if isinstance(executor, PythonExecutor) and executor.file not in self.package.files:
            count = users[executor.file]
            more = f", which {count} actions name" if count > 1 else ""
            mistakes = [
                one._replace(found=one.found + more)
                for one in mistakes
                if executor.file not in broken
            ]
            broken.add(executor.file)
        if not self.is_pinned:
            if (
                isinstance(executor, PythonExecutor)
                and not mistakes
                and executor.file not in broken
            ):
                mistake = missing_function(executor, self._bound_in(executor.file))
                mistakes += [mistake] if mistake else []
                broken.update([executor.file] if mistake and mistake.path == ("file",) else [])
            self._check_schemas(entry, action)
        for path, expected, found, nearest in mistakes:
            entry.inside("executor", *path).note(Fault.BAD_EXECUTOR, expected, found, nearest)

    def _bound_in(self, file: str) -> BoundNames:
        if file not in self.bound:
            self.bound[file] = names_in(file, self.package.files[file])
        return self.bound[file]

    def _check_schemas(self, entry: _Entry, action: Action) -> None:
        written = "schema" if "schema" in entry.node.value else "parameters_schema"
        for key, schema in (
            (written, action.parameters_schema),
            ("returns_schema", action.returns_schema),
        ):
            for path, expected, found, nearest in flaws_of(schema) if schema is not None else ():
                entry.inside(key, *path).note(Fault.BAD_SCHEMA, expected, found, nearest)


def _check_rules(root: _Entry, rules: Iterable[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.policy_id in seen:
            found = f"{rule.policy_id} at {seen[rule.policy_id].origin} and {rule.origin}"
            root.inside("policies").note(Fault.DUPLICATE, "each policy_id once", found)
        seen.setdefault(rule.policy_id, rule)


def _assembled(
    manifest: Manifest, package: Package, actions: tuple[Action, ...], rules: tuple[Rule, ...]
) -> Atlas:
    return Atlas(
        atlas_id=manifest.atlas_id,
        version=manifest.version,
        name=manifest.name,
        description=manifest.description,
        actions=actions,
        policies=rules,
        context_packs=manifest.context_packs,
        capabilities=manifest.capabilities,
        dependencies=manifest.dependencies,
        files=package.files,
        digest=package.digest,
        domains=manifest.domains,
        authors=manifest.authors,
        license=manifest.license,
        homepage=manifest.homepage,
        repository=manifest.repository,
        adapters=manifest.adapters,
        tests=manifest.tests,
        certification=manifest.certification,
        metadata=manifest.metadata,
    )
