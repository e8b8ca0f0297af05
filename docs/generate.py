"""The reference, made of what the program goes by: `make docs` writes it into docs/reference/.

Types, defaults, limits, options and codes come from the code. What a key is for stands in
docs/meanings.py, where each needs a sentence and none may be left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cra.cli import codes
from cra.cli.commands import COMMANDS, EXAMPLES, GROUPS, SECTIONS, children, joined, summary
from cra.cli.group import load, split_help
from cra.cli.schema import SCHEMAS
from cra.cli.topics import topic
from cra.config import VARIABLES
from cra.config import load as load_config
from cra.errors import ExitCode
from cra.policy.document import PARAMETERS
from cra.protocol.events import ALIASES, EVENT_TYPES
from docs import meanings
from docs.words import (
    block,
    console,
    literal,
    marked,
    members_of,
    one_line,
    page,
    resolved,
    slug,
    table,
    type_of,
)

REFERENCE: Final = Path(__file__).parent / "reference"

_SPECS: Final = "../../specs"
# The answers that have a name in the protocol.
_ANSWERS: Final = {"execute": "carp-execution-result", "resolve": "carp-resolution"}
_COMMON: Final = ("--quiet", "--verbose", "--help")
_EXECUTORS: Final = ("Python", "Process", "Http", "File", "Static")


def pages() -> dict[str, str]:
    """The text of each page of the reference, by the name of its file."""
    makers: dict[str, Callable[[], str]] = {
        "cli.md": _cli,
        "config.md": _config,
        "atlas.md": _atlas,
        "policy.md": _policy,
        "events.md": _events,
        "exit-codes.md": _exit_codes,
        "errors.md": codes.document,
    }
    return {name: make() for name, make in makers.items()}


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


# The command line


def _cli() -> str:
    parts = [
        "# Commands",
        meanings.INTRODUCTIONS["cli"],
    ]
    for heading, names in SECTIONS[""].items():
        rows = [(_link_to(name), summary(name)) for name in names]
        parts += [f"**{heading}**", table(("command", "does"), rows)]
    for name in children(""):
        if name in GROUPS:
            parts += _group(name)
        else:
            parts += _command(name, level=2)
    return page(parts)


def _link_to(path: str) -> str:
    return f"[`cra {path}`](#{slug(f'cra {path}')})"


def _group(name: str) -> Iterator[str]:
    yield f"## cra {name}"
    yield f"{GROUPS[name]}."
    yield console(EXAMPLES[name])
    paths = [joined(name, child) for child in children(name)]
    yield table(("command", "does"), [(_link_to(path), summary(path)) for path in paths])
    for path in paths:
        yield from _command(path, level=3)


def _command(path: str, *, level: int) -> Iterator[str]:
    command = load(path)
    context = command.make_context(f"cra {path}", [], resilient_parsing=True)
    (first, *prose), examples = split_help(command.help)
    yield f"{'#' * level} cra {path}"
    yield one_line(first)
    yield block("text", [f"cra {path} {' '.join(command.collect_usage_pieces(context))}"])
    if examples:
        yield console(examples)
    yield from (one_line(paragraph) for paragraph in prose)
    records = [parameter.get_help_record(context) for parameter in command.params]
    items = [
        f"- `{names}`{': ' if about else ''}{marked(about)}"
        for names, about in filter(None, records)
        if not any(common in names for common in _COMMON)
    ]
    if items:
        yield "\n".join(items)
    name = path.replace(" ", "-")
    wanted = _ANSWERS.get(path, name)
    answers = [known for known in SCHEMAS if known == wanted or _is_part(known, name)]
    if answers:
        links = [f"[`{known}`]({_SPECS}/schemas/{known}.schema.json)" for known in answers]
        yield f"Schema of the answer with `--json`: {', '.join(links)}."


def _is_part(known: str, name: str) -> bool:
    """Whether a schema is of another answer of a command: `trace-show-seq` of `trace show`."""
    names = {path.replace(" ", "-") for path in COMMANDS}
    return known.startswith(f"{name}-") and known not in names


# The configuration


def _config() -> str:
    schema = SCHEMAS["cra-config"][1]()
    defaults = {name: value for name, value, _ in load_config(None, {}, None, {}).settings()}
    variables = {setting: variable for variable, setting in VARIABLES.items()}
    words = _Sentences("CONFIG")
    sections: dict[str, list[tuple[str, ...]]] = {}
    for name, default in defaults.items():
        section = name.rpartition(".")[0]
        sections.setdefault(section, []).append(
            (
                f"`{name}`",
                type_of(_member(schema, name), schema),
                literal(default),
                f"`{variables[name]}`" if name in variables else "",
                words.take(name),
            )
        )
    agent = [
        (f"`{key}`", type_of(kind, schema), words.take(f"agents.{key}"))
        for key, kind in schema["$defs"]["AgentConfig"]["properties"].items()
    ]
    atlas = [
        (f"`{key}`", type_of(kind, schema), words.take(f"atlases.{key}"))
        for key, kind in schema["$defs"]["AtlasSource"]["anyOf"][1]["properties"].items()
    ]
    words.end()
    header = ("key", "value", "default", "variable", "what it is for")
    parts = [
        "# Configuration",
        meanings.INTRODUCTIONS["config"],
    ]
    for section, rows in sections.items():
        parts += [f"## {section or 'At the top'}", table(header, rows)]
    small = ("key", "value", "what it is for")
    parts += [
        "## An agent",
        'What stands below a name in `agents`: `{"agents": {"support": {"roles": ["clerk"]}}}`.',
        table(small, agent),
        "## An atlas",
        "An item of `atlases` is a path, or an object:",
        table(small, atlas),
        "## Environment",
        "What `cra help environment` says:",
        block("text", topic("environment").split("\n")[2:]),
    ]
    return page(parts)


def _member(schema: Mapping[str, Any], name: str) -> Any:
    node: Any = schema
    for part in name.split("."):
        node = resolved(node, schema)["properties"][part]
    return node


# Atlases and policies


def _atlas() -> str:
    schema = SCHEMAS["atlas-manifest"][1]()
    defined = schema["$defs"]
    words = _Sentences("ATLAS")

    def members(name: str, kind: Mapping[str, Any]) -> str:
        node = kind["anyOf"][1] if "anyOf" in kind and "properties" not in kind else kind
        return members_of(node, schema, lambda key: words.take(f"{name}{key}"))

    parts = [
        "# Atlas",
        meanings.INTRODUCTIONS["atlas"],
        "## The manifest",
        members("", schema),
        "## An action",
        "An item of `actions`, or of a file that is named there. Without an `executor` it is"
        " declared, and cannot be executed.",
        members("Action.", defined["Action"]),
        "### rate_limit",
        members("RateLimit.", defined["RateLimit"]),
        "## Executors",
        "What each confines, and what not:"
        " [the threat model](../explanation/threat-model.md#what-the-executors-confine).",
    ]
    for name in _EXECUTORS:
        kind = defined[f"{name}Executor"]
        node = kind["anyOf"][1] if "anyOf" in kind else kind
        parts += [f"### {name.lower()}", one_line(node["description"])]
        if "anyOf" in kind:
            parts.append("Also written as a text: `python:module:function`.")
        parts.append(members(f"{name}Executor.", kind))
    parts += [
        "## A context pack",
        "An item of `context_packs` is the path of a file, or an object:",
        members("ContextPack.", defined["ContextPack"]),
        "## A capability",
        "An item of `capabilities` is an id, or an object:",
        members("Capability.", defined["Capability"]),
        "## Rules",
        "An item of `policies` is [a rule](policy.md), or the path of a file of rules. They are"
        " about the atlas's own actions alone, and its `allow` rules count as far as they were"
        " accepted when the atlas was added.",
    ]
    words.end()
    return page(parts)


def _policy() -> str:
    schema = SCHEMAS["policy"][1]()
    words = _Sentences("POLICY")
    rule = schema["$defs"]["deny"]
    kinds = " ".join(f"[`{name}`](#{name})" for name in PARAMETERS)
    common = {
        **rule,
        "properties": {
            **rule["properties"],
            "type": {"enum": [*PARAMETERS]},
            "parameters": {"type": "object"},
        },
    }

    def told(prefix: str) -> Callable[[str], str]:
        return lambda key: words.take(prefix + key)

    conditions = schema["$defs"]["conditions"]
    parts = [
        "# Policies",
        meanings.INTRODUCTIONS["policy"],
        "## A rule",
        members_of(common, schema, told("")),
        f"The types: {kinds}.",
        "## conditions",
        "All of them have to hold. What a caller states, in `context` and as a tier, makes a rule"
        " other than `allow` hold, and never keeps one from holding.",
        members_of(conditions, schema, told("conditions.")),
        "### time_window",
        members_of(conditions["properties"]["time_window"], schema, told("time_window.")),
        "## parameters, by type",
        "`reason` may stand here instead.",
    ]
    for name in PARAMETERS:
        node = schema["$defs"][name]
        inner = node["properties"]["parameters"]
        own = {key: kind for key, kind in inner["properties"].items() if key != "reason"}
        parts += [f"### {name}", one_line(node["description"])]
        if len(node["properties"]["type"]["enum"]) > 1:
            other = [one for one in node["properties"]["type"]["enum"] if one != name]
            parts.append(f"Also written `{other[0]}`.")
        if own:
            parts.append(members_of({**inner, "properties": own}, schema, told(f"{name}.")))
        if "anyOf" in inner:
            parts.append("At least one of them is stated.")
    words.end()
    return page(parts)


# Events, exit codes


def _events() -> str:
    schema = SCHEMAS["trace-event"][1]()
    defined = schema["$defs"]
    words = _Sentences("EVENTS")
    rows, parts = [], []
    shown: set[str] = set()
    for name, row in EVENT_TYPES.items():
        about = words.take(name)
        rows.append((f"[`{name}`](#{slug(name)})", row.actor, row.severity, about))
        kind = row.payload.__name__
        parts.append(f"### {name}")
        parts.append(f"{about} Written by: {row.actor}; severity {row.severity}.")
        parts.append(_payload(defined[kind], defined, shown))
    words.end()
    objects = []
    for name in sorted(shown):
        objects += [f"### {name}", _payload(defined[name], defined, set())]
    told = _Sentences("HEADER")
    headers = [
        (f"`{key}`", told.take(key), "" if key in schema["required"] else "may be left out")
        for key in schema["properties"]
        if key not in ("payload", "salt", "event_hash")
    ]
    told.end()
    aliases = [(f"`{alias}`", f"[`{name}`](#{slug(name)})") for alias, name in ALIASES.items()]
    return page(
        [
            "# Events",
            meanings.INTRODUCTIONS["events"],
            table(("type", "actor", "severity", "says"), rows),
            "## The members of every event",
            table(("member", "says", ""), headers),
            "Beside them stand `payload`, the `salt` that its hash is made with, and `event_hash`;"
            " of a redacted event, `event_hash` alone.",
            "## Payloads",
            *parts,
            "## Objects in payloads",
            *objects,
            "## Choosing events",
            "Filters know some types by another name as well:",
            table(("alias", "type"), aliases),
            "What `cra help filters` says:",
            block("text", topic("filters").split("\n")[2:]),
        ]
    )


def _payload(node: Mapping[str, Any], defined: Mapping[str, Any], shown: set[str]) -> str:
    rows = []
    for key, kind in node["properties"].items():
        plain = [one for one in kind.get("anyOf", [kind]) if one.get("$ref") != "#/$defs/blob"]
        for one in plain:
            name = one.get("$ref", "").rpartition("/")[2]
            if "properties" in defined.get(name, {}):
                shown.add(name)
        value = type_of(plain[0] if len(plain) == 1 else {"anyOf": plain}, {"$defs": defined})
        rows.append((f"`{key}`", value, "" if key in node["required"] else "may be left out"))
    return table(("member", "value", ""), rows)


def _exit_codes() -> str:
    ends: dict[int, list[str]] = {}
    for code in codes.pages():
        link = f"[{code}](errors.md#{slug(code)})"
        ends.setdefault(codes.meaning_of(code).exit_code, []).append(link)
    words = _Sentences("EXIT_CODES")
    rows = [
        (f"{code.value}", f"`{code.name}`", words.take(code.name), ", ".join(ends.get(code, ())))
        for code in ExitCode
    ]
    words.end()
    return page(
        [
            "# Exit codes",
            meanings.INTRODUCTIONS["exit-codes"],
            table(("code", "name", "means", "errors that end so"), rows),
            "[Error codes](errors.md) has a page for each error, as `cra explain CODE` shows it.",
        ]
    )


class _Sentences:
    """The sentences of a table of docs/meanings.py, of which each is taken once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left: dict[str, str] = dict(getattr(meanings, name))

    def take(self, key: str) -> str:
        if key not in self._left:
            raise SystemExit(f"docs/meanings.py: {self._name}: expected a sentence for {key}")
        return self._left.pop(key)

    def end(self) -> None:
        if self._left:
            found = ", ".join(self._left)
            raise SystemExit(f"docs/meanings.py: {self._name}: {found}: there is no such key")


if __name__ == "__main__":
    main()
