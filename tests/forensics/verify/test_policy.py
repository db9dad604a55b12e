"""The trust policy: read from YAML or JSON, and refused with what is wrong in it."""

import json
from typing import Any

import pytest
import yaml
from authority import Authority
from world import EXPORTER, LOG, WITNESS, key, policy

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.schemas.note import NoteSigner, SignatureKind

SECOND_NAME = NoteSigner("witness.example/2", key(5), SignatureKind.COSIGNATURE)
LOG_AS_WITNESS = NoteSigner("witness.example/3", key(1), SignatureKind.COSIGNATURE)
MERGED = "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9))
REPEATED = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))


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
        {"logs": [{"key": str(LOG.key), "revoked": True}, {"key": str(LOG.key)}]},
        {"exporters": [{"key": str(EXPORTER.key)}] * 2},
        {"deletions": [{"key": str(EXPORTER.key), "revoked": True}, {"key": str(EXPORTER.key)}]},
        {"gateways": [{"key": str(EXPORTER.key), "revoked": True}, {"key": str(EXPORTER.key)}]},
        {"witnesses": {"required": 1, "keys": [str(WITNESS.key)] * 2}},
        {"witnesses": {"required": 2, "keys": [str(WITNESS.key), str(SECOND_NAME.key)]}},
        {"witnesses": {"required": 1, "keys": [str(LOG_AS_WITNESS.key)]}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any]) -> None:
    """Nobody verifies by a policy that says something else than its author thinks."""
    with pytest.raises(OperatorError, match=r"trust\.yaml"):
        TrustPolicy.parse(json.dumps(policy(**change)), file="trust.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{" * 5000,
        "- 1",
        "a: &a [*a]",
        "x" * (2 << 20),
        "version: 2026-99-99",
        "version: !!bool perhaps",
        "version: !!timestamp soon",
        "version: !!int ''",
        "version: !!float many",
        f"version: {'1' * 5000}",
        f"a0: &a0 {{x: 1}}\n{MERGED}",
        f"a0: &a0 [1]\n{REPEATED}",
        json.dumps(policy())[:-1] + ', "version": 1}',
        json.dumps(policy())[:-1] + ', "witnesses": {"required": 0, "required": 0}}',
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    """Whatever the file is, at once, and not as a defect of ours."""
    with pytest.raises(OperatorError):
        TrustPolicy.parse(text, file="trust.yaml")
