"""The independent count: one line an exchange, none of its content."""

import json
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tachograph.examples.exchange_log import ExchangeLog


async def _echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body(), status_code=201)


def _client(file: Path | None) -> httpx.AsyncClient:
    inner = Starlette(routes=[Route("/echo", _echo, methods=["POST"])])
    app = ExchangeLog(inner, server="here", file=file, note=lambda body: {"size": str(len(body))})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


async def test_each_exchange_is_one_line(tmp_path: Path) -> None:
    """Method, path, status and the noted facts stand there; neither query nor body does."""
    file = tmp_path / "log.jsonl"
    async with _client(file) as client:
        await client.post("/echo?key=private", content=b"secret")
        await client.get("/nowhere")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["method"], line["path"], line["status"], line["size"]) for line in lines] == [
        ("POST", "/echo", 201, "6"),
        ("GET", "/nowhere", 404, "0"),
    ]
    assert "private" not in file.read_text()
    assert "secret" not in file.read_text()


async def test_without_a_file_nothing_is_counted() -> None:
    """The middleware is transparent."""
    async with _client(None) as client:
        assert (await client.post("/echo", content=b"x")).text == "x"
