"""Canonical JSON: the one spelling of a value that cra hashes (specs/PROTOCOL.md section 1).

`encode` and `decode` are exact inverses on canonical bytes and refuse everything else. `wrap` and
`unwrap` carry any output of a tool, however odd, into that form and back without loss.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

import orjson
import rfc8785

from cra.errors import ValueRefused

MAX_DEPTH: Final = 128
MAX_INTEGER: Final = 2**53 - 1
# Far beyond any honest output; it turns a value that contains itself into an error.
MAX_OUTPUT_DEPTH: Final = 200_000

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
# The lead bytes of characters beyond the BMP, where UTF-16 order and UTF-8 order part.
_ASTRAL: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")


def encode(value: Any) -> bytes:
    """The canonical bytes of a JSON value. Raises ValueRefused if there are none."""
    try:
        text = orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _encode_slowly(value)
    if _is_bmp(text) and _is_plain((value,), MAX_DEPTH):
        return text
    return _encode_slowly(value)


def decode(text: bytes) -> Any:
    """The value of canonical bytes. Raises ValueRefused if the bytes are not canonical."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueRefused(f"expected canonical JSON, found no JSON: {error}") from None
    if encode(value) != text:
        raise ValueRefused("expected canonical JSON, found another spelling of the value")
    return value


def is_canonical_object(text: bytes) -> bool:
    """Whether bytes are a canonical object, as far as one pass can tell: no may mean yes."""
    try:
        value = orjson.loads(text)
        return (
            type(value) is dict
            and orjson.dumps(value, option=_OPTIONS) == text
            and _is_bmp(text)
            and _is_plain(value.values(), MAX_DEPTH - 1)
        )
    except (orjson.JSONDecodeError, TypeError):
        return False


def wrap(value: Any) -> Any:
    """A form of any output that canonical JSON can hold (section 1.1). Raises ValueRefused if the
    value is made of anything but JSON types, tuples and bytes, or contains itself."""
    return _transform(value, _wrap_one)


def unwrap(value: Any) -> Any:
    """The value that `wrap` was given, tuples having become lists. Raises ValueRefused for one that
    was redacted, in whole or in part: what is gone cannot be restored."""
    return _transform(value, _unwrap_one)


def text_of(value: Any, *, sort_keys: bool = True) -> bytes:
    """JSON text of a wrapped value that may nest deeper than canonical JSON allows, with the keys
    in the order of canonical JSON or in their own."""
    parts: list[bytes] = []
    stack: list[Iterator[Any]] = [iter((value,))]
    closers: list[bytes] = [b""]
    while stack:
        token = next(stack[-1], _END)
        if token is _END:
            stack.pop()
            parts.append(closers.pop())
        elif isinstance(token, bytes):
            parts.append(token)
        elif isinstance(token, dict):
            parts.append(b"{")
            closers.append(b"}")
            stack.append(_members(token, sort_keys=sort_keys))
        elif isinstance(token, list):
            parts.append(b"[")
            closers.append(b"]")
            stack.append(_items(token))
        else:
            parts.append(encode(token))
    return b"".join(parts)


def depth_of(value: Any) -> int:
    """How many levels of arrays and objects a value nests."""
    deepest = 0
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict):
            item = item.values()
        elif not isinstance(item, list | tuple):
            continue
        if depth > MAX_OUTPUT_DEPTH:
            raise ValueRefused("expected a value that ends, found one that contains itself")
        deepest = max(deepest, depth)
        stack.extend([(child, depth + 1) for child in item])
    return deepest


_END: Final = object()
_Todo: TypeAlias = Callable[[Any, Callable[[Any], None]], None]


def _members(value: dict[str, Any], *, sort_keys: bool) -> Iterator[Any]:
    comma = b""
    in_order = sorted(value, key=lambda name: name.encode("utf-16-be")) if sort_keys else value
    for key in in_order:
        yield comma + encode(key) + b":"
        yield value[key]
        comma = b","


def _items(value: list[Any]) -> Iterator[Any]:
    comma = b""
    for item in value:
        yield comma
        yield item
        comma = b","


def _is_bmp(text: bytes) -> bool:
    """Whether the keys, in whatever order of code points, are in RFC 8785's order too."""
    return text.isascii() or not any(lead in text for lead in _ASTRAL)


def _is_plain(values: Iterable[Any], depth: int) -> bool:
    """Whether orjson writes every number as RFC 8785 does, and nothing nests too deep."""
    for value in values:
        kind = type(value)
        if kind is str or kind is int:
            continue
        if kind is dict:
            if not depth or not _is_plain(value.values(), depth - 1):
                return False
        elif kind is list or kind is tuple:
            if not depth or not _is_plain(value, depth - 1):
                return False
        elif kind is float and (not 1e-4 <= abs(value) < 1e15 or value.is_integer()):
            return False
    return True


def _encode_slowly(value: Any) -> bytes:
    if depth_of(value) > MAX_DEPTH:
        raise ValueRefused(f"expected at most {MAX_DEPTH} levels of nesting, found more")
    _refuse_foreign(value)
    return rfc8785.dumps(value)


def _refuse_foreign(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueRefused(f"expected a string as a key, found {_kind(key)}")
            _refuse_foreign(key)
            _refuse_foreign(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_foreign(item)
    elif _marker_of(value) is not None:
        raise ValueRefused(f"expected a value that canonical JSON can hold, found {_shown(value)}")


def _marker_of(value: Any) -> dict[str, str] | None:
    """The wrapped form of a scalar that canonical JSON cannot hold; None if it can hold it."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _wrapped_string(value)
    if isinstance(value, int):
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else {"$int": str(int(value))}
    if isinstance(value, float):
        return _wrapped_float(value)
    if isinstance(value, bytes | bytearray):
        return {"$b64": base64.b64encode(value).decode()}
    raise ValueRefused(f"expected a JSON value, found {_kind(value)}")


def _wrapped_string(value: str) -> dict[str, str] | None:
    if value.isascii():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"$wtf8": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return None


def _wrapped_float(value: float) -> dict[str, str] | None:
    if math.isnan(value):
        return {"$float": "NaN"}
    if math.isinf(value):
        return {"$float": "Infinity" if value > 0 else "-Infinity"}
    if value == 0 and math.copysign(1, value) < 0:
        return {"$float": "-0"}
    # RFC 8785 writes exponents from 1e21 on, so only below that is the text an integer.
    if MAX_INTEGER < abs(value) < 1e21:
        return {"$float": repr(value)}
    return None


def _wrap_one(value: Any, todo: _Todo) -> Any:
    if isinstance(value, dict):
        return _wrap_object(value, todo)
    if isinstance(value, list | tuple):
        return _copy_array(value, todo)
    marker = _marker_of(value)
    return value if marker is None else marker


def _wrap_object(value: dict[Any, Any], todo: _Todo) -> Any:
    for key in value:
        if not isinstance(key, str):
            raise ValueRefused(f"expected a string as a key, found {_kind(key)}")
    if not any(key[:1] == "$" or _wrapped_string(key) for key in value):
        return _copy_object(value, todo)
    pairs: list[list[Any]] = [[_wrapped_string(key) or key, None] for key in value]
    for pair, item in zip(pairs, value.values(), strict=True):
        todo(item, partial(pair.__setitem__, 1))
    return {"$obj": pairs}


def _unwrap_one(value: Any, todo: _Todo) -> Any:
    if isinstance(value, list):
        return _copy_array(value, todo)
    if not isinstance(value, dict):
        return value
    if "$redacted" in value:
        raise ValueRefused("expected a value that can be restored, found a part that is redacted")
    if len(value) == 1:
        marker, content = next(iter(value.items()))
        if marker == "$obj":
            restored: dict[str, Any] = {}
            for key, item in content:
                name = _unwrap_one(key, todo)
                restored[name] = None
                todo(item, partial(restored.__setitem__, name))
            return restored
        if marker in _UNWRAP:
            return _UNWRAP[marker](content)
    return _copy_object(value, todo)


_UNWRAP: Final[dict[str, Callable[[str], Any]]] = {
    "$int": int,
    "$float": float,
    "$b64": base64.b64decode,
    "$wtf8": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
}


def _copy_object(value: dict[str, Any], todo: _Todo) -> dict[str, Any]:
    copy: dict[str, Any] = dict.fromkeys(value)
    for key, item in value.items():
        todo(item, partial(copy.__setitem__, key))
    return copy


def _copy_array(value: list[Any] | tuple[Any, ...], todo: _Todo) -> list[Any]:
    copy: list[Any] = [None] * len(value)
    for index, item in enumerate(value):
        todo(item, partial(copy.__setitem__, index))
    return copy


def _transform(value: Any, step: Callable[[Any, _Todo], Any]) -> Any:
    """Rebuild a value from the outside in with an explicit stack, so that depth costs no
    recursion."""
    depth_of(value)
    result: list[Any] = []
    stack: list[tuple[Any, Callable[[Any], None]]] = [(value, result.append)]

    def todo(item: Any, put: Callable[[Any], None]) -> None:
        stack.append((item, put))

    while stack:
        item, put = stack.pop()
        put(step(item, todo))
    return result[0]


def _kind(value: Any) -> str:
    return f"a Python {type(value).__name__}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
