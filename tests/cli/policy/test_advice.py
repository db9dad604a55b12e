"""What is seldom meant is said, with its line."""

from __future__ import annotations

import pytest

from tachograph.cli.policy.advice import warnings
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

CONNECTIONS = (Connection(name="crm", protocol="http", upstream="http://x", labels={"env": "prod"}),)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ('forbid(principal, action, resource) when { context.path like "/x" };', "path_folded"),
        ('permit(principal, action, resource == Connection::"cmr");', 'Connection::"cmr" is not'),
        ("permit(principal, action, resource) when { resource.labels has evn };", "label `evn`"),
        ('@approval("ops") permit(principal, action, resource);', "@reason"),
    ],
)
def test_what_is_odd(policy: str, says: str) -> None:
    """One warning each."""
    (found,) = warnings(read_policies([PolicyFile("a.cedar", f'\n@id("p") {policy}')]), CONNECTIONS)
    assert says in str(found)
    assert str(found).startswith("a.cedar:2: policy `p`")


@pytest.mark.parametrize(
    "policy",
    [
        'permit(principal, action, resource) when { context.path like "/x" };',
        'forbid(principal, action, resource) when { context.path_folded == "/x" && context.path == "/x" };',
        'permit(principal, action, resource == Connection::"crm") when { resource.labels has env };',
        '@approval("ops") @reason("why") permit(principal, action, resource);',
    ],
)
def test_what_is_not(policy: str) -> None:
    """No warning."""
    assert warnings(read_policies([PolicyFile("a.cedar", f'@id("p") {policy}')]), CONNECTIONS) == []
