"""Schemas in words, and words as Markdown: what the pages of the reference are made from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final, get_args

from cra.config.values import Limits
from docs import meanings

# Where the words are that a text with a pattern is described by.
_WORDED: Final = (
    "cra.config",
    "cra.atlas.fields",
    "cra.atlas.written",
    "cra.policy.document",
    "cra.policy.written",
)


def members_of(node: Mapping[str, Any], root: Mapping[str, Any], told: Callable[[str], str]) -> str:
    """The members of an object; another spelling of one stands beside it, not in a row."""
    other = _other_spellings(node)
    rows = []
    for key, kind in node["properties"].items():
        if key in other.values():
            continue
        needed = key in node.get("required", ()) or key in _either(node)
        default = "required" if needed else literal(kind["default"]) if "default" in kind else ""
        also = f" Also written `{other[key]}`." if key in other else ""
        rows.append((f"`{key}`", type_of(kind, root), default, told(key) + also))
    return table(("key", "value", "default", "what it is for"), rows)


def _other_spellings(node: Mapping[str, Any]) -> dict[str, str]:
    pairs = [each["not"]["required"] for each in node.get("allOf", ()) if "not" in each]
    return dict(pairs)


def _either(node: Mapping[str, Any]) -> set[str]:
    """The members of which one has to be there, in one spelling or the other."""
    parts = [one for each in node.get("allOf", ()) for one in each.get("anyOf", ())]
    return {key for one in parts for key in one["required"]}


def resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def type_of(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in node:
        return _type_named(node["$ref"].rpartition("/")[2], root)
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(type_of(one, root) for one in node["anyOf"]))
    if "const" in node or "enum" in node:
        return ", ".join(literal(one) for one in node.get("enum", [node.get("const")]))
    kind = node.get("type")
    if isinstance(kind, list):
        return "a single value"
    said = _KINDS.get(kind or "")
    return said(node, root) if said else {"boolean": "true or false"}.get(kind or "", "anything")


def _type_named(name: str, root: Mapping[str, Any]) -> str:
    if name in meanings.NAMED:
        return meanings.NAMED[name]
    kind = root["$defs"][name]
    return f"[{name}](#{slug(name)})" if "properties" in kind else type_of(kind, root)


def _object(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    inner = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    value = next((one for one in inner if isinstance(one, dict) and one), None)
    return f"an object of {type_of(value, root)}" if value else "an object"


def _list(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if node.get("maxItems") == 0:
        return "an empty list"
    items = node.get("items")
    least = ", not empty" if node.get("minItems") else ""
    return f"a list{least}: {type_of(items, root)}" if items else f"a list{least}"


def _number(node: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    word = "a whole number" if node["type"] == "integer" else "a number"
    if "minimum" not in node:
        return word
    return f"{word} from {node['minimum']} to {node['maximum']}"


def _text(node: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return marked(_words_of_patterns()[node["pattern"]]) if "pattern" in node else "a text"


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]]] = {
    "array": _list,
    "integer": _number,
    "null": lambda _, __: "null",
    "number": _number,
    "object": _object,
    "string": _text,
}


@cache
def _words_of_patterns() -> Mapping[str, str]:
    """What `cra` itself calls a text that a pattern matches, by the pattern as schemas have it."""
    found = {}
    for name in _WORDED:
        for limits in _limits(import_module(name)):
            # JSON Schema has no words for half of a surrogate pair.
            text = (limits.pattern or "").replace(r"[^\ud800-\udfff]", r"[\s\S]")
            found[f"^(?:{text})$".replace(r"\ud800-\udfff", "")] = limits.words
    return found


def _limits(module: ModuleType) -> Iterator[Limits]:
    waiting: list[Any] = [*vars(module).values()]
    spelled = [value for value in waiting if isinstance(value, dict)]
    waiting += [getattr(one, "shorthand", None) for each in spelled for one in each.values()]
    for value in waiting:
        found = [value, *getattr(value, "__metadata__", ()), *get_args(value)]
        yield from (one for one in found if isinstance(one, Limits) and one.pattern)


# Markdown


def page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def block(language: str, lines: Iterable[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def console(lines: Iterable[str]) -> str:
    return block("console", [f"$ {line}" for line in lines])


def one_line(text: str) -> str:
    return marked(" ".join(text.split()))


def marked(text: str) -> str:
    """Words of the program's help as Markdown, which leaves alone what is in backticks."""
    parts = re.split("(`[^`]*`)", text)
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "".join(parts)


def literal(value: Any) -> str:
    if value in (None, "", [], (), {}):
        return "" if value is None else "empty"
    if isinstance(value, list | tuple):
        return ", ".join(literal(one) for one in value)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def slug(heading: str) -> str:
    """The anchor of a heading, the same on GitHub and on the site."""
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
