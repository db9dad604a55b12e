"""Who sees what, and how a decision names them."""

from __future__ import annotations

from typing import Any

from tachograph.console.people import Person
from tachograph.identity.proof import Proof
from tachograph.schemas.event import Principal, PrincipalKind


async def test_a_key_for_other_connections_sees_nothing(world: Any) -> None:
    """A credential that is limited to connections is limited here too."""
    approval = world.asks()
    who = Principal(id="ruth", kind=PrincipalKind.API_KEY)
    limited = Person(Proof(who, frozenset({"ops"}), connections=frozenset({"else"})), via="console")
    whole = Person(Proof(who, frozenset({"ops", "x"})), via="console")
    assert not limited.sees(approval, ())
    assert whole.sees(approval, ())
    assert whole.reviewer(approval).groups == ("ops",)
