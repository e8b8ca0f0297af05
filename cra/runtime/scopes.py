"""The scopes of a new session: they only narrow."""

from __future__ import annotations

from collections.abc import Sequence

from cra.config import Config
from cra.errors import UsageError
from cra.ledger.store import Ledger


def narrowed_scopes(
    config: Config, ledger: Ledger, agent: str, parent_id: str | None, stated: Sequence[str] | None
) -> tuple[str, ...]:
    """The session's scopes. Raises UsageError if one is beyond the agent's or the parent's."""
    bounds = []
    if agent in config.agents:
        bounds.append((f"agents.{agent} in the configuration", config.agents[agent].scopes))
    if parent_id is not None:
        recorded = (ledger.first_event(parent_id).payload or {}).get("scopes", ())
        bounds.append((f"the parent {parent_id}", tuple(recorded)))
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
