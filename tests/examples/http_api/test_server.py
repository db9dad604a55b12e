"""The desk's HTTP API."""

import httpx

from tachograph.examples import facts
from tachograph.examples.http_api.server import application


def _client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application(facts.DEFAULTS, None))
    return httpx.AsyncClient(transport=transport, base_url="http://desk")


async def test_a_ticket_comes_with_its_card_and_a_cookie() -> None:
    """The answer holds what a gateway has to hide: a card number and a session id."""
    async with _client() as client:
        answer = await client.get("/tickets/42")
    assert answer.json()["payment"]["card_number"] == facts.DEFAULTS["card"]
    assert answer.cookies["session"] == facts.DEFAULTS["set_cookie"]


async def test_a_ticket_that_does_not_exist_is_404() -> None:
    """An error is JSON too."""
    async with _client() as client:
        answer = await client.get("/tickets/100000")
    assert (answer.status_code, answer.json()) == (404, {"error": "no ticket 100000"})


async def test_a_note_is_taken() -> None:
    """201 says how long the note was."""
    async with _client() as client:
        answer = await client.post("/tickets/1/notes", json={"text": "four"})
    assert (answer.status_code, answer.json()["length"]) == (201, 4)


async def test_the_export_is_compressed() -> None:
    """A long answer comes as gzip."""
    async with _client() as client:
        answer = await client.get("/export")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["tickets"]) == 29


async def test_a_form_logs_in() -> None:
    """Percent-encoded, as browsers send it; the answer does not repeat the password."""
    async with _client() as client:
        answer = await client.post("/login", data={"user": "desk", "password": "a&b=c d"})
    assert answer.json() == {"user": "desk", "accepted": True}
