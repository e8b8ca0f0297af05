"""CRA-4000 to CRA-5999: a ledger that cannot do what is asked, and a call that was not carried
out."""

from __future__ import annotations

from typing import Final

from cra.cli.pages.page import ErrorPage, Step

_DOCTOR: Final = Step("Look at the disk, the permissions and the key.", "cra doctor")
_AGAIN: Final = Step("Run the command again: it goes on where this one stopped.")

PAGES: Final = {
    "CRA-4000": ErrorPage(
        "The ledger cannot do what was asked",
        "There is no checkpoint to prove an event by, or git has no repository, no commit or no "
        "program to keep an anchor with.",
        "What is recorded is not touched. What was asked for, a proof or an anchor, is not there.",
        (
            Step("Do what the error names."),
            Step("Print the anchor, and keep the line outside the project.", "cra trace anchor"),
        ),
        """\
$ cra trace anchor --git
error[CRA-4000]: expected a git repository, found: ...
  where: ...
  fix: git init, or keep the line that cra trace anchor prints elsewhere
""",
    ),
    "CRA-4001": ErrorPage(
        "Something could not be written to the ledger",
        "The disk is full, the directory may not be written, or a limit on the size of files is "
        "reached.",
        "What is not recorded does not run: an append that fails is taken back whole, and its "
        "action is not carried out.",
        (_DOCTOR, Step("Make room or mend the permissions."), _AGAIN),
        """\
$ (ulimit -f 4; cra execute ticket.list)
error[CRA-4001]: expected to append to the ledger, found File too large; nothing was recorded
  where: ...trace.jsonl
  fix: make room or mend the permissions, then run the command again
""",
    ),
    "CRA-4002": ErrorPage(
        "The system did not keep what was written",
        "The disk reported an error while events were brought to it (fsync).",
        "After that nobody can say which of the last events are on the disk, so this process "
        "records nothing more in the file, and carries out nothing more in the session.",
        (
            Step("Look at the disk and at the system's log."),
            Step("See what is there of the session.", "cra trace verify SESSION"),
        ),
        """\
$ cra session start
error[CRA-4002]: expected the disk to keep what was written, found Input/output error; \
this process records nothing more in this file
  where: ...trace.jsonl
  fix: check the disk, then run cra trace verify ...
""",
    ),
    "CRA-4003": ErrorPage(
        "The session has ended",
        "The session that the command names is over, or one that it is part of is.",
        "A session that has ended can be exported and proved as a whole, because nothing is "
        "added to it any more.",
        (
            Step("Begin another one.", "cra session start"),
            Step("See when it ended, and what it did.", "cra session show SESSION"),
        ),
        """\
$ cra session end last
ended ...
$ cra execute ticket.list --session last
error[CRA-4003]: expected an open session, found that ... has ended
  fix: cra session start
""",
    ),
    "CRA-4004": ErrorPage(
        "The session has to have ended",
        "A payload is to be redacted, or a session to be pruned, while the session is open, or "
        "while a limit still counts its calls.",
        "Writers of an open session read its events to decide. What they read must not change, "
        "and what a limit counts must not go.",
        (
            Step("End the session.", "cra session end SESSION"),
            Step("Then ask for it again."),
        ),
        """\
$ cra trace redact last:1 --reason "a name in it" --yes
error[CRA-4004]: expected a session that has ended, found an open one
  where: ...
  fix: cra session end ...
""",
    ),
    "CRA-4005": ErrorPage(
        "A key that cannot be used",
        "A key is missing, cannot be read, can be read by others, is of another kind, or is not "
        "the one that signs this ledger or is listed as an approver's.",
        "Whoever has the key can sign a ledger as you. A ledger that one key signs does not go on "
        "with another, or with none.",
        (
            Step("See which key is looked for, and what is wrong with it.", "cra doctor"),
            Step("Let its owner alone read it.", "chmod 600 KEY"),
            Step("Make one, if you have none.", "cra init"),
        ),
        """\
$ chmod 644 ~/.config/cra/keys/ledger.key
$ cra execute ticket.list
error[CRA-4005]: expected a key that only its owner can read, found mode 644
  where: ...ledger.key
  fix: chmod 600 ...ledger.key
""",
    ),
    "CRA-4006": ErrorPage(
        "The ledger could not be read",
        "The system refused to read a file of the ledger, or what lies in its place is no file.",
        "Whether something is allowed depends on what was recorded before: on resolutions, "
        "approvals and limits. Without them nothing was decided.",
        (_DOCTOR, Step("Mend the permissions."), _AGAIN),
        """\
$ mv cra.trace/journal.trace.jsonl journal; mkdir cra.trace/journal.trace.jsonl
$ cra execute ticket.list
error[CRA-4006]: expected to read the ledger, found Not a regular file
  where: ...journal.trace.jsonl
  fix: check the disk and the permissions, then run the command again
""",
    ),
    "CRA-4007": ErrorPage(
        "An action ran, and its outcome is not recorded",
        "The action was carried out; then the ledger could not be written, so that it ran is "
        "recorded, and what came of it is not.",
        "Its intent stays open in the session. Run again without a look, it may be done twice.",
        (
            Step("See the open intent.", "cra session show SESSION"),
            Step("Look at what the action did, where it did it."),
            Step("Run it again only if it did not do its work."),
        ),
        """\
$ cra execute ticket.list
error[CRA-4007]: expected to record what came of ticket.list, which has run, \
found: expected to append to the ledger, found File too large; nothing was recorded
  where: execution ...
  fix: look what it did; cra session show ... lists it as an open intent
""",
    ),
    "CRA-5001": ErrorPage(
        "Policy does not allow the call",
        "A rule denies it, no rule allows it, a limit is used up, or no valid resolution of the "
        "session has the action.",
        "The action did not run, and that it was asked for is recorded with the rule that denied "
        "it. Do not work round a denial: its rule says who decides.",
        (
            Step("See the rule, and what would allow the call.", "cra explain ACTION"),
            Step("Resolve again, if the resolution is over or changed.", 'cra resolve --goal "…"'),
        ),
        """\
$ cra execute ticket.delete -p id=1042
DENIED: tickets are kept for seven years (tickets-are-kept)
fix: cra explain ticket.delete -p id=1042
execution ...
""",
    ),
    "CRA-5002": ErrorPage(
        "The call waits for an approval",
        "Policy asks for a person's word, or an approver's signature, before the action runs.",
        "The action did not run. Once it is granted, the same call goes through; another one, "
        "with other arguments, asks anew.",
        (
            Step("See what waits.", "cra approvals list"),
            Step("Grant it, on a terminal or with a key.", "cra approvals grant last"),
            Step("Then make the same call again, or wait for it at once.", "cra execute … --wait"),
        ),
        """\
$ cra execute ticket.close -p id=1042
PENDING: a person closes tickets (ask-before-closing)
next: cra approvals grant ...
execution ...
""",
    ),
    "CRA-5003": ErrorPage(
        "The action was allowed, and failed",
        "The action's program raised an error, ended with a failure, took too long, or answered "
        "with something else than its returns_schema says.",
        "It ran at least in part. That it failed is recorded with its reason, and a report that "
        "says otherwise is wrong.",
        (
            Step("See why.", "cra trace show last --event-type action.failed"),
            Step("Look at what it did before it failed, and then call it again."),
        ),
        """\
$ cra execute ticket.read -p id=7
FAILED: exception: LookupError: there is no ticket 7
execution ...
""",
    ),
}
