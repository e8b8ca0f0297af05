"""The types of what stands in a manifest: what reads one goes by them, and its JSON Schema is made
from them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cra.atlas.semver import VERSION_PATTERN
from cra.config.values import Limits
from cra.policy.pattern import ACTION_ID, MAX_ACTION_ID

ActionId: TypeAlias = Annotated[
    str,
    Limits(
        "an action id like ticket.refund",
        pattern=ACTION_ID.pattern.removesuffix(r"\Z"),
        max_length=MAX_ACTION_ID,
    ),
]
AtlasId: TypeAlias = Annotated[
    str,
    Limits(
        "an id like com.example.support",
        pattern=r"[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)+",
        max_length=MAX_ACTION_ID,
    ),
]
SemVer: TypeAlias = Annotated[str, Limits("a version like 1.2.3", pattern=VERSION_PATTERN)]
FilePath: TypeAlias = Annotated[
    str,
    Limits("a path inside of the atlas, with /", pattern=r"[^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*"),
]
Id: TypeAlias = Annotated[
    str, Limits("an id of letters, digits and ._/-", pattern=r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
]
Name: TypeAlias = Annotated[str, Limits("a name", pattern=r"\S(?:[^\r\n]*\S)?")]
Argument: TypeAlias = Annotated[
    str, Limits("the name of an argument", pattern=r"[A-Za-z_][A-Za-z0-9_.-]*")
]
Word: TypeAlias = Annotated[str, Limits("a text without NUL", pattern=r"[^\x00]*")]
Variable: TypeAlias = Annotated[
    str, Limits("a name of letters, digits and _", pattern=r"[A-Za-z_][A-Za-z0-9_]*")
]
Host: TypeAlias = Annotated[
    str,
    Limits(
        "a host like api.example.com or localhost:8080, in lower case",
        pattern=r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?",
    ),
]
HeaderName: TypeAlias = Annotated[
    str, Limits("the name of a header", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
]
HeaderValue: TypeAlias = Annotated[str, Limits("printable ASCII", pattern=r"[!-~](?:[ -~]*[!-~])?")]
Url: TypeAlias = Annotated[str, Limits("an http or https URL", pattern=r"https?://[!-~]+")]
Bytes: TypeAlias = Annotated[int, Limits("bytes from 1 to 67108864", minimum=1, maximum=64 << 20)]
Memory: TypeAlias = Annotated[
    int, Limits("bytes from 16777216 to 68719476736", minimum=16 << 20, maximum=64 << 30)
]
CpuSeconds: TypeAlias = Annotated[int, Limits("seconds from 1 to 86400", minimum=1, maximum=86_400)]
ExitCode: TypeAlias = Annotated[int, Limits("an exit code from 0 to 255", minimum=0, maximum=255)]
Seconds: TypeAlias = Annotated[int, Limits("seconds from 1 to 86400", minimum=1, maximum=86_400)]
Milliseconds: TypeAlias = Annotated[
    int, Limits("milliseconds from 1 to 86400000", minimum=1, maximum=86_400_000)
]
Count: TypeAlias = Annotated[int, Limits("a number from 1 to 1000000000", minimum=1, maximum=10**9)]
Cost: TypeAlias = Annotated[int, Limits("a number from 0 to 1000000000", minimum=0, maximum=10**9)]
Priority: TypeAlias = Annotated[
    int, Limits("a number from -1000000 to 1000000", minimum=-(10**6), maximum=10**6)
]
Ttl: TypeAlias = Annotated[int, Limits("seconds from 0 to 86400", minimum=0, maximum=86_400)]
