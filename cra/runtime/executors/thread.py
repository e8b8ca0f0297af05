"""Work in a thread beside the caller's, waited for only so long."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeAlias, TypeVar

_T = TypeVar("_T")
# What a thread is to do next; None ends it.
_Calls: TypeAlias = "SimpleQueue[Callable[[], object] | None]"

_MAX_IDLE: Final = 8
# To start a thread takes 40 µs, three times as long as to wake one.
_idle: Final[list[_Calls]] = []
# Of a parent's threads a forked child has none.
os.register_at_fork(after_in_child=_idle.clear)


def within(seconds: float, name: str, function: Callable[[], _T]) -> _T:
    """What a function returns or raises, called in a copy of the caller's context.

    Raises TimeoutError while it goes on, which nothing can end; its thread does not keep the
    process alive.
    """
    results: list[_T] = []
    errors: list[BaseException] = []
    done = threading.Lock()
    done.acquire()

    def target() -> None:
        threading.current_thread().name = name
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is waited for
            errors.append(error)
        finally:
            done.release()

    calls = _waiting_thread()
    calls.put(partial(copy_context().run, target))
    is_done = False
    try:
        is_done = done.acquire(timeout=seconds)
    finally:
        if is_done and len(_idle) < _MAX_IDLE:
            _idle.append(calls)
        else:
            calls.put(None)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def _waiting_thread() -> _Calls:
    try:
        return _idle.pop()
    except IndexError:
        calls: _Calls = SimpleQueue()
        threading.Thread(target=_serve, args=(calls,), daemon=True).start()
        return calls


def _serve(calls: _Calls) -> None:
    owner = os.getpid()
    while (call := calls.get()) is not None:
        call()
        # What was called is kept alive by nobody, and a copy of this thread that the function has
        # forked waits for nothing.
        del call
        if os.getpid() != owner:
            return
