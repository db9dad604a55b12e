"""One document from an issuer, over a safe way: bounded in size and time, no redirect, no compression.

The only file of the room that reads what an issuer sends; what it says about a failure is in our words.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tachograph.identity.addresses import safe
from tachograph.identity.errors import IssuerFailed
from tachograph.identity.strict_json import Ambiguous, read_object

__all__ = [
    "FETCH_SECONDS",
    "MAX_DOCUMENT_BYTES",
    "Answer",
    "fetch",
    "fetch_bytes",
    "issuer_client",
    "post_form",
]

MAX_DOCUMENT_BYTES = 512 * 1024
FETCH_SECONDS = 5.0
"""For one document, from the name's look-up to its last byte: an issuer that drips is one that is away."""
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the object that came with it. `repr` shows nothing of the object: it may hold tokens."""

    status: int
    document: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


def issuer_client(ca_file: Path | None) -> httpx.AsyncClient:
    """A client for issuers; raises `IssuerFailed` for a `ca_file` that is none."""
    try:
        verify = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise IssuerFailed(f"ca_file {ca_file}: expected PEM certificates") from error
    return httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False, verify=verify)


async def fetch(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The object at `url`; raises `IssuerFailed` for anything but 200 with one."""
    return _object(200, await fetch_bytes(client, url, accept=_JSON), None)


async def fetch_bytes(client: httpx.AsyncClient, url: str, *, accept: str) -> bytes:
    """What is at `url`, of a kind that `accept` names; raises `IssuerFailed` for anything but 200."""
    status, data = await _exchange(client, "GET", url, accept=accept)
    if status != 200:
        raise IssuerFailed(f"it answered {status}")
    return data


async def post_form(client: httpx.AsyncClient, url: str, form: Mapping[str, str]) -> Answer:
    """What the endpoint says to a form (RFC 6749, 4.1.3); errors of OAuth are answers like others."""
    status, data = await _exchange(client, "POST", url, accept=_JSON, form=form)
    return Answer(status, _object(status, data, form))


async def _exchange(
    client: httpx.AsyncClient, method: str, url: str, *, accept: str, form: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    if not safe(url):
        raise IssuerFailed("expected an https address, or http on this machine")
    headers = {"accept": accept, "accept-encoding": "identity"}
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            client.stream(method, url, headers=headers, data=form) as response,
        ):
            return response.status_code, await _body(response)
    except TimeoutError:
        raise IssuerFailed(f"it took longer than {FETCH_SECONDS:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IssuerFailed(f"it cannot be reached ({type(error).__name__})") from None


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise IssuerFailed("it sent a compressed answer, which it was not asked for")
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > MAX_DOCUMENT_BYTES:
            raise IssuerFailed(f"it sent more than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(data)


def _object(status: int, data: bytes, form: Mapping[str, str] | None) -> Mapping[str, Any]:
    if not data and (status != 200 or form is not None):  # RFC 7009, 2.2: a revocation answers with nothing
        return {}
    try:
        return read_object(data)
    except Ambiguous:
        raise IssuerFailed(f"it answered {status} without a JSON object") from None
