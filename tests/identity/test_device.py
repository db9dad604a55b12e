"""The device grant as a conversation: what the issuer says, what we do, how long we waited."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.device import MAX_WAIT_SECONDS, DeviceCode, Pace, begin, read_device_code, wait
from tachograph.identity.discovery import Provider
from tachograph.identity.errors import IssuerFailed, LoginRefused

ISSUER = "https://issuer.test"
PROVIDER = Provider(
    ISSUER,
    f"{ISSUER}/keys",
    token_endpoint=f"{ISSUER}/token",
    device_authorization_endpoint=f"{ISSUER}/device",
)
CODE: dict[str, Any] = {
    "device_code": "secret",
    "user_code": "ABCD-EFGH",
    "verification_uri": f"{ISSUER}/activate",
    "expires_in": 600,
    "interval": 5,
}
DONE = (200, {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 60})


def no(code: str) -> tuple[int, dict[str, Any]]:
    return 400, {"error": code}


class World:
    """An issuer that says its lines in turn, the last one for ever; time passes only while we sleep."""

    def __init__(self, *lines: tuple[int, dict[str, Any]]) -> None:
        self.lines = list(lines)
        self.time = 0.0
        self.asked: list[float] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.pace = Pace(self._sleep, lambda: self.time, lambda: 1000.0 + self.time)

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.asked.append(self.time)
        status, document = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if status == 0:
            raise httpx.ConnectError("away")
        return httpx.Response(status, json=document)

    async def _sleep(self, seconds: float) -> None:
        self.time += seconds

    async def wait(self, **changes: Any) -> Any:
        code = read_device_code(CODE | changes)
        return await wait(self.client, PROVIDER, code, client_id="cli", pace=self.pace)


async def test_a_code_is_asked_for_and_shown() -> None:
    """Its device code is a secret, the rest is for the person."""
    code = await begin(World((200, CODE)).client, PROVIDER, client_id="cli", scopes="openid")
    assert (code.user_code, code.interval, code.verification_uri_complete) == ("ABCD-EFGH", 5, None)
    assert "secret" not in repr(code)


async def test_the_person_says_yes() -> None:
    """Asked every interval until then."""
    world = World(no("authorization_pending"), no("authorization_pending"), DONE)
    tokens = await world.wait()
    assert (tokens.access_token, tokens.expires_at, world.asked) == ("a.b.c", 1000 + 15 + 60, [5, 10, 15])


async def test_slower_when_asked_to_be() -> None:
    """Five seconds more from then on (RFC 8628, 3.5)."""
    world = World(no("slow_down"), no("slow_down"), no("authorization_pending"), DONE)
    await world.wait()
    assert world.asked == [5, 15, 30, 45]


async def test_an_issuer_that_is_away_is_asked_less_and_less_often() -> None:
    """And again once it is back."""
    world = World((0, {}), (0, {}), DONE)
    await world.wait()
    assert world.asked == [5, 15, 35]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (no("access_denied"), "declined"),
        (no("expired_token"), "in time"),
        (no("invalid_client"), "invalid_client"),
        ((500, {}), "status 500"),
    ],
)
async def test_a_no_ends_it(line: tuple[int, dict[str, Any]], reason: str) -> None:
    """At once, with the reason."""
    world = World(line)
    with pytest.raises(LoginRefused, match=reason):
        await world.wait()
    assert len(world.asked) == 1


@pytest.mark.parametrize(("lives", "at_most"), [(60, 60), (10**9, MAX_WAIT_SECONDS)])
async def test_nobody_waits_longer_than_the_code_lives(lives: int, at_most: int) -> None:
    """Nor longer than our own bound."""
    world = World(no("authorization_pending"))
    with pytest.raises(LoginRefused, match="in time"):
        await world.wait(expires_in=lives)
    assert at_most - 10 <= world.time <= at_most


async def test_a_refused_client_is_told() -> None:
    """Before anybody is asked to open anything."""
    with pytest.raises(LoginRefused, match="unauthorized_client"):
        await begin(World(no("unauthorized_client")).client, PROVIDER, client_id="cli", scopes="openid")
    with pytest.raises(IssuerFailed, match="device_authorization_endpoint"):
        await begin(World((200, CODE)).client, Provider(ISSUER, "k"), client_id="cli", scopes="openid")


@pytest.mark.parametrize(
    "changes",
    [
        {"verification_uri": "http://evil.test/"},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri_complete": "file:///x"},
        {"user_code": "A\x1b[2J"},
        {"user_code": ""},
        {"user_code": "x" * 65},
        {"device_code": None},
        {"expires_in": None},
        {"expires_in": -1},
        {"interval": 0},
        {"interval": "5"},
    ],
)
def test_what_a_person_must_not_be_shown_is_refused(changes: dict[str, Any]) -> None:
    """Addresses that are not https, control characters for the terminal, and nonsense."""
    with pytest.raises(IssuerFailed):
        read_device_code(CODE | changes)


@given(st.dictionaries(st.sampled_from([*CODE]), st.none() | st.booleans() | st.integers() | st.text()))
def test_any_document_is_a_code_or_refused(changes: dict[str, Any]) -> None:
    """Nothing else comes out."""
    try:
        assert isinstance(read_device_code(CODE | changes), DeviceCode)
    except IssuerFailed:
        assert changes
