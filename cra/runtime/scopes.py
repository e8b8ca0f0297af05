"""What bounds a new session: its length and its scopes, which only narrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cra.config import Config
from cra.errors import UsageError
from cra.ledger.outline import Outline, outline
from cra.ledger.source import milliseconds_between
from cra.ledger.store import Ledger
from cra.ledger.writer import ChainPaths

MAX_TTL_SECONDS: Final = 366 * 86_400
_TTL_SECONDS: Final = 3_600


class Bounds(NamedTuple):
    scopes: tuple[str, ...]
    ttl_seconds: int


def narrowed(
    config: Config,
    ledger: Ledger,
    agent: str,
    parent_id: str | None,
    *,
    scopes: Sequence[str] | None,
    ttl_seconds: int | None,
) -> Bounds:
    """What a new session has: what is stated, or as much as its agent and its parent give.

    Raises UsageError if more is stated than they give, and for a parent that is over: it has
    nothing to give any more; NotFound for one that is not there.
    """
    if ttl_seconds is not None and not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
        raise UsageError(
            f"expected a session of 1 to {MAX_TTL_SECONDS} seconds, found {ttl_seconds}"
        )
    now = ledger.source.now()
    parent = _open_parent(ledger, parent_id, now) if parent_id is not None else None
    return Bounds(_scopes(config, agent, parent, scopes), _ttl_seconds(parent, now, ttl_seconds))


def _open_parent(ledger: Ledger, parent_id: str, now: str) -> Outline:
    ledger.first_event(parent_id)  # raises NotFound
    parent = outline(ChainPaths(ledger.directory, parent_id).data)
    state = parent.state(now)
    if state != "open":
        raise UsageError(
            f"expected an open session as the parent, found {parent_id}, which is {state}",
            fix="cra session list",
        )
    return parent


def _scopes(
    config: Config, agent: str, parent: Outline | None, stated: Sequence[str] | None
) -> tuple[str, ...]:
    bounds = []
    if agent in config.agents:
        bounds.append((f"agents.{agent} in the configuration", config.agents[agent].scopes))
    if parent is not None:
        bounds.append((f"the parent {parent.id}", tuple(parent.opening.get("scopes", ()))))
    for whose, allowed in bounds:
        beyond = sorted(set(stated or ()) - set(allowed))
        if beyond:
            raise UsageError(
                f"expected scopes of {whose} ({', '.join(allowed) or 'none'}), "
                f"found {', '.join(beyond)}"
            )
    if stated is not None or not bounds:
        return tuple(dict.fromkeys(stated or ()))
    _, first = bounds[0]
    return tuple(scope for scope in first if all(scope in allowed for _, allowed in bounds))


def _ttl_seconds(parent: Outline | None, now: str, stated: int | None) -> int:
    """The seconds that are stated, or as many of an hour as the parent has left."""
    if parent is None:
        return stated or _TTL_SECONDS
    left = milliseconds_between(now, parent.opening["expires_at"]) // 1000
    wanted = stated or max(1, min(left, _TTL_SECONDS))
    if wanted > left:
        raise UsageError(
            f"expected a session of at most {left} seconds, which its parent {parent.id} has left, "
            f"found {wanted}",
            fix="let it be shorter, or begin it without a parent",
        )
    return wanted
