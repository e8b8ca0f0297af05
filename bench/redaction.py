"""Redaction: what is found of a corpus of secrets and look-alikes, and what looking costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Final

import orjson

from bench.measure import Sample, alternate, latencies
from bench.report import Budget, Measured, Row, Table
from bench.workload import Setting
from cra.redaction.detect import Detectors, find
from cra.redaction.kinds import KINDS
from cra.redaction.redact import Redactor, field_path, redacted, reworded
from tests.secrets_corpus import KEYS, samples, scores

SECRET: Final = bytes(32)
RULE: Final = Redactor(
    lambda: SECRET,
    Detectors(tuple(KINDS), (r"EMP-\d{6}",)),
    frozenset([field_path("arguments.customer")]),
)
# An event's payload of 600 bytes.
EVENT: Final[dict[str, Any]] = {
    "execution_id": "01a1fa72-7e8f-7048-b0a2-3f5a7c9e1b2d",
    "action_id": "ticket.create",
    "resolution_id": "01a1fa72-7e8f-7048-b0a2-9d8c7b6a5f4e",
    "arguments": {
        "customer": "c-10232",
        "subject": "Printer on floor 3 does not answer",
        "body": "The printer has been offline since Monday; the queue holds twelve jobs and nobody"
        " can print. Please send somebody.",
        "priority": "high",
        "tags": ["hardware", "printer"],
    },
    "arguments_digest": "0f3b91c47a5de826" * 4,
    "decision": {"type": "allow", "reason": "support may open tickets", "policy_id": "support"},
    "counted": {"session:r1": 1},
}
BLOCK: Final = (EVENT["arguments"]["body"] + "\n") * 40


def measure_redaction(setting: Setting) -> Table:
    clean = Redactor(lambda: SECRET)
    key = KEYS["github_token"][0](Random(1))
    leaking = EVENT | {"arguments": {**EVENT["arguments"], "body": f"the key is {key}"}}
    steps: dict[str, Callable[[Any], object]] = {
        "clean event": lambda _: redacted(clean, EVENT),
        "event with a key": lambda _: redacted(clean, leaking),
        "clean event, a rule with all": lambda _: redacted(RULE, EVENT),
        "context block of 4.7 kB": lambda _: reworded(clean, BLOCK),
        "new detectors": lambda _: find(Detectors(), "token"),
        "orjson.dumps of the event": lambda _: orjson.dumps(EVENT),
        "str.encode of the block": lambda _: BLOCK.encode(),
    }
    count = setting.share(500, at_least=50, at_most=2000)
    found = alternate(
        {name: partial(_latencies, step, count) for name, step in steps.items()},
        setting.repetitions,
    )

    def p50(name: str) -> Measured:
        return Measured(f"{name}, p50", "s", found[name]["p50"])

    dumps = p50("orjson.dumps of the event")
    rows = [
        Row(p50("clean event"), (dumps,), budget=Budget("≤", 5e-6)),
        Row(p50("event with a key"), (dumps,)),
        Row(p50("clean event, a rule with all"), (dumps,)),
        Row(p50("context block of 4.7 kB"), (p50("str.encode of the block"),)),
        Row(p50("new detectors")),
        *_found(),
    ]
    size = len(orjson.dumps(EVENT))
    secrets = sum(sample.secret is not None for sample in samples())
    return Table(
        f"an event of {size} bytes; {secrets:,} secrets, {len(samples()) - secrets:,} look-alikes",
        rows,
    )


def _found() -> Iterator[Row]:
    """How much of each kind is found, and how much of what is found is one."""
    everything = Detectors(tuple(KINDS))
    for kind, score in scores(partial(find, everything)).items():
        for what, share in (("precision", score.precision), ("recall", score.recall)):
            yield Row(Measured(f"{kind}, {what}", "share", [share]), budget=Budget("≥", 0.98))


def _latencies(step: Callable[[Any], object], count: int) -> Sample:
    return latencies(step, range(count))
