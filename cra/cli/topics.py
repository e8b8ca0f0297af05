"""The help topics: what holds for every command."""

from __future__ import annotations

from typing import Final

from cra.config import VARIABLES

_EXIT_CODES = """\
Exit codes

    0  yes: done, valid, intact, the same
    1  the answer is no: denied, different, a check failed
    2  the command or the configuration is wrong
    3  integrity: what is stored is not what was recorded
    4  an approval is pending
    5  the action itself failed
  130  interrupted

The printed verdict and the code come from one value. A command whose reader
leaves (`cra … | head`) ends with 0 and says nothing.

An error has a code of its own, and `cra explain CODE` says what it means; `cra
help errors` lists them with what they are about:

"""

_ERRORS = """\
Error codes

`cra explain CODE` says what happened, why it matters and how to mend it, with
an example; so does docs/reference/errors.md. With --json it is data.

"""

_FORMATS = """\
Formats

stdout is the answer, stderr is about the run: `cra … --json > file` holds
nothing but JSON.

  --json      one JSON document with the facts of the printed form; one document
              per line where a command streams. Nothing in it is shortened,
              coloured or wrapped.
  tables      as wide as their content in a file or a pipe; on a terminal the
              longest text column is shortened to COLUMNS. Ids and hashes are
              shortened by no table.
  errors      error[CRA-1234]: what was expected and found, where, and the
              command that mends it; with --json on stderr
              {"error": {"code", "message", "where", "fix"}}.
  sessions    an id, how one begins, or last: the session that was begun last,
              by whatever agent, also while work goes on in one begun before it.
              cra session list names the others with their agents.
  colour      only on a terminal, never if NO_COLOR is set or TERM is dumb.
  recorded    control characters, bidi overrides and characters without width
              are shown as escapes.

The schemas of the files: cra schema. The protocol: specs/PROTOCOL.md."""

_FILTERS = """\
Filters

cra trace show, tail and export take --filter EXPR: terms with spaces between
them, all of which must hold. A - before a term negates it. Quote the whole for
your shell:

  cra trace show last --filter 'type:action.* -severity:info time:-15m..'
  cra trace tail -f --filter 'actor:agent/reviewer "card declined"'
  cra trace export last --filter 'payload.arguments.amount>=100'

  type:GLOB           the event's type: type:action.denied, type:carp.*
  severity:LEVEL      at least this severe: debug, info, warn, error
  actor:TYPE          who acted: runtime, agent, user, tool
  actor:TYPE/ID       and its name; both may be globs: actor:agent/rev*
  session:ID          the session's id, or how it begins
  span:ID             the span's id, or how it begins
  seq:A..B            the number in the session: seq:7, seq:3..9, seq:3..
  time:A..B           when, in UTC; a time may be cut short: time:2026-11-20,
                      time:2026-11-20T10..2026-11-20T11:30; or count from now,
                      in s, m, h or d: time:-15m..
  WORD                the payload holds this text: card, "card declined"
  text:WORD           the same, for a text that looks like another term
  payload.PATH=VALUE  a value in the payload is this: payload.result.ok=true,
                      payload.items[0].name=pen, payload.items[*].name=pen
  payload.PATH~GLOB   it is a text that the glob matches
  payload.PATH>N      it is a number beyond N; also >=, < and <=

Text is found whatever its case, unless it has a capital: card finds Card as
well, Card does not find card. All else is compared exactly. In a glob * stands
for any text, ? for one character. A value with spaces is a JSON string in
double quotes: payload.reason="no rule allows it".

Four types have another name: action.invoked is action.approved,
action.completed is action.executed, carp.resolve.requested is
carp.request.received, and carp.resolve.returned is carp.resolution.completed.

--event-type, --severity, --actor and --span stand for a term each, and a
--filter beside them has to hold as well."""

_REPLAY = """\
Replay

A golden is a recorded session with a manifest (cra golden record). cra replay
does it again and compares; the mode is named in the output:

  decide   the recorded requests, calls, approvals and outcomes, decided by
           today's atlases and rules. Nothing runs. This is the default.
  compare  another trace (--trace SESSION) with the golden. Nothing runs.
  execute  as decide, but the actions run, in a temporary copy of the project.
           What they reach outside of it, they reach.
  verify   the golden's files and chain alone.

  breaking   decisions, called actions, arguments, results, context, and the
             order of effects
  minor      the deciding rule, reasons, relevance, and an implementation that
             has changed and was not run
  semantically equivalent   another order of what ran at the same time, or what
             a rule of the manifest allows

  partial    the order of two steps counts where one had ended before the other
             began; within a step it always counts
  strict     event by event
  unordered  the same steps in any order
  subset     no step that the golden has not, in any order
  superset   every step of the golden, in any order

What may differ is in the manifest's nondeterminism, by field and rule:

  {"field": "payload.result.items[*].id", "rule": "normalize"}

  ignore     it may be anything, or not be there
  normalize  it may have another value of the same shape, the same one wherever
             it stands
  tolerance  a number may be as far off as "tolerance" says
  pattern    a text has to match "pattern" (RE2)
  set        an array whose order does not count

[*] is any item, * any member, and at the beginning any depth. Ids, times,
hashes and durations need no rule."""

_RESOLVE = """\
Resolve

cra resolve answers what an agent may know and do for a goal; its options are in
cra resolve --help. All actions that policy lets the agent call are offered, the
most relevant first. Relevance decides on their order alone, never on what is
allowed.

  relevance    of an action, from 0 up to below 1: how far the words of the goal
               and of the hints, which count half, are those of its id, name,
               description, parameters and examples. A word that few actions
               have weighs more, and a word is found in another form of it and
               nearly spelled too. 0: it has none of them.
  confidence   of the answer, from 0 to 100 %: the share of the goal's words,
               weighed by how rare they are, that something has which is allowed
               or is in the context. It does not say that the goal can be
               reached, or that what is allowed is right for it.

Words that every text has, like "the" and "can", are not counted, and numbers
that nothing has are not. With 100 % and a relevance of 0 everywhere the context
knows of the goal and no action that is allowed does. With 0 % nothing knows of
it: say it in the words of cra atlas actions, or add some with --hint.

What is offered and has a relevance of 0 is no next step."""

_ENVIRONMENT = """\
Environment

A flag goes before a variable, a variable before the project's cra.config.json,
that before your own configuration, and that before the default. `cra config
show` prints where each value comes from. What runs without an approval is for
the project's file alone to widen: a variable and your own configuration only
make require_approval_for and default_risk_tier stricter.

  CRA_AGENT              who acts (--agent), not whose sessions are listed
  CRA_APPROVER_KEY_FILE  the key that signs decisions on approvals (--key)
  CRA_PROJECT            the project's directory (--project)
  CRA_SIGNING_KEY_FILE   the key that signs checkpoints, instead of your own
  CRA_VERIFY_KEY         a verifier key that confirms signatures
  NO_COLOR               no colour, as with dumb in TERM
  COLUMNS                the width of tables
  VISUAL, EDITOR         what opens a file to be changed (default vi)
  PAGER                  what shows a long text in the viewer (default less)
  CI                     nobody looks on: cra replay writes nothing
  GITHUB_ACTIONS         true: cra replay annotates, and writes a summary into
                         GITHUB_STEP_SUMMARY
  XDG_CONFIG_HOME        holds cra/config.json and cra/keys (default ~/.config)
  XDG_STATE_HOME         holds cra, remembered heads (default ~/.local/state)

Every setting in a section of the configuration has a variable,
CRA_<SECTION>_<KEY>. A list is written with commas; a relative path counts from
the project's directory.

"""


_AS_THEY_ARE: Final = {
    "filters": _FILTERS,
    "formats": _FORMATS,
    "replay": _REPLAY,
    "resolve": _RESOLVE,
}


def topic(name: str) -> str:
    if name == "exit-codes":
        from textwrap import fill

        from cra.cli.codes import pages

        listed = fill(
            " ".join(pages()),
            78,
            initial_indent="  ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        return _EXIT_CODES + listed
    if name == "errors":
        from cra.cli.codes import pages

        return _ERRORS + "\n".join(f"  {code}  {page.title}" for code, page in pages().items())
    if name in _AS_THEY_ARE:
        return _AS_THEY_ARE[name]
    return _ENVIRONMENT + "\n".join(f"  {variable}" for variable in VARIABLES)
