"""Templates: `{name}` stands for an argument, `${secret:NAME}` for a secret, `{{` for a brace.

A template is read once, from left to right: what an argument or a secret holds is never read as a
template again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cra import canonical
from cra.runtime.executors.work import Stopped

_TOKEN: Final = re.compile(
    r"\$\{secret:(?P<secret>[A-Za-z_][A-Za-z0-9_]*)\}"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\}"
    r"|\{\{|\}\}|[{}]"
)
_SECRET: Final = re.compile(r"\$\{secret:([^}]*)\}?")


def fill(
    template: str, value: Callable[[str], str], secret: Callable[[str], str] | None = None
) -> str:
    """A template with its placeholders filled; without `secret`, it may hold none."""

    def replace(match: re.Match[str]) -> str:
        if match["name"] is not None:
            return value(match["name"])
        if match["secret"] is not None and secret is not None:
            return secret(match["secret"])
        if match[0] in ("{{", "}}"):
            return match[0][0]
        found = (
            "a secret, which goes into headers and environments" if match["secret"] else match[0]
        )
        raise Stopped(
            "refused", f"expected {{name}} or a doubled brace in the template, found {found}"
        )

    return _TOKEN.sub(replace, template)


def with_secrets(text: str, secret: Callable[[str], str]) -> str:
    """A text in which only `${secret:NAME}` has a meaning, with the values of the secrets."""
    return _SECRET.sub(lambda match: secret(match[1]), text)


def text_of(arguments: Mapping[str, Any], name: str) -> str:
    """The text of a string, a number or a truth among the arguments."""
    value = _argument(arguments, name)
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise Stopped(
            "refused",
            f"expected a string, a number or a truth as {name}, found a list or an object",
        )
    return canonical.encode(value).decode()


def texts_of(arguments: Mapping[str, Any], name: str) -> list[str]:
    """The same; of a list, the text of each item."""
    value = _argument(arguments, name)
    items = value if isinstance(value, list) else [value]
    return [text_of({name: item}, name) for item in items]


def any_text_of(arguments: Mapping[str, Any], name: str) -> str:
    """The same; a list or an object is its canonical JSON."""
    value = _argument(arguments, name)
    if isinstance(value, list | dict):
        return canonical.encode(value).decode()
    return text_of(arguments, name)


def _argument(arguments: Mapping[str, Any], name: str) -> Any:
    value = arguments.get(name)
    if value is None:
        found = "null" if name in arguments else "none"
        raise Stopped("refused", f"expected an argument {name} for its placeholder, found {found}")
    return value
