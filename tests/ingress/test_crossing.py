"""What both ways ask of one exchange before anything has been connected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tachograph.ingress.crossing import Crossing, Onward
from tachograph.ingress.errors import ClientGone, GatewayFault


def crossing(*, gone: bool = False, http_version: str = "1.1") -> tuple[Crossing, list[bytes]]:
    """One without a target, and what its agent is sent."""
    sent: list[bytes] = []
    agent: Any = SimpleNamespace(gone=gone, draining=False, write=sent.append)
    body = SimpleNamespace(complete=True)
    incoming: Any = SimpleNamespace(keep_alive=True, http_version=http_version, body=body)
    record: Any = None
    return Crossing(agent, incoming, record), sent


def test_without_a_target_nothing_is_answered_and_nothing_can_be_written() -> None:
    """A way that goes on without a connection is our own fault, and says so."""
    one, _ = crossing()
    assert not one.answered()
    for ask in (one.stream, one.response):
        with pytest.raises(GatewayFault):
            ask()


def test_a_client_that_has_gone_ends_the_exchange() -> None:
    """Whoever waits asks, and is told by an error."""
    crossing()[0].check_agent()
    with pytest.raises(ClientGone):
        crossing(gone=True)[0].check_agent()


@pytest.mark.parametrize("reason", ["keep_alive", "body", "draining"])
def test_the_agents_connection_is_kept_only_where_all_agree(reason: str) -> None:
    """The client wants it, its request is read to the end, and the gateway is not about to stop."""
    one, _ = crossing()
    assert one.will_keep()
    ends: Any = one
    ends.incoming.keep_alive = reason != "keep_alive"
    ends.incoming.body.complete = reason != "body"
    ends.agent.draining = reason == "draining"
    assert not one.will_keep()


@pytest.mark.parametrize(("version", "signs"), [("1.1", 1), ("1.0", 0)])
def test_a_sign_of_life_goes_only_to_who_understands_it(version: str, signs: int) -> None:
    """HTTP/1.0 knows no interim responses (RFC 9110, 15.2)."""
    one, sent = crossing(http_version=version)
    one.stay()
    assert len(sent) == signs


def test_the_targets_credential_is_not_in_a_repr() -> None:
    """The headers hold it."""
    some: Any = SimpleNamespace(name="api")
    none: Any = None
    onward = Onward(some, none, "/", (("Authorization", "Bearer hidden"),), none, none)
    assert "hidden" not in repr(onward)
