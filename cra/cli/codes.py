"""What each error code means, and what mends it: the pages of `cra explain CRA-1234`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from cra.errors import Code, CraError, ExitCode, Fault, NotFound

_VERIFY: Final = "cra trace verify names the session and the event; keep a copy before any repair"
_KEYS: Final = "give the owner's key with --key, or ask who replaced the signature"


class Meaning(NamedTuple):
    code: str
    name: str
    meaning: str
    fix: str
    exit_code: int


# By code: what it means, and what mends it.
_PAGES: Final[dict[str, tuple[str, str]]] = {
    "CRA-1000": ("cra could not do what was asked, for the reason that it names.", "see the error"),
    "CRA-1001": ("The command line is wrong.", "cra help COMMAND"),
    "CRA-1002": (
        "A session, an event, a test or a file that was named is not there.",
        "cra trace list, cra session list",
    ),
    "CRA-1003": (
        "A value that canonical JSON cannot hold: a number beyond 2^53, NaN, half a character, or "
        "more than 128 levels.",
        "send such a number as text",
    ),
    "CRA-1004": ("A filter expression that cannot be read.", "cra help filters"),
    "CRA-1005": (
        "A request that is no request of CARP/1.0, was sent before, or is too old.",
        "cra schema carp-request; send it anew with a new request_id and the time of now",
    ),
    "CRA-1006": ("No atlas of the project has the action.", "cra atlas actions lists those it has"),
    "CRA-1007": (
        "The arguments do not fit the action's schema. Nothing was executed.",
        "cra atlas show ATLAS shows the schema",
    ),
    "CRA-1008": (
        "A golden trace that cannot be replayed, or a manifest that cannot be read. Nothing was "
        "compared.",
        "cra schema golden-manifest; cra golden record records it anew",
    ),
    "CRA-2001": (
        "The configuration says something that cra cannot accept, or there is no project.",
        "cra config validate; cra init",
    ),
    "CRA-2100": ("Several mistakes in an atlas or in policies, all of them listed.", "mend each"),
    "CRA-2101": ("A file that is neither JSON nor YAML of the accepted kind.", "mend its syntax"),
    "CRA-2102": (
        "A wrong value, a missing key, or a key that is not known.",
        "the message has the nearest valid value",
    ),
    "CRA-2103": ("The same id twice where each may be there once.", "rename one of the two"),
    "CRA-2104": (
        "The name of an action, a file, a pack or an atlas that is not there.",
        "correct the name, or add what it names",
    ),
    "CRA-2105": ("A JSON Schema that cannot be accepted.", "mend the schema where it says"),
    "CRA-2106": ("An executor that cannot be carried out as it is written.", "mend the executor"),
    "CRA-2110": ("Files that no package may have, such as links out of it.", "remove them"),
    "CRA-2120": (
        "An atlas needs another one, or another version of it, than the project has.",
        "cra atlas add, or change the versions that it depends on",
    ),
    "CRA-2130": ("The configuration and the lock name different atlases.", "cra atlas lock"),
    "CRA-2131": (
        "An atlas has other bytes than the lock pins: it was changed since it was accepted.",
        "cra atlas lock shows what changed and accepts it",
    ),
    "CRA-3001": ("A line that is no event: it was written by something else.", _VERIFY),
    "CRA-3002": ("A payload is not the one that was recorded.", _VERIFY),
    "CRA-3003": ("An event's header is not the one that was recorded.", _VERIFY),
    "CRA-3004": ("The chain is broken: events were removed, added or moved.", _VERIFY),
    "CRA-3005": ("An event of another session or ledger.", _VERIFY),
    "CRA-3006": ("Events after the end of a session.", _VERIFY),
    "CRA-3007": (
        "The last line is not complete: its writer died. That is no tampering.",
        "the next writer mends it; cra trace repair --all --accept does so now",
    ),
    "CRA-3010": (
        "The events are not those that the checkpoint covers: some were removed or rewritten.",
        _VERIFY,
    ),
    "CRA-3011": ("A checkpoint that cannot be read.", _VERIFY),
    "CRA-3012": ("A signature of a known key that is wrong.", _KEYS),
    "CRA-3013": ("No key that is known has signed a ledger that has to be signed.", _KEYS),
    "CRA-3014": ("A checkpoint of another ledger or session.", _VERIFY),
    "CRA-3020": ("The journal knows more events of a session than there are.", _VERIFY),
    "CRA-3021": (
        "A session that the journal lists is gone, and was not pruned.",
        "bring its file back, from a copy; other sessions go on without it",
    ),
    "CRA-3022": ("A session that the journal does not know.", _VERIFY),
    "CRA-3023": ("A payload is missing, and no entry says that it was redacted.", _VERIFY),
    "CRA-3024": ("A stored file of an event is missing, or has other bytes.", _VERIFY),
    "CRA-3025": (
        "A file of a golden is not the one that its manifest names, by its digest.",
        "git checkout brings it back; cra golden record records it anew",
    ),
    "CRA-3030": (
        "The ledger is behind the state in which it was seen here before: it was rolled back.",
        "look for the newer copy; cra trace repair --accept records that it is lost",
    ),
    "CRA-3031": (
        "Another ledger than was seen in this place before.",
        "cra trace repair --accept, if it was begun anew on purpose",
    ),
    "CRA-3032": ("The ledger does not go on from a head that was kept elsewhere.", _VERIFY),
    "CRA-3033": ("A proof that proves nothing.", "ask for it again: cra trace prove"),
    "CRA-3040": (
        "What is recorded holds, and rests on less than was asked for.",
        "--key confirms a signature, --anchor names a head that was kept elsewhere",
    ),
    "CRA-4000": ("The ledger cannot do what was asked.", "see the error"),
    "CRA-4001": (
        "An append did not reach the file, and nothing of it counts. The action did not run.",
        "cra doctor looks at the space and the permissions",
    ),
    "CRA-4002": (
        "The system failed to bring events to the disk; this writer makes no more promises.",
        "look at the disk, then run the command again",
    ),
    "CRA-4003": (
        "A session that has ended accepts no event, and one whose parent has ended no call.",
        "cra session start",
    ),
    "CRA-4004": ("The session has to be ended before that.", "cra session end"),
    "CRA-4005": (
        "A key that is missing, unreadable, open to others, or not this ledger's.",
        "cra doctor looks at the key and its permissions",
    ),
    "CRA-4006": (
        "The ledger could not be read, so nothing was decided on it.",
        "cra doctor looks at its permissions",
    ),
    "CRA-4007": (
        "An action ran, and what came of it could not be recorded: its intent stays open.",
        "look what the action did before you run it again; cra session show lists open intents",
    ),
    "CRA-5001": ("Policy does not allow the call.", "cra explain ACTION shows what would"),
    "CRA-5002": ("Policy asks for an approval that nobody has given.", "cra approvals list"),
    "CRA-5003": ("The action was allowed, and failed.", "cra trace show last says how"),
}


def meaning_of(code: str) -> Meaning:
    """The page of a code. Raises NotFound."""
    for found, name, exit_code in _codes():
        if found == code:
            meaning, fix = _PAGES[code]
            return Meaning(code, name, meaning, fix, int(exit_code))
    from difflib import get_close_matches

    nearest = get_close_matches(code, _PAGES, n=1)
    question = f"; nearest: {nearest[0]}" if nearest else ""
    raise NotFound(f"expected a code of cra, found {code}{question}", fix="cra help exit-codes")


def codes() -> list[str]:
    """Every code, in order."""
    return sorted(_PAGES)


def _codes() -> Iterator[tuple[str, str, ExitCode]]:
    """Every code of `cra.errors`, what it is called there, and its exit code."""
    yield from ((fault.value, fault.name, ExitCode.USAGE) for fault in Fault)
    for finding in Code:
        # What a killed writer leaves behind is found, and is nothing bad.
        is_harmless = finding is Code.PARTIAL_LINE
        exit_code = ExitCode.OK if is_harmless else ExitCode.INTEGRITY
        yield finding.value, finding.name, exit_code
    waiting: list[type[CraError]] = [CraError]
    while waiting:
        kind = waiting.pop()
        if "code" in vars(kind):
            yield kind.code, kind.__name__, kind.exit_code
        waiting += kind.__subclasses__()


def titles() -> dict[str, str]:
    return {code: _PAGES[code][0] for code in codes()}
