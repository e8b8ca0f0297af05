"""The command table, and the help that is made from it without loading any command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cra.errors import UsageError

# A command's path: the function that carries it out, and what it does in one line.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("cra.cli.init:init", "Make a directory a cra project"),
    "resolve": ("cra.cli.resolve:resolve", "Ask what an agent may know and do for a goal"),
    "execute": ("cra.cli.execute:execute", "Carry out an action, if policy allows it"),
    "doctor": ("cra.cli.doctor:doctor", "Check that everything here is in order"),
    "watch": ("cra.cli.watch:watch", "Check the project after each change of its files"),
    "explain": ("cra.cli.explain:explain", "Say why an action is allowed or denied"),
    "approvals list": (
        "cra.cli.approvals:list_approvals",
        "List the calls that wait for an approval",
    ),
    "approvals show": ("cra.cli.approvals:show", "Show all there is to know of an approval"),
    "approvals grant": ("cra.cli.approvals:grant", "Let a call be made that waits"),
    "approvals deny": ("cra.cli.approvals:deny", "Refuse a call that waits"),
    "approvals key": ("cra.cli.approvals:make_key", "Make a key for an approver"),
    "policy check": ("cra.cli.policy:check", "Look for rules that are probably not meant so"),
    "policy test": ("cra.cli.policy:run_tests", "Run the tests of the project's policies"),
    "policy backtest": (
        "cra.cli.backtest:backtest",
        "Decide recorded calls again under other rules",
    ),
    "policy suggest": (
        "cra.cli.backtest:suggest",
        "Print the narrowest rules that cover what was done",
    ),
    "replay": ("cra.cli.replay:replay", "Do golden traces again, and say what has changed"),
    "golden record": ("cra.cli.golden:record", "Make a golden trace of a session"),
    "golden list": ("cra.cli.golden:list_goldens", "List the golden traces"),
    "golden review": ("cra.cli.golden:review", "Accept or reject what differs, one by one"),
    "session start": ("cra.cli.session:start", "Begin a session"),
    "session list": ("cra.cli.session_read:list_sessions", "List the sessions of the ledger"),
    "session show": (
        "cra.cli.session_read:show",
        "Show a session: its agent, scopes, times and totals",
    ),
    "session end": ("cra.cli.session:end", "End a session"),
    "trace list": ("cra.cli.trace_read:list_traces", "List what is recorded, newest first"),
    "trace show": ("cra.cli.trace_read:show", "Show the events of a session"),
    "trace tail": ("cra.cli.trace_read:tail", "Follow events as they are recorded"),
    "trace tui": ("cra.cli.tui:tui", "Look at sessions on the whole screen"),
    "trace visualize": ("cra.cli.tui:tui", "As cra trace tui"),
    "trace stats": ("cra.cli.trace_read:stats", "Count the events of a session"),
    "trace export": ("cra.cli.export:export", "Write a session where others can check it"),
    "trace verify": ("cra.cli.trace_proof:verify", "Check that what is stored was recorded"),
    "trace prove": ("cra.cli.trace_proof:prove", "Write a proof that an event was recorded"),
    "trace verify-proof": ("cra.cli.trace_proof:verify_proof", "Check a proof; needs no ledger"),
    "trace anchor": ("cra.cli.trace_proof:anchor", "Print a head to keep outside the project"),
    "trace diff": ("cra.cli.trace_diff:diff", "Compare two sessions"),
    "trace replay": ("cra.cli.replay:replay", "As cra replay"),
    "trace repair": ("cra.cli.trace_change:repair", "Mend what a crash left behind"),
    "trace redact": ("cra.cli.trace_change:redact", "Take away the payload of an event"),
    "trace prune": ("cra.cli.trace_change:prune", "Remove ended sessions past their retention"),
    "atlas create": ("cra.cli.atlas_create:create", "Begin an atlas, or make one of what you have"),
    "atlas validate": ("cra.cli.atlas_read:validate", "Check an atlas"),
    "atlas test": ("cra.cli.atlas_read:run_tests", "Run the scenarios of an atlas"),
    "atlas add": ("cra.cli.atlas_change:add", "Take an atlas into the project"),
    "atlas lock": ("cra.cli.atlas_change:lock", "Show what changed in atlases, and accept it"),
    "atlas remove": ("cra.cli.atlas_change:remove", "Take an atlas out of the project"),
    "atlas list": ("cra.cli.atlas_read:list_atlases", "List the project's atlases"),
    "atlas show": ("cra.cli.atlas_read:show", "Show an atlas: what it holds and may do"),
    "atlas actions": ("cra.cli.atlas_read:actions", "List the actions of the atlases"),
    "atlas context": ("cra.cli.atlas_read:context", "List the context packs of the atlases"),
    "template list": ("cra.cli.template:list_templates", "List the templates of cra init"),
    "config show": ("cra.cli.config:show", "Show every setting and where it comes from"),
    "config validate": ("cra.cli.config:validate", "Check the configuration"),
    "schema": ("cra.cli.schema:schema", "Print or write the JSON Schemas of cra's formats"),
    "conformance": (
        "cra.cli.conformance:conformance",
        "Run the cases that every implementation answers alike",
    ),
}

GROUPS: Final[dict[str, str]] = {
    "": "cra records what an agent may do and what it did, and proves it.",
    "approvals": "Look at, grant and deny the calls that wait for a person",
    "golden": "Record golden traces, and decide on what differs from them",
    "session": "Begin, look at and end sessions",
    "trace": "Read, check, prove and mend what is recorded",
    "atlas": "Write, check, accept and look at atlases",
    "policy": "Check and test the rules that decide",
    "template": "Look at what cra init makes projects from",
    "config": "Look at and check the configuration",
}

# What a group's help shows, the common commands first.
SECTIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "": {
        "Begin": ("init", "template", "doctor"),
        "Work": ("resolve", "execute", "approvals", "explain", "session", "trace"),
        "Guard": ("golden", "replay", "watch"),
        "Set up": ("atlas", "policy", "config", "schema", "conformance"),
    },
    "approvals": {"Commands": ("list", "show", "grant", "deny", "key")},
    "golden": {"Commands": ("record", "list", "review")},
    "session": {"Commands": ("start", "list", "show", "end")},
    "trace": {
        "Read": ("list", "show", "tail", "tui", "visualize", "stats", "diff", "export"),
        "Prove": ("verify", "prove", "verify-proof", "anchor", "replay"),
        "Change": ("repair", "redact", "prune"),
    },
    "atlas": {
        "Read": ("list", "show", "actions", "context"),
        "Write": ("create", "validate", "test"),
        "Change the project": ("add", "lock", "remove"),
    },
    "policy": {"Commands": ("check", "test", "backtest", "suggest")},
    "template": {"Commands": ("list",)},
    "config": {"Commands": ("show", "validate")},
}

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "": ("cra init", "cra session start", "cra trace show last", "cra trace verify"),
    "approvals": ("cra approvals list", "cra approvals grant last"),
    "golden": (
        "cra golden record last --name refund-denied",
        "cra replay",
        "cra golden review",
    ),
    "session": ("cra session start --agent reviewer", "cra session end last"),
    "trace": ("cra trace tail last", "cra trace show last --json", "cra trace verify last"),
    "atlas": (
        "cra atlas create atlases/support",
        "cra atlas add atlases/support",
        "cra atlas lock --check",
    ),
    "policy": ("cra policy check", "cra policy test tests/policies/refunds.json"),
    "template": ("cra template list", "cra init --template support-desk"),
    "config": ("cra config show", "cra config validate --json"),
}

TOPICS: Final = ("environment", "errors", "exit-codes", "filters", "formats", "replay", "resolve")
HELP: Final = ("-h", "--help")

# What other programs call it, and where what other groups have is found here.
_ELSEWHERE: Final = {
    "approve": "approvals grant",
    "ask": "resolve",
    "call": "execute",
    "completion": "--install-completion",
    "golden show": "golden list",
    "log": "trace list",
    "logs": "trace list",
    "ls": "trace list",
    "new": "init",
    "policy list": "policy check",
    "policy show": "explain RULE",
    "run": "execute",
    "status": "doctor",
    "template show": "template list",
    "version": "--version",
}
_ROOT_OPTIONS: Final = (
    ("-h, --help", "Show help; it works after every command"),
    ("-V, --version", "Show the version"),
    ("--install-completion", "Install completion for the running shell, or SHELL"),
    ("--show-completion", "Show completion for the running shell, or SHELL"),
)


def children(group: str) -> list[str]:
    """The names that follow a group's name, as its help has them."""
    return [name for names in SECTIONS[group].values() for name in names]


def summary(path: str) -> str:
    return COMMANDS[path][1] if path in COMMANDS else GROUPS[path]


def joined(group: str, name: str) -> str:
    return f"{group} {name}" if group else name


def nearest_path(arguments: Sequence[str]) -> str:
    """The command or group that the first words of a command line name; none is the root."""
    paths = (" ".join(arguments[:count]) for count in (2, 1))
    return next((path for path in paths if path in COMMANDS or path in GROUPS), "")


def static_help(arguments: Sequence[str]) -> str | None:
    """The help that a command line asks for, or None if it asks for what the table has not."""
    words = [word for word in arguments if word not in HELP]
    group = " ".join(words)
    if group not in GROUPS or "" in words:
        return None
    return group_help(group) if arguments else _short_help()


def group_help(group: str) -> str:
    title = GROUPS[group] + ("" if group == "" else ".")
    parts = [title, f"Usage: cra {joined(group, 'COMMAND')} [OPTIONS] [ARGUMENTS]"]
    parts.append("\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES[group])]))
    for heading, names in SECTIONS[group].items():
        rows = [(name, summary(joined(group, name))) for name in names]
        parts.append(f"{heading}:\n{_columns(rows)}")
    if group == "":
        parts.append(f"Options:\n{_columns(_ROOT_OPTIONS)}")
        parts.append(f"More: cra help TOPIC\n  {', '.join(TOPICS)}")
    else:
        parts.append(f"Help for one command: cra help {group} COMMAND")
    return "\n\n".join(parts)


def unknown(group: str, name: str, *, others: Sequence[str] = ()) -> UsageError:
    """The error for a name that a group does not have, with the nearest one that exists."""
    found = _meant(group, name, others)
    words = [f"cra {path}" for path in found]
    listed = " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    asked = f"; did you mean {listed}?" if found else ""
    path = found[0] if len(found) == 1 else joined(group, "--help")
    return UsageError(f"no such command: {joined(group, name)}{asked}", fix=f"cra {path}")


def _meant(group: str, name: str, topics: Sequence[str]) -> list[str]:
    """What may be meant by a name that a group does not have, as it has to be written."""
    from difflib import get_close_matches

    elsewhere = [path for path in (*GROUPS, *COMMANDS) if path.rpartition(" ")[2] == name != ""]
    names = {child: joined(group, child) for child in children(group)}
    names |= {topic: f"help {topic}" for topic in topics}
    if joined(group, name) in _ELSEWHERE:
        return [_ELSEWHERE[joined(group, name)]]
    if group == "":
        if elsewhere:
            return elsewhere
        names = {path.rpartition(" ")[2]: path for path in COMMANDS} | names
    nearest = get_close_matches(name, names, n=1)
    # `cra trace execute`: where several groups have the name, nothing says which one is meant.
    return [names[nearest[0]]] if nearest else elsewhere if len(elsewhere) == 1 else []


def _short_help() -> str:
    return "\n".join(
        [
            GROUPS[""],
            "",
            "  cra init              make this directory a project",
            "  cra trace verify      check what is recorded in it",
            "",
            "All commands: cra --help",
        ]
    )


def _columns(rows: Sequence[tuple[str, str]]) -> str:
    width = max(14, *(len(name) for name, _ in rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)
