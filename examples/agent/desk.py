"""The desk's HTTP API as an agent uses it, with credentials along as real clients send them."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

TIMEOUT = 30


class Desk:
    """A client of the desk; `key` opens the gateway, the other credentials are the desk's own."""

    def __init__(self, url: str, key: str, facts: Mapping[str, str]) -> None:
        headers = {
            "x-tacho-key": key,
            "authorization": f"Bearer {facts['jwt']}",
            "x-api-token": facts["api_token"],
        }
        cookies = {"desk_session": facts["cookie"]}
        self._client = httpx.AsyncClient(
            base_url=url, headers=headers, cookies=cookies, timeout=TIMEOUT, trust_env=False
        )
        self._query_key = facts["query_key"]
        self._login = {"user": "desk", "password": facts["login_password"]}
        self._basic = httpx.BasicAuth("desk", facts["basic_password"])

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def log_in(self) -> None:
        """Send a form, percent-encoded, with a password."""
        (await self._client.post("/login", data=self._login)).raise_for_status()

    async def take(self, ticket: int) -> None:
        """Read a ticket."""
        answer = await self._client.get(f"/tickets/{ticket}", params={"api_key": self._query_key})
        answer.raise_for_status()

    async def note(self, ticket: int, text: str) -> None:
        """Write down what was done about it."""
        (await self._client.post(f"/tickets/{ticket}/notes", json={"text": text})).raise_for_status()

    async def close_the_day(self) -> None:
        """Export everything, and ask for a ticket that does not exist."""
        (await self._client.get("/export", auth=self._basic)).raise_for_status()
        await self._client.get("/tickets/100000")
