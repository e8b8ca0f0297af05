"""The parts of a project that are told apart, for those who only name them."""

from __future__ import annotations

from typing import Literal, TypeAlias

Part: TypeAlias = Literal[
    "configuration", "atlas", "lock", "policy", "policy test", "scenario", "golden"
]
