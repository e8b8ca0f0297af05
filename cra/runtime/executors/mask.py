"""The values of secrets, taken out of what an execution gives back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from cra.runtime.executors.work import Done, Outcome


def masked(outcome: Outcome, secrets: Mapping[str, str]) -> Outcome:
    """An outcome in which `${secret:NAME}` stands for every secret, given as value and name.

    A secret is found as it is, as a part of JSON text and of a URL. What a program makes of it
    otherwise (its base64, its reverse) passes.
    """
    spellings: dict[str, str] = {}
    for value, name in secrets.items():
        for spelling in (value, json.dumps(value)[1:-1], quote(value, safe="")):
            spellings[spelling] = f"${{secret:{name}}}"
    # The longest first: one secret may be a part of another.
    pattern = re.compile("|".join(map(re.escape, sorted(spellings, key=len, reverse=True))))

    def without(text: str) -> str:
        return pattern.sub(lambda match: spellings[match[0]], text)

    if isinstance(outcome, Done):
        return replace(outcome, result=_mapped(outcome.result, without))
    return replace(
        outcome, message=without(outcome.message), details=_mapped(outcome.details, without)
    )


def _mapped(value: Any, without: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return without(value)
    if isinstance(value, bytes):
        text = value.decode(errors="surrogateescape")
        return without(text).encode(errors="surrogateescape")
    if isinstance(value, list):
        return [_mapped(item, without) for item in value]
    if isinstance(value, Mapping):
        return {without(key): _mapped(item, without) for key, item in value.items()}
    return value
