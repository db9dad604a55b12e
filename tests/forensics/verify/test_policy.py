"""The trust policy: read from YAML or JSON, and refused with what is wrong in it."""

import json
from typing import Any

import pytest
import yaml
from authority import Authority
from world import EXPORTER, LOG, WITNESS, policy

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.verify.policy import TrustPolicy


def test_yaml_and_json_are_the_same() -> None:
    """Every JSON policy is a YAML policy."""
    value = policy(witnesses={"required": 1, "keys": [str(WITNESS.key)]}, rulesets=["r"])
    value["timestamps"] = {"required": True, "roots": [Authority(1).pem]}
    one = TrustPolicy.parse(json.dumps(value), file="a")
    assert one == TrustPolicy.parse(yaml.safe_dump(value), file="b")
    assert one.logs[0].parsed == LOG.key
    assert one.timestamps.certificates == [Authority(1).root]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"logs": [{"key": "x"}]},
        {"logs": [{"key": str(WITNESS.key)}]},
        {"witnesses": {"required": 1, "keys": []}},
        {"witnesses": {"required": 0, "keys": [str(EXPORTER.key)]}},
        {"exporters": [{"key": str(EXPORTER.key), "revoked": "perhaps"}]},
        {"timestamps": {"required": True, "roots": []}},
        {"timestamps": {"roots": ["-----BEGIN CERTIFICATE-----"]}},
        {"timestamps": {"roots": [Authority(1).pem, Authority(1).pem]}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any]) -> None:
    """Nobody verifies by a policy that says something else than its author thinks."""
    with pytest.raises(OperatorError, match=r"trust\.yaml"):
        TrustPolicy.parse(json.dumps(policy(**change)), file="trust.yaml")


@pytest.mark.parametrize("text", ["", "[", "{" * 5000, "- 1", "a: &a [*a]", "x" * (2 << 20)])
def test_what_is_no_policy_is_refused(text: str) -> None:
    """Whatever the file is."""
    with pytest.raises(OperatorError):
        TrustPolicy.parse(text, file="trust.yaml")
