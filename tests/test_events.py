"""The table of event types."""

from __future__ import annotations

import pytest

from cra.errors import UsageError
from cra.protocol.events import check_payload, matching_types

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}


def test_a_payload_of_its_type_is_accepted_with_what_is_optional():
    assert check_payload("action.denied", DENIED).severity == "warn"
    assert check_payload("action.denied", {**DENIED, "simulated": True}).actor == "runtime"


@pytest.mark.parametrize(
    ("event_type", "payload", "found"),
    [
        ("action.maybe", DENIED, "'action.maybe'"),
        ("action.denied", {**DENIED, "approved_by": "me"}, "unknown: approved_by"),
        ("action.denied", {"action_id": "x"}, "missing: policy_id, reason"),
    ],
)
def test_unknown_types_and_members_are_refused_and_named(event_type, payload, found):
    with pytest.raises(UsageError, match="expected") as caught:
        check_payload(event_type, payload)

    assert found in caught.value.message


@pytest.mark.parametrize(
    ("pattern", "types"),
    [
        ("action.denied", {"action.denied"}),
        ("trace.action.denied", {"action.denied"}),
        ("approval.*ed", {"approval.requested", "approval.granted", "approval.denied",
                          "approval.expired", "approval.consumed"}),
        ("action.completed", {"action.executed"}),
        ("trace.carp.resolve.requested", {"carp.request.received"}),
        ("nothing.*", set()),
    ],
)  # fmt: skip
def test_globs_prefix_and_aliases_name_types(pattern, types):
    assert matching_types(pattern) == types
