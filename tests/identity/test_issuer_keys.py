"""Which addresses are asked for keys, and how often. What issuers answer is in `test_oidc.py`, over HTTP."""

import asyncio
import json

import httpx
import pytest
from joserfc.jwk import ECKey

from tachograph.identity.errors import Unproven
from tachograph.identity.issuer_keys import RETRY_SECONDS, IssuerKeys
from tachograph.identity.published_keys import MAX_KEYS
from tachograph.schemas.config import OidcIssuer

KEY = ECKey.generate_key("P-256", {"kid": "k"})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """Keys over an httpx transport that answers in memory."""

    def __init__(self, jwks_url: str, keys: list[object] | None = None) -> None:
        self.asked = 0
        self.clock = Clock()
        published = [KEY.as_dict(private=False)] if keys is None else keys
        self.body = json.dumps({"keys": published})

        def answer(_: httpx.Request) -> httpx.Response:
            self.asked += 1
            return httpx.Response(200, text=self.body)

        issuer = OidcIssuer(issuer="https://issuer.test", audience="a", jwks_url=jwks_url)
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        self.keys = IssuerKeys(issuer, client, monotonic=self.clock)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://issuer.test/keys", True),
        ("http://127.0.0.1:1234/keys", True),
        ("http://[::1]/keys", True),
        ("http://localhost/keys", True),
        ("http://issuer.test/keys", False),
        ("http://127.0.0.1.evil.test/keys", False),
        ("http://localhost.evil.test/keys", False),
        ("http://169.254.169.254/keys", False),
        ("file:///etc/passwd", False),
        ("ftp://issuer.test/keys", False),
        ("", False),
    ],
)
async def test_keys_come_over_a_safe_way_only(url: str, *, good: bool) -> None:
    """HTTPS, or plain HTTP on this machine; anything else is not even asked."""
    world = World(url)
    if good:
        assert (await world.keys.find("k")).kid == "k"
    else:
        with pytest.raises(Unproven):
            await world.keys.find("k")
    assert world.asked == int(good)


async def test_many_at_once_ask_once() -> None:
    """A burst of first requests makes one fetch."""
    world = World("https://issuer.test/keys")
    found = await asyncio.gather(*(world.keys.find("k") for _ in range(50)))
    assert (len(found), world.asked) == (50, 1)


async def test_a_failing_issuer_is_not_asked_again_at_once() -> None:
    """The bound on asking holds for failures too, and ends."""
    world = World("https://issuer.test/keys")
    good, world.body = world.body, "nonsense"
    for _ in range(5):
        with pytest.raises(Unproven):
            await world.keys.find("k")
    assert world.asked == 1
    world.body = good
    world.clock.now = RETRY_SECONDS
    assert (await world.keys.find("k")).kid == "k"


async def test_an_only_key_needs_no_id() -> None:
    """A token without `kid` means the issuer's only key."""
    assert (await World("https://issuer.test/keys").keys.find(None)).kid == "k"


async def test_too_many_keys_are_none() -> None:
    """A list beyond the bound is refused as a whole."""
    world = World("https://issuer.test/keys", [KEY.as_dict(private=False)] * (MAX_KEYS + 1))
    with pytest.raises(Unproven):
        await world.keys.find("k")
