"""A writer may be killed at any moment: what it acknowledged stays, and the ledger goes on."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from cra.ledger.keys import create_key

from .children import start_writer
from .harness import (
    Promise,
    Site,
    assert_intact,
    assert_recorded,
    assert_settled,
    begun_sessions,
    die,
    kept_beside,
    partial_line,
    stored_events,
)
from .payloads import DENIED


class Killing:
    """Rounds of writing and killing on one site."""

    def __init__(self, site: Site, key: Path | None, chance: random.Random) -> None:
        self.site = site
        self.key = key
        self.chance = chance
        self.promises: list[Promise] = []
        self.counts: Counter[str] = Counter()
        ledger = site.open()
        self.session_id = ledger.start_session("agent").id
        ledger.close()
        die()

    def round(self) -> None:
        """Two processes write; one is killed, a while later the other."""
        seeds = [self.chance.randrange(1 << 30) for _ in range(2)]
        writers = [
            start_writer(self.site, self.key, self.session_id, "bulky", threads=threads, seed=seed)
            for threads, seed in zip((1, 3), seeds, strict=True)
        ]
        try:
            for writer in writers:
                writer.wait_for_first()
            for number, writer in enumerate(writers):
                for other in writers[number:]:
                    other.listen(self.chance.uniform(0, 0.06))
                writer.kill()
                self.counts["kills"] += 1
                assert_intact(self.site.verify())
        finally:
            for writer in writers:
                writer.kill()
        for writer in writers:
            self.promises += writer.acknowledged()
        self.check()

    def check(self) -> None:
        self.counts["acknowledged"] = len(self.promises)
        names = [*begun_sessions(self.site), "journal"]
        torn = {name: rest for name in names if (rest := partial_line(self.site, name))}
        self.counts["torn tails"] += len(torn)
        self.reopen()
        assert_settled(self.site.verify())
        assert_recorded(self.site, self.promises)
        for name, rest in torn.items():
            self.check_kept(name, rest)

    def reopen(self) -> None:
        ledger = self.site.open()
        for session_id in begun_sessions(self.site):
            session = ledger.session(session_id)
            if not session.ended:
                receipt = session.append("action.denied", DENIED)
                self.promises.append(Promise(session.id, receipt.sequence, receipt.event_hash))
        ledger.close()
        die()

    def check_kept(self, name: str, rest: bytes) -> None:
        """Bytes that were cut off lie beside the file; otherwise the line was completed."""
        is_whole = any(event.line == rest for event in stored_events(self.site, name))
        assert is_whole or rest in kept_beside(self.site, name)
        self.counts["completed" if is_whole else "recoveries"] += 1


def kill_repeatedly(root: Path, kills: int, *, signed: bool, seed: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    chance = random.Random(seed)
    key = root / "keys" / "ledger.key" if signed else None
    signer = create_key(key) if key else None
    while counts["kills"] < kills:
        killing = Killing(Site(root / f"site{counts['kills']}", signer), key, chance)
        for _ in range(4):
            if counts["kills"] + killing.counts["kills"] < kills:
                killing.round()
        counts += killing.counts
    return counts


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path, say, signed):
    counts = kill_repeatedly(tmp_path, 8, signed=signed, seed=1)

    say(f"killed writers: {dict(counts)}")
    assert counts["kills"] >= 8


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_lose_nothing_that_was_acknowledged(tmp_path, say, seed):
    counts = kill_repeatedly(tmp_path, 60, signed=seed % 2 == 0, seed=seed)

    say(f"killed writers: {dict(counts)}")
    assert counts["kills"] >= 60
