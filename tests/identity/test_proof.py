"""What a proof is good for."""

import pytest

from tachograph.identity.proof import Proof
from tachograph.schemas.event import Principal, PrincipalKind

WHO = Principal(id="bot", kind=PrincipalKind.API_KEY)


@pytest.mark.parametrize(
    ("connections", "covered"),
    [(None, True), (frozenset({"api", "x"}), True), (frozenset({"x"}), False), (frozenset(), False)],
)
def test_a_scope_limits_connections(connections: frozenset[str] | None, *, covered: bool) -> None:
    """No scope is every connection; an empty one is none."""
    assert Proof(WHO, connections=connections).covers("api") is covered
