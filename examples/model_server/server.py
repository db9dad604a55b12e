"""The Messages API over HTTP: streamed or whole, errors in the API's own shape."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
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

MAX_REMEMBERED = 1024


def application(facts: Mapping[str, str], log: Path | None, *, pace: float) -> ASGIApp:
    """`POST /v1/messages` and `/v1/messages/count_tokens`; `pace` seconds lie between two events."""
    seen = _Seen()

    async def messages(request: Request) -> Response:
        asked = await _body(request)
        if asked is None:
            return _refusal(Refuse(400, "invalid_request_error", "expected a JSON object with messages"), "")
        said = answer(asked, facts, retry=seen.again(asked))
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
    return ExchangeLog(Starlette(routes=routes), server="model", file=log, note=noted)


def noted(body: bytes) -> Mapping[str, object]:
    """Ids of the tool calls whose outcome a request brings to the model, be it a result or a refusal."""
    try:
        content = json.loads(body)["messages"][-1]["content"]
        returned = [str(block["tool_use_id"]) for block in content if block.get("type") == "tool_result"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return {}
    return {"returned": returned} if returned else {}


class _Seen:
    """How often a conversation came before in the same state; clients themselves do not say it alike."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def again(self, asked: dict[str, Any]) -> int:
        """0 for the first time; counts this one."""
        digest = hashlib.sha256(json.dumps(asked["messages"], sort_keys=True).encode()).hexdigest()
        count = self._counts.pop(digest, 0)
        self._counts[digest] = count + 1
        if len(self._counts) > MAX_REMEMBERED:
            self._counts.popitem(last=False)
        return count


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
