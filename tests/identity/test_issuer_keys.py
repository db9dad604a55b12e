"""Which addresses are asked for keys, and how often. What issuers answer is in `test_oidc.py`, over HTTP."""

import asyncio
import json

import httpx
import pytest
from joserfc.jwk import ECKey

from tachograph.identity.errors import Unproven
from tachograph.identity.issuer_keys import ASK_BURST, ASK_SECONDS, RETRY_SECONDS, IssuerKeys
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


class Slow:
    """An issuer that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()
        self.clock = Clock()
        self.published: list[object] = [KEY.as_dict(private=False)]
        issuer = OidcIssuer(issuer="https://issuer.test", audience="a", jwks_url="https://issuer.test/keys")
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.keys = IssuerKeys(issuer, client, monotonic=self.clock)

    async def _answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.may.wait()
        return httpx.Response(200, json={"keys": self.published})

    async def known(self) -> None:
        """The keys are here, and then grow old."""
        self.may.set()
        await self.keys.find("k")
        self.may.clear()
        self.clock.now = self.keys.fresh_until


async def test_nobody_with_a_known_key_waits_for_a_slow_issuer() -> None:
    """One asks; the others go on with the key that they have."""
    world = Slow()
    await world.known()
    asking = asyncio.create_task(world.keys.find("k"))
    await asyncio.sleep(0)
    assert [(await world.keys.find("k")).kid for _ in range(5)] == ["k"] * 5
    assert not asking.done()
    world.may.set()
    assert (await asking).kid == "k"
    assert world.asked == 2


async def test_who_leaves_does_not_end_the_fetch_for_the_others() -> None:
    """Nor for those to come: an agent cannot keep an issuer's keys from us by hanging up."""
    world = Slow()
    leaving, staying = (asyncio.create_task(world.keys.find("k")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    world.may.set()
    assert (await staying).kid == "k"
    assert (leaving.cancelled(), world.asked) == (True, 1)


async def test_a_key_that_appears_during_a_fetch_is_asked_for_again() -> None:
    """What we waited for had begun before the key was there."""
    world = Slow()
    await world.known()
    refreshing = asyncio.create_task(world.keys.find("k"))
    await asyncio.sleep(0)
    new = ECKey.generate_key("P-256", {"kid": "new"})
    waiting = asyncio.create_task(world.keys.find("new"))
    await asyncio.sleep(0)
    world.may.set()
    await refreshing
    world.published.append(new.as_dict(private=False))
    assert (await waiting).kid == "new"


async def test_unknown_ids_ask_within_a_budget() -> None:
    """So many at once, then one in a while; rotation after rotation is followed within it."""
    world = World("https://issuer.test/keys")
    await world.keys.find("k")
    for number in range(20):
        with pytest.raises(Unproven):
            await world.keys.find(f"forged-{number}")
    assert world.asked <= 1 + ASK_BURST
    before = world.asked
    world.clock.now += ASK_SECONDS
    for number in range(20):
        with pytest.raises(Unproven):
            await world.keys.find(f"forged-{number}")
    assert world.asked == before + 1


async def test_closing_ends_what_is_under_way() -> None:
    """Nothing is left behind on the loop."""
    world = Slow()
    asking = asyncio.create_task(world.keys.find("k"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.keys.close()
    with pytest.raises((asyncio.CancelledError, Unproven)):
        await asking
