"""The desk's client: credentials travel in every place that clients put them."""

import httpx
import pytest

from tachograph.examples import facts
from tachograph.examples.agent.desk import Desk


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Requests that the client sends, answered without a network."""
    requests: list[httpx.Request] = []

    async def answer(_: httpx.AsyncClient, request: httpx.Request, **__: object) -> httpx.Response:
        requests.append(request)
        return httpx.Response(404 if "100000" in str(request.url) else 200, request=request)

    monkeypatch.setattr(httpx.AsyncClient, "send", answer)
    return requests


async def test_headers_cookie_and_query_carry_credentials(seen: list[httpx.Request]) -> None:
    """The gateway's key stands apart from the desk's own."""
    async with Desk("http://desk", "the-key", facts.DEFAULTS) as desk:
        await desk.take(42)
    (request,) = seen
    assert request.headers["x-tacho-key"] == "the-key"
    assert request.headers["authorization"] == f"Bearer {facts.DEFAULTS['jwt']}"
    assert request.headers["x-api-token"] == facts.DEFAULTS["api_token"]
    assert facts.DEFAULTS["cookie"] in request.headers["cookie"]
    assert request.url.params["api_key"] == facts.DEFAULTS["query_key"]


async def test_a_missing_ticket_does_not_end_the_day(seen: list[httpx.Request]) -> None:
    """404 is expected there, an error elsewhere."""
    async with Desk("http://desk", "k", facts.DEFAULTS) as desk:
        await desk.close_the_day()
        with pytest.raises(httpx.HTTPStatusError):
            await desk.take(100000)
    assert [request.url.path for request in seen[:2]] == ["/export", "/tickets/100000"]
