"""`govern`: a function of the program runs only as an action that policy allows."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

import cra
from cra import Denied, Project, govern
from cra.errors import ApprovalPending, ArgumentsRefused, ConfigError, UnknownAction, UsageError
from cra.ledger.verify import Trust, verify_ledger
from tests.governed import ALLOW, DESK, GOAL, events, payload_of, rule, write_rules

HOST = rule("host-allows", "allow", "host.*")
BIG = {
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 100}},
    "required": ["amount"],
}
NO_BIG = rule(
    "no-big", "deny", "host.*", conditions={"parameters": BIG}, reason="over 100 a person decides"
)


def refund(ticket: int, amount: float = 500, *, why: str = "") -> dict[str, Any]:
    """Pay a customer back."""
    return {"ticket": ticket, "amount": amount, "why": why}


async def fetch(ticket: int) -> str:
    await asyncio.sleep(0)
    return f"ticket {ticket}"


@pytest.fixture
def project() -> Iterator[Project]:
    with Project.temporary([DESK], [ALLOW, HOST, NO_BIG]) as project:
        yield project


def schema_of(project: Project, action_id: str) -> dict[str, Any]:
    resolved = project.host_session().resolve(GOAL, atlas_ids=["local.host"])
    [schema] = [
        action["parameters_schema"]
        for action in resolved.document["allowed_actions"]
        if action["action_id"] == action_id
    ]
    return dict(schema)


# Calls


def test_a_governed_function_returns_what_it_returned_and_is_recorded(project):
    governed = govern(refund, project=project)

    assert governed(7, 20.5) == {"ticket": 7, "amount": 20.5, "why": ""}

    intent, outcome = events(project.host_session())[-2:]
    assert payload_of(intent)["action_id"] == "host.tests.test_govern.refund"
    assert payload_of(intent)["arguments"] == {"ticket": 7, "amount": 20.5, "why": ""}
    assert payload_of(intent)["decision"]["policy_id"] == "host-allows"
    assert payload_of(outcome)["result"] == {"ticket": 7, "amount": 20.5, "why": ""}
    assert intent.header["atlas"]["atlas_id"] == "local.host"


def test_a_denied_call_names_its_rule_and_does_not_run(project):
    ran = []

    def record(amount: int) -> None:
        ran.append(amount)

    governed = govern(record, project=project, name="host.pay")

    with pytest.raises(Denied, match=r"over 100 a person decides \(no-big\)") as denied:
        governed(101)
    governed(100)

    assert denied.value.fix
    assert ran == [100]


def test_a_default_is_an_argument_that_rules_see(project):
    with pytest.raises(Denied, match="no-big"):
        govern(refund, project=project)(7)


def test_project_policies_alone_allow_a_function():
    with (
        Project.temporary([DESK], [ALLOW]) as project,
        pytest.raises(Denied, match="default:"),
    ):
        govern(refund, project=project)(7, 1.0)


def test_a_function_that_fails_raises_its_own_exception_once_it_is_recorded(
    project: Project,
) -> None:
    error = KeyError("gone")

    @govern(project=project)
    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        fail()

    assert raised.value is error
    [failed] = events(project.host_session(), "action.failed")
    assert payload_of(failed)["error"]["message"] == "KeyError: 'gone'"


def test_a_value_comes_back_as_it_is_and_is_recorded_in_its_canonical_form(project):
    value = ({1: b"bytes"}, 2**70)
    thing = object()

    assert govern(lambda: value, project=project, name="host.value")() is value
    assert govern(lambda: thing, project=project, name="host.thing")() is thing

    first, second = events(project.host_session(), "action.executed")
    assert payload_of(second)["result"] == {"python_type": "builtins.object"}
    assert "result" in payload_of(first)


def test_what_needs_an_approval_does_not_run(project):
    ran: list[int] = []
    risky = govern(lambda: ran.append(1), project=project, name="host.risky", risk_tier="critical")

    with pytest.raises(ApprovalPending):
        risky()

    assert ran == []


def test_arguments_that_do_not_fit_the_annotations_are_refused_and_recorded(project):
    with pytest.raises(ArgumentsRefused) as refused:
        govern(refund, project=project)("seven")

    # `cra atlas show` knows no function of a program.
    assert refused.value.fix is None
    assert len(events(project.host_session(), "action.denied")) == 1


def test_arguments_that_the_function_does_not_take_are_a_type_error(project):
    with pytest.raises(TypeError, match=r"^refund\(\): .*ticket"):
        govern(refund, project=project)()
    with pytest.raises(TypeError, match=r"^refund\(\): .*tikcet"):
        govern(refund, project=project)(1, tikcet=1)


def test_a_function_gets_a_copy_of_what_was_recorded(project):
    items = [2, 1]
    govern(lambda items: items.sort(), project=project, name="host.sort")(items)

    assert items == [2, 1]
    [intent] = events(project.host_session(), "action.approved")
    assert payload_of(intent)["arguments"] == {"items": [2, 1]}


def test_governed_functions_call_one_another(project):
    inner = govern(lambda x: x + 1, project=project, name="host.inner")
    outer = govern(lambda x: inner(x) * 2, project=project, name="host.outer")

    assert outer(1) == 4
    done = [one.header["actor"]["id"] for one in events(project.host_session(), "action.executed")]
    assert done == ["host.inner", "host.outer"]


def test_threads_share_a_governed_function(project):
    double = govern(lambda x: x * 2, project=project, name="host.double")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(double, range(80))) == [x * 2 for x in range(80)]

    assert len(events(project.host_session(), "action.executed")) == 80
    project.host_session().barrier()
    assert verify_ledger(project.root / "cra.trace", Trust()).verdict.name == "INTACT"


# Coroutines


def test_a_coroutine_function_is_governed_in_its_own_loop(project: Project) -> None:
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")

    @govern(project=project)
    async def current() -> tuple[int, object]:
        await asyncio.sleep(0)
        return number.get(), asyncio.get_running_loop()

    async def main() -> None:
        number.set(42)
        assert await current() == (42, asyncio.get_running_loop())

    asyncio.run(main())


def test_many_coroutines_that_wait_for_one_another_all_end(project: Project) -> None:
    governed = govern(fetch, project=project)

    @govern(project=project)
    async def outer(ticket: int) -> str:
        return await governed(ticket)

    async def main() -> list[str]:
        return await asyncio.gather(*(outer(at) for at in range(30)))

    assert asyncio.run(main()) == [f"ticket {at}" for at in range(30)]


def test_a_coroutine_that_fails_or_is_denied_raises_that(project: Project) -> None:
    @govern(project=project)
    async def pay(amount: int) -> None:
        raise KeyError(amount)

    with pytest.raises(KeyError, match="7"):
        asyncio.run(pay(7))
    with pytest.raises(Denied):
        asyncio.run(pay(700))


def test_a_cancelled_coroutine_ends_and_is_recorded_as_failed(project: Project) -> None:
    seen: list[str] = []

    @govern(project=project)
    async def forever() -> None:
        seen.append("begun")
        try:
            await asyncio.sleep(600)
        finally:
            seen.append("ended")

    async def main() -> None:
        task = asyncio.create_task(forever())
        while not seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert seen == ["begun", "ended"]
    [failed] = events(project.host_session(), "action.failed")
    assert payload_of(failed)["error"]["details"]["type"] == "CancelledError"


# Names and forms


def _hidden() -> None: ...


class Desk:
    @staticmethod
    def close_all() -> None: ...


@pytest.mark.parametrize(
    ("function", "action_id"),
    [
        (refund, "host.tests.test_govern.refund"),
        (_hidden, "host.tests.test_govern.hidden"),
        (Desk.close_all, "host.tests.test_govern.desk.close_all"),
        (lambda: None, "host.tests.test_govern.lambda"),
    ],
)
def test_an_action_is_named_after_its_function(project, function, action_id):
    govern(function, project=project)

    assert action_id in project.snapshot.actions


def test_annotations_become_a_schema(project):
    def form(  # noqa: PLR0917  # one of each kind
        a: int,
        b: list[str],
        c: dict[str, float],
        d: Literal["x", "y"],
        e: Optional[bool] = None,  # noqa: UP045  # both spellings are read
        f: str | None = "f",
        g: Path | None = None,
        h: "Unknown" = 1,  # type: ignore[name-defined]  # noqa: F821, UP037
        **rest: Any,
    ) -> None: ...

    govern(form, project=project, name="host.form")

    assert schema_of(project, "host.form") == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "array", "items": {"type": "string"}},
            "c": {"type": "object", "additionalProperties": {"type": "number"}},
            "d": {"enum": ["x", "y"]},
            "e": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None},
            "f": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": "f"},
            "g": {"default": None},
            "h": {"default": 1},
        },
        "required": ["a", "b", "c", "d", "e", "f", "g", "h"],
        "additionalProperties": True,
    }


def test_every_kind_of_parameter_reaches_the_function(project):
    def positional(a: float, b: Any = (1, 2), /, c: int = 3) -> Any:
        return a, b, c

    def keywords(a: int, **rest: int) -> Any:
        return a, rest

    done = govern(positional, project=project)(2.0)
    assert done == (2.0, (1, 2), 3)
    assert isinstance(done[0], float)
    assert govern(keywords, project=project)(1, b=2) == (1, {"b": 2})


def stars(*numbers: int) -> None: ...


def generated() -> Iterator[int]:
    yield 1


def mixed(a: int, /, **rest: int) -> None: ...


@pytest.mark.parametrize("function", [stars, generated, mixed])
def test_a_function_without_a_clear_call_is_refused_when_it_is_wrapped(project, function):
    with pytest.raises(UsageError, match=function.__name__):
        govern(function, project=project)


def test_a_name_that_is_none_is_refused(project):
    with pytest.raises(UsageError, match=r"ticket\.refund"):
        govern(refund, project=project, name="Refund!")


def test_two_functions_do_not_share_a_name(project):
    govern(refund, project=project, name="host.pay")
    govern(refund, project=project, name="host.pay")

    with pytest.raises(UsageError, match=r"host\.pay"):
        govern(fetch, project=project, name="host.pay")
    with pytest.raises(UsageError, match=r"com\.example\.desk"):
        govern(refund, project=project, name="ticket.read")


def _passing_on(function: Callable[[], str]) -> Callable[[], str]:
    @functools.wraps(function)
    def passing() -> str:
        return function()

    return passing


def _same_name(text: str) -> tuple[Callable[[], str], Callable[[], str]]:
    def one() -> str:
        return "one"

    first = one

    def one() -> str:  # type: ignore[no-redef]
        return text

    return first, one


@pytest.mark.parametrize(
    "functions",
    [
        (lambda: "read", lambda: "delete"),
        _same_name("two"),
        tuple(map(_passing_on, _same_name("two"))),
    ],
)
def test_functions_of_one_scope_do_not_share_an_action(project, functions):
    *others, last = functions
    for function in others:
        govern(function, project=project)

    with pytest.raises(UsageError, match="another function") as refused:
        govern(last, project=project)
    assert "name=" in str(refused.value.fix)
    assert govern(last, project=project, name="host.last")() == last()


def test_a_function_made_anew_by_the_same_code_is_the_same_action(project):
    governed = [govern(_same_name(text)[1], project=project) for text in ("a", "b")]

    assert [one() for one in governed] == ["a", "b"]


# Projects and sessions


def test_a_new_function_ends_what_was_resolved_before(project):
    session = project.session()
    session.resolve(GOAL)
    assert session.execute("ticket.read", {"id": 1}).status == "success"

    governed = govern(refund, project=project)

    assert "changed" in session.execute("ticket.read", {"id": 1}).reason
    assert "host.tests.test_govern.refund" in session.resolve(GOAL).allowed
    assert session.execute("ticket.read", {"id": 1}).status == "success"
    assert governed(1, 1.0)


def test_an_agent_may_call_a_governed_function_by_its_id(project):
    govern(refund, project=project)
    govern(fetch, project=project)
    session = project.session()
    session.resolve(GOAL)

    done = session.execute("host.tests.test_govern.refund", {"ticket": 1, "amount": 2, "why": ""})
    with pytest.raises(ArgumentsRefused, match="amount"):
        session.execute("host.tests.test_govern.refund", {"ticket": 1, "why": ""})
    fetched = session.execute("host.tests.test_govern.fetch", {"ticket": 1})

    assert done.result == {"ticket": 1, "amount": 2.0, "why": ""}
    assert fetched.result == "ticket 1"


def test_calls_go_through_the_session_that_is_given(project):
    session = project.session("accountant")

    govern(refund, session=session)(1, 2.0)

    assert len(events(session, "action.executed")) == 1


def test_the_nearest_project_is_found_at_the_first_call(tmp_path, monkeypatch):
    (tmp_path / "cra.config.json").write_text("{}")
    write_rules(tmp_path, HOST)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")

    governed, other = govern(refund), govern(lambda: 1, name="host.one")

    assert governed(1, 2.0)["ticket"] == 1
    assert other() == 1
    # Both went through one session of one project.
    assert len(list((tmp_path / "cra.trace").glob("0*.trace.jsonl"))) == 1


def test_without_a_project_the_error_says_how_to_have_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError) as refused:
        govern(refund)(1)

    assert "cra init" in str(refused.value.fix)
    assert "Project.temporary()" in str(refused.value.fix)


def test_a_host_action_is_unknown_elsewhere(project):
    govern(refund, project=project)

    with Project.temporary([DESK], [ALLOW]) as other, pytest.raises(UnknownAction):
        other.session().execute("host.tests.test_govern.refund", {})


def test_the_public_names_load_late():
    program = "import cra, sys; assert 'cra.runtime' not in sys.modules; cra.govern; cra.Project"

    subprocess.run([sys.executable, "-c", program], check=True)
    assert {"Denied", "Project", "govern"} <= set(dir(cra))
    missing: Callable[[], Any] = lambda: cra.absent  # noqa: E731
    with pytest.raises(AttributeError, match="absent"):
        missing()


# What runs is what was decided


def test_a_default_that_a_function_changes_is_new_for_each_call(project):
    def append(to: str, extra: list[str] = []) -> list[str]:  # noqa: B006  # what this is about
        extra.append(to)
        return list(extra)

    governed = govern(append, project=project, name="host.append")
    assert governed("a") == ["a"]
    assert governed("b") == ["b"]


def test_a_coroutine_behind_a_plain_wrapper_is_no_success(project):
    async def work(number: int) -> int:
        return number

    def wrapped(number: int) -> Any:
        return work(number)

    governed = govern(wrapped, project=project, name="host.work")
    with pytest.raises(UsageError, match="a coroutine that has not begun"):
        governed(4)

    assert events(project.host_session())[-1].event_type == "action.failed"


def test_a_method_of_a_class_is_refused_when_it_is_wrapped(project):
    class Counter:
        def read(self, number: int) -> int:
            return number

    with pytest.raises(UsageError, match=r"govern\(object.method\)"):
        govern(Counter.read, project=project, name="host.read")
    assert govern(Counter().read, project=project, name="host.read")(4) == 4


def test_a_denial_names_its_rule(project):
    governed = govern(lambda number: number, project=project, name="elsewhere.read")
    with pytest.raises(Denied) as caught:
        governed(4)

    assert caught.value.policy_id == "default:no-rule-allows"
    assert str(caught.value).splitlines() == [
        "elsewhere.read: no rule allows it (default:no-rule-allows)",
        f"  fix: {caught.value.fix}",
    ]
    rule = json.loads(str(caught.value.fix).partition("policies: ")[2])
    with Project.temporary([DESK], [ALLOW, rule]) as mended:
        assert govern(lambda number: number, project=mended, name="elsewhere.read")(4) == 4


def test_a_denial_within_a_call_is_recorded_by_its_message(project):
    inner = govern(lambda number: number, project=project, name="elsewhere.read")

    with pytest.raises(Denied) as denied:
        govern(lambda: inner(4), project=project, name="host.outer")()

    recorded = payload_of(events(project.host_session(), "action.failed")[0])["error"]
    assert recorded["details"]["message"] == denied.value.message
