"""Work in a thread of its own, waited for only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def within(seconds: float, name: str, function: Callable[[], _T]) -> _T:
    """What a function returns or raises. Raises TimeoutError while it goes on, which nothing can
    end; its thread does not keep the process alive."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
