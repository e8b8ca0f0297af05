"""What the keys of the reference are for, one sentence each: `docs/generate.py` sets them beside
the types, defaults and limits that it reads from the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

INTRODUCTIONS: Final[Mapping[str, str]] = {
    "cli": """\
Every command has `-q`, `--quiet` (the answer and errors only), `-v`, `--verbose` (more about the
run on stderr) and `-h`, `--help`. `--json` prints the same facts for a program, by a schema that
`cra schema NAME` prints. Settings and variables are in [Configuration](config.md).

[Exit codes](exit-codes.md) mean the same everywhere. A command that says nothing of its own ends
with 0 when it has done what it says, and otherwise with that of [the error](errors.md).""",
    "config": """\
`cra.config.json` in a project, and `cra/config.json` in your own configuration directory, hold
what is below; every key is optional. An unknown key is an error, and every mistake is reported with
its line. [The schema](../../specs/schemas/cra-config.schema.json) is what `cra schema cra-config`
prints; `cra config show` prints every setting in force, and where it comes from.

A flag goes before a variable, a variable before the project's file, that before your own, and that
before the default. What runs without an approval is for the project's file alone to widen: a
variable and your own file only make it stricter.""",
    "atlas": """\
A directory or a zip file with `atlas.json` or `atlas.yaml`. `cra atlas create PATH` writes one that
works; `cra atlas validate PATH` reports every mistake with its line, and an unknown key is one.
[The schema](../../specs/schemas/atlas-manifest.schema.json) is what `cra schema atlas-manifest`
prints; section 11 of [the protocol](../../specs/PROTOCOL.md#11-atlas10) has what holds of all of
it.""",
    "policy": """\
A file in `policies/`, `*.json` or `*.yaml`, holds one rule, a list of rules, or an object with a
list under `policies`. They are asked type by type: **deny → require_approval → rate_limit → budget
→ allow**; the first that applies decides, and what no rule allows is denied.
[Write rules](../howto/rules.md) has an example of each.
[The schema](../../specs/schemas/policy.schema.json) is what `cra schema policy` prints; `cra policy
check` reports every mistake with its line.""",
    "events": """\
What a trace can hold. A writer refuses any other type and any other member; a reader reports an
unknown type. Section 9 of [the protocol](../../specs/PROTOCOL.md#9-events) has which operation
writes which, in what order; [the schema](../../specs/schemas/trace-event.schema.json) is what
`cra schema trace-event` prints. A large member stands in `blobs/`, and a secret is replaced:
[Redaction](../howto/redaction.md).""",
    "exit-codes": """\
The printed verdict and the exit code come from one value. A command whose reader leaves
(`cra … | head`) ends with 0 and says nothing.""",
}
# What a type of a schema is called in a table.
NAMED: Final[Mapping[str, str]] = {
    "Action": "[an action](#an-action)",
    "AgentConfig": "[what an agent is](#an-agent)",
    "AtlasSource": "[an atlas](#an-atlas)",
    "Capability": "[a capability](#a-capability)",
    "ContextPack": "[a context pack](#a-context-pack)",
    "FileExecutor": "[file](#file)",
    "HttpExecutor": "[http](#http)",
    "ProcessExecutor": "[process](#process)",
    "PythonExecutor": "[python](#python)",
    "RateLimit": "[a limit](#rate_limit)",
    "StaticExecutor": "[static](#static)",
    "conditions": "an object",
}
EXIT_CODES: Final[Mapping[str, str]] = {
    "OK": "yes: done, valid, intact, the same",
    "NO": "the answer is no: denied, different, a check failed",
    "USAGE": "the command, the configuration or the machine does not let it be done",
    "INTEGRITY": "what is stored is not what was recorded",
    "PENDING": "the call waits for an approval",
    "FAILED": "the action was allowed, and failed",
    "INTERRUPTED": "interrupted",
}
CONFIG: Final[Mapping[str, str]] = {
    "cra_version": "The version that wrote the file; read by nobody.",
    "atlases": "The atlases of the project; `cra atlas add` writes it.",
    "agents": "What each agent is, by its name.",
    "keys": "Verifier keys that a ledger of this project is expected to be signed by.",
    "secrets": "The environment variables that executors may use as `${secret:NAME}`.",
    "runtime.url": "Reserved for a server; it loads with a warning, and is not used.",
    "runtime.timeout_ms": "How long an action may take that states no `timeout_ms`.",
    "trace.directory": "Where the ledger is. The project's file names one inside the project.",
    "trace.retention_days": "After how long `cra trace prune` removes an ended session.",
    "trace.streaming": "Accepted; nothing reads it.",
    "trace.durability": "`always` makes every event a barrier: synced before work goes on.",
    "trace.detail": "`full` also records each rule and each block of context.",
    "policies.default_risk_tier": "The tier of an action that states none.",
    "policies.require_approval_for": "From the lowest of these upwards, a call needs an approval.",
    "policies.request_tolerance_seconds": "How far a request's time may be from the clock.",
    "policies.resolution_ttl_seconds": "For how long calls may stand on a resolution.",
    "policies.approval_ttl_seconds": "For how long an approval waits, and a grant holds.",
    "policies.approvers": "The keys that approve where a rule lists none; with none, anybody.",
    "agents.roles": "Roles that rules ask for.",
    "agents.scopes": "Scopes that rules ask for.",
    "agents.context": "Facts that `allow` rules may go by; a caller's own only tighten.",
    "atlases.path": "Its directory or zip file.",
    "atlases.auto_load": "`false`: it takes part only where a request names it.",
}
ATLAS: Final[Mapping[str, str]] = {
    "atlas_version": "The format.",
    "atlas_id": "Which atlas this is.",
    "version": "A semantic version.",
    "name": "For people.",
    "description": "What it is for.",
    "authors": "Who wrote it.",
    "license": "Under which terms.",
    "domains": "What it is about.",
    "capabilities": "Names for what belongs together.",
    "context_packs": "What an agent is given to read.",
    "policies": "[Rules](#rules), here or in files.",
    "actions": "What can be done, here or in files.",
    "adapters": "Files by name; they have to exist, and nothing else uses them.",
    "dependencies": "Other atlases of the project, by id, with ranges of versions.",
    "tests": "Files of scenarios, which `cra atlas test` runs.",
    "certification": "Shown, never trusted.",
    "homepage": "Where to read more.",
    "repository": "Where its source is.",
    "metadata": "Anything else.",
    "Action.action_id": "What it is called by.",
    "Action.name": "For people; the id's last part unless stated.",
    "Action.description": "What it does, as an agent is told.",
    "Action.parameters_schema": "A JSON Schema of the arguments; without one it takes none.",
    "Action.returns_schema": "A JSON Schema of the result; one that does not fit is a failure.",
    "Action.risk_tier": "How much harm it can do; unstated, `policies.default_risk_tier`.",
    "Action.idempotent": "Whether doing it twice is as doing it once; shown, and nothing goes by it.",
    "Action.requires_confirmation": "Every call needs an approval.",
    "Action.timeout_ms": "How long it may take, in thousandths of a second, or by the other key in seconds.",
    "Action.rate_limit": "How often a session may call it.",
    "Action.cost": "What a call takes of a `budget`.",
    "Action.examples": "Read, with the description, when actions are found for a goal.",
    "Action.executor": "What carries it out.",
    "RateLimit.max_calls": "So many calls of a session",
    "RateLimit.window_seconds": "within so long, counted back from each call.",
    "PythonExecutor.type": "Which executor.",
    "PythonExecutor.file": "A file of the atlas.",
    "PythonExecutor.function": "A function in it.",
    "PythonExecutor.isolation": "`process`: in an interpreter of its own, which a timeout ends.",
    "ProcessExecutor.type": "Which executor.",
    "ProcessExecutor.command": "The program and its arguments; no shell reads them.",
    "ProcessExecutor.allow_options": "The arguments whose values may begin with `-`.",
    "ProcessExecutor.environment": "Variables beside the few it begins with; secrets may stand here.",
    "ProcessExecutor.stdin": "What it reads, with placeholders.",
    "ProcessExecutor.output": "`json`: the result is the value on stdout.",
    "ProcessExecutor.success": "The exit codes that mean success.",
    "ProcessExecutor.directory": "Where it runs: an empty directory of its own, or the project's.",
    "ProcessExecutor.max_output_bytes": "How much it may print.",
    "ProcessExecutor.max_memory_bytes": "How much memory each of its processes may have.",
    "ProcessExecutor.max_cpu_seconds": "How much processor time each of its processes may take.",
    "HttpExecutor.type": "Which executor.",
    "HttpExecutor.method": "The method.",
    "HttpExecutor.url": "The address, with placeholders.",
    "HttpExecutor.query": "Keys of the query, and the arguments that stand there if given; a list, item by item.",
    "HttpExecutor.hosts": "The hosts it may go to.",
    "HttpExecutor.headers": "Headers; secrets may stand in their values.",
    "HttpExecutor.body": "The arguments that are sent as a JSON object; unstated, no body.",
    "HttpExecutor.output": "`json`: the body is read as JSON.",
    "HttpExecutor.allow_private": "Whether it may go to private addresses.",
    "HttpExecutor.max_response_bytes": "How long an answer may be.",
    "FileExecutor.type": "Which executor.",
    "FileExecutor.operation": "What is done.",
    "FileExecutor.root": "A directory of the project that it stays below.",
    "FileExecutor.path": "The path below it, with placeholders.",
    "FileExecutor.content": "The argument that is written.",
    "FileExecutor.max_bytes": "How large a file may be.",
    "StaticExecutor.type": "Which executor.",
    "StaticExecutor.result": "What every call gives.",
    "ContextPack.pack_id": "What it is called by.",
    "ContextPack.name": "For people; the id unless stated.",
    "ContextPack.files": "Files of the atlas, in the order in which they are given.",
    "ContextPack.purpose": "What it is for, as an agent is told.",
    "ContextPack.priority": "The higher comes first.",
    "ContextPack.conditions": "Keys of the context, and values of which it has to have one.",
    "ContextPack.max_tokens": "How much of it is given at most.",
    "ContextPack.ttl_seconds": "For how long it is good.",
    "Capability.capability_id": "What it is called by.",
    "Capability.name": "For people; the id unless stated.",
    "Capability.description": "What it is.",
    "Capability.actions": "Actions of the atlas.",
    "Capability.context_packs": "Context packs of the atlas.",
}
POLICY: Final[Mapping[str, str]] = {
    "policy_id": "What every decision names it by; once in a project and its atlases.",
    "type": "One of the types below.",
    "actions": "Which actions it is about; left out: all. `*` is one segment or more.",
    "priority": "Within a type the higher is asked first; 0 unless stated.",
    "reason": "What the one is told who is denied.",
    "description": "For whoever reads the file.",
    "conditions": "[What has to hold](#conditions).",
    "parameters": "[What a rule of its type needs](#parameters-by-type).",
    "conditions.agents": "Whose call it is.",
    "conditions.roles": "The agent has one of these roles.",
    "conditions.scopes": "The session has one of these scopes.",
    "conditions.risk_tiers": "The tier of the call is one of these.",
    "conditions.time_window": "[When](#time_window).",
    "conditions.context": "Each key has this value, or one of these.",
    "conditions.parameters": "A JSON Schema that the call's arguments meet.",
    "time_window.days": "On these days; one over midnight belongs to the day it begins on.",
    "time_window.start": "From then on.",
    "time_window.end": "Until then.",
    "time_window.utc_offset": "By a clock that is so far from UTC; UTC unless stated.",
    "require_approval.approvers": "The keys whose signature alone counts as a grant.",
    "rate_limit.max_calls": "So many calls",
    "rate_limit.window_seconds": "within so long, counted back from each call,",
    "rate_limit.per": "of each session (unless stated), of each agent, or of all together.",
    "budget.max_cost": "So much of the actions' `cost`",
    "budget.window_seconds": "within so long, counted back from each call,",
    "budget.per": "of each session (unless stated), of each agent, or of all together.",
    "redact.kinds": "Kinds of personal data; credentials are redacted always.",
    "redact.patterns": "Regular expressions of RE2.",
    "redact.fields": "Keys that lead to a value; `*` is one key or more.",
    "scope.max_context_tokens": "At most so much context, by 4 bytes a token.",
    "scope.context_packs": "Only these packs.",
}
EVENTS: Final[Mapping[str, str]] = {
    "session.started": "A session has begun.",
    "session.ended": "It has ended; nothing follows but a `ledger.recovered`.",
    "carp.request.received": "An agent has asked something.",
    "carp.resolution.completed": "What it may know and do, in full.",
    "carp.resolution.cached": "The same answer as one before in this session.",
    "policy.evaluated": "What one rule says of an action; in full detail.",
    "policy.violated": "The rule that denies a call; in full detail.",
    "context.injected": "A block of context was given; in full detail.",
    "context.redacted": "Secrets were taken out of a block of context.",
    "approval.requested": "A call waits for somebody's word.",
    "approval.granted": "Somebody lets it be made.",
    "approval.denied": "Somebody refuses it.",
    "approval.expired": "Nobody has decided in time.",
    "approval.consumed": "A call stands on a grant.",
    "action.requested": "A call was asked for; in full detail.",
    "action.approved": "The intent: the call is allowed, and about to be made.",
    "action.denied": "The call is denied, and nothing ran.",
    "action.executed": "What came of an intent.",
    "action.failed": "The action ran, and failed.",
    "ledger.recovered": "A writer found what a crash, or another writer, left behind.",
    "error.occurred": "Something of the runtime failed.",
    "journal.opened": "A ledger has begun.",
    "journal.session_opened": "A session is in the ledger.",
    "journal.checkpoint": "How far a session was synced.",
    "journal.session_closed": "How far it had come when it ended.",
    "journal.pruned": "A session was removed; its hashes stay.",
    "journal.redacted": "The payload of an event was taken away.",
    "journal.key_added": "Another key signs from here on.",
    "limit.reserved": "A call takes of a limit that sessions share.",
    "idempotency.reserved": "A key stands for one call.",
    "project.changed": "Atlases, rules or settings are others than before.",
}
HEADER: Final[Mapping[str, str]] = {
    "actor": "Who acted: a `type` (runtime, agent, user or tool) and an `id`.",
    "artifacts": "The blobs of the event, and other files that it names with their SHA-256.",
    "atlas": "The atlas that it is about: `atlas_id` and `version`.",
    "event_id": "A UUIDv7.",
    "event_type": "One of the types above.",
    "parent_span_id": "The span that this one is part of, or null.",
    "payload_hash": "SHA-256 over salt and payload.",
    "previous_event_hash": "The hash of the event before; zeros in the first.",
    "sequence": "Its number in the chain, from 0 on.",
    "session_id": "Whose chain it is in.",
    "severity": "debug, info, warn or error.",
    "span_id": "Shared by all events of one call, or of one request.",
    "timestamp": "When, in UTC, to the microsecond. The order is the sequence, not this.",
    "trace_id": "The first session's id, which sessions below it share.",
    "trace_version": "The format: 1.1.",
}
