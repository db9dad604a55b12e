"""What comes from an issuer, and what is not waited for or read to its end."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tachograph.identity import documents
from tachograph.identity.documents import MAX_DOCUMENT_BYTES, fetch, issuer_client, post_form
from tachograph.identity.errors import IssuerFailed

URL = "https://issuer.test/keys"


def client(answer: httpx.Response) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))


async def test_an_object_is_fetched() -> None:
    """Whatever the content type says."""
    assert await fetch(client(httpx.Response(200, text='{"a": 1}')), URL) == {"a": 1}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(302, headers={"location": "https://evil.test"}),
        httpx.Response(200),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[]"),
        httpx.Response(200, text='{"a":1,"a":2}'),
        httpx.Response(200, content=b" " * (MAX_DOCUMENT_BYTES + 1)),
        httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"{}")),
    ],
    ids=["404", "redirect", "empty", "HTML", "list", "name twice", "too much", "compressed"],
)
async def test_anything_else_is_refused(answer: httpx.Response) -> None:
    """No redirect is followed, nothing is unpacked, nothing is read beyond the bound."""
    with pytest.raises(IssuerFailed):
        await fetch(client(answer), URL)


class Drip(httpx.AsyncByteStream):
    """A body that never ends, a byte at a time."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)


async def test_an_issuer_that_drips_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on the whole answer, not on each piece of it."""
    monkeypatch.setattr(documents, "FETCH_SECONDS", 0.05)
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 1 << 40)
    with pytest.raises(IssuerFailed, match="longer than"):
        await fetch(client(httpx.Response(200, stream=Drip())), URL)


async def test_an_unsafe_address_is_not_asked() -> None:
    """A form may hold a secret."""
    with pytest.raises(IssuerFailed, match="https"):
        await post_form(client(httpx.Response(200, text="{}")), "http://issuer.test/token", {"a": "b"})


async def test_an_error_of_oauth_is_an_answer() -> None:
    """Its status and object come back; its repr shows no token."""
    answer = await post_form(
        client(httpx.Response(400, text='{"error": "x", "t": "secret"}')), URL, {"a": "b"}
    )
    assert (answer.status, answer.document["error"], "secret" in repr(answer)) == (400, "x", False)


async def test_a_form_may_be_answered_with_nothing() -> None:
    """RFC 7009, 2.2: a revocation is."""
    assert (await post_form(client(httpx.Response(200)), URL, {"a": "b"})).status == 200


def test_a_file_of_authorities_must_be_one(tmp_path: Path) -> None:
    """Found out at the start."""
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(IssuerFailed, match="ca_file"):
            issuer_client(tmp_path / name)
