"""What a run of the cases found. Its JSON form is the one that other implementations report in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# From the lowest up; a level needs those before it.
Level: TypeAlias = Literal["core", "policy", "full"]


@dataclass(frozen=True)
class Difference:
    """Where an answer is not the expected one; both values as JSON."""

    at: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.at}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class CaseDetails:
    title: str
    level: Level
    section: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class CaseResult:
    test_id: str
    status: Literal["passed", "failed"]
    duration_ms: float
    # The first difference, in words.
    error: str | None
    details: CaseDetails


@dataclass(frozen=True)
class RunTotals:
    started_at: str
    duration_ms: float
    total: int
    passed: int
    failed: int


@dataclass(frozen=True)
class ConformanceReport:
    implementation: str
    version: str
    # The highest level all of whose cases pass, and all of those below.
    conformance_level: Literal["none"] | Level
    test_run: RunTotals
    results: tuple[CaseResult, ...]
