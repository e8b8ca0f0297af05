"""What `cra atlas` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias, get_args

from typing_extensions import TypedDict

from cra.atlas.acceptance import State
from cra.atlas.model import Executor
from cra.cli.answers.policy import RemarkFacts
from cra.cli.answers.project import ProblemFacts
from cra.cli.answers.words import OneOf
from cra.config import RiskTier
from cra.errors import Fault
from cra.policy.rule import RuleType

ExecutorName: TypeAlias = Annotated[str, OneOf(tuple(kind.TYPE for kind in get_args(Executor)))]


class MentionFacts(TypedDict):
    """Something to know of a source, and the place in it."""

    where: str
    words: str


class ImportFacts(TypedDict):
    """What became of a source that an atlas was made from."""

    source: str
    kind: Annotated[str, OneOf(("module", "openapi", "docs"))]
    actions: list[str]
    context_packs: list[str]
    # The names of secrets that its actions take.
    secrets: list[str]
    # What was carried over otherwise than it is, or without a part, and what was not.
    reduced: list[MentionFacts]
    left_out: list[MentionFacts]
    # What reads as a secret in what was carried over.
    warnings: list[MentionFacts]


class AtlasCreateAnswer(TypedDict):
    """What `cra atlas create` wrote, or with --dry-run would write."""

    atlas_id: str
    created: list[str]
    # None: nothing was imported.
    imported: ImportFacts | None
    dry_run: bool
    # Commands to go on with.
    next: list[str]


class AtlasProblemFacts(ProblemFacts):
    code: Fault


class AtlasValidateAnswer(TypedDict):
    """The mistakes in an atlas that is named."""

    valid: bool
    path: str
    # None: not to be read, as are the version and the digest.
    atlas_id: str | None
    version: str | None
    digest: str | None
    problems: list[AtlasProblemFacts]
    warnings: list[AtlasProblemFacts]
    remarks: list[RemarkFacts]


class AtlasesValidateAnswer(TypedDict):
    """The mistakes in all atlases of a project."""

    # Whether all of them are.
    valid: bool
    atlases: list[AtlasValidateAnswer]


ValidatedAnswer: TypeAlias = AtlasValidateAnswer | AtlasesValidateAnswer


class ScenarioFacts(TypedDict):
    atlas_id: str
    name: str
    where: str
    passed: bool
    problems: list[str]


class AtlasTestAnswer(TypedDict):
    passed: int
    failed: int
    scenarios: list[ScenarioFacts]


class ListedAtlas(TypedDict):
    atlas_id: str
    version: str
    name: str
    source: str
    digest: str
    # Whether it takes part where it is not named.
    auto_load: bool
    # How many it has.
    actions: int
    policies: int
    context_packs: int


class AtlasListAnswer(TypedDict):
    # The digest of all that the project's atlases say.
    snapshot: str
    atlases: list[ListedAtlas]


class CapabilityFacts(TypedDict):
    capability_id: str
    name: str
    actions: list[str]
    context_packs: list[str]


class AtlasActionFacts(TypedDict):
    action_id: str
    atlas_id: str
    name: str
    description: str
    # None: not stated, so the project's default holds.
    risk_tier: RiskTier | None
    # None: declared, not executable.
    executor: ExecutorName | None
    # The programs, hosts, files and secrets that it reaches.
    reach: list[str]
    idempotent: bool
    timeout_ms: int | None
    cost: int
    parameters_schema: Mapping[str, Any]
    returns_schema: Mapping[str, Any] | None


class RuleFacts(TypedDict):
    policy_id: str
    type: RuleType
    # None: all actions of the atlas.
    actions: list[str] | None
    # In words.
    conditions: list[str]
    reason: str
    where: str


class PackFacts(TypedDict):
    pack_id: str
    atlas_id: str
    name: str
    purpose: str
    priority: int
    files: list[str]
    # By a key of the context, the values with which it counts.
    conditions: dict[str, list[Any]]
    max_tokens: int | None
    token_estimate: int
    ttl_seconds: int | None


class AtlasAnswer(TypedDict):
    """What an atlas holds, what its own rules may allow, and what its executors reach."""

    atlas_id: str
    version: str
    name: str
    description: str
    source: str
    digest: str
    authors: list[str]
    license: str
    homepage: str
    repository: str
    domains: list[str]
    # What it says of itself, which nothing checks.
    certification: Mapping[str, Any] | None
    capabilities: list[CapabilityFacts]
    # By the id of an atlas, which versions of it will do.
    dependencies: dict[str, str]
    actions: list[AtlasActionFacts]
    policies: list[RuleFacts]
    context_packs: list[PackFacts]
    # The files of its scenarios.
    tests: list[str]
    grants: list[str]
    reach: list[str]


class AtlasAddAnswer(AtlasAnswer):
    dry_run: bool
    # Whether it was not in the project as it is.
    added: bool


class AtlasActionsAnswer(TypedDict):
    actions: list[AtlasActionFacts]


class AtlasContextAnswer(TypedDict):
    context_packs: list[PackFacts]


class ChangeFacts(TypedDict):
    """How an atlas differs from what was accepted of it; empty members mean no difference."""

    version: tuple[str, str] | None
    files_added: Sequence[str]
    files_removed: Sequence[str]
    files_changed: Sequence[str]
    # Actions that its rules allow and the accepted grants do not; grants that nothing uses now.
    grants_wider: Sequence[str]
    grants_unused: Sequence[str]
    reach_added: Sequence[str]
    reach_removed: Sequence[str]
    # By policy_id: the rule in words, or how it read and how it reads now.
    rules_added: Mapping[str, str]
    rules_removed: Mapping[str, str]
    rules_changed: Mapping[str, tuple[str, str]]
    # By action: what holds for it, or each fact that is another one, null where none is stated.
    actions_added: Mapping[str, Mapping[str, str]]
    actions_removed: Sequence[str]
    actions_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    # The same of context packs and of capabilities, by their ids.
    context_packs_added: Mapping[str, Mapping[str, str]]
    context_packs_removed: Sequence[str]
    context_packs_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    capabilities_added: Mapping[str, Mapping[str, str]]
    capabilities_removed: Sequence[str]
    capabilities_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    # The lock does not say all of what was accepted, so that some of it is not told.
    is_partly_unknown: bool


class AcceptanceFacts(TypedDict):
    atlas_id: str
    source: str
    state: State
    grants: list[str]
    reach: list[str]
    # None: as it was accepted, or in the project for the first time or no more.
    change: ChangeFacts | None


class AtlasLockAnswer(TypedDict):
    changed: bool
    accepted: bool
    atlases: list[AcceptanceFacts]


class AtlasRemoveAnswer(TypedDict):
    dry_run: bool
    removed: bool
    atlas_id: str
    version: str
    source: str
