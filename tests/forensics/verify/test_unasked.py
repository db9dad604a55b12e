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


@pytest.mark.parametrize("gone", [1, 2])
def test_a_deletion_that_does_not_say_what_was_named_is_said(gone: int) -> None:
    """As earlier ones did not: whether messages and parts beside it were left out is open."""
    assert unchecked(reduced((gone,)), deletion_policy()) == ALL
    assert unchecked(reduced((gone,), names=None), deletion_policy()) == [*ALL, "messages"]
