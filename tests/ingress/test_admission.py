"""What a decision looks at shows names and sizes, never content."""

from __future__ import annotations

from uuid import UUID

from tachograph.ingress.admission import Asked
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind, Protocol


def asked(body: bytes | None) -> Asked:
    return Asked(
        exchange=UUID(int=1),
        session=UUID(int=2),
        connection=Connection(name="crm", protocol=Protocol.HTTP, upstream="http://crm.internal"),
        principal=Principal(id="nightly", kind=PrincipalKind.API_KEY),
        groups=frozenset({"agents"}),
        actors=(),
        method="POST",
        target="/people?email=ada@example.org",
        headers=(("Authorization", "Bearer for-the-target"),),
        client="10.0.0.1:4711",
        started_ns=0,
        body=body,
    )


def test_its_repr_holds_no_content() -> None:
    """Neither header values nor the query nor the body stand in a log by accident."""
    shown = repr(asked(b"the secret of the house"))
    assert "<23 bytes>" in shown
    assert not any(word in shown for word in ("secret", "Bearer", "ada", "4711"))


def test_an_unread_body_says_so() -> None:
    """None is not an empty body."""
    assert "unread" in repr(asked(None))
    assert "<0 bytes>" in repr(asked(b""))
