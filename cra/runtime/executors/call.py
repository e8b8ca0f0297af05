"""One call of a function of an atlas, in whatever process: its result, or how it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import CoroutineType, TracebackType
from typing import Any, Final, NamedTuple

from cra import canonical
from cra.errors import ValueRefused
from cra.runtime.executors.loader import folder_of, load
from cra.runtime.executors.work import Done, Failed, Outcome, Stopped

# A recursion without end has a thousand frames, and the last ones tell all.
_FRAMES: Final = 20
# Beyond what anybody reads; what is larger belongs into a file.
MAX_RESULT: Final = 16 << 20


class FunctionCall(NamedTuple):
    package: str
    files: Mapping[str, bytes]
    file: str
    function: str
    arguments: Mapping[str, Any]


def perform(call: FunctionCall) -> Outcome:
    """Load the file if it is not yet, call the function with the arguments as keywords."""
    try:
        result = _returned(call)
    except Stopped as stopped:
        return stopped.failed
    except BaseException as error:  # noqa: BLE001  # what an atlas's code raises is its failure
        return _raised(error, call)
    try:
        return Done(stored_form(result))
    except (ValueRefused, RecursionError) as error:
        # A list may be changed by the atlas's own threads while it is read.
        return Failed("invalid_result", f"expected a result made of JSON values: {error}")


def stored_form(value: Any) -> Any:
    """A result as it reads back from the ledger: of plain types, and nobody else holds it. Only its
    keys stay in their order, for whoever reads it now."""
    text = canonical.text_of(canonical.wrap(value), sort_keys=False)
    if len(text) > MAX_RESULT:
        raise ValueRefused(f"expected a result of at most {MAX_RESULT} bytes, found {len(text)}")
    return canonical.unwrap(json.loads(text))


def _returned(call: FunctionCall) -> Any:
    module = load(call.package, call.files, call.file)
    function = getattr(module, call.function, None)
    if not callable(function):
        found = "none" if function is None else "something else"
        raise Stopped(
            "not_found", f"expected a function {call.function} in {call.file}, found {found}"
        )
    result = function(**call.arguments)
    if isinstance(result, CoroutineType):
        import asyncio  # 49 ms, for those who have use for it

        return asyncio.run(result)
    return result


def _raised(error: BaseException, call: FunctionCall) -> Failed:
    kind = type(error).__qualname__
    message = _message_of(error)
    if isinstance(error, ModuleNotFoundError) and f"{error.name}.py" in call.files:
        message += f" (a file of the same atlas is found by: from . import {error.name})"
    details = {
        "type": kind,
        "message": message,
        "traceback": _own_frames(error.__traceback__, folder_of(call.package)),
    }
    return Failed("exception", f"{kind}: {message}" if message else kind, details)


def _message_of(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as failure:  # noqa: BLE001  # __str__ is the atlas's code too
        return f"its text cannot be had: {type(failure).__qualname__}"
    # Half of a surrogate pair cannot be stored.
    return text.encode(errors="backslashreplace").decode()


def _own_frames(frames: TracebackType | None, folder: str) -> list[str]:
    """The lines of a traceback that are the atlas's own: no path of this machine is in them, and
    not the digest, which is another one whatever file of the atlas has changed."""
    import traceback  # only a failure has use for it

    own = [
        (frame, line)
        for frame, line in traceback.walk_tb(frames)
        if frame.f_code.co_filename.startswith(folder)
    ]
    summary = traceback.StackSummary.extract(iter(own[-_FRAMES:]))
    text = "".join(summary.format()).replace(folder, "<atlas>/")
    return text.rstrip("\n").split("\n") if text else []
