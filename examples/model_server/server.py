"""The Messages API over HTTP: streamed or whole, errors in the API's own shape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tachograph.examples.exchange_log import ExchangeLog
from tachograph.examples.model_server import sse
from tachograph.examples.model_server.conversation import Answer, Refuse, answer


def application(facts: Mapping[str, str], log: Path | None, *, pace: float) -> ASGIApp:
    """`POST /v1/messages` and `/v1/messages/count_tokens`; `pace` seconds lie between two events."""

    async def messages(request: Request) -> Response:
        asked = await _body(request)
        if asked is None:
            return _refusal(Refuse(400, "invalid_request_error", "expected a JSON object with messages"), "")
        said = answer(asked, facts, retry=int(request.headers.get("x-stainless-retry-count", "0")))
        if isinstance(said, Refuse):
            return _refusal(said, _credential(request))
        if not asked.get("stream"):
            return JSONResponse(sse.message(said))
        return StreamingResponse(_paced(said, pace), media_type="text/event-stream")

    async def count_tokens(request: Request) -> Response:
        asked = await _body(request) or {}
        return JSONResponse({"input_tokens": max(1, len(json.dumps(asked)) // 4)})

    async def alive(_: Request) -> Response:
        return Response(status_code=200)

    routes = [
        Route("/", alive, methods=["GET", "HEAD"]),
        Route("/v1/messages", messages, methods=["POST"]),
        Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
    ]
    return ExchangeLog(Starlette(routes=routes), server="model", file=log)


async def _paced(said: Answer, pace: float) -> AsyncIterator[bytes]:
    for event in sse.events(said):
        yield event
        await asyncio.sleep(pace)


async def _body(request: Request) -> dict[str, Any] | None:
    try:
        value = json.loads(await request.body())
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("messages"), list) else None


def _credential(request: Request) -> str:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return request.headers.get("x-api-key", bearer)


def _refusal(said: Refuse, credential: str) -> JSONResponse:
    message = said.message.replace("{credential}", credential)
    return JSONResponse(
        {"type": "error", "error": {"type": said.kind, "message": message}},
        status_code=said.status,
        headers={"request-id": "req_example"},
    )
