"""The witness's HTTP: POST /add-checkpoint, and the last checkpoint of each log for whoever monitors it.

Requests are judged one after the other, so that no two can both be the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from threading import Lock

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tachograph.forensics.witness.judgement import Answer, Refused, judge
from tachograph.forensics.witness.memory import Memory
from tachograph.schemas.note import NoteKey, NoteSigner
from tachograph.schemas.tlog_witness import MAX_REQUEST_BYTES, SIZE_TYPE

__all__ = ["witness_app"]

log = structlog.get_logger(__name__)


def witness_app(
    *, logs: Mapping[str, NoteKey], memory: Memory, signer: NoteSigner, now: Callable[[], int]
) -> Starlette:
    """The application of a witness for these logs. `now` is Unix seconds."""
    one_at_a_time = Lock()
    seen: dict[str, str] = {}

    def decide(body: str) -> Answer:
        with one_at_a_time:
            answer = judge(body, logs=logs, known=memory.known)
            memory.keep(answer.checkpoint)
            return answer

    async def add_checkpoint(request: Request) -> Response:
        try:
            answer = await asyncio.to_thread(decide, await _body(request))
        except Refused as refused:
            return _refusal(refused)
        except OSError as error:
            log.error("checkpoint not kept", reason=error.strerror)  # noqa: TRY400  the disk's fault, no defect
            return PlainTextResponse("this witness cannot remember just now\n", 503, {"retry-after": "5"})
        line = signer.cosignature(answer.text, at=now())
        origin = hashlib.sha256(answer.checkpoint.origin.encode()).hexdigest()
        seen[origin] = f"{answer.text}\n{line}"
        return PlainTextResponse(line)

    async def latest(request: Request) -> Response:
        note = seen.get(request.path_params["origin"])
        return PlainTextResponse(note) if note else PlainTextResponse("nothing cosigned yet\n", 404)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin:str}/checkpoint", latest, methods=["GET"]),
        ]
    )


async def _body(request: Request) -> str:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_REQUEST_BYTES:
            raise Refused(413, f"expected at most {MAX_REQUEST_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused(400, "expected UTF-8") from None


def _refusal(refused: Refused) -> Response:
    if refused.size is not None:
        return Response(f"{refused.size}\n", refused.status, {"content-type": SIZE_TYPE})
    return PlainTextResponse(f"{refused.reason}\n", refused.status)
