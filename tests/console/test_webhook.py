"""Messages: signed with their time, without a word of the agent's, tried a few times, counted."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import Counter
from typing import Any

import httpx
import pytest

from tachograph.console import webhook
from tachograph.console.webhook import Messenger, Target, message, sign
from tachograph.schemas.console_settings import Webhook
from tachograph.schemas.event import Principal, PrincipalKind

SECRET = {"env": "S"}


def test_the_signature_is_over_version_time_and_body() -> None:
    """Slack's own construction, with a prefix of ours."""
    expected = hmac.digest(b"s3cret", b'v1:1700000000:{"a":1}', "sha256").hex()
    assert sign("s3cret", timestamp=1_700_000_000, body=b'{"a":1}') == f"v1={expected}"


async def test_a_message_cannot_be_given_another_shape(world: Any) -> None:
    """Names are escaped as Slack wants it; a link of somebody else's does not become one."""
    who = Principal(id="<https://evil.example|click>\n*x*", kind=PrincipalKind.OIDC)
    text = json.loads(message(world.asks(requester=who).requested, public_url="https://c.example"))["text"]
    assert "<https://evil" not in text
    assert text.count("\n") == 2
    assert "<https://c.example/approvals/" in text


async def test_each_address_is_told_with_its_own_links(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel gets a link to look; the one reviewer's address gets links to decide as well."""
    got: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200)

    reviewer = {"id": "ruth", "groups": ["ops"]}
    told = [
        Webhook(url="http://127.0.0.1/channel", secret=SECRET),
        Webhook(url="http://127.0.0.1/ruth", secret=SECRET, reviewer=reviewer),
    ]
    results: Counter[str] = Counter()
    messenger = _messenger(world, told, take, results)
    world.desk.on_asked = messenger.tell
    world.asks()
    await world.until(lambda: results["sent"] == 2)
    channel, personal = got
    assert b"/decide/" not in channel.content
    assert personal.content.count(b"/decide/") == 2
    timestamp = int(channel.headers["x-tacho-timestamp"])
    assert channel.headers["x-tacho-signature"] == sign("s", timestamp=timestamp, body=channel.content)
    await messenger.close()


async def test_what_cannot_be_delivered_is_tried_and_dropped(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three tries for a failing server, one for a refusal, no redirect followed."""
    monkeypatch.setattr(webhook, "BACKOFF_SECONDS", (0, 0))
    for answer, tries in ((500, 3), (404, 1), (302, 3)):
        got: list[httpx.Request] = []

        def take(
            request: httpx.Request, answer: int = answer, got: list[httpx.Request] = got
        ) -> httpx.Response:
            got.append(request)
            return httpx.Response(answer, headers={"location": "http://127.0.0.1/else"})

        results: Counter[str] = Counter()
        messenger = _messenger(world, [Webhook(url="http://127.0.0.1/x", secret=SECRET)], take, results)
        messenger.tell(world.asks().requested)
        await world.until(lambda results=results: results["failed"] == 1)
        assert len(got) == tries
        await messenger.close()


async def test_the_queue_is_bounded(world: Any) -> None:
    """Beyond it a message is dropped and counted; nobody waits for it."""
    results: Counter[str] = Counter()
    target = [Webhook(url="http://127.0.0.1/x", secret=SECRET)]
    messenger = _messenger(world, target, lambda _: httpx.Response(200), results)
    asked = world.asks().requested
    for _ in range(webhook.MAX_WAITING + 1):
        messenger.tell(asked)
    assert results["dropped"] == 1
    await messenger.close()
    await asyncio.sleep(0)


def _messenger(world: Any, told: list[Webhook], take: Any, results: Counter[str]) -> Messenger:
    return Messenger(
        [Target(each, "s") for each in told],
        key=world.link_key,
        public_url="https://c.example",
        wall_ms=lambda: world.time.wall,
        count=lambda result: results.update([result]),
        client=httpx.AsyncClient(transport=httpx.MockTransport(take)),
    )
