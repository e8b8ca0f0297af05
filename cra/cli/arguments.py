"""What the words on a command line stand for: times, principals, places in a ledger, arguments."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cra.amount import seconds_of
from cra.cli import output
from cra.errors import UsageError
from cra.ledger import files

if TYPE_CHECKING:
    from cra.protocol.events import Principal

# The name of a file that stands for stdout.
STDOUT: Final = Path("-")

_EVENT: Final = re.compile("(.+):([0-9]{1,16})")
_MAX_PARAMETERS: Final = 1 << 20
# References that lead on to references; a schema that has more is none that cra accepts.
_MAX_HOPS: Final = 16


def seconds(text: str) -> int:
    """The seconds of a duration like 90s, 15m, 1h or 30d. Raises UsageError."""
    found = seconds_of(text)
    if found is None:
        raise UsageError(f"expected a duration like 90s, 15m, 1h or 30d, found {text!r:.40}")
    return found


def principal(text: str) -> Principal:
    """Who a session acts for, from TYPE:ID. Raises UsageError."""
    kind, _, name = text.partition(":")
    if not 1 <= len(name) <= 256:
        raise UsageError(f"expected a principal TYPE:ID, found {text!r:.80}")
    match kind:
        case "user" | "service" | "agent":
            return {"type": kind, "id": name}
    raise UsageError(f"expected a principal of type user, service or agent, found {kind!r:.40}")


def event_place(directory: Path, text: str) -> tuple[Path, str, int]:
    """The ledger, the log and the sequence of SESSION:SEQUENCE, an event id or an event hash.

    Raises UsageError or NotFound.
    """
    from cra.cli.select import find_log
    from cra.ledger.index import session_id_of

    match = _EVENT.fullmatch(text)
    if match is None:
        from cra.ledger.proof import find_event

        return directory, *find_event(directory, text)
    path = find_log(directory, match[1])
    return path.parent, session_id_of(path), int(match[2])


def time_of_file(path: Path) -> str:
    """When a file was written, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def user_name() -> str:
    """Who the system says is running this; recorded as who changed a ledger."""
    from pwd import getpwuid

    with suppress(KeyError):
        return getpwuid(os.getuid()).pw_name
    return f"uid {os.getuid()}"


def is_free(path: Path, *, yes: bool) -> bool:
    """Whether a file may be written: there is none yet, or the user lets it be replaced.

    Raises UsageError for what is no file, or without a terminal to ask on.
    """
    if not path.exists():
        return True
    if not path.is_file():
        raise UsageError("expected a place for a file, found another thing", where=str(path))
    if output.confirm(f"Replace {output.safe(str(path))}?", yes=yes):
        return True
    output.tell("nothing was written")
    return False


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error about a temporary file beside a path name the path itself."""
    try:
        yield
    except OSError as error:
        if str(error.filename).startswith(f"{path}."):
            error.filename = str(path)
        raise


def save(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file so that it is complete or not there."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            with open(temporary, "xb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        finally:
            files.remove(temporary)


def parameters_of(
    words: Iterable[str], file: str | None, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """An action's arguments: those in a file (`-`: stdin), and over them those of NAME=VALUE words.

    A VALUE is what the schema says of its name: a number, true, false, null, an object or a list as
    JSON, and else text. What fits none of its types stays text, and is refused later, by the
    schema. Raises UsageError.
    """
    given = {} if file is None else _object_of(file)
    properties = schema.get("properties", {})
    return given | {
        name: _typed(text, _types_of(properties.get(name), schema))
        for name, text in _split_pairs(words)
    }


def pairs(words: Iterable[str]) -> dict[str, Any]:
    """The facts of NAME=VALUE words: true, false, null and numbers as such, all else as text.

    Raises UsageError.
    """
    plain = {"boolean", "null", "number"}
    return {name: _typed(text, plain) for name, text in _split_pairs(words)}


def _split_pairs(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen = set()
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or name in seen:
            raise UsageError(
                f"expected NAME=VALUE, each name once, found {word!r:.80}",
                fix="leave one of them out"
                if name in seen and equals
                else f"{name or 'NAME'}=VALUE",
            )
        seen.add(name)
        yield name, text


def _object_of(file: str) -> dict[str, Any]:
    where = "stdin" if file == "-" else file
    if file.lstrip().startswith("{") and not os.path.exists(file):
        raise UsageError(
            "expected a FILE or - for stdin behind --params, found the arguments themselves",
            fix="--param NAME=VALUE for each, or --params - with them on stdin",
        )
    if file == "-":
        data = sys.stdin.buffer.read(_MAX_PARAMETERS + 1)
    else:
        with open(file, "rb") as stream:
            data = stream.read(_MAX_PARAMETERS + 1)
    if len(data) > _MAX_PARAMETERS:
        raise UsageError(f"expected parameters of at most {_MAX_PARAMETERS} bytes", where=where)
    try:
        found = _json_of(data.decode())
    except json.JSONDecodeError as error:
        raise UsageError(
            f"expected parameters as JSON, found a mistake: {error.msg[:1].lower()}{error.msg[1:]}",
            where=f"{where}:{error.lineno}:{error.colno}",
        ) from None
    except ValueError as error:
        raise UsageError(f"expected parameters as JSON, found: {error}", where=where) from None
    if not isinstance(found, dict):
        raise UsageError(
            f"expected parameters as a JSON object, found {_type_of(found)}", where=where
        )
    return found


def _typed(text: str, types: set[str]) -> Any:
    try:
        value = _json_of(text) if types - {"string"} else text
    except ValueError:
        return text
    kind = _type_of(value)
    fits = kind in types or (kind == "integer" and "number" in types)
    return value if fits and kind != "string" else text


def _types_of(schema: Any, root: Mapping[str, Any], hops: int = _MAX_HOPS) -> set[str]:
    """The types that a schema names for a value; none if it leaves them open."""
    if not isinstance(schema, dict) or not hops:
        return set()
    stated = schema.get("type")
    if stated is not None:
        return {stated} if isinstance(stated, str) else set(stated)
    options = schema.get("enum", [schema["const"]] if "const" in schema else [])
    types = {_type_of(option) for option in options}
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if "$ref" in schema:
        parts.append(_referred(schema["$ref"], root))
    return types.union(*(_types_of(part, root, hops - 1) for part in parts))


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _type_of(value: Any) -> str:
    """The type of a value as JSON Schema calls it."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "null" if value is None else "object")


def _json_of(text: str) -> Any:
    """The value of a JSON text. Raises ValueError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ValueError("a key that an object has twice")
        return members

    def refuse(name: str) -> None:
        raise ValueError(f"{name}, which is no JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except RecursionError:
        raise ValueError("more levels of nesting than can be read") from None
