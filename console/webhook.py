"""Telling people that a request waits: one signed message for each approval and address, as Slack takes it.

A message says who waits on which connection, whom the policy asks, and where to look: nothing that an agent
wrote. It is signed with its time, so that its reader can refuse an old one. What cannot be delivered within a
few tries is dropped and counted; the inbox has it anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
import structlog

from tachograph.console.links import DecisionLink, LinkKey
from tachograph.schemas.approval import Requested
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.console_settings import LinkReviewer, Webhook

__all__ = ["MAX_WAITING", "Messenger", "Target", "decision_links", "message", "sign"]

SEND_SECONDS = 5.0
TRIES = 3
BACKOFF_SECONDS = (0.5, 2.0)
MAX_WAITING = 1000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """One address with its secret."""

    told: Webhook
    secret: str = field(repr=False)


def sign(secret: str, *, timestamp: int, body: bytes) -> str:
    """`v1=` and HMAC-SHA-256 in hex over `v1:<timestamp>:<body>`."""
    return "v1=" + hmac.digest(secret.encode(), b"v1:%d:%b" % (timestamp, body), "sha256").hex()


def decision_links(
    asked: Requested,
    who: LinkReviewer,
    *,
    key: LinkKey,
    now_ms: int,
    minutes: int,
    new_id: Callable[[], uuid.UUID] = uuid.uuid4,
) -> dict[str, str]:
    """The paths by which this one person says yes or no to this one request."""
    until = now_ms + min(minutes * 60, asked.wait_seconds) * 1000
    groups = tuple(sorted({need.group for need in asked.needs} & set(who.groups)))
    return {
        verdict: "/decide/"
        + key.sign(
            DecisionLink(
                id=new_id(),
                made_ms=now_ms,
                until_ms=until,
                approval=asked.approval,
                request_digest=asked.request_digest,
                verdict=verdict,
                reviewer=who.id,
                issuer=who.issuer,
                groups=groups,
            )
        )
        for verdict in ("approve", "deny")
    }


def message(asked: Requested, *, public_url: str, links: dict[str, str] | None = None) -> bytes:
    """The JSON of one message."""
    needs = ", ".join(
        f"{need.reviewers} of {_escaped(need.group)} (policy {_escaped(need.policy)})" for need in asked.needs
    )
    lines = [
        f"*{_escaped(asked.requester.id)}* waits for an approval on *{_escaped(asked.connection)}*",
        f"Needs {needs}, within {asked.wait_seconds // 60} min",
        f"<{public_url}/approvals/{asked.approval}|Look at it in the console>",
    ]
    for verdict, path in (links or {}).items():
        lines.append(f"<{public_url}{path}|{verdict.capitalize()} ...>")
    return canonical_json({"text": "\n".join(lines)})


class Messenger:
    """Sends from a task of its own; `tell` is for the desk's `on_asked`."""

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        key: LinkKey,
        public_url: str,
        wall_ms: Callable[[], int],
        count: Callable[[str], None] = lambda _: None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._targets = targets
        self._key = key
        self._public_url = public_url
        self._wall_ms = wall_ms
        self._count = count
        self._client = client or httpx.AsyncClient(timeout=SEND_SECONDS, follow_redirects=False)
        self._waiting: asyncio.Queue[tuple[Target, bytes]] = asyncio.Queue(MAX_WAITING)
        self._task = asyncio.create_task(self._run()) if targets else None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.aclose()

    def tell(self, asked: Requested) -> None:
        """A new request waits: tell everybody, once."""
        for target in self._targets:
            try:
                self._waiting.put_nowait((target, self._compose(asked, target.told)))
            except asyncio.QueueFull:
                self._count("dropped")

    def _compose(self, asked: Requested, told: Webhook) -> bytes:
        links = None
        if told.reviewer is not None:
            links = decision_links(
                asked, told.reviewer, key=self._key, now_ms=self._wall_ms(), minutes=told.link_minutes
            )
        return message(asked, public_url=self._public_url, links=links)

    async def _run(self) -> None:
        while True:
            target, body = await self._waiting.get()
            sent = await self._deliver(target, body)
            self._count("sent" if sent else "failed")
            if not sent:
                log.warning("webhook_failed", host=httpx.URL(target.told.url).host)

    async def _deliver(self, target: Target, body: bytes) -> bool:
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(BACKOFF_SECONDS[attempt - 1])
            timestamp = self._wall_ms() // 1000
            headers = {
                "content-type": "application/json",
                "x-tacho-timestamp": str(timestamp),
                "x-tacho-signature": sign(target.secret, timestamp=timestamp, body=body),
            }
            with contextlib.suppress(httpx.HTTPError):
                answer = await self._client.post(target.told.url, content=body, headers=headers)
                if answer.is_success:
                    return True
                if 400 <= answer.status_code < 500 and answer.status_code != 429:
                    return False
        return False


def _escaped(text: str) -> str:
    """Slack's own rule for text: these three, and no line feed of anybody else's."""
    flat = " ".join(text.split())[:200]
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
