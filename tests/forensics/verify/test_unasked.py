"""What a report says was not checked."""

import json
from typing import Any

import pytest
from attacks import honest
from deletions import deletion_policy, reduced
from heartbeats import trusting
from world import LOG, ORIGIN, WITNESS, policy

from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.verify import verify_bundle


def unchecked(data: bytes, value: dict[str, Any]) -> list[str]:
    report = verify_bundle(data, TrustPolicy.parse(json.dumps(value), file="trust.json"))
    found: list[str] = report.as_json()["unchecked"]
    return [text.partition(":")[0] for text in found]


def remembering(size: int) -> dict[str, Any]:
    return policy(logs=[{"key": str(LOG.key), "seen": {"size": size, "root": "ab" * 32}}])


ALL = ["heartbeats", "witnesses", "time stamps", "masking rules"]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (policy(), ALL),
        (trusting(), ALL[1:]),
        (policy(witnesses={"required": 1, "keys": [str(WITNESS.key)]}), [ALL[0], *ALL[2:]]),
        (policy(rulesets=["r"]), ALL[:3]),
        (remembering(5), [*ALL, ORIGIN]),
        (remembering(10), ALL),
    ],
    ids=range(6),
)
def test_what_the_policy_does_not_ask_for_is_said(value: dict[str, Any], left: list[str]) -> None:
    """Whatever the verdict is; and a remembered size that no checkpoint of the bundle has."""
    assert unchecked(honest(), value) == left


def test_deleted_messages_leave_the_others_unproven() -> None:
    """No leaf says which messages they were."""
    assert unchecked(reduced((2,)), deletion_policy()) == [*ALL, "messages"]
    assert unchecked(reduced((1,)), deletion_policy()) == ALL
