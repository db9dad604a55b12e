"""Documents: by id in the index of their day, digested as stored; faults are said, not guessed around."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import httpx
import pytest

from tachograph.console import documents
from tachograph.console.documents import Documents
from tachograph.console.errors import Away, OperatorError
from tachograph.schemas.config import OpenSearch

OPENED = 1_790_000_000_000


def reached(take: object) -> Documents:
    client = httpx.AsyncClient(transport=httpx.MockTransport(take), base_url="http://os")  # type: ignore[arg-type]
    return Documents(client, index_prefix="t")


async def test_the_digest_is_over_the_stored_bytes() -> None:
    """Spaces and order included; the day before is looked at too."""
    stored = b'{ "b":1, "a":2 }'
    asked: list[str] = []

    def take(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=stored) if len(asked) == 2 else httpx.Response(404)

    found = await reached(take).request(uuid.UUID(int=1), OPENED)
    assert found is not None
    assert found.digest == hashlib.sha256(stored).hexdigest()
    assert [path.split("/")[1] for path in asked] == ["t-events-2026.09.21", "t-events-2026.09.20"]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_a_cluster_that_does_not_answer_is_away(status: int) -> None:
    """Not the same as a document that is not there."""
    with pytest.raises(Away):
        await reached(lambda _: httpx.Response(status)).request(uuid.UUID(int=1), OPENED)


async def test_answers_are_bounded_and_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long, or no JSON."""
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 10)
    for body in (b"x" * 11, b"{"):
        with pytest.raises(Away):
            await reached(lambda _, body=body: httpx.Response(200, content=body)).earlier(uuid.UUID(int=1), 0)


async def test_no_answer_is_away() -> None:
    """The network's fault is mapped."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(Away):
        await reached(fail).parts(uuid.UUID(int=1))


async def test_it_is_opened_by_the_configuration(tmp_path: Path) -> None:
    """A missing password or authority is the operator's to mend."""
    with pytest.raises(OperatorError):
        Documents.open(OpenSearch(username="u", password={"file": "none"}), base=tmp_path)
    with pytest.raises(OperatorError):
        Documents.open(OpenSearch(ca_file="none"), base=tmp_path)
    await Documents.open(OpenSearch(), base=tmp_path).close()
