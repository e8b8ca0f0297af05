"""CRA-3000 to CRA-3999: what is stored is not what was recorded."""

from __future__ import annotations

from typing import Final

from cra.cli.pages.page import ErrorPage, Step

_COPY: Final = Step("Keep a copy before anything is changed.", "cp -r cra.trace cra.trace.copy")
_VERIFY: Final = Step("See which session and which event it is.", "cra trace verify")
_BACK: Final = Step("Bring back the file from a copy that verifies.")
_GO_ON: Final = Step("Go on without the session.", "cra session start")
_REPAIR: Final = Step(
    "Remove damage beyond the checkpoint, as a crash leaves it.",
    "cra trace repair SESSION --accept",
)
_DAMAGE: Final = (_COPY, _VERIFY, _REPAIR, _BACK, _GO_ON)
_LOST: Final = (_COPY, _VERIFY, _BACK, _GO_ON)

PAGES: Final = {
    "CRA-3001": ErrorPage(
        "A line that is no event",
        "A line of a session or the journal is no event of TRACE/1.1: something else wrote to the "
        "file, or changed the form of a line.",
        "Only cra writes there. What follows such a line is not believed, and the session is not "
        "gone on with.",
        _DAMAGE,
        """\
$ echo hello >> cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT  CHAIN ...
DAMAGED  ...
  ...: CRA-3001: event 5: expected an event of TRACE/1.1, found no event...
DAMAGED: ..., CRA-3001
""",
    ),
    "CRA-3002": ErrorPage(
        "A payload is not the one that was recorded",
        "The payload of an event does not have the hash that the event's header states: arguments, "
        "a result or a reason were changed after they were written.",
        "The event cannot be used as evidence of what was asked, decided or done. Where a "
        "checkpoint covers it, no crash explains it.",
        _LOST,
        """\
$ sed -i 's/library/embassy/' cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3002: event 4: expected a payload with the hash ..., found one with ...
TAMPERED: ..., CRA-3002
""",
    ),
    "CRA-3003": ErrorPage(
        "An event's header is not the one that was recorded",
        "The header of an event, its type, time, actor, number or links, does not have the hash "
        "that stands at the end of its line.",
        "Who did it, when, or in which order was changed after it was written.",
        _LOST,
        """\
$ sed -i '2s/"severity":"info"/"severity":"warn"/' cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3003: event 1: expected the event hash ..., found ...
TAMPERED: ..., CRA-3003
""",
    ),
    "CRA-3004": ErrorPage(
        "The chain is broken",
        "An event does not follow the one before it, by its number or by its hash: events were "
        "removed, added or moved.",
        "What is missing cannot be known from what is left. Nothing behind the break is believed.",
        _LOST,
        """\
$ sed -i 2d cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3004: event 1: expected event 1 after ..., found event 2 after ...
TAMPERED: ..., CRA-3004
""",
    ),
    "CRA-3005": ErrorPage(
        "An event of another session",
        "A file holds events of another session than its name says, or does not begin as a "
        "session or a journal does: it was renamed, copied, or put together.",
        "Events of one session say nothing of another. A copy under another name would let the "
        "same call count twice.",
        (
            Step("Give the file the name that its events have, or take it away."),
            _VERIFY,
        ),
        """\
$ cp cra.trace/$SESSION.trace.jsonl cra.trace/$OTHER.trace.jsonl
$ cra trace verify cra.trace/$OTHER.trace.jsonl
VERDICT  CHAIN ...
DAMAGED  ...
  ...: CRA-3005: event 0: expected an event of ..., found one of ...
DAMAGED: ..., CRA-3005
""",
    ),
    "CRA-3006": ErrorPage(
        "Events after the end of a session",
        "Another event follows session.ended, which is the last one of a session.",
        "Who has seen a session end relies on it that nothing is added. Only the mending of a "
        "crash may follow.",
        _DAMAGE,
        """\
$ cra trace verify archive/$SESSION.trace.jsonl
VERDICT  CHAIN ...
DAMAGED  ...
  ...: CRA-3006: event 5: expected nothing after session.ended, found error.occurred
DAMAGED: ..., CRA-3006
""",
    ),
    "CRA-3007": ErrorPage(
        "The last line is not complete",
        "A writer died in the middle of a line: it was killed, or the machine stopped.",
        "That is no tampering, and the exit code is 0. The half line counts as nothing: what it "
        "was to record did not happen.",
        (
            Step("Nothing has to be done: the next writer mends it, and records that it did."),
            Step("Mend all sessions now.", "cra trace repair --all --accept"),
        ),
        """\
$ printf '{"actor":' >> cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT     CHAIN ...
INCOMPLETE  ...
  ...: CRA-3007: 9 bytes after the last line, as a killed writer leaves them
INCOMPLETE: 1 session, 5 events; L2: ...
""",
    ),
    "CRA-3010": ErrorPage(
        "The events are not those that the checkpoint covers",
        "The checkpoint states how many events there are and one hash over them all; the file has "
        "fewer, or others.",
        "Events that were there, and on the disk, are gone or were rewritten. A crash takes no "
        "event that a checkpoint covers.",
        _LOST,
        """\
$ sed -i '$d' cra.trace/$SESSION.trace.jsonl
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3010: expected the 5 events of the checkpoint, found 4
TAMPERED: ..., CRA-3010
""",
    ),
    "CRA-3011": ErrorPage(
        "A checkpoint that cannot be read",
        "The file beside a session or the journal is no checkpoint: it was emptied, edited or "
        "overwritten.",
        "Without it nobody vouches for the events: they may have been cut off, or written anew.",
        _LOST,
        """\
$ echo nothing > cra.trace/$SESSION.checkpoint
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3011: expected a checkpoint (origin, size, root), found no empty line, \
or no LF at the end
TAMPERED: ..., CRA-3011
""",
    ),
    "CRA-3012": ErrorPage(
        "A signature that is wrong",
        "A checkpoint carries a signature in the name of a known key, and the key did not make it "
        "for this text.",
        "The checkpoint was changed after it was signed, or signed by somebody who only names the "
        "key.",
        _LOST,
        """\
$ sed -i '$s/.....$/AAAA=/' cra.trace/$SESSION.checkpoint
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3012: expected a signature by cra.local+..., found one that does not fit the text
TAMPERED: ..., CRA-3012
""",
    ),
    "CRA-3013": ErrorPage(
        "No known key has signed",
        "A ledger that has to be signed has a checkpoint with no signature, or with those of other "
        "keys.",
        "Whoever can write the directory can take a signature away. That a ledger was signed "
        "before is known, so none is not enough.",
        (
            Step("Give the owner's key, if another one signs.", "cra trace verify --key FILE"),
            Step("Ask who replaced the signature, and bring back the file from a copy."),
        ),
        """\
$ sed -i '$d' cra.trace/$SESSION.checkpoint
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3013: expected a signature by cra.local+..., found none
TAMPERED: ..., CRA-3013
""",
    ),
    "CRA-3014": ErrorPage(
        "A checkpoint of another ledger or session",
        "The checkpoint's first line names another origin than the file beside it.",
        "A checkpoint that is true of other events says nothing of these.",
        _LOST,
        """\
$ cp cra.trace/journal.checkpoint cra.trace/$SESSION.checkpoint
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3014: expected a checkpoint of cra.local/..., found one of cra.local/.../journal
TAMPERED: ..., CRA-3014
""",
    ),
    "CRA-3020": ErrorPage(
        "The journal knows more of a session",
        "The journal recorded a later state of the session than its checkpoint has, or another "
        "one of the same size.",
        "The session and its checkpoint were set back together, to a state before something "
        "happened in it.",
        _LOST,
        """\
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3020: expected a checkpoint of at least the 7 events that the journal recorded, found 5
TAMPERED: ..., CRA-3020
""",
    ),
    "CRA-3021": ErrorPage(
        "A session is gone",
        "The journal lists a session, nothing says that it was pruned, and its file is not there.",
        "What an agent did in it can no longer be shown. Sessions are removed by cra trace prune, "
        "which leaves their hashes in the journal, never by hand.",
        (
            Step("Bring its file back, from a copy."),
            Step("Go on: other sessions need none of it.", "cra session start"),
        ),
        """\
$ rm cra.trace/$SESSION.trace.jsonl
$ cra trace verify
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3021: expected the session that the journal lists, found no file
TAMPERED: ..., CRA-3021
""",
    ),
    "CRA-3022": ErrorPage(
        "A session that the journal does not know",
        "A session's file with more than one event lies in the ledger, and the journal has no "
        "entry for it: it was put there.",
        "Its own chain may hold, and still nothing says that it was recorded in this ledger.",
        (
            Step("Move the file out of the ledger, and verify it where it came from."),
            _VERIFY,
        ),
        """\
$ cp ../other/cra.trace/$OTHER.trace.jsonl cra.trace
$ cra trace verify
VERDICT   CHAIN ...
UNLISTED  ...
  ...: CRA-3022: expected a session that the journal lists, found 3 events that it does not know
UNLISTED: ..., CRA-3022
""",
    ),
    "CRA-3023": ErrorPage(
        "A payload is missing, and nothing says why",
        "An event's payload was taken away, and the journal has no entry that it was redacted.",
        "A redaction is recorded with who asked for it and why. Without that, a payload was "
        "removed by somebody who did not want to be seen.",
        (*_LOST, Step("Take payloads away so that it is recorded.", "cra trace redact EVENT")),
        """\
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3023: expected a journal entry for the redaction of event 3, found none
...
TAMPERED: ..., CRA-3023
""",
    ),
    "CRA-3024": ErrorPage(
        "A stored file of an event is missing or changed",
        "A large value is kept in cra.trace/blobs, under its hash; the file is not there, or has "
        "other bytes.",
        "The event shows that there was such a value, and no longer which one.",
        _LOST,
        """\
$ rm cra.trace/blobs/*
$ cra trace verify last
VERDICT   CHAIN ...
TAMPERED  ...
  ...: CRA-3024: event 9: expected the blob ..., found No such file or directory
TAMPERED: ..., CRA-3024
""",
    ),
    "CRA-3025": ErrorPage(
        "A golden's file is not the one that its manifest names",
        "A file beside a golden's manifest has another digest than the manifest states: it was "
        "edited, merged, or git changed its line ends.",
        "A golden that was edited would let a change of behaviour pass for none, so nothing is "
        "compared with it.",
        (
            Step("Bring the file back.", "git checkout -- goldens"),
            Step(
                "Or record it anew, and look at what has changed.",
                "cra golden record SESSION --name NAME --replace",
            ),
        ),
        """\
$ sed -i 's/library/embassy/' goldens/one/*.trace.jsonl
$ cra replay
1 golden: 0 passed, 1 failed

DAMAGED    one  decide

one  goldens/one/manifest.json
  CRA-3025: expected trace with the digest ..., found ...
...
""",
    ),
    "CRA-3030": ErrorPage(
        "The ledger was rolled back",
        "The journal is behind the state in which it was seen on this machine before, or is not "
        "there any more: an older copy was put in its place, or it was removed.",
        "Every file of an older copy is right in itself; only the memory outside of the project "
        "shows that what came later is gone.",
        (
            Step("Look for the newer copy, and bring it back."),
            Step("If it is lost for good, record that.", "cra trace repair --accept"),
        ),
        """\
$ cp -r cra.trace older; cra execute ticket.list -q > /dev/null; rm -r cra.trace
$ mv older cra.trace; cra trace verify
VERDICT   CHAIN ...
TAMPERED  journal ...
  journal: CRA-3030: expected a journal that begins with the 5 events seen before, found fewer
TAMPERED: journal, CRA-3030
""",
    ),
    "CRA-3031": ErrorPage(
        "Another ledger than was seen here before",
        "The ledger in this directory has another id than the one that was seen in this place: it "
        "was thrown away and begun anew, or another project's was put there.",
        "A ledger that begins anew forgets every call, denial and limit, and verifies without a "
        "fault.",
        (
            Step("Bring back the ledger that was there."),
            Step("If it was begun anew on purpose, record that.", "cra trace repair --accept"),
        ),
        """\
$ rm -r cra.trace; cp -r ../other/cra.trace .
$ cra trace verify
VERDICT   CHAIN ...
TAMPERED  journal ...
  journal: CRA-3031: expected the ledger ..., found ...
TAMPERED: journal, CRA-3031
""",
    ),
    "CRA-3032": ErrorPage(
        "The ledger does not go on from an anchor",
        "An anchor is a head of the journal that was kept outside of the project: in a commit, or "
        "in the log of a CI run. The journal does not begin with what it names.",
        "What was anchored was there. Events of that time are gone or were rewritten, whoever "
        "holds the keys and the machine.",
        (
            Step("Make sure that the anchor is this ledger's, and not one of another branch."),
            Step("Look for the copy of the ledger that has what was anchored."),
        ),
        """\
$ cra trace verify --anchor anchor.txt
VERDICT   CHAIN ...
TAMPERED  journal ...
  journal: CRA-3032: expected a journal that begins with the 5 events seen before, found fewer
TAMPERED: journal, CRA-3032
""",
    ),
    "CRA-3033": ErrorPage(
        "A proof that proves nothing",
        "The hashes in a proof do not lead from its event to the checkpoint in it, or its parts do "
        "not belong together.",
        "A proof stands for itself, without the ledger. One that does not hold shows nothing of "
        "the event, neither that it was recorded nor that it was not.",
        (Step("Ask whoever has the ledger for it again.", "cra trace prove EVENT -o FILE"),),
        """\
$ cra trace prove last:3 -o proof.txt
proof.txt
$ sed -i '5s/^...../AAAAA/' proof.txt
$ cra trace verify-proof proof.txt
error[CRA-3033]: expected a proof that holds, found hashes that do not lead from the event \
to the checkpoint's root
  where: proof.txt
""",
    ),
    "CRA-3040": ErrorPage(
        "What is recorded rests on less than was required",
        "Nothing is wrong with the events, and the level of trust is below the one of --require: "
        "L0 the chain alone, L1 a confirmed signature, L2 a head remembered on this machine, L3 "
        "an anchor kept elsewhere.",
        "The lower the level, the more of the events somebody with access could have rewritten "
        "as a whole.",
        (
            Step("L1: confirm the signature.", "cra trace verify --key FILE"),
            Step("L3: name a head that was kept elsewhere.", "cra trace verify --anchor LINE"),
        ),
        """\
$ cra trace verify last --require L3
VERDICT  CHAIN ...
INTACT, and below what is required: 1 session, 5 events; L2: ...
error[CRA-3040]: expected the level L3, found L2: ...
  where: ...
  fix: --key confirms a signature, --anchor names a head that was kept elsewhere
""",
    ),
}
