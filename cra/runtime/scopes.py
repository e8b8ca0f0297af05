"""What bounds a new session: its length, and its scopes, which only narrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cra.config import Config
from cra.errors import UsageError
from cra.ledger.outline import outline
from cra.ledger.store import Ledger
from cra.ledger.writer import ChainPaths

MAX_TTL_SECONDS: Final = 366 * 86_400


def narrowed_scopes(
    config: Config, ledger: Ledger, agent: str, parent_id: str | None, stated: Sequence[str] | None
) -> tuple[str, ...]:
    """The session's scopes. Raises UsageError if one is beyond the agent's or the parent's, and for
    a parent that is over: it has nothing to give any more; NotFound for one that is not there."""
    bounds = []
    if agent in config.agents:
        bounds.append((f"agents.{agent} in the configuration", config.agents[agent].scopes))
    if parent_id is not None:
        ledger.first_event(parent_id)  # raises NotFound
        parent = outline(ChainPaths(ledger.directory, parent_id).data)
        state = parent.state(ledger.source.now())
        if state != "open":
            raise UsageError(
                f"expected an open session as the parent, found {parent_id}, which is {state}",
                fix="cra session list",
            )
        bounds.append((f"the parent {parent_id}", tuple(parent.opening.get("scopes", ()))))
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
