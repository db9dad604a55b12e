"""The proxy that one writes first: Starlette on uvicorn, forwarding with `httpx.AsyncClient`.

Run as `python -m bench.plain_httpx PORT UPSTREAM_PORT`.
"""

from __future__ import annotations

import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


def application(upstream: int) -> Starlette:
    """Relay everything to loopback port `upstream`, streaming the answer."""
    client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{upstream}", timeout=300)

    async def relay(request: Request) -> StreamingResponse:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP]
        target = httpx.URL(path=request.url.path, query=request.url.query.encode())
        onward = client.build_request(request.method, target, headers=headers, content=await request.body())
        answer = await client.send(onward, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP}
        close = BackgroundTask(answer.aclose)
        return StreamingResponse(answer.aiter_raw(), answer.status_code, headers=kept, background=close)

    return Starlette(routes=[Route("/{path:path}", relay, methods=["GET", "POST"])])


if __name__ == "__main__":
    app = application(int(sys.argv[2]))
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", loop="uvloop", http="httptools"
    )
