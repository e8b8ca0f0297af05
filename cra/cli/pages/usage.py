"""CRA-1000 to CRA-2999: a command, a request, a file or an atlas that cra cannot accept."""

from __future__ import annotations

from typing import Final

from cra.cli.pages.page import ErrorPage, Step

_MANIFEST: Final = Step("See what a manifest may hold.", "cra schema atlas-manifest")
_ACCEPT: Final = Step("Accept the mended atlas.", "cra atlas lock")

PAGES: Final = {
    "CRA-1000": ErrorPage(
        "cra could not do what was asked",
        "Something that no other code is about, most often an answer or a file could not be "
        "written: the disk is full or fails, a quota or a limit is reached, or the device refuses "
        "it.",
        "What you have of the answer, or of the files, may be a part of it. Whatever the command "
        "recorded before is recorded.",
        (
            Step("Make room, or write it elsewhere."),
            Step("See how it came about: repeat the command with --verbose."),
        ),
        """\
$ cra trace list > /dev/full
error[CRA-1000]: expected to write the answer to stdout, found: No space left on device
""",
    ),
    "CRA-1001": ErrorPage(
        "The command line is wrong",
        "A command, an option or a value is not one that cra takes, or two of them do not go "
        "together.",
        "Nothing was done and nothing was recorded. cra never guesses: the nearest right one is "
        "only named.",
        (
            Step("Read the examples of the command.", "cra help COMMAND"),
            Step("List the commands.", "cra --help"),
        ),
        """\
$ cra execute ticket.read id=1042
error[CRA-1001]: expected no more words, found id=1042; did you mean --param id=1042?
  fix: cra execute --help
""",
    ),
    "CRA-1002": ErrorPage(
        "What was named is not there",
        "A session, an event, an approval, an atlas, a golden or a file that the command names "
        "does not exist, or the directory that it was started in was removed.",
        "Nothing was done. A session that is recorded to have been there and is gone has another "
        "code, CRA-3021.",
        (
            Step("List the sessions; the newest is also called last.", "cra trace list"),
            Step("List the approvals, also those that are decided.", "cra approvals list --all"),
            Step("List the atlases.", "cra atlas list"),
        ),
        """\
$ cra trace show 7f3a
error[CRA-1002]: expected the session 7f3a, found none
  where: ...cra.trace
  fix: cra trace list
""",
    ),
    "CRA-1003": ErrorPage(
        "A value that canonical JSON cannot hold",
        "A value to be recorded is a whole number beyond 2^53, an infinity or NaN, half a "
        "character, of a foreign type, or nested in more than 128 levels; or an event is larger "
        "than one may be.",
        "Events are hashed as canonical JSON (RFC 8785). A value that two readers might write "
        "differently would have no one hash, so it is refused before anything is recorded.",
        (
            Step("Send such a number as text."),
            Step("Put large data into a file, and hand over its name."),
        ),
        """\
$ python -c "from cra.canonical import encode; encode(2**60)"
...
cra.errors.ValueRefused: expected a value that canonical JSON can hold, found 1152921504606846976
""",
    ),
    "CRA-1004": ErrorPage(
        "A filter expression that cannot be read",
        "A term of --filter has an unknown name, no value, or a value that is no such time, number "
        "or severity.",
        "A filter that was misread would show too little without a word, so none is applied.",
        (Step("Read the terms and their examples.", "cra help filters"),),
        """\
$ cra trace show last --filter sevrity:warn
error[CRA-1004]: expected one of type: severity: actor: ..., found sevrity:
  fix: severity:, or "sevrity:warn" in quotation marks to search for the text
""",
    ),
    "CRA-1005": ErrorPage(
        "A request that is no request of CARP/1.0",
        "A request lacks something, says something that is not allowed, was sent before in its "
        "session, is older than the tolerated time, or speaks for another agent than its session.",
        "Nothing was decided. A request that is sent again, or late, could be one that somebody "
        "has recorded and replays.",
        (
            Step("See what a request holds.", "cra schema carp-request"),
            Step("Send it anew, with a new request_id and the time of now."),
        ),
        """\
$ cra resolve --goal "close a ticket" --risk-tier extreme
error[CRA-1005]: the risk tier: expected one of low, medium, high, critical, found 'extreme'
""",
    ),
    "CRA-1006": ErrorPage(
        "No atlas of the project has the action",
        "The action's id is spelled otherwise in the atlas, or the atlas that has it is not part "
        "of this project.",
        "Only what an atlas declares can be allowed, so nothing ran. An action that nobody "
        "declared has no schema, no risk tier and no rule.",
        (
            Step("List the actions that there are.", "cra atlas actions"),
            Step("Take the atlas that has it into the project.", "cra atlas add PATH"),
        ),
        """\
$ cra execute tiket.read -p id=1042
error[CRA-1006]: expected an action of this project's atlases, found 'tiket.read'; \
did you mean ticket.read?
  fix: cra atlas actions; a function that a program governs is known to it alone
""",
    ),
    "CRA-1007": ErrorPage(
        "Arguments that do not fit the action's schema",
        "An argument is missing, unknown, or of another type or size than the action's "
        "parameters_schema allows.",
        "Nothing was executed. Rules decide on arguments by their schema, so what does not fit "
        "it is not decided on either.",
        (
            Step("See what the action takes.", "cra atlas show ATLAS"),
            Step("State each argument as NAME=VALUE.", "cra execute ACTION --param NAME=VALUE"),
        ),
        """\
$ cra execute ticket.read -p id=first
error[CRA-1007]: ticket.read: id: expected integer, found "first"
  fix: cra execute ticket.read --param id=…, by what cra atlas show com.example.support-desk says
""",
    ),
    "CRA-1008": ErrorPage(
        "A golden trace that cannot be replayed",
        "The manifest of a golden cannot be read, it names a file that is not there or lies "
        "elsewhere, a payload of its trace is redacted, or it is not signed where that is "
        "required; or a session that is to become one is signed by no key that the project lists.",
        "Nothing was compared, so nothing is known of how the behaviour has changed. In CI that "
        "is a failure, not a pass.",
        (
            Step("See what a manifest holds.", "cra schema golden-manifest"),
            Step(
                "Record it anew, from a session that is whole.",
                "cra golden record SESSION --name NAME --replace",
            ),
        ),
        """\
$ echo '{}' > goldens/one/manifest.json; cra replay
1 golden: 0 passed, 1 failed

REFUSED    one  decide

one  goldens/one/manifest.json
  CRA-1008: expected a golden's manifest, found 4 mistakes
...
  fix: cra schema golden-manifest
""",
    ),
    "CRA-2001": ErrorPage(
        "No project, or a configuration that cra cannot accept",
        "There is no cra.config.json here or in a directory above; or it, your own configuration "
        "or a CRA_ variable has an unknown key or a wrong value.",
        "A setting that is misspelled would silently not hold. Some of them decide what needs an "
        "approval, so cra stops at every mistake.",
        (
            Step("Make this directory a project.", "cra init"),
            Step("See every mistake at once.", "cra config validate"),
            Step("See every setting and where it comes from.", "cra config show"),
        ),
        """\
$ cra trace list -C /
error[CRA-2001]: expected a cra project, found no cra.config.json
  where: /
  fix: cra init /
""",
    ),
    "CRA-2100": ErrorPage(
        "Several mistakes in an atlas or in policies",
        "More than one thing is wrong; each is listed with its file, line and column, and has a "
        "code of its own where it stands alone.",
        "An atlas or a rule is accepted whole or not at all: a part of it would decide otherwise "
        "than its author meant.",
        (
            Step("Mend each of those listed, and check it.", "cra atlas validate PATH"),
            _ACCEPT,
        ),
        """\
$ sed -i 's/"version"/"versoin"/; s/"domains"/"domain"/' atlases/support-desk/atlas.json
$ cra atlas lock
error[CRA-2100]: expected an atlas without mistakes, found 3
  atlases/support-desk/atlas.json:1:1: the file: expected a version, found none
  atlases/support-desk/atlas.json:4:3: versoin: expected a known key, found an unknown one; \
nearest: version
...
  fix: mend it; cra schema atlas-manifest shows what a manifest may hold
""",
    ),
    "CRA-2101": ErrorPage(
        "A file that is no JSON or YAML of the accepted kind",
        "A manifest, a lock or a file of rules breaks off, has a comma too many, is not UTF-8, "
        "has a key twice, or uses what YAML has and JSON has not.",
        "Nothing of the file is used, and so nothing of the project is: its rules would be "
        "missing.",
        (Step("Mend the syntax at the place that the error names, or just before it."),),
        """\
$ echo '[{' > policies/mine.json
$ cra explain ticket.close
error[CRA-2101]: the file: expected JSON, here a key in double quotes, found the end of the file; \
the mistake may be just before it
  where: policies/mine.json:2:1
  fix: mend it; cra policy check says whether all is read then
""",
    ),
    "CRA-2102": ErrorPage(
        "A wrong value, a missing key, or an unknown one",
        "A manifest, a lock or a rule says something that its format does not have. The error "
        "names the nearest valid word.",
        "An unknown key is refused, not passed over: a misspelled condition would make a rule "
        "wider than it reads.",
        (
            _MANIFEST,
            Step("See what a rule may hold.", "cra schema policy"),
        ),
        """\
$ echo '[{"policy_id": "mine", "type": "alow"}]' > policies/mine.json
$ cra explain ticket.close
error[CRA-2102]: [0].type: expected one of deny, ..., found "alow"; nearest: allow
  where: policies/mine.json:1:32
  fix: cra schema policy has what a rule may hold
""",
    ),
    "CRA-2103": ErrorPage(
        "The same id twice",
        "Two actions, rules, capabilities or context packs have one id, within an atlas or in two "
        "atlases of the project.",
        "An id in a decision or an event has to name one thing. Which of the two decides or runs "
        "would depend on their order.",
        (
            Step("Rename one of the two."),
            Step("Or take one of the two atlases out of the project.", "cra atlas remove ATLAS"),
        ),
        """\
$ sed -i 's/"ticket.read"/"ticket.list"/' atlases/support-desk/atlas.json
$ cra atlas lock
error[CRA-2103]: ...action_id: expected each id once, found ticket.list again...
  where: atlases/support-desk/atlas.json:...
  fix: mend it; cra schema atlas-manifest shows what a manifest may hold
""",
    ),
    "CRA-2104": ErrorPage(
        "The name of something that is not there",
        "An atlas names a file that it does not hold, or a test an action that no atlas has; or "
        "there is no atlas in the place that the configuration names.",
        "What is missing cannot be hashed, so the lock could not say what was accepted.",
        (
            Step("Correct the name, or add what it names."),
            Step("Check the atlas.", "cra atlas validate PATH"),
        ),
        """\
$ sed -i 's/house-rules.md"/houserules.md"/' atlases/support-desk/atlas.json
$ cra atlas lock
error[CRA-2104]: context_packs[0].files[0]: expected a file of the atlas, \
found "houserules.md"; nearest: house-rules.md
  where: atlases/support-desk/atlas.json:...
  fix: bring the file back, or let the manifest name one that is there
""",
    ),
    "CRA-2105": ErrorPage(
        "A JSON Schema that cannot be accepted",
        "A parameters_schema or returns_schema of an action is no JSON Schema, or uses a keyword "
        "that cra does not take.",
        "A schema that is not understood would let every argument pass.",
        (
            Step("Mend the schema at the line that the error names."),
            Step("Check the atlas.", "cra atlas validate PATH"),
        ),
        """\
$ sed -i '0,/"type": "integer"/s//"type": "intger"/' atlases/support-desk/atlas.json
$ cra atlas lock
error[CRA-2105]: actions[1].parameters_schema.properties.id.type: expected what JSON Schema \
allows, found "intger"...
  where: atlases/support-desk/atlas.json:...
  fix: mend it; cra schema atlas-manifest shows what a manifest may hold
""",
    ),
    "CRA-2106": ErrorPage(
        "An executor that cannot be carried out as it is written",
        "It names a function that its file does not define, a placeholder that is no parameter of "
        "the action, a URL outside its allowed hosts, or the like.",
        "The action would fail when it is called, after it was allowed. It is found before the "
        "atlas is accepted.",
        (
            Step("Mend the executor at the line that the error names."),
            Step("Check the atlas.", "cra atlas validate PATH"),
        ),
        """\
$ sed -i 's/python:desk:close/python:desk:clos/' atlases/support-desk/atlas.json
$ cra atlas lock
error[CRA-2106]: actions[3].executor.function: expected a function of desk.py, \
found "clos"; nearest: close
  where: atlases/support-desk/atlas.json:...
  fix: mend it; cra schema atlas-manifest shows what a manifest may hold
""",
    ),
    "CRA-2110": ErrorPage(
        "Files that no package may have",
        "A directory or a zip holds links, devices, names that climb out of it, or more or larger "
        "files than a package may have.",
        "What a link leads to can change without a change of the atlas, and a name that climbs "
        "would reach files of yours.",
        (Step("Take the file out, or put a copy in the place of the link."), _ACCEPT),
        """\
$ ln -s /etc/hosts atlases/support-desk/notes.md
$ cra atlas lock
error[CRA-2110]: 'notes.md': expected a file or a directory, found a link
  where: ...support-desk
""",
    ),
    "CRA-2120": ErrorPage(
        "An atlas needs another one, or another version of it",
        "An atlas lists a dependency that the project does not have, or has in a version outside "
        "the range.",
        "Its actions and rules were written for what it depends on, and are not opened without it.",
        (
            Step("Take what it needs into the project.", "cra atlas add PATH"),
            Step("Or take the atlas itself out.", "cra atlas remove ATLAS"),
        ),
        """\
$ sed -i '1s/{/{"dependencies": {"com.example.mail": "^1.0"},/' atlases/support-desk/atlas.json
$ cra atlas lock --yes
error[CRA-2120]: dependencies.com.example.mail: expected com.example.mail ^1.0, \
found no such atlas in the project
  where: com.example.support-desk
  fix: mend them, or take one out of the configuration
""",
    ),
    "CRA-2130": ErrorPage(
        "The configuration and the lock name different atlases",
        "An atlas was put into cra.config.json or taken out of it by hand, or only one of the two "
        "files was committed or merged.",
        "The lock says what was accepted, and with which grants. An atlas that is in the "
        "configuration alone was accepted by nobody.",
        (
            Step("See the difference and accept it.", "cra atlas lock"),
            Step("Add an atlas with its lock in one step.", "cra atlas add PATH"),
        ),
        """\
$ rm cra.atlases.lock
$ cra resolve --goal "close a ticket"
error[CRA-2130]: expected the same atlases in the configuration and in cra.atlases.lock, \
found: atlases/support-desk is in the configuration alone
  fix: cra atlas lock
""",
    ),
    "CRA-2131": ErrorPage(
        "An atlas has other bytes than the lock pins",
        "A file of the atlas was changed, added or removed since the atlas was accepted.",
        "The code that runs and the rules that decide are those that somebody has looked at. A "
        "change counts when it is accepted, not when it is written.",
        (
            Step("See what changed, and accept it.", "cra atlas lock"),
            Step("Or bring back what was accepted.", "git checkout -- PATH"),
        ),
        """\
$ echo '# changed' >> atlases/support-desk/desk.py
$ cra resolve --goal "close a ticket"
error[CRA-2131]: expected the bytes that cra.atlases.lock pins, \
found others in com.example.support-desk (atlases/support-desk): desk.py is changed
  fix: cra atlas lock shows what changed and accepts it
""",
    ),
}
