"""Functions of an atlas: where their code comes from, what they see, how they end."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
import uuid
from contextvars import ContextVar
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.atlas.model import PythonExecutor, StaticExecutor
from cra.runtime.executors import run
from cra.runtime.executors.work import Done, Failed
from tests.executing import work_of

BOTH = pytest.mark.parametrize("isolation", ["in_process", "process"])
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def call(source, arguments=None, *, isolation="in_process", files=None, function="f", timeout=20.0):
    """Run a function of an atlas that nothing else has loaded."""
    if files is None:
        files = {"tool.py": source.encode()}
    package = f"sha256:{uuid.uuid4().hex * 2}"
    work = work_of(arguments, files=files, package=package, timeout=timeout)
    return run(PythonExecutor(next(iter(files)), function, isolation), work)


RESULTS = [
    "None",
    "True",
    "-0.0",
    "2 ** 70",
    "float('inf')",
    "b'\\xff'",
    "'\\ud800'",
    "[1, [2.5, {}]]",
    "{'$b64': 'x', 'b': {'': 1}}",
]


@BOTH
@pytest.mark.parametrize("literal", RESULTS)
def test_a_result_comes_back_as_it_was_given(literal, isolation):
    done = call(f"def f(): return {literal}", isolation=isolation)

    assert repr(done) == repr(Done(eval(literal)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_value_that_the_ledger_can_store_is_a_result(value):
    done = run(
        PythonExecutor("same.py", "same"),
        work_of({"value": value}, files={"same.py": b"def same(value): return value"}),
    )

    assert isinstance(done, Done)
    assert sorted_repr(done.result) == sorted_repr(value)


def sorted_repr(value):
    if isinstance(value, dict):
        return repr([(key, sorted_repr(value[key])) for key in sorted(value)])
    if isinstance(value, list):
        return repr([sorted_repr(item) for item in value])
    if not isinstance(value, float) or repr(value) == "-0.0":
        return repr(value)
    # JSON has one kind of number, and one NaN.
    is_whole = value.is_integer() and abs(value) < 2**53
    return repr(int(value)) if is_whole else repr(abs(value) if math.isnan(value) else value)


@BOTH
def test_the_keys_of_a_result_stay_in_their_order(isolation):
    done = call('def f(): return {"b": {"z": 1, "y": 2, "$x": 3}, "a": 4}', isolation=isolation)

    assert isinstance(done, Done)
    assert json.dumps(done.result) == '{"b": {"z": 1, "y": 2, "$x": 3}, "a": 4}'


@BOTH
@pytest.mark.parametrize(
    "expression",
    ["object()", "{1: 2}", "{1, 2}", "f", "[print]", "(n for n in [1])", "loop"],
)
def test_a_result_that_cannot_be_stored_is_an_invalid_result(expression, isolation):
    failed = call(
        f"loop = []\nloop.append(loop)\ndef f(): return {expression}", isolation=isolation
    )

    assert isinstance(failed, Failed)
    assert failed.code == "invalid_result"


def test_a_result_that_lies_about_itself_is_stored_as_plain_text():
    source = """
class Liar(str):
    def __eq__(self, other): return True
    def __hash__(self): return 0
def f(): return [Liar("no")]
"""
    done = call(source)

    assert type(done.result[0]) is str
    assert done.result != ["yes"]


def test_nobody_holds_a_result_that_was_given_back():
    work = work_of(files={"kept.py": b"kept = [1]\ndef f(): return kept"})
    first = run(PythonExecutor("kept.py", "f"), work)
    first.result.append(2)

    assert run(PythonExecutor("kept.py", "f"), work).result == [1]


@BOTH
def test_code_that_changes_its_arguments_changes_a_copy(isolation):
    arguments = {"items": [1, {"a": 2}]}

    done = call(
        "def f(items): items[1].clear(); items.clear(); return items",
        arguments,
        isolation=isolation,
    )

    assert done == Done([])
    assert arguments == {"items": [1, {"a": 2}]}


@BOTH
def test_a_coroutine_function_is_awaited(isolation):
    source = "import asyncio\nasync def f(n):\n    await asyncio.sleep(0)\n    return n"

    assert call(source, {"n": 1}, isolation=isolation) == Done(1)


@BOTH
@pytest.mark.parametrize(
    ("source", "arguments", "kind"),
    [
        ("def f(): raise ValueError('why')", {}, "ValueError"),
        ("def f(): raise SystemExit(0)", {}, "SystemExit"),
        ("def f(): raise KeyboardInterrupt", {}, "KeyboardInterrupt"),
        ("def f(): f()", {}, "RecursionError"),
        ("def f(a): pass", {}, "TypeError"),
        ("def f(): pass", {"extra": 1}, "TypeError"),
        ("1 / 0\ndef f(): pass", {}, "ZeroDivisionError"),
        ("def f(:", {}, "SyntaxError"),
        ("\0", {}, None),
        ("async def f(): raise KeyError('k')", {}, "KeyError"),
        ("class E(Exception):\n  def __str__(self): raise E\ndef f(): raise E", {}, "E"),
        ("def f(): raise ValueError('\\ud800')", {}, "ValueError"),
    ],
)
def test_what_the_code_raises_is_a_failure_with_its_type(source, arguments, kind, isolation):
    failed = call(source, arguments, isolation=isolation)

    assert isinstance(failed, Failed)
    assert failed.code == "exception"
    assert kind is None or failed.details["type"] == kind
    (failed.message + "".join(failed.details["traceback"])).encode()


@BOTH
def test_a_traceback_shows_the_lines_of_the_atlas_alone(isolation):
    source = "import json\ndef f():\n    return g()\ndef g():\n    return json.loads('{')\n"

    failed = call(source, isolation=isolation)

    text = "\n".join(failed.details["traceback"])
    assert "return g()" in text
    assert "return json.loads('{')" in text
    assert "<atlas>/tool.py" in text
    assert str(sys.prefix) not in text
    assert "json/" not in text
    assert __file__ not in text


def test_a_traceback_shows_the_snapshot_and_not_a_file_that_happens_to_have_its_name(
    tmp_path, monkeypatch
):
    source = b"def f():\n    raise ValueError  # of the snapshot\n"
    work = work_of(files={"shown.py": source}, package="sha256:0123456789abcdef")
    folder = tmp_path / "<atlas 0123456789ab>"
    folder.mkdir()
    (folder / "shown.py").write_text("\n    raise ValueError  # of the disk\n")
    monkeypatch.chdir(tmp_path)

    failed = run(PythonExecutor("shown.py", "f"), work)

    assert "of the snapshot" in failed.details["traceback"][-1]


@BOTH
@pytest.mark.parametrize(
    ("file", "function", "code"),
    [
        ("absent.py", "f", "not_found"),
        ("tool.py", "absent", "not_found"),
        ("tool.py", "number", "not_found"),
        ("../tool.py", "f", "not_found"),
        ("data.txt", "f", "refused"),
        ("two.dots.py", "f", "refused"),
    ],
)
def test_a_function_that_is_not_there_is_a_failure(file, function, code, isolation):
    names = ("tool.py", "data.txt", "two.dots.py")
    work = work_of(files=dict.fromkeys(names, b"number = 1\ndef f(): pass"))

    failed = run(PythonExecutor(file, function, isolation), work)

    assert isinstance(failed, Failed)
    assert failed.code == code


@BOTH
def test_files_of_an_atlas_import_one_another(isolation):
    files = {
        "tools/send.py": b"from . import mail\nfrom .. import names\nfrom .deep.er import far\n"
        b"def f(): return [mail.HOST, names.ALL, far.away]",
        "tools/mail.py": b"HOST = 'mx'",
        "names.py": b"from .tools.mail import HOST\nALL = [HOST]",
        "tools/deep/er/far.py": b"away = True",
        "tools/deep/er/__init__.py": b"from . import far",
    }

    assert call("", files=files, isolation=isolation) == Done(["mx", ["mx"], True])


@BOTH
def test_a_file_named_like_a_module_of_python_shadows_nothing(isolation):
    files = {
        "tool.py": b"import json\nfrom . import json as own\n"
        b"def f(): return [json.dumps(1), own.dumps]",
        "json.py": b"dumps = 'own'",
    }

    assert call("", files=files, isolation=isolation) == Done(["1", "own"])
    import json

    assert json.dumps(1) == "1"


@BOTH
def test_a_file_of_the_atlas_is_not_imported_by_its_bare_name_and_the_error_says_how(isolation):
    files = {"tool.py": b"def f():\n    import neighbour", "neighbour.py": b""}

    failed = call("", files=files, isolation=isolation)

    assert failed.details["type"] == "ModuleNotFoundError"
    assert "from . import neighbour" in failed.message


@BOTH
def test_code_is_not_found_in_the_project_or_the_working_directory(
    tmp_path, monkeypatch, isolation
):
    (tmp_path / "stranger.py").write_text("")
    (tmp_path / "tool.py").write_text("def f(): return 'of the disk'")
    monkeypatch.chdir(tmp_path)
    work = work_of(
        files={"tool.py": b"def f():\n    from . import stranger"},
        package=f"sha256:{uuid.uuid4()}",
        project=tmp_path,
    )

    failed = run(PythonExecutor("tool.py", "f", isolation), work)

    assert failed.details["type"] == "ImportError"


def test_a_directory_with_the_private_name_of_an_atlas_is_not_its_code(tmp_path, monkeypatch):
    work = work_of(files={"where.py": b"def f(): return __name__"}, package="sha256:planted")
    name = run(PythonExecutor("where.py", "f"), work).result.partition(".")[0]
    for module in [module for module in sys.modules if module.startswith(name)]:
        monkeypatch.delitem(sys.modules, module)
    (tmp_path / name).mkdir()
    (tmp_path / name / "where.py").write_text("def f(): return 'planted'")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert run(PythonExecutor("where.py", "f"), work).result == f"{name}.where"


def test_two_atlases_with_the_same_file_names_do_not_meet():
    def atlas(number):
        files = {
            "tool.py": b"from . import data\ndef f(): data.seen.append(1); return data.seen",
            "data.py": f"seen = [{number}]".encode(),
        }
        return work_of(files=files, package=f"sha256:{number}{uuid.uuid4()}")

    first, second = atlas(10), atlas(20)

    assert run(PythonExecutor("tool.py", "f"), first) == Done([10, 1])
    assert run(PythonExecutor("tool.py", "f"), second) == Done([20, 1])
    assert run(PythonExecutor("tool.py", "f"), first) == Done([10, 1, 1])


def test_threads_that_load_an_atlas_at_once_run_its_code_once():
    files = {
        "tool.py": b"import time\nfrom . import count\ntime.sleep(0.05)\ncount.loads.append(1)\n"
        b"def f(): return len(count.loads)",
        "count.py": b"loads = []",
    }
    work = work_of(files=files, package=f"sha256:{uuid.uuid4()}")
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(run(PythonExecutor("tool.py", "f"), work)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [Done(1)] * 8


def test_a_timeout_in_this_process_says_that_the_code_still_runs():
    release = threading.Event()
    sys.modules["release_of_the_test"] = release
    try:
        failed = call("import release_of_the_test as r\ndef f(): r.wait(60)", timeout=0.2)
    finally:
        release.set()
        del sys.modules["release_of_the_test"]

    assert isinstance(failed, Failed)
    assert (failed.code, failed.still_running) == ("timeout", True)


def test_a_call_leaves_nothing_in_the_context_of_the_next_one(monkeypatch):
    seen: ContextVar[list[str]] = ContextVar("seen")
    monkeypatch.setattr(sys, "seen_of_the_test", seen, raising=False)
    source = (
        "import sys, threading\nseen = sys.seen_of_the_test\n"
        "def f():\n"
        "    seen.set([*seen.get(), 'f'])\n"
        "    return seen.get(), threading.current_thread().name"
    )

    for mine in ("first", "second"):
        seen.set([mine])
        assert call(source) == Done([[mine, "f"], "cra ticket.send"])
        assert seen.get() == [mine]


def test_a_thread_that_does_not_come_back_is_left_to_end_by_itself(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(sys, "release_of_the_test", release, raising=False)
    thread = "import sys, threading\ndef f(): return threading.get_ident()"
    usual = call(thread)
    assert call(thread) == usual

    failed = call("import sys\ndef f(): sys.release_of_the_test.wait(60)", timeout=0.2)
    [left] = [one for one in threading.enumerate() if one.ident == usual.result]
    other = call(thread)
    release.set()
    left.join(20)

    assert failed.still_running
    assert other != usual
    assert not left.is_alive()


FORKS = r"""
import os, sys
from cra.atlas.model import PythonExecutor
from cra.runtime.executors import run
from tests.executing import work_of

source = b"import os\ndef f(): return 4\ndef forked(): return os.fork()"
work = work_of(files={"tool.py": source})

def call(function):
    return run(PythonExecutor("tool.py", function), work).result

call("f")
child = os.fork()
if not child:
    os._exit(call("f"))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
copy = call("forked")
print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
"""


def test_neither_a_forked_program_nor_a_function_that_forks_waits_for_a_thread_of_another():
    done = subprocess.run(
        [sys.executable, "-c", FORKS],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.split() == ["4", "0"]


@linux_only
@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(60)",
        "while True: pass",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        "os.fork(); note(); time.sleep(60)",
        "os.fork() or os.setsid() or os.fork(); note(); time.sleep(60)",
    ],
)
def test_a_timeout_in_a_process_leaves_none_behind(body, tmp_path):
    notes = tmp_path / "pids"
    source = f"""
import os, signal, time
def note():
    with open({str(notes)!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
def f():
    note()
    {body}
"""
    failed = call(source, isolation="process", timeout=1.5)

    assert isinstance(failed, Failed)
    assert (failed.code, failed.still_running) == ("timeout", False)
    pids = notes.read_text().split()
    assert [pid for pid in pids if Path("/proc", pid).exists()] == []


@BOTH
def test_isolated_code_sees_no_variable_of_cra(monkeypatch, isolation):
    monkeypatch.setenv("CRA_LEAK", "leak")

    done = call("import os\ndef f(): return os.environ.get('CRA_LEAK')", isolation=isolation)

    assert done == Done("leak" if isolation == "in_process" else None)


def test_what_isolated_code_prints_is_not_its_result():
    source = "import os\nprint('early')\ndef f():\n    os.system('echo no')\n    return print('{}')"

    assert call(source, isolation="process") == Done(None)


@pytest.mark.parametrize("body", ["os._exit(0)", "os.abort()", "os.kill(os.getpid(), 9)"])
def test_isolated_code_that_ends_its_interpreter_failed(body):
    failed = call(f"import os\ndef f(): {body}", isolation="process")

    assert isinstance(failed, Failed)
    assert failed.code == "exit_code"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"result": {"$int": "x"}}', "[" * 100_000])
def test_an_answer_that_isolated_code_forges_badly_is_a_failure(text):
    source = f"""
import os
def f():
    for fd in range(3, 64):
        try: os.write(fd, {text!r}[:60000].encode())
        except OSError: pass
    os._exit(0)
"""
    failed = call(source, isolation="process")

    assert isinstance(failed, Failed)
    assert failed.code == "exit_code"


def test_threads_that_isolated_code_leaves_behind_do_not_hold_its_result():
    source = (
        "import threading, time\ndef f():\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n    return 1"
    )
    start = time.monotonic()

    assert call(source, isolation="process") == Done(1)
    assert time.monotonic() - start < 50


def test_a_static_result_is_a_copy_and_is_said_to_be_simulated():
    executor = StaticExecutor({"tickets": [1]})

    done = run(executor, work_of())
    done.result["tickets"].clear()

    assert run(executor, work_of()) == Done({"tickets": [1]}, simulated=True)
