"""Metadata come from an address or a file, are kept a while, and outlive the address being away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tachograph.identity.documents import MAX_DOCUMENT_BYTES
from tachograph.identity.errors import IssuerFailed
from tachograph.identity.saml.provider_metadata import ASK_SECONDS, STALE_SECONDS, ProviderMetadata
from tachograph.schemas.identity_settings import SamlProvider


class Site:
    """A provider at an address, with a clock."""

    def __init__(self, make: Any, idp: Any, folder: Path, place: str = "https://idp.test/metadata") -> None:
        self.make = make
        self.asked = 0
        self.seconds = 0.0
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, content=idp.metadata())
        told = SamlProvider(idp_metadata=place, idp_entity_id="https://idp.test")
        self.metadata = ProviderMetadata(
            told,
            httpx.AsyncClient(transport=httpx.MockTransport(self._serve)),
            base=folder,
            now=lambda: make.now + self.seconds,
            monotonic=lambda: self.seconds,
        )

    def _serve(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answer()


async def test_metadata_are_fetched_once_in_a_while(make: Any, idp: Any, tmp_path: Path) -> None:
    """Asked again when they are `metadata_seconds` old."""
    site = Site(make, idp, tmp_path)
    for _ in range(3):
        assert (await site.metadata.current()).sso_url == "https://idp.test/sso"
    site.seconds = 300
    await site.metadata.current()
    assert site.asked == 2


async def test_an_address_that_is_away_is_survived_for_a_day(make: Any, idp: Any, tmp_path: Path) -> None:
    """What was known stays, up to a bound."""
    site = Site(make, idp, tmp_path)
    await site.metadata.current()
    site.answer = lambda: httpx.Response(503)
    site.seconds = STALE_SECONDS
    assert await site.metadata.current()
    site.seconds += 1
    with pytest.raises(IssuerFailed, match="503"):
        await site.metadata.current()


async def test_metadata_end_when_they_say_so(make: Any, idp: Any, tmp_path: Path) -> None:
    """Also between two fetches."""
    site = Site(make, idp, tmp_path)
    site.answer = lambda: httpx.Response(200, content=idp.metadata(more=f'validUntil="{make.at(60)}"'))
    await site.metadata.current()
    site.seconds = 60
    with pytest.raises(IssuerFailed, match="out of date"):
        await site.metadata.current()


async def test_unknown_signatures_cannot_make_us_hammer_the_provider(
    make: Any, idp: Any, tmp_path: Path
) -> None:
    """However many ask for new metadata, one question goes out in a named time; the same again is no news."""
    site = Site(make, idp, tmp_path)
    await site.metadata.current()
    for _ in range(20):
        assert await site.metadata.renewed() is None
    assert site.asked == 1
    site.seconds = ASK_SECONDS
    assert await site.metadata.renewed() is None
    assert site.asked == 2
    site.seconds += ASK_SECONDS
    idp.certificates = [make.certificate(make.other)]
    fresh = await site.metadata.renewed()
    assert fresh is not None
    assert list(fresh.certificates) == idp.certificates


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(302, headers={"location": "https://evil.test"}),
        httpx.Response(200, content=b" " * (MAX_DOCUMENT_BYTES + 1)),
    ],
    ids=["nonsense", "redirect", "too much"],
)
async def test_an_address_that_answers_nonsense_is_no_provider(
    make: Any, idp: Any, tmp_path: Path, answer: httpx.Response
) -> None:
    """And is not asked again at once."""
    site = Site(make, idp, tmp_path)
    site.answer = lambda: answer
    for _ in range(3):
        with pytest.raises(IssuerFailed):
            await site.metadata.current()
    assert site.asked == 1


async def test_metadata_over_plain_http_elsewhere_are_not_asked_for(
    make: Any, idp: Any, tmp_path: Path
) -> None:
    """Whoever is on the way could put their own certificate in."""
    site = Site(make, idp, tmp_path, "http://idp.test/metadata")
    with pytest.raises(IssuerFailed, match="https"):
        await site.metadata.current()
    assert site.asked == 0


async def test_a_file_is_bounded_too(make: Any, idp: Any, tmp_path: Path) -> None:
    """And read again like an address."""
    site = Site(make, idp, tmp_path, "idp.xml")
    (tmp_path / "idp.xml").write_bytes(b" " * (MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(IssuerFailed, match="more than"):
        await site.metadata.current()
    (tmp_path / "idp.xml").write_bytes(idp.metadata())
    site.seconds = ASK_SECONDS
    assert await site.metadata.current()
