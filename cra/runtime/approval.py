"""Approvals of a session: what is asked for, who decided it, and what a grant holds for.

A grant holds for the call that it was asked for and nothing else: `binding` names the ledger, the
session, the agent, the action as it was read, the rules, and the arguments. It lifts one rung of
the ladder (specs/PROTOCOL.md section 14); everything else is decided again at the call.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cra import canonical
from cra.atlas.model import Action, Atlas, HostExecutor
from cra.errors import NotFound, SignerRefused, UsageError, ValueRefused
from cra.ledger.blobs import read_member
from cra.ledger.checkpoint import Signer, is_signature, parse_key
from cra.ledger.source import later
from cra.ledger.store import Session as Record
from cra.ledger.writer import ChainWriter
from cra.policy.ladder import Ruling
from cra.protocol.events import Approver
from cra.runtime.host import described
from cra.runtime.record import Decided, FrozenCall, record_expiry, record_question
from cra.runtime.state import Approval, Given, SessionState, Standing

if TYPE_CHECKING:
    from cra.runtime.project import Project

_DOMAIN: Final = b"cra approval 1\n"
_MAX_REASON: Final = 500
_POLL_SECONDS: Final = 0.25
_MAX_USES: Final = 1_000_000


@dataclass(frozen=True)
class Scope:
    """How far a grant goes."""

    # How many calls; None: any number.
    uses: int | None = 1
    # A timestamp; None: as long as the configuration says.
    until: str | None = None
    # Whether the arguments may be others than those that were asked for.
    any_arguments: bool = False

    def __post_init__(self) -> None:
        if self.uses is not None and not 1 <= self.uses <= _MAX_USES:
            raise UsageError(f"expected a grant for 1 to {_MAX_USES} calls, found {self.uses}")


ONCE: Final = Scope()


class Consent(NamedTuple):
    """The grant that a call stands on; `key` None: nobody signed it."""

    approval_id: str
    key: str | None


class Refusal(NamedTuple):
    """The decision of a person that a call is denied by."""

    approval_id: str
    reason: str


class Approvals:
    """The approvals of one session. Every change is made under the session's lock."""

    def __init__(self, project: Project, record: Record, state: SessionState, agent: str) -> None:
        self._project = project
        self._record = record
        self._state = state
        self._agent = agent
        self._source = project.ledger.source
        # The events of decisions that another ledger has, and whose signatures hold there.
        self._repeated: set[int] = set()

    def find(self, approval_id: str) -> Approval:
        """The approval with an id, its arguments whole. Raises NotFound."""
        with self._record.batch():
            found = self._known(approval_id)
        stored = read_member(found.asked["arguments"], found.salt, self._record.paths.blobs)
        return replace(found, asked={**found.asked, "arguments": stored})

    def arguments_of(self, approval_id: str) -> dict[str, Any]:
        """The arguments of the call that was asked for. Raises UsageError if they are not recorded,
        NotFound."""
        try:
            found: dict[str, Any] = canonical.unwrap(self.find(approval_id).arguments)
        except ValueRefused:
            raise UsageError(
                f"expected the arguments of {approval_id}, found a secret in them, which is not "
                "recorded",
                fix="state them again, with --param or --params",
            ) from None
        return found

    def standing(self, approval_id: str) -> Standing:
        """How an approval stands now. Raises NotFound."""
        with self._record.batch():
            known, snapshot = self._known(approval_id), self._project.read_digest
            return known.standing(self._now(), self._attester(), snapshot)

    def check_waits(self, approval_id: str, *, is_grant: bool) -> None:
        """Raises what `grant`, or `deny`, would, whoever decides and however far it goes: a person
        is asked for nothing that would be refused."""
        with self._record.batch():
            asked = self._undecided(approval_id).asked
            if is_grant:
                self._check_current(asked)

    def wait(self, approval_id: str, seconds: float = inf) -> Standing:
        """How an approval stands once it is decided, in whatever process, or can be no more; still
        `pending` when the seconds have passed. No lock is held meanwhile. Raises NotFound."""
        end = time.monotonic() + seconds
        while (standing := self.standing(approval_id)) == "pending":
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(_POLL_SECONDS, left))
        return standing

    def grant(
        self,
        approval_id: str,
        by: Approver,
        *,
        reason: str = "",
        scope: Scope = ONCE,
        signer: Signer | None = None,
        on_terminal: bool = False,
    ) -> Scope:
        """Let the call that was asked for be made, as far as the scope goes, and return the scope
        with the moment at which it ends.

        The word of a program is recorded as that, whatever it says of itself; `on_terminal` is for
        who has asked a person there. Raises UsageError if it is decided, has expired or the scope
        is too wide, SignerRefused for a key that does not count, NotFound.
        """
        with self._record.batch(barrier=True) as writer:
            asked = self._undecided(approval_id).asked
            if scope.any_arguments and asked["risk_tier"] == "critical":
                raise UsageError(
                    "expected the same arguments for an action of risk tier critical, "
                    "found a grant for any",
                    fix="grant it without --any-arguments",
                )
            self._check_current(asked)
            binding = dict(asked["binding"])
            if scope.any_arguments:
                binding["arguments_digest"] = None
            granted = replace(scope, until=scope.until or self._end_of_ttl(self._now()))
            payload = {
                "approval_id": approval_id,
                "action_id": asked["action_id"],
                "binding": binding_digest(binding),
                "any_arguments": scope.any_arguments,
                "uses": scope.uses,
                "expires_at": granted.until,
                "reason": _checked(reason),
                "approver": _word_of(by, on_terminal=on_terminal),
            }
            signed = self._signed("granted", payload, signer, asked)
            writer.append("approval.granted", payload | signed, actor_id=by["name"])
        return granted

    def deny(
        self,
        approval_id: str,
        by: Approver,
        *,
        reason: str = "",
        signer: Signer | None = None,
        on_terminal: bool = False,
    ) -> None:
        """Refuse the call that was asked for, for as long as a grant would have held.

        Raises UsageError if it is decided or has expired, NotFound, SignerRefused.
        """
        with self._record.batch(barrier=True) as writer:
            asked = self._undecided(approval_id).asked
            payload = {
                "approval_id": approval_id,
                "action_id": asked["action_id"],
                "expires_at": self._end_of_ttl(self._now()),
                "reason": _checked(reason),
                "approver": _word_of(by, on_terminal=on_terminal),
            }
            signed = self._signed("denied", payload, signer, asked)
            writer.append("approval.denied", payload | signed, actor_id=by["name"])

    def repeat(self, approval_id: str, given: Mapping[str, Any]) -> None:
        """Record the decision that another ledger has on the same call, for a replay of it.

        Whoever replays has verified that ledger: a signature there binds to that ledger, so that
        none can be here. Raises UsageError if it is decided or has expired.
        """
        with self._record.batch(barrier=True) as writer:
            asked = self._undecided(approval_id).asked
            payload = {key: value for key, value in given.items() if key != "signature"}
            payload |= {"approval_id": approval_id, "action_id": asked["action_id"]}
            event_type = "approval.denied"
            if "binding" in given:
                event_type = "approval.granted"
                binding = dict(asked["binding"])
                if given["any_arguments"]:
                    binding["arguments_digest"] = None
                payload["binding"] = binding_digest(binding)
            recorded = writer.append(event_type, payload, actor_id=given["approver"]["name"])
            self._repeated.add(recorded.sequence)

    # For a call, under the session's lock.

    def answer_to(
        self, call: FrozenCall, asking: Ruling, now: str, only: str | None = None
    ) -> Consent | Refusal | None:
        """The grant that a call may use, what refused it, or None if it is to be asked for.

        With `only`, no other approval counts: raises UsageError if that one does not.
        """
        attested = self._attester()
        exact, anything = self._digests(call)
        latest = self._state.asked.get((call.action.action_id, call.digest))
        refused = self._state.approvals[latest] if latest is not None else None
        if refused is not None and refused.standing(now, attested) == "denied":
            given = refused.decision(attested)
            assert given is not None
            return Refusal(refused.approval_id, _told(given))
        for approval in reversed(self._state.approvals.values()):
            if only not in (None, approval.approval_id):
                continue
            if approval.standing(now, attested) != "granted":
                continue
            given = approval.decision(attested)
            assert given is not None
            bound: str = given.payload["binding"]
            is_bound = bound == exact or (
                bound == anything
                and given.payload["any_arguments"]
                and asking.risk_tier != "critical"
            )
            if is_bound and self._is_by_whom_it_says(given):
                return Consent(approval.approval_id, given.payload["approver"].get("key"))
        if only is not None:
            raise UsageError(
                f"expected a grant for this call, found that {only!r:.60} is "
                f"{self._known(only).standing(now, attested)} or was given for another call",
                fix=f"cra approvals show {only}",
            )
        return None

    def ask(self, writer: ChainWriter, call: FrozenCall, decided: Decided, now: str) -> str:
        """The id of the approval that a call waits for; the same for whoever asks again."""
        rule = decided.ruling.rule
        binding = self._binding(call, call.digest)
        # At another time another rule may ask, with approvers of its own.
        approvers = [*(rule.approvers if rule else self._project.policy.approvers)]
        latest = self._state.asked.get((call.action.action_id, call.digest))
        if latest is not None and not call.is_dry_run:
            known = self._state.approvals[latest]
            attested = self._attester()
            standing = known.standing(now, attested)
            stated = known.asked["binding"], known.asked["approvers"]
            # Nobody could grant what nobody vouches for.
            is_same = stated == (binding, approvers) and attested(known.sequence)
            if standing == "pending" and is_same:
                return latest
            if standing == "expired":
                record_expiry(writer, latest, call.action.action_id)
        approval_id = self._source.new_id()
        payload = {
            "approval_id": approval_id,
            "action_id": call.action.action_id,
            "reason": decided.ruling.reason,
            "policy_id": decided.ruling.policy_id,
            "risk_tier": decided.ruling.risk_tier,
            "arguments": call.recorded,
            "arguments_digest": call.digest,
            "binding": binding,
            "resolution_id": decided.resolution_id,
            "expires_at": self._end_of_ttl(now),
            "approvers": approvers,
        }
        record_question(writer, call, decided, payload)
        return approval_id

    def _end_of_ttl(self, now: str) -> str:
        return later(now, self._project.config.policies.approval_ttl_seconds)

    def _now(self) -> str:
        return max(self._source.now(), self._state.latest)

    def _attester(self) -> Callable[[int], bool]:
        covered = self._record.covered_size
        return lambda sequence: self._state.is_attested(sequence, covered)

    def _known(self, approval_id: str) -> Approval:
        found = self._state.approvals.get(approval_id)
        if found is None:
            raise NotFound(
                f"expected an approval of the session {self._record.id}, found none named "
                f"{approval_id!r:.60}",
                fix="cra approvals list",
            )
        return found

    def _undecided(self, approval_id: str) -> Approval:
        found = self._known(approval_id)
        standing = found.standing(self._now(), self._attester())
        if standing != "pending":
            given = found.decision(self._attester())
            by_whom = f": {_told(given)}" if given is not None else ""
            raise UsageError(
                f"expected an approval that waits for a decision, found that {approval_id} is "
                f"{standing}{by_whom}",
                fix=f"cra approvals show {approval_id}",
            )
        if not self._attester()(found.sequence):
            raise UsageError(
                f"expected an approval that the runtime asked for, found that nobody vouches for "
                f"{approval_id}",
                fix="cra trace verify",
            )
        return found

    def _check_current(self, asked: Mapping[str, Any]) -> None:
        bound, snapshot = asked["binding"]["snapshot"], self._project.read_digest
        if bound != snapshot:
            raise no_longer_grantable()

    def _digests(self, call: FrozenCall) -> tuple[str, str]:
        exact, anything = (self._binding(call, digest) for digest in (call.digest, None))
        return binding_digest(exact), binding_digest(anything)

    def _binding(self, call: FrozenCall, arguments_digest: str | None) -> dict[str, Any]:
        return {
            "action_digest": _action_digest(call.atlas, call.action),
            "action_id": call.action.action_id,
            "agent_id": self._agent,
            "arguments_digest": arguments_digest,
            "ledger_id": self._project.ledger.id,
            "session_id": self._record.id,
            "snapshot": self._project.read_digest,
        }

    # Keys.

    def _signed(
        self,
        decision: str,
        payload: Mapping[str, Any],
        signer: Signer | None,
        asked: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The approver's key and signature, if somebody signs. Raises SignerRefused for a key that
        does not count, or where only signatures do."""
        if signer is None:
            if asked["approvers"]:
                raise SignerRefused(
                    f"expected a signature by one of {len(asked['approvers'])} approvers, "
                    "found none",
                    fix="name an approver's key with --key",
                )
            return {}
        key = str(signer.key)
        self._check_key(key, asked["approvers"])
        signature = signer.sign(_statement(decision, payload))
        approver = payload["approver"] | {"how": "key", "key": key}
        return {"approver": approver, "signature": base64.b64encode(signature).decode()}

    def _check_key(self, key: str, approvers: list[str]) -> None:
        if key in self._ledger_keys():
            raise SignerRefused(
                "expected an approver's key, found the key that signs the ledger",
                fix="make another with: cra approvals key FILE",
            )
        if key not in approvers or key not in self._listed_keys():
            raise SignerRefused(
                f"expected the key of a listed approver, found {key}",
                fix="list it in policies.approvers, or in the rule's approvers",
            )

    def _is_by_whom_it_says(self, given: Given) -> bool:
        """Whether a grant is signed, if it names a key; which keys count, the rules say."""
        approver: Approver = given.payload["approver"]
        key = approver.get("key")
        if key is None:
            return approver["how"] != "key"
        is_listed = key in self._listed_keys() - self._ledger_keys()
        if given.sequence in self._repeated:
            return is_listed
        try:
            public = parse_key(key).public
            signature = base64.b64decode(given.payload["signature"], validate=True)
        except (SignerRefused, KeyError, binascii.Error):
            return False
        statement = _statement("granted", given.payload)
        return is_listed and is_signature(public, statement, signature)

    def _listed_keys(self) -> set[str]:
        """The keys of all that may approve something; what they may approve, the ladder says."""
        policy = self._project.policy
        return {*policy.approvers, *(key for one in policy.rules for key in one.rule.approvers)}

    def _ledger_keys(self) -> set[str]:
        signer = self._project.ledger.signer
        return {*self._project.config.keys, *([str(signer.key)] if signer else ())}


def no_longer_grantable() -> UsageError:
    return UsageError(
        "expected the atlases, policies and settings that the call was asked under, found that "
        "they have changed: a grant would not count",
        fix="resolve again, have the call made again, and grant what it asks for then",
    )


def _word_of(by: Approver, *, on_terminal: bool) -> Approver:
    return {"how": "terminal" if on_terminal else "program", "name": by["name"]}


def binding_digest(binding: Mapping[str, Any]) -> str:
    return sha256(_DOMAIN + canonical.encode(dict(binding))).hexdigest()


def _statement(decision: str, payload: Mapping[str, Any]) -> bytes:
    """What an approver signs: the decision and all that it is about."""
    said = {key: value for key, value in payload.items() if key not in ("approver", "signature")}
    return _DOMAIN + canonical.encode({"decision": decision, **said})


def _action_digest(atlas: Atlas, action: Action) -> str:
    """What an action is. A host program declares its functions as they come, so each for itself."""
    if isinstance(action.executor, HostExecutor):
        return sha256(_DOMAIN + canonical.encode(described(action))).hexdigest()
    return atlas.digest


def _told(given: Given) -> str:
    """Who decided what, and why."""
    reason = given.payload["reason"]
    done = "granted" if given.is_grant else "denied"
    who = given.payload["approver"]["name"]
    return f"{who} {done} it" + (f": {reason}" if reason else "")


def _checked(reason: str) -> str:
    if len(reason) > _MAX_REASON:
        raise UsageError(f"expected a reason of at most {_MAX_REASON} characters")
    return reason
