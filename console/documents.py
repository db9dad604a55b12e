"""Masked documents from OpenSearch: what a reviewer is shown. The one file of the room that talks to it.

A request's document is asked for by its id in the index of its day, so it is there as soon as it is stored.
Its digest is over the bytes as they are stored: that is what a decision says it has seen.
"""

from __future__ import annotations

import hashlib
import ssl
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from tachograph.approvals.view import Stored
from tachograph.console.errors import Away, OperatorError
from tachograph.console.kafka_settings import read_secret
from tachograph.schemas.config import OpenSearch

__all__ = ["MAX_EARLIER", "MAX_PARTS", "Documents"]

ASK_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 4 << 20
"""Of one answer of OpenSearch."""
MAX_EARLIER = 12
"""How many events of the session so far are shown."""
MAX_PARTS = 16
"""How many further pieces of a long body are shown."""
TACHO = "unmapped.tacho"


class Documents:
    """The indices of one configuration, on the event loop. Everything raises `Away`."""

    def __init__(self, client: httpx.AsyncClient, *, index_prefix: str) -> None:
        self._client = client
        self._prefix = index_prefix

    @classmethod
    def open(cls, told: OpenSearch, *, base: Path) -> Documents:
        """Reach the cluster; nothing is sent yet. Raises `OperatorError`."""
        password = None if told.password is None else read_secret(told.password, base=base)
        auth = None if told.username is None else httpx.BasicAuth(told.username, password or "")
        try:
            verify = ssl.create_default_context(cafile=base / told.ca_file) if told.ca_file else True
        except OSError:
            raise OperatorError(f"opensearch.ca_file {told.ca_file}: expected PEM certificates") from None
        client = httpx.AsyncClient(
            base_url=told.url, auth=auth, verify=verify, timeout=ASK_SECONDS, follow_redirects=False
        )
        return cls(client, index_prefix=told.index_prefix)

    async def close(self) -> None:
        await self._client.aclose()

    async def request(self, record: uuid.UUID, opened_ms: int) -> Stored | None:
        """The document of a request's record, None while there is none."""
        for day in _days(opened_ms):
            data = await self._get(f"/{quote(self._prefix)}-events-{day}/_source/{record}")
            if data is not None:
                source = _read(data)
                return Stored(hashlib.sha256(data).hexdigest(), source)
        return None

    async def parts(self, record: uuid.UUID) -> list[Mapping[str, Any]]:
        """What follows a long body's head, in order, as far as it is shown."""
        query = {"bool": {"filter": [_is("type", "part"), _is("part.of", str(record))]}}
        return await self._search(query, [{f"{TACHO}.part.index": "asc"}], MAX_PARTS)

    async def earlier(self, session: uuid.UUID, before_ms: int) -> list[Mapping[str, Any]]:
        """The last events of a session up to then, the oldest first."""
        query = {
            "bool": {
                "filter": [_is("session", str(session)), {"range": {"time": {"lte": before_ms}}}],
                "must_not": [{"terms": {f"{TACHO}.type": ["chunk", "part", "message"]}}],
            }
        }
        order = [
            {f"{TACHO}.ts": {"order": "desc", "missing": "_last", "unmapped_type": "date_nanos"}},
            {f"{TACHO}.seq": {"order": "desc", "missing": "_last", "unmapped_type": "long"}},
        ]
        return list(reversed(await self._search(query, order, MAX_EARLIER)))

    async def _search(self, query: object, order: object, size: int) -> list[Mapping[str, Any]]:
        body = orjson.dumps({"size": size, "query": query, "sort": order})
        path = f"/{quote(self._prefix)}-events-*/_search"
        data = await self._get(path, body)
        hits = _read(data).get("hits", {}).get("hits", []) if data else []
        return [hit["_source"] for hit in hits]

    async def _get(self, path: str, body: bytes | None = None) -> bytes | None:
        params = {"ignore_unavailable": "true", "allow_no_indices": "true"} if body else None
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        try:
            async with self._client.stream(
                "GET", path, params=params, content=body, headers=headers
            ) as answer:
                data = bytearray()
                async for piece in answer.aiter_bytes():
                    data += piece
                    if len(data) > MAX_DOCUMENT_BYTES:
                        raise Away("OpenSearch answered more than can be shown.")
        except httpx.HTTPError:
            raise Away("OpenSearch does not answer, so nothing can be shown.") from None
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Away(f"OpenSearch answered {answer.status_code}, so nothing can be shown.")
        return bytes(data)


def _is(name: str, value: str) -> dict[str, Any]:
    return {"term": {f"{TACHO}.{name}": value}}


def _days(opened_ms: int) -> tuple[str, ...]:
    """The index is named by the request's own day, which may have ended before the approval was opened."""
    opened = datetime.fromtimestamp(opened_ms / 1000, UTC)
    return tuple(f"{opened + timedelta(days=shift):%Y.%m.%d}" for shift in (0, -1, 1))


def _read(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Away("OpenSearch answered something that cannot be read.") from None
    return value if isinstance(value, dict) else {}
