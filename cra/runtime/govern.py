"""`govern`: any function of a program as an action, allowed by project policies and recorded."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    ParamSpec,
    TypeVar,
    overload,
)

from cra import canonical
from cra.atlas.model import Action, HostExecutor
from cra.config import RiskTier, find_project
from cra.errors import UsageError
from cra.policy.pattern import ACTION_ID, MAX_ACTION_ID
from cra.runtime.decision import NO_RESOLUTION
from cra.runtime.executors.host import CURRENT, HostCall
from cra.runtime.host import HOST
from cra.runtime.project import Project
from cra.runtime.result import ExecutionResult
from cra.runtime.session import GovernedSession
from cra.runtime.signature import fitting, hint_of, is_json, schema_of

if TYPE_CHECKING:
    import asyncio
    from concurrent import futures

_P = ParamSpec("_P")
_R = TypeVar("_R")

_POSITIONAL_ONLY: Final = inspect.Parameter.POSITIONAL_ONLY
_VAR_POSITIONAL: Final = inspect.Parameter.VAR_POSITIONAL
_VAR_KEYWORD: Final = inspect.Parameter.VAR_KEYWORD


@overload
def govern(
    function: Callable[_P, _R],
    *,
    project: Project | None = None,
    session: GovernedSession | None = None,
    name: str | None = None,
    risk_tier: RiskTier | None = None,
) -> Callable[_P, _R]: ...


@overload
def govern(
    function: None = None,
    *,
    project: Project | None = None,
    session: GovernedSession | None = None,
    name: str | None = None,
    risk_tier: RiskTier | None = None,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def govern(
    function: Callable[..., Any] | None = None,
    *,
    project: Project | None = None,
    session: GovernedSession | None = None,
    name: str | None = None,
    risk_tier: RiskTier | None = None,
) -> Callable[..., Any]:
    """A function that runs only as an action: allowed by the project's policies, and recorded.

    `refund = govern(refund)`, or as a decorator. Its action is `host.<module>.<function>` or
    `name`, of the atlas `local.host` of the project, of the session's project, or else of the
    nearest one upwards from the working directory at the first call. A call returns what the
    function returns and raises what it raises. It raises Denied or ApprovalPending if policy says
    so, ArgumentsRefused for arguments that do not fit the annotations, ConfigError without a
    project. Raises UsageError for a function that cannot be governed, and for one whose id another
    function has: two lambdas of a scope need a `name` each.
    """
    if function is None:
        return lambda given: govern(
            given, project=project, session=session, name=name, risk_tier=risk_tier
        )
    form = _form_of(function)
    action = _action_of(function, form, name, risk_tier)
    if session is not None and project is not None:
        raise UsageError("expected a project or a session to govern in, found both")
    place = _Place(action, project, session)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    ):

        @functools.wraps(function)
        async def governed_task(*args: Any, **kwargs: Any) -> Any:
            return await _call_async(place, function, form, form.arguments(args, kwargs))

        return governed_task

    @functools.wraps(function)
    def governed(*args: Any, **kwargs: Any) -> Any:
        call = HostCall(lambda **found: form.apply(function, found))
        return _conclude(call, place.execute(call, form.arguments(args, kwargs)))

    return governed


async def _call_async(
    place: _Place, function: Callable[..., Any], form: _Form, arguments: Mapping[str, Any]
) -> Any:
    """Decide and record in a thread of its own, and run the function in the caller's loop."""
    import asyncio  # 49 ms, for those who have use for it

    loop = asyncio.get_running_loop()
    done: asyncio.Future[ExecutionResult] = loop.create_future()
    task = _LoopTask(loop, lambda found: form.apply(function, found))
    call = HostCall(task.run)

    def target() -> None:
        try:
            result = place.execute(call, arguments)
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is awaited
            loop.call_soon_threadsafe(done.set_exception, error)
        else:
            loop.call_soon_threadsafe(done.set_result, result)

    # A pool could be full of calls that wait for the ones that they make.
    threading.Thread(target=copy_context().run, args=(target,), daemon=True).start()
    try:
        result = await asyncio.shield(done)
    except asyncio.CancelledError:
        task.cancel()
        # The function's own end is waited for, as it would be without governance, and recorded.
        await asyncio.wait([done])
        done.exception()
        raise
    return _conclude(call, result)


class _LoopTask:
    """A coroutine that a thread has the loop of another one run."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        begin: Callable[[Mapping[str, Any]], Coroutine[Any, Any, Any]],
    ) -> None:
        self._loop = loop
        self._begin = begin
        self._future: futures.Future[Any] | None = None
        self._is_cancelled = False

    def run(self, **found: Any) -> Any:
        """The result, once there is one. Raises what the coroutine raises."""
        import asyncio
        from concurrent import futures

        self._future = asyncio.run_coroutine_threadsafe(self._begin(found), self._loop)
        # Both sides write before they look, so that one of them sees the other.
        if self._is_cancelled:
            self._future.cancel()
        try:
            return self._future.result()
        except futures.CancelledError:
            raise asyncio.CancelledError from None

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._future is not None:
            self._future.cancel()


def _conclude(call: HostCall, result: ExecutionResult) -> Any:
    """What the function gave or raised, if it ran; else what stopped it."""
    if call.error is not None:
        raise call.error
    if result.status != "success":
        return result.result
    return call.value


# The form of a function


@dataclass(frozen=True)
class _Form:
    """The parameters of a function, as a call's arguments are bound to them and recorded."""

    name: str
    signature: inspect.Signature
    schema: Mapping[str, Any]
    # Those of the defaults that JSON has a form for: a rule has to see them too.
    defaults: Mapping[str, bytes]
    # The same as Python values.
    pristine: Mapping[str, Any]
    floats: frozenset[str]

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's arguments by name. Raises TypeError as the function would."""
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from None
        found = {name: canonical.decode(text) for name, text in self.defaults.items()} | bound
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is _VAR_KEYWORD:
                found |= found.pop(name, {})
        return found

    def apply(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """The call itself, with arguments by name."""
        named = dict(arguments)
        for name, text in self.defaults.items():
            if canonical.encode(named[name]) == text:
                # As it was when the function was wrapped, whatever earlier calls did to theirs.
                named[name] = deepcopy(self.pristine[name])
        # In JSON 2.0 and 2 are one number.
        for name in self.floats & named.keys():
            if type(named[name]) is int:
                named[name] = float(named[name])
        positional = [
            named.pop(name, parameter.default)
            for name, parameter in self.signature.parameters.items()
            if parameter.kind is _POSITIONAL_ONLY
        ]
        return function(*positional, **named)


def _form_of(function: Callable[..., Any]) -> _Form:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise _unfit(function, "a function whose work is done when it returns", "a generator")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise _unfit(function, "a function with a signature", "none") from None
    parameters = signature.parameters.values()
    if _is_method(function, signature):
        raise _unfit(
            function,
            "a function, or a method of an object: govern(object.method)",
            "a method of a class",
        )
    kinds = {parameter.kind for parameter in parameters}
    if _VAR_POSITIONAL in kinds:
        raise _unfit(function, "parameters that each have a name", "*arguments")
    if {_POSITIONAL_ONLY, _VAR_KEYWORD} <= kinds:
        raise _unfit(function, "one argument for each name", "positional-only ones and **keywords")
    hints = {parameter.name: hint_of(function, parameter) for parameter in parameters}
    named = [parameter for parameter in parameters if parameter.kind is not _VAR_KEYWORD]
    defaults = {
        each.name: canonical.encode(each.default) for each in named if is_json(each.default)
    }
    properties = {each.name: schema_of(hints[each.name]) for each in named}
    for name, text in defaults.items():
        properties[name]["default"] = canonical.decode(text)
    schema = {
        "type": "object",
        "properties": properties,
        # What a rule has to see is stated, by whoever calls.
        "required": [each.name for each in named if each.name in defaults or _is_needed(each)],
        "additionalProperties": _VAR_KEYWORD in kinds,
    }
    floats = frozenset(each.name for each in named if hints[each.name] is float)
    pristine = {name: deepcopy(signature.parameters[name].default) for name in defaults}
    return _Form(_name_of(function), signature, schema, defaults, pristine, floats)


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty


def _is_method(function: Callable[..., Any], signature: inspect.Signature) -> bool:
    """Whether a function stands in the body of a class, and is called with an object of it."""
    inside = getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
    return "." in inside and next(iter(signature.parameters), "") in ("self", "cls")


def _action_of(
    function: Callable[..., Any], form: _Form, name: str | None, risk_tier: RiskTier | None
) -> Action:
    module = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    if name is None and not (isinstance(module, str) and isinstance(qualname, str)):
        raise _unfit(function, "a function with a name, or name=", "neither")
    action_id = name or fitting(f"host.{module}.{qualname}")
    if not ACTION_ID.match(action_id) or len(action_id) > MAX_ACTION_ID:
        raise _unfit(function, "a name like ticket.refund", repr(action_id))
    return Action(
        action_id=action_id,
        name=action_id.rpartition(".")[2].replace("_", " "),
        description=(inspect.getdoc(function) or "").partition("\n\n")[0],
        parameters_schema=form.schema,
        risk_tier=risk_tier,
        executor=HostExecutor(
            f"{module}:{qualname}",
            lambda **found: _run_here(function, form, found),
            # Made anew by the same code, it is the same function.
            getattr(inspect.unwrap(function), "__code__", function),
        ),
    )


def _run_here(function: Callable[..., Any], form: _Form, found: Mapping[str, Any]) -> Any:
    """A call that comes through a session, not through what `govern` returned."""
    value = form.apply(function, found)
    if not inspect.iscoroutine(value):
        return value
    import asyncio  # 49 ms, for those who have use for it

    return asyncio.run(value)


def _unfit(function: Callable[..., Any], expected: str, found: str) -> UsageError:
    return UsageError(f"{_name_of(function)}: expected {expected}, found {found}")


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


# Where the calls go

_nearest: Final[dict[Path, Project]] = {}
_opening = threading.Lock()


def _after_fork() -> None:
    """In a child: the thread that held the parent's lock may not exist."""
    global _opening  # noqa: PLW0603  # a fork is a fact about the process
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class _Place:
    """The project and the session of a function's calls, found at the first one unless stated."""

    def __init__(
        self, action: Action, project: Project | None, session: GovernedSession | None
    ) -> None:
        self._action = action
        self._session = session
        self._project = session.project if session is not None else project
        if self._project is not None:
            self._project.declare(action)
        # The session and the snapshot that a resolution of the call is of, and until when it holds.
        self._resolved: tuple[str, str, str] = ("", "", "")

    def execute(self, call: HostCall, arguments: Mapping[str, Any]) -> ExecutionResult:
        project = self._project or self._open()
        session = self._session or project.host_session()
        result = self._try(project, session, call, arguments)
        if result.policy_id == NO_RESOLUTION:
            # Another thread has declared an action in between, or the clock has jumped.
            self._resolved = ("", "", "")
            result = self._try(project, session, call, arguments)
        return result

    def _open(self) -> Project:
        root = find_project(Path())
        with _opening:
            project = _nearest.get(root) if root is not None else None
            if project is None:
                project = Project.open()
                _nearest[project.root] = project
        project.declare(self._action)
        self._project = project
        return project

    def _try(
        self,
        project: Project,
        session: GovernedSession,
        call: HostCall,
        arguments: Mapping[str, Any],
    ) -> ExecutionResult:
        digest = project.snapshot.digest
        session_id, snapshot, expires_at = self._resolved
        is_known = (session_id, snapshot) == (session.id, digest)
        if not is_known or expires_at <= project.ledger.source.now():
            resolution = session.resolve(f"call {self._action.action_id}", atlas_ids=[HOST])
            self._resolved = session.id, digest, resolution.document["decision"]["expires_at"]
        token = CURRENT.set(call)
        try:
            return session.execute(self._action.action_id, arguments)
        finally:
            CURRENT.reset(token)
