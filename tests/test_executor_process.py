"""Programs: what they are given, what they may use, and that nothing of them is left."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cra.atlas.model import ProcessExecutor
from cra.runtime.executors import run
from cra.runtime.executors.work import Done, Failed
from tests.executing import processes_with, work_of

ECHO = ("printf", r"%s\0", "{value}", "end")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def shell(script, **options):
    return ProcessExecutor(("sh", "-c", script), **options)


def elements(value):
    outcome = run(ProcessExecutor(ECHO, allow_options=("value",)), work_of({"value": value}))
    assert isinstance(outcome, Done), outcome
    return outcome.result["stdout"].split("\0")[:-1]


@pytest.fixture
def mark():
    """A text in the environment of everything that a test starts; none of that is left after it."""
    mark = f"mark-{uuid.uuid4()}"
    yield mark
    assert processes_with(mark) == []


@pytest.mark.parametrize(
    "value",
    [
        "; touch /tmp/x",
        "$(id)",
        "`id`",
        "a b  c",
        "*",
        "'\"\\",
        "a\nb",
        "{value}",
        "${HOME}",
        "${secret:TOKEN}",
        "",
        "-rf",
        "日本語 \u202e",
    ],
)
def test_a_value_is_one_element_whatever_it_holds(value):
    assert elements(value) == [value, "end"]


@settings(max_examples=25)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200))
def test_any_text_without_nul_is_one_element(value):
    assert elements(value) == [value, "end"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (-0.5, "-0.5"),
        (True, "true"),
        ([1, "a b"], '[1,"a b"]'),
        ({"b": 1, "a": None}, '{"a":null,"b":1}'),
    ],
)
def test_another_value_is_its_canonical_json_in_one_element(value, text):
    assert elements(value) == [text, "end"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"value": "-rf"}, "allow_options"),
        ({"value": "--output=/etc/passwd"}, "begins with -"),
        ({"value": -5}, "begins with -"),
        ({"value": "a\0b"}, "NUL"),
        ({"value": None}, "null"),
        ({}, "found none"),
        ({"other": "x"}, "found none"),
    ],
)
def test_a_value_that_could_be_more_than_a_value_is_refused(arguments, words):
    failed = run(ProcessExecutor(ECHO), work_of(arguments))

    assert isinstance(failed, Failed)
    assert failed.code == "refused"
    assert words in failed.message + str(failed.details)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((), "refused"),
        (("{value}",), "refused"),
        (("./tool",), "refused"),
        (("bin/tool",), "refused"),
        (("../../bin/sh",), "refused"),
        (("cra-no-such-program",), "not_found"),
        (("/no/such/program",), "not_found"),
        (("/etc/passwd",), "refused"),
        (("echo", "{value"), "refused"),
        (("echo", "a\0b"), "refused"),
        (("echo", "${secret:TOKEN}"), "refused"),
        (("echo", "x" * 3_000_000), "refused"),
    ],
)
def test_a_command_that_names_no_program_to_run_fails(command, code):
    failed = run(ProcessExecutor(command), work_of({"value": "sh"}))

    assert isinstance(failed, Failed)
    assert failed.code == code


def test_a_program_of_the_working_directory_is_not_found(tmp_path, monkeypatch):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho no\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    failed = run(ProcessExecutor(("tool",), directory="project"), work_of(project=tmp_path))

    assert isinstance(failed, Failed)
    assert failed.code == "not_found"


def test_the_environment_is_what_was_declared_and_nothing_of_cra(monkeypatch):
    monkeypatch.setenv("CRA_SIGNING_KEY_FILE", "leak")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    executor = ProcessExecutor(("env",), environment={"KIND": '{"a": 1} ${HOME}'})

    done = run(executor, work_of())

    variables = dict(line.split("=", 1) for line in done.result["stdout"].splitlines())
    assert set(variables) - {"LC_CTYPE"} == {"HOME", "KIND", "LANG", "PATH", "TMPDIR"}
    assert variables["KIND"] == '{"a": 1} ${HOME}'
    assert variables["HOME"] != os.environ["HOME"]


@pytest.mark.parametrize("script", ['test "$KEY" = \'a tok"en/42\'', "test $# = 0"])
def test_a_secret_reaches_the_environment(script):
    assert isinstance(run(shell(script, environment={"KEY": "a ${secret:TOKEN}"}), work_of()), Done)


@pytest.mark.parametrize(
    "script",
    [
        'echo "$KEY"',
        'echo "$KEY" >&2',
        'echo "$KEY"; exit 3',
        'echo "$KEY" >&2; exit 3',
        r"""echo '{{"k": "tok\"en/42"}}'""",
        "echo tok%22en%2F42",
    ],
)
def test_a_secret_that_a_program_prints_is_masked(script):
    outcome = run(shell(script, environment={"KEY": "${secret:TOKEN}"}), work_of())

    assert "en/42" not in repr(outcome)
    assert "en%2F42" not in repr(outcome)
    assert "${secret:TOKEN}" in repr(outcome)


def test_no_half_of_a_secret_is_at_the_cut_of_a_long_output():
    script = 'echo "$KEY" >&2; printf %01995d 0 >&2; exit 3'

    failed = run(shell(script, environment={"KEY": "${secret:TOKEN}"}), work_of())

    assert "/42" not in failed.details["stderr"]
    assert len(failed.details["stderr"]) == 2_000


@pytest.mark.parametrize("limit", ["max_output_bytes", "max_memory_bytes", "max_cpu_seconds"])
def test_a_limit_of_nothing_is_refused_and_not_taken_for_none(limit):
    assert run(ProcessExecutor(("true",), **{limit: 0}), work_of()).code == "refused"


@pytest.mark.parametrize("text", ["${secret:OTHER}", "${secret:EMPTY}", "${secret:", "${secret:}"])
def test_a_secret_that_is_not_to_be_had_refuses_the_program(text):
    failed = run(ProcessExecutor(("env",), environment={"KEY": text}), work_of())

    assert isinstance(failed, Failed)
    assert failed.code == "refused"


def test_a_variable_with_nul_is_refused():
    failed = run(ProcessExecutor(("env",), environment={"KEY": "a\0b"}), work_of())

    assert isinstance(failed, Failed)
    assert failed.code == "refused"


def test_a_program_reads_its_stdin_and_runs_in_an_empty_directory_that_is_gone_afterwards():
    done = run(shell("ls -A; cat; pwd", stdin="<{text}>"), work_of({"text": "a\n"}))

    text, _, directory = done.result["stdout"].rpartition(">")
    assert text == "<a\n"
    assert not Path(directory.strip()).exists()


def test_a_program_can_run_in_the_project(tmp_path):
    (tmp_path / "a.txt").write_text("")

    done = run(ProcessExecutor(("ls",), directory="project"), work_of(project=tmp_path))

    assert done.result["stdout"] == "a.txt\n"


def test_stdin_that_nobody_reads_is_no_failure():
    done = run(ProcessExecutor(("true",), stdin="{text}"), work_of({"text": "x" * 3_000_000}))

    assert isinstance(done, Done)


@linux_only
def test_a_program_has_three_descriptors_no_core_dump_and_no_way_to_more_privileges():
    script = "ls /proc/self/fd | wc -l; ulimit -c; grep NoNewPrivs /proc/self/status"
    with Path("/etc/hosts").open():
        done = run(shell(script), work_of())

    # The fourth is the directory that ls reads.
    assert done.result["stdout"].split() == ["4", "0", "NoNewPrivs:", "1"]


def test_a_broken_pipe_ends_a_program_as_it_would_in_a_shell():
    done = run(shell("yes | head -n 1"), work_of())

    assert done.result == {"exit_code": 0, "stdout": "y\n", "stderr": ""}


@pytest.mark.parametrize(
    ("script", "success", "outcome"),
    [
        ("exit 0", (0,), Done),
        ("exit 1", (0,), Failed),
        ("exit 1", (0, 1), Done),
        ("exit 0", (1,), Failed),
        ("exit 0", (), Failed),
        ("kill -9 $$", (0,), Failed),
    ],
)
def test_the_declared_exit_codes_are_success(script, success, outcome):
    assert isinstance(run(shell(script, success=success), work_of()), outcome)


def test_a_failure_carries_the_end_of_what_the_program_said():
    failed = run(shell("echo out; echo err >&2; exit 3"), work_of())

    assert failed == Failed(
        "exit_code",
        "expected exit code 0, found 3",
        {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"},
    )


@pytest.mark.parametrize("text", ["", "no", "NaN", "[1", "[" * 200 + "]" * 200, "[" * 99_999])
def test_output_that_is_no_json_of_an_ordinary_depth_is_an_invalid_result(text):
    failed = run(ProcessExecutor(("cat",), stdin="{t}", output="json"), work_of({"t": text}))

    assert isinstance(failed, Failed)
    assert failed.code == "invalid_result"


def test_output_that_is_no_text_is_kept_as_bytes():
    done = run(ProcessExecutor(("printf", r"\377"), output="text"), work_of())

    assert done.result["stdout"] == b"\xff"


# Each begins what would go on for long.
ESCAPES = {
    "a child": "sleep 300 &",
    "a child of a child": "sh -c 'sleep 300 & sleep 300' &",
    "another session": "setsid sleep 300 &",
    "a double fork": "(setsid sh -c 'setsid sleep 300 & sleep 300 &' &)",
    "deaf to signals": "sh -c 'trap \"\" TERM HUP INT; sleep 300 & sleep 300' &",
    "a deaf daemon": "(setsid sh -c 'trap \"\" TERM HUP INT; sleep 300' >/dev/null 2>&1 &)",
    "stopped": "sh -c 'kill -STOP $$' &",
    "many": "for n in 1 2 3 4 5 6 7 8 9; do (setsid sleep 300 &) ; done",
}


@linux_only
@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_a_timeout_leaves_no_process_behind(script, mark):
    failed = run(shell(f"{script}\nsleep 300", environment={"MARK": mark}), work_of(timeout=0.4))

    assert isinstance(failed, Failed)
    assert (failed.code, failed.still_running) == ("timeout", False)
    assert processes_with(mark) == []


@linux_only
@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_the_end_of_a_program_leaves_no_process_behind(script, mark):
    done = run(shell(f"{script}\nsleep 0.1; echo out", environment={"MARK": mark}), work_of())

    assert isinstance(done, Done)
    assert done.result["stdout"] == "out\n"
    assert processes_with(mark) == []


@linux_only
@pytest.mark.parametrize("script", ["yes", "yes >&2", "yes & sleep 300", "cat /dev/zero"])
def test_a_program_that_prints_without_end_is_ended(script, mark):
    executor = shell(script, max_output_bytes=100_000, environment={"MARK": mark})

    failed = run(executor, work_of())

    assert isinstance(failed, Failed)
    assert failed.code == "too_large"
    assert processes_with(mark) == []


def test_output_as_long_as_the_limit_is_kept():
    done = run(shell("printf 12345", max_output_bytes=5), work_of())

    assert done.result["stdout"] == "12345"


def test_a_program_that_burns_its_processor_time_is_ended():
    failed = run(shell("while :; do :; done", max_cpu_seconds=1), work_of())

    assert isinstance(failed, Failed)
    assert (failed.code, failed.details["exit_code"]) == ("exit_code", -signal.SIGXCPU)


@linux_only
def test_a_program_that_allocates_without_end_gets_no_more():
    script = "blocks = []\nwhile len(blocks) < 400: blocks.append(b'x' * (1 << 20))"
    executor = ProcessExecutor((sys.executable, "-c", script), max_memory_bytes=200 << 20)

    failed = run(executor, work_of())

    assert isinstance(failed, Failed)
    assert "MemoryError" in failed.details["stderr"]


@linux_only
def test_an_interrupt_passes_through_once_everything_is_ended(mark):
    executor = shell(f"{ESCAPES['a double fork']}\nsleep 300", environment={"MARK": mark})
    interrupt = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()

    with pytest.raises(KeyboardInterrupt):
        run(executor, work_of())

    assert processes_with(mark) == []


RUNNING = """
import sys
from cra.atlas.model import ProcessExecutor
from cra.runtime.executors import run
from tests.executing import work_of
script = "(setsid sleep 300 &); sleep 300"
run(ProcessExecutor(("sh", "-c", script), environment={"MARK": sys.argv[1]}), work_of())
"""


def wait_until(condition):
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@linux_only
def test_a_killed_cra_leaves_no_process_behind(mark):
    with subprocess.Popen([sys.executable, "-c", RUNNING, mark]) as host:
        wait_until(lambda: sum("sleep" in line for line in processes_with(mark)) >= 3)
        host.kill()

    wait_until(lambda: not processes_with(mark))


@linux_only
def test_a_program_that_kills_its_supervisor_ends_with_it_and_its_children_are_not_vouched_for(
    mark,
):
    executor = shell("kill -9 $PPID; exec sleep 300", environment={"MARK": mark})

    failed = run(executor, work_of())

    assert isinstance(failed, Failed)
    assert (failed.code, failed.still_running) == ("killed", True)
    wait_until(lambda: not processes_with(mark))


# As a user who may have 8 tasks; the program takes them all before its supervisor goes on. Each of
# them ends by itself.
CROWDED = """
import os, resource, sys, time
from cra.runtime.executors import supervisor

ready, full = os.pipe()
let_go = supervisor.let_go_of_stdio

def fill(*_):
    try:
        while os.fork():
            pass
        os.setsid()
    except OSError:
        os.write(full, b"x")
    time.sleep(20)
    os._exit(0)

def late():
    os.read(ready, 1)
    print("full", flush=True)
    let_go()

supervisor.become, supervisor.let_go_of_stdio = fill, late
control, user, tasks = map(int, sys.argv[1:])
os.setgroups([])
os.setgid(user)
resource.setrlimit(resource.RLIMIT_NPROC, (tasks, tasks))
os.setuid(user)
supervisor.main(control, 0, 0, ["unused"])
os._exit(0)
"""


def processes_of(user: int) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):
            if process.stat().st_uid == user:
                found.append(process.name)
    return found


@linux_only
@pytest.mark.skipif(os.getuid() != 0, reason="limits the tasks of another user")
@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (8, "exit 9\nclean\n"),
        (2, f"exec {errno.EAGAIN}\nclean\n"),
        (1, f"exec {errno.EAGAIN}\nclean\n"),
    ],
)
def test_a_program_that_takes_all_tasks_of_its_user_is_ended(tasks, said):
    user = 61_000 + os.getpid() % 4_000
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = (sys.executable, "-W", "ignore", "-c", CROWDED)
        words = map(str, (theirs.fileno(), user, tasks))
        with subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, pass_fds=(theirs.fileno(),)
        ) as supervisor:
            theirs.close()
            assert supervisor.stdout
            supervisor.stdout.readline()
            ours.shutdown(socket.SHUT_WR)
            ours.settimeout(30)
            answer = b""
            while part := ours.recv(1000):
                answer += part

    assert answer.decode() == said
    assert processes_of(user) == []


@linux_only
def test_programs_run_side_by_side_in_threads(mark):
    outcomes = []

    def one():
        executor = shell("(setsid sleep 300 &); sleep 0.2; echo $$", environment={"MARK": mark})
        outcomes.append(run(executor, work_of()))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({outcome.result["stdout"] for outcome in outcomes}) == 6
