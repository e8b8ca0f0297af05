"""The command line's frame: help from the table, one boundary for errors, one place that prints."""

from __future__ import annotations

import ast
import errno
import inspect
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import typer

import cra
from cra.cli import output, run
from cra.cli.commands import COMMANDS, EXAMPLES, GROUPS, SECTIONS, TOPICS, children, joined
from cra.cli.options import Json
from cra.config import VARIABLES
from cra.errors import Code as Finding
from cra.errors import CraError, ExitCode, Fault, FilterError, IntegrityError, NotFound
from cra.ledger.filter import parse
from cra.protocol.events import ALIASES

ROOT = Path(__file__).parents[1]
HEAVY = {"cryptography", "jinja2", "orjson", "pydantic", "rich", "textual"}


def cra_says(
    *arguments: str | bytes, cwd: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cra", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def modules_after(*arguments: str, **environ: str) -> set[str]:
    program = (
        "import sys\nfrom cra.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(answer.stderr.splitlines()[-1].split())


def command_modules() -> set[str]:
    return {function.partition(":")[0] for function, _ in COMMANDS.values()}


@pytest.fixture
def command(monkeypatch):
    """Puts a function into the table, as the command `try`."""

    def put(function):
        monkeypatch.setitem(COMMANDS, "try", (f"{__name__}:{function.__name__}", "Try"))
        monkeypatch.setitem(SECTIONS, "", {**SECTIONS[""], "Test": ("try",)})
        monkeypatch.setitem(globals(), function.__name__, function)

    return put


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# The table


def test_every_command_stands_once_in_the_help_of_its_group():
    listed = [joined(group, name) for group in SECTIONS for name in children(group)]

    assert sorted(listed) == sorted([*COMMANDS, *(group for group in GROUPS if group)])


@pytest.mark.parametrize("group", GROUPS)
def test_a_groups_help_shows_its_examples_before_its_commands(group):
    answer = cra_says(*group.split(), "--help")

    assert (answer.returncode, answer.stderr) == (0, "")
    places = [answer.stdout.index(f"  {example}\n") for example in EXAMPLES[group]]
    places += [answer.stdout.index(f"\n  {name} ") for name in children(group)]
    assert places == sorted(places)


@pytest.mark.parametrize("arguments", ["", "-h", "trace --help", "trace", "help", "help session"])
def test_help_loads_no_command_and_no_typer(arguments):
    loaded = modules_after(*arguments.split())

    assert not loaded & (command_modules() | HEAVY | {"typer", "click"})


def test_a_commands_own_help_loads_that_command_alone():
    loaded = modules_after("config", "show", "--help")

    assert loaded & command_modules() == {"cra.cli.config"}
    assert not loaded & HEAVY


def test_examples_are_commands_that_exist():
    for lines in EXAMPLES.values():
        for line in lines:
            words = line.split()[1:]
            assert " ".join(words[:2]) in COMMANDS or words[0] in COMMANDS


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_answered_at_once(flag):
    answer = cra_says(flag)

    assert (answer.returncode, answer.stdout) == (0, f"cra {cra.__version__}\n")
    assert not modules_after(flag) & {"cra.cli", "typer"}


def test_cra_alone_shows_two_examples():
    answer = cra_says()

    assert answer.returncode == 0
    assert answer.stdout.count("\n  cra ") == 2


# Help


def test_a_commands_help_shows_its_examples_and_every_common_option():
    answer = cra_says("help", "config", "show")

    assert answer.stdout == cra_says("config", "show", "--help").stdout
    assert "Examples:\n  cra config show\n" in answer.stdout
    for option in ("--json", "-q, --quiet", "-v, --verbose", "-C, --project", "-h, --help"):
        assert option in answer.stdout


@pytest.mark.parametrize("path", COMMANDS)
def test_help_says_what_a_command_does_then_shows_examples_then_all_the_rest(path):
    usage, what, examples, *rest = cra_says(*path.split(), "--help").stdout.split("\n\n")

    assert usage.startswith(f"Usage: cra {path} ")
    assert re.fullmatch(r"[A-Z][^:]*(?:: [^:]+)?\.", what, re.DOTALL)
    assert examples.startswith("Examples:\n  cra ")
    assert rest[-1].startswith("Options:\n")


@pytest.mark.parametrize("path", COMMANDS)
def test_the_examples_of_every_command_stand_one_to_a_line(path, capsys):
    module, _, name = COMMANDS[path][0].partition(":")
    written = inspect.getdoc(getattr(import_module(module), name)) or ""
    *_, examples = written.split("\n\n")
    lines = [line.strip() for line in examples.split("\n")]

    assert run([*path.split(), "--help"]) == 0
    shown = capsys.readouterr().out.split("\nExamples:\n")[1].split("\n\n")[0]
    assert [line.removeprefix("  ") for line in shown.split("\n")] == lines
    # Of two paths to one command, its examples go the first.
    first = next(one for one in COMMANDS if COMMANDS[one][0] == COMMANDS[path][0])
    assert lines[0].startswith(f"cra {first}")


@pytest.mark.parametrize("path", ["", *COMMANDS, *GROUPS, *TOPICS])
def test_every_page_of_help_fits_eighty_columns(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    assert run(["help", *path.split()] if path else ["--help"]) == 0
    assert [line for line in capsys.readouterr().out.split("\n") if len(line) > 80] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_every_command_names_what_it_takes_in_plain_words(path, capsys):
    run([*path.split(), "--help"])
    text = capsys.readouterr().out

    usage = text.split("\n")[0].removeprefix(f"Usage: cra {path} ")
    assert re.fullmatch(r"\[OPTIONS\](?: \[?[A-Z|]+(?:\|journal)?(?:\.\.\.)?\]?)*", usage)
    assert re.findall(r"<\w+|x[<>]=", text) == []
    # A default is not hung on a sentence.
    defaults = r"; (?:all|nothing|1h.*|the agent|the default|the latest.*|trace\..*)\."
    assert re.findall(defaults, " ".join(text.split())) == []


@pytest.mark.parametrize(
    ("option", "value", "found"),
    [("--limit", "0", "0"), ("--offset", "-1", "-1"), ("--limit", "x", "'x'")],
)
def test_a_number_that_is_none_is_told_with_what_was_expected(option, value, found):
    said = cra_says("trace", "list", option, value)

    assert said.returncode == 2
    assert f"invalid value for '{option}': expected a whole number from" in said.stderr
    assert said.stderr.split("\n")[0].endswith(f"found {found}")


def test_the_topic_exit_codes_names_every_exit_code():
    lines = cra_says("help", "exit-codes").stdout.splitlines()

    for code in ExitCode:
        assert any(line.split()[:1] == [str(code.value)] for line in lines)
    words = " ".join(lines).split()
    assert [code.value for code in (*Fault, *Finding) if code.value not in words] == []


def test_the_topic_environment_names_every_variable_of_a_setting():
    answer = cra_says("help", "environment").stdout

    assert [name for name in (*VARIABLES, "NO_COLOR", "CRA_PROJECT") if name not in answer] == []


def test_the_topic_environment_names_every_variable_that_the_code_reads():
    read = {name for path in sorted((ROOT / "cra").rglob("*.py")) for name in variables_in(path)}

    assert {"CRA_AGENT", "CRA_APPROVER_KEY_FILE", "NO_COLOR", "XDG_STATE_HOME"} <= read
    # Where programs lie, the system says.
    named = set(re.findall(r"[A-Z][A-Z_]+", cra_says("help", "environment").stdout))
    assert read - named - {"PATH"} == set()


def variables_in(path: Path) -> Iterator[str]:
    """The variables of the environment that a file reads, and all of cra's that it names."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Constant(value=str(name)) if re.fullmatch(r"CRA_[A-Z_]*[A-Z]", name):
                yield name
            case ast.Call(
                ast.Attribute(held, "get"), [ast.Constant(str(name)), *_]
            ) | ast.Subscript(held, ast.Constant(str(name))) if ast.unparse(held).endswith(
                "environ"
            ):
                yield name


def test_the_topic_filters_has_every_term_and_examples_that_hold():
    page = cra_says("help", "filters").stdout
    with pytest.raises(FilterError) as caught:
        parse("none:such")

    [terms] = re.findall("one of (.*), found", caught.value.message)
    assert [term for term in [*terms.split(), *ALIASES] if term not in page] == []
    examples = re.findall(r"--filter '(.*)'", page) + re.findall(
        r"\b[a-z]+:[a-z0-9.-][\w*./:-]*", page
    )
    assert len(examples) > 10
    for example in examples:
        parse(example.rstrip("."), now="2026-11-20T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("cra trace v", ["visualize", "verify", "verify-proof"]),
        ("cra con", ["config", "conformance"]),
        ("cra config show --js", ["--json"]),
        ("cra --ins", ["--install-completion"]),
    ],
)
def test_the_shell_completes_from_the_table(line, completions):
    position = str(len(line.split()) - 1)
    answer = cra_says(_CRA_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=position)

    assert answer.stdout.split() == completions


def test_completion_loads_neither_rich_nor_a_command():
    asked = {"_CRA_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "cra trace "}
    program = (
        "import sys\nfrom cra.__main__ import main\ntry:\n    main()\nexcept SystemExit:\n"
        "    print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **asked},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert '"verify":"Check that' in answer.stdout
    assert not set(answer.stderr.split()) & (command_modules() | HEAVY)


def test_the_completion_script_is_shown():
    answer = cra_says("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert "_CRA_COMPLETE=complete_bash" in answer.stdout


# The boundary


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        ("trcae", "no such command: trcae; did you mean cra trace?", "cra trace"),
        ("verify", "no such command: verify; did you mean cra trace verify?", "cra trace verify"),
        ("config sho", "no such command: config sho; did you mean cra config show?", None),
        ("help exit-cods", "did you mean cra help exit-codes?", "cra help exit-codes"),
        ("qqqq", "no such command: qqqq", "cra --help"),
        ("config show --jsno", "no such option: --jsno; did you mean --json?", None),
        ("config show --qqqq", "no such option: --qqqq", "cra config show --help"),
        ("config show -C", "option '-C' requires an argument", "cra config show --help"),
        ("config show this", "expected no more words, found this\n", None),
        ("config show a=b", "expected no more words, found a=b\n", None),
        (
            "execute a.b -p x=1 name=World y=2",
            "found name=World y=2; did you mean --param name=World?",
            "cra execute --help",
        ),
        ("explain a.b name=$x", "did you mean --param 'name=$x'?", None),
        ("execute a.b World", "found World; did you mean --param NAME=World?\n", None),
        ("--josn", "no such option: --josn; a command stands before its options", "cra --help"),
        ("trace --jsn list", "a command stands before its options", "cra trace --help"),
        ("resolve --gaol x", "no such option: --gaol; did you mean --goal?", None),
        ("execute a.b --id 7", "no such option: --id; did you mean --param id=7?", None),
        ("execute a.b --id=$x", "did you mean --param 'id=$x'?", None),
        ("execute a.b --id", "did you mean --param id=…?", None),
        (
            "execute a.b -p id 7",
            "expected no more words, found 7; did you mean --param id=7?",
            None,
        ),
        (
            "resolve x",
            "expected --goal, found none; did you mean --goal x?",
            "cra resolve --goal x",
        ),
        ("golden record x", "expected --name, found none\n", None),
        ("approvals show", "expected APPROVAL, found none", "cra approvals show last"),
        ("exec a.b", "no such command: exec; did you mean cra execute?", "cra execute"),
        ("run a.b", "no such command: run; did you mean cra execute?", "cra execute"),
        ("version", "did you mean cra --version?", "cra --version"),
        ("tail", "no such command: tail; did you mean cra trace tail?", "cra trace tail"),
        ("diff", "did you mean cra trace diff?", None),
        ("show", "did you mean cra approvals show, cra session show, cra trace show", "cra --help"),
        ("trace execute", "no such command: trace execute; did you mean cra execute?", None),
        ("golden grow", "no such command: golden grow\n", "cra golden --help"),
        ("schema trace-evnt", "found 'trace-evnt'; did you mean trace-event?", "cra schema"),
    ],
)
def test_a_wrong_command_line_is_answered_with_the_nearest_right_one(arguments, message, fix):
    answer = cra_says(*arguments.split())

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(("error[CRA-1001]: ", "error[CRA-1002]: "))
    assert message in answer.stderr
    assert fix is None or f"\n  fix: {fix}" in answer.stderr


def test_an_error_under_json_is_one_json_object_on_stderr():
    answer = cra_says("config", "show", "--jso", "--json")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert json.loads(answer.stderr) == {
        "error": {
            "code": "CRA-1001",
            "message": "no such option: --jso; did you mean --json?",
            "where": None,
            "fix": "cra config show --help",
        }
    }


def test_an_error_says_what_is_wrong_where_and_what_mends_it(command, capsys):
    def fails() -> None:
        raise NotFound("expected a session, found none", where="cra.trace", fix="cra trace list")

    command(fails)

    assert run(["try"]) == 2
    assert capsys.readouterr().err == (
        "error[CRA-1002]: expected a session, found none\n"
        "  where: cra.trace\n"
        "  fix: cra trace list\n"
    )


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (IntegrityError(Finding.BROKEN_CHAIN, "broken"), 3, "error[CRA-3004]: broken"),
        (CraError("wrong\nin two lines"), 2, "error[CRA-1000]: wrong\n  in two lines"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Abort(), 130, "interrupted"),
        (typer.BadParameter("wrong"), 2, "error[CRA-1001]: invalid value: wrong"),
        (PermissionError(13, "Permission denied", "a/b"), 2, "permission denied\n  where: a/b"),
        (FileNotFoundError(2, "No such file", "a/b"), 2, "error[CRA-1002]: expected a path"),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            2,
            "error[CRA-1000]: expected a disk that reads and writes, found: no space left on "
            "device\n  fix: make room",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a/b"), 2, "exceeded\n  where: a/b\n  fix:"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "found: read-only file system"),
        (OSError(errno.EIO, "Input/output error"), 2, "found: input/output error"),
    ],
)
def test_the_boundary_turns_what_is_raised_into_a_line_and_an_exit_code(
    command, capsys, raised, code, said
):
    def fails() -> None:
        raise raised

    command(fails)

    assert run(["try"]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert (captured.out, bool(captured.err)) == ("", bool(said))


@pytest.mark.parametrize(
    "raised",
    [ValueError("a bug"), OSError(errno.EBADF, "no path in it"), FileNotFoundError(2, "none")],
)
def test_a_bug_keeps_its_traceback(command, raised):
    def fails() -> None:
        raise raised

    command(fails)

    with pytest.raises(type(raised)):
        run(["try"])


@pytest.mark.parametrize("arguments", ["doctor", "resolve --goal x", "init", "watch", "trace list"])
def test_a_working_directory_that_was_removed_is_said_to_be(tmp_path, arguments):
    here = tmp_path / "here"
    here.mkdir()
    line = f"rmdir {here}; {sys.executable} -m cra {arguments}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == (
        "error[CRA-1002]: expected a working directory, found that it has been removed\n"
        "  fix: cd to a directory that is there\n"
    )


def test_a_file_that_the_disk_does_not_take_is_an_error_with_a_code(tmp_path):
    line = f"ulimit -f 0; {sys.executable} -m cra atlas create desk 2>&1 | cat"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.stdout.startswith("error[CRA-1000]: expected a disk that reads and writes, found: ")
    assert "\n  fix: make room on the disk" in done.stdout


def test_a_command_returns_its_exit_code(command):
    def denies() -> ExitCode:
        return ExitCode.NO

    command(denies)

    assert run(["try"]) == 1


def test_escapes_in_an_error_do_not_reach_the_terminal(command, capsys):
    def fails() -> None:
        raise CraError("found \x1b[2J\u202e", where="a\nb")

    command(fails)
    run(["try"])

    assert capsys.readouterr().err == ("error[CRA-1000]: found \\x1b[2J\\u202e\n  where: a\\nb\n")


def test_verbose_shows_how_an_error_came_about(command, capsys):
    def fails() -> None:
        raise CraError("wrong")

    command(fails)
    run(["try", "--verbose"])

    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error():
    reads, writes = os.pipe()
    os.close(reads)
    for unbuffered in ("", "1"):
        answer = subprocess.run(
            [sys.executable, "-m", "cra", "--help"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=writes,
            stderr=subprocess.PIPE,
            check=False,
        )

        assert (answer.returncode, answer.stderr) == (0, b"")
    os.close(writes)


def test_whether_somebody_reads_is_known_before_anything_is_written(monkeypatch):
    reads, writes = os.pipe()
    with open(writes, "w") as stdout, open(os.devnull, "w") as nowhere:
        for stream in (stdout, nowhere, io.StringIO()):
            monkeypatch.setattr(sys, "stdout", stream)
            assert not output.is_abandoned()
        monkeypatch.setattr(sys, "stdout", stdout)
        os.close(reads)
        assert output.is_abandoned()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_an_answer_that_cannot_be_written_is_an_error():
    with open("/dev/full", "wb") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "cra", "--help"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )

    assert answer.returncode == 2
    assert answer.stderr.startswith("error[CRA-1000]: expected to write the answer to stdout")
    assert answer.stderr.count("\n") == 1


def test_a_closed_stdout_is_no_error():
    line = f"{sys.executable} -m cra --help >&-"
    answer = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, check=False)

    assert (answer.returncode, answer.stderr) == (0, b"")


def test_words_that_are_no_text_are_shown_as_escapes():
    answer = cra_says(b"\xff\x1b[31m", LC_ALL="C")

    assert answer.returncode == 2
    assert "\\udcff\\x1b[31m" in answer.stderr


# What is printed


def test_quiet_silences_what_is_told_and_nothing_else(command, capsys):
    def speaks() -> None:
        output.tell("told")
        output.tell("a detail", detail=True)
        output.answer("the answer")

    command(speaks)
    heard = []
    for flag in ("--quiet", "-v", None):
        run(["try", *([flag] if flag else [])])
        heard.append(capsys.readouterr())

    assert [said.out for said in heard] == ["the answer\n"] * 3
    assert [said.err for said in heard] == ["", "told\na detail\n", "told\n"]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("plain text, ü, 日本語, 🙂", "plain text, ü, 日本語, 🙂"),
        ("e\u0301 and \u0e01\u0e33", "e\u0301 and \u0e01\u0e33"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
        ("\x7f\x9b31m\x85", "\\x7f\\x9b31m\\x85"),
        ("a\u202etxt.exe\u202c", "a\\u202etxt.exe\\u202c"),
        ("\u2066\u2069\u200f\u061c", "\\u2066\\u2069\\u200f\\u061c"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("ad\u200bmin\u2060\ufeff\u00ad", "ad\\u200bmin\\u2060\\ufeff\\xad"),
        ("\u3164\u115f\u034f\ufe0f\U000e0101", "\\u3164\\u115f\\u034f\\ufe0f\\U000e0101"),
        ("\U000e0041\udcff", "\\U000e0041\\udcff"),
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + "\\u0301" * 2),
        ("\u0301", "\\u0301"),
    ],
)
def test_recorded_text_reaches_a_terminal_in_one_line_with_nothing_hidden(recorded, shown):
    assert output.safe(recorded) == shown


def test_json_is_exact_and_harmless_on_a_terminal(capsys):
    value = {"text": "\x1b[2J \x7f \u202e \u2028 \U000e0041 ü 日本語", "list": [1, None]}

    output.answer_json(value)
    output.answer_jsonl([value, value])
    printed = capsys.readouterr().out

    assert "ü 日本語" in printed
    assert not any(char in printed for char in "\x1b\x7f\u202e\u2028\U000e0041")
    document, *lines = printed.split("\n}\n")
    assert json.loads(document + "}") == value
    assert [json.loads(line) for line in lines[0].splitlines()] == [value, value]


ROWS: list[tuple[str, str, int]] = [
    ("0190a5c4-9b1e-7cc3-8a6f-0123456789ab", "a goal that goes on and on and on", 7),
    ("0190a5c4-9b1e-7cc3-8a6f-ba9876543210", "日本語の目標はとても長いです", 12345),
]


def test_a_table_in_a_file_is_whole_and_aligned(capsys):
    output.table(ROWS, ("ID", "GOAL", "EVENTS"), cut=("GOAL",))

    header, *lines = capsys.readouterr().out.splitlines()
    assert "EVENTS" in header
    assert all(goal in line for line, (_, goal, _) in zip(lines, ROWS, strict=True))
    assert {output.width(line) for line in (header, *lines)} == {output.width(header)}


@pytest.mark.parametrize("columns", [60, 66, 72])
def test_a_narrow_terminal_shortens_the_columns_that_may_be_and_no_other(
    capsys, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", str(columns))
    output.table(ROWS, ("ID", "GOAL", "EVENTS"), cut=("GOAL",))

    _, *lines = capsys.readouterr().out.splitlines()
    for line, (identifier, _, events) in zip(lines, ROWS, strict=True):
        assert line.startswith(identifier)
        assert line.endswith(f"{events:,}")
        assert "…" in line
        assert output.width(line) <= columns


def test_a_table_shows_recorded_data_safely(capsys):
    output.table([("\x1b[2J", "two\nlines")], ("A", "B"))

    assert capsys.readouterr().out == "A        B\n\\x1b[2J  two\\nlines\n"


def test_colour_is_for_terminals_without_no_color(monkeypatch):
    assert output.style("ok", "good", io.StringIO()) == "ok"
    assert output.style("ok", "good", Terminal()) == "\x1b[32mok\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.style("ok", "good", Terminal()) == "ok"


def test_a_column_of_numbers_stands_to_the_right_also_if_one_is_not_known(capsys):
    output.table([("a", 1234, "?"), ("b", "?", "?")], ("NAME", "EVENTS", "WHO"))

    assert capsys.readouterr().out == ("NAME  EVENTS  WHO\na      1,234  ?\nb          ?  ?\n")


def test_a_coloured_cell_does_not_move_its_column(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    output.table([(output.Cell("INTACT", "good"), "x"), ("DAMAGED", "y")], ("VERDICT", "ID"))

    _, first, second = screen.getvalue().splitlines()
    assert first == "\x1b[32mINTACT\x1b[0m   x"
    assert second == "DAMAGED  y"


@pytest.mark.parametrize(
    ("stream", "seconds", "is_drawn"),
    [(Terminal, 0.6, True), (Terminal, 0.4, False), (io.StringIO, 0.6, False)],
)
def test_progress_is_drawn_on_a_terminal_after_half_a_second(
    monkeypatch, stream, seconds, is_drawn
):
    screen, clock = stream(), iter([0.0, seconds, seconds, seconds])
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with output.progress(2000, "checking") as advance:
        advance(500)

    assert ("25%" in screen.getvalue()) == is_drawn
    assert screen.getvalue() == "" or screen.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(("stream", "is_drawn"), [(Terminal, True), (io.StringIO, False)])
def test_work_that_cannot_say_how_far_it_is_shows_that_it_goes_on(monkeypatch, stream, is_drawn):
    screen = stream()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(output, "_SILENT_SECONDS", 0)
    drawn = threading.Event()
    monkeypatch.setattr(screen, "flush", drawn.set)
    with output.working("proving"):
        assert drawn.wait(30 if is_drawn else 0) == is_drawn

    assert screen.getvalue().startswith("\rproving ") == is_drawn
    assert screen.getvalue() == "" or screen.getvalue().endswith("\r\x1b[K")


def test_short_work_shows_nothing(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(output, "_SILENT_SECONDS", 60)
    with output.working("proving"):
        pass

    assert screen.getvalue() == ""


def test_a_question_without_a_terminal_is_an_error_that_names_the_flag(command, capsys):
    def asks(yes: Annotated[bool, typer.Option("--yes")] = False) -> None:
        output.answer(str(output.confirm("Really?", yes=yes)))

    command(asks)

    assert run(["try"]) == 2
    assert "fix: add --yes" in capsys.readouterr().err
    assert run(["try", "--yes"]) == 0
    assert capsys.readouterr().out == "True\n"


@pytest.mark.parametrize(("typed", "expected"), [("y\n", True), ("\n", False)])
def test_a_question_on_a_terminal_means_no_unless_it_is_answered_yes(monkeypatch, typed, expected):
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert output.confirm("Really?", yes=False) is expected


def test_the_end_of_input_ends_a_command_as_ctrl_c_does(command, monkeypatch):
    def asks() -> None:
        output.answer(str(output.confirm("Really?", yes=False)))

    command(asks)
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", Terminal())

    assert run(["try"]) == 130


def test_json_is_known_before_the_separator_only(command, capsys):
    def fails(words: list[str], *, as_json: Json = False) -> None:
        raise CraError(f"{words} {as_json}")

    command(fails)
    run(["try", "--json", "a"])
    assert json.loads(capsys.readouterr().err)["error"]["message"] == "['a'] True"
    run(["try", "--", "--json"])
    assert capsys.readouterr().err == "error[CRA-1000]: ['--json'] False\n"
