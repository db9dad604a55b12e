"""What a token endpoint may say, and what is made of it."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.discovery import Provider
from tachograph.identity.documents import Answer
from tachograph.identity.errors import IssuerFailed, LoginRefused
from tachograph.identity.grants import (
    DEFAULT_SECONDS,
    discover,
    error_code,
    read_tokens,
    redeem,
    renew,
    revoke,
)

ISSUER = "https://issuer.test"
PROVIDER = Provider(
    ISSUER, f"{ISSUER}/keys", token_endpoint=f"{ISSUER}/token", revocation_endpoint=f"{ISSUER}/revoke"
)
GOOD: dict[str, Any] = {
    "access_token": "a.b.c",
    "token_type": "Bearer",
    "expires_in": 60,
    "refresh_token": "r",
}


class World:
    """An issuer in memory that keeps what it is asked."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.forms: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.forms.append(f"{request.url.path} {request.content.decode()}")
            return httpx.Response(status, json=document)

        self.client = httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def test_a_renewal_keeps_the_refresh_token_that_is_not_replaced() -> None:
    """RFC 6749, 6: a new one replaces it, none means that it stays."""
    world = World(200, {name: value for name, value in GOOD.items() if name != "refresh_token"})
    tokens = await renew(world.client, PROVIDER, client_id="cli", refresh_token="old", now=100)
    assert (tokens.access_token, tokens.expires_at, tokens.refresh_token) == ("a.b.c", 160, "old")
    assert world.forms == ["/token grant_type=refresh_token&client_id=cli&refresh_token=old"]
    tokens = await renew(World(200, GOOD).client, PROVIDER, client_id="cli", refresh_token="old", now=100)
    assert tokens.refresh_token == "r"


async def test_the_issuers_no_is_said_in_the_standards_word() -> None:
    """Its description is not repeated: it may be anything."""
    world = World(400, {"error": "invalid_grant", "error_description": "secret"})
    with pytest.raises(LoginRefused, match="invalid_grant") as refusal:
        await redeem(world.client, PROVIDER, {"a": "b"}, now=0)
    assert "secret" not in str(refusal.value)


async def test_a_revocation_says_whether_the_issuer_took_notice() -> None:
    """Where it has no endpoint for it, it did not."""
    assert await revoke(World(200, {}).client, PROVIDER, client_id="cli", token="r")
    assert not await revoke(World(503, {}).client, PROVIDER, client_id="cli", token="r")
    assert not await revoke(World(200, {}).client, Provider(ISSUER, "k"), client_id="cli", token="r")


async def test_endpoints_are_discovered() -> None:
    """From the issuer's own document."""
    document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/k", "token_endpoint": f"{ISSUER}/t"}
    assert (await discover(World(200, document).client, ISSUER)).token_endpoint == f"{ISSUER}/t"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(200, {"error": "x"}), None),
        (Answer(400, {"error": "access_denied"}), "access_denied"),
        (Answer(400, {"error": 'a"b'}), "status 400"),
        (Answer(400, {"error": "x" * 65}), "status 400"),
        (Answer(500, {}), "status 500"),
        (Answer(302, {"error": ["x"]}), "status 302"),
    ],
)
def test_an_error_is_a_word(answer: Answer, code: str | None) -> None:
    """Whatever is none is told by its status."""
    assert error_code(answer) == code


def test_no_lifetime_means_a_short_one() -> None:
    """And no repr shows a token."""
    tokens = read_tokens({"access_token": "secret", "token_type": "bearer"}, now=0)
    assert tokens.expires_at == DEFAULT_SECONDS
    assert "secret" not in repr(tokens)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "DPoP"},
        {"token_type": None},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\nb"},
        {"access_token": 7},
        {"refresh_token": ["r"]},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": "60"},
        {"expires_in": 10**12},
    ],
)
def test_what_is_no_bearer_token_is_refused(changes: dict[str, Any]) -> None:
    """Other types, other kinds, no end."""
    with pytest.raises(IssuerFailed):
        read_tokens(GOOD | changes, now=0)


JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from([*GOOD, "id_token"]), JSON))
def test_any_document_is_tokens_or_refused(changes: dict[str, Any]) -> None:
    """Nothing else comes out."""
    try:
        assert read_tokens(GOOD | changes, now=0).expires_at > 0
    except IssuerFailed:
        assert changes
