"""What an agent is answered when its request is not the recorded one, or the record does not hold the answer.

In the shape that its protocol's clients read: Anthropic's or OpenAI's error object, a JSON-RPC error, else
problem details (RFC 9457). It names every difference; all of it is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tachograph.forensics.replay.recorded import Field, Request
from tachograph.forensics.replay.tape import Differs, NotOnRecord, Unexpected

__all__ = ["Refusal", "refusal"]

DIFFERS = 409
NOT_ON_RECORD = 502
_RPC_SERVER_ERROR = -32000  # JSON-RPC 2.0, 5.1: the first code reserved for the server's own errors
_NEXT = {
    "request-differs": "Compare what the agent was told with what it was told then.",
    "request-unexpected": "Compare what the agent did before this with what it did then.",
    "not-on-record": "Replay a session whose bodies are on record, or answer this one from a test target.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer. `code` is the problem's name."""

    code: str
    status: int
    headers: tuple[Field, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Problem:
    code: str
    status: int
    title: str
    detail: str
    lines: Sequence[str]
    exchange: str | None

    @property
    def sentence(self) -> str:
        listed = "".join(f"\n  {line}" for line in self.lines)
        return f"Tachograph replay: {self.title}. {self.detail}{listed}"


def refusal(request: Request, verdict: Differs | Unexpected | NotOnRecord, *, asked: str) -> Refusal:
    """The answer to a request that cannot be served; `asked` is its body as it came, for its JSON-RPC id."""
    problem = _problem(verdict)
    if request.protocol == "llm":
        media, value = "application/json", _llm(problem, request.path)
    elif request.protocol == "mcp":
        media, value = "application/json", _json_rpc(problem, asked)
    else:
        media, value = "application/problem+json", _details(problem)
    headers = (
        ("Content-Type", media),
        ("Cache-Control", "no-store"),
        # The model APIs' clients try a 409 and a 502 again unless they are told not to.
        ("X-Should-Retry", "false"),
    )
    return Refusal(problem.code, problem.status, headers, orjson.dumps(value))


def _problem(verdict: Differs | Unexpected | NotOnRecord) -> _Problem:
    match verdict:
        case Differs(closest=closest, lines=lines):
            texts = [line.text for line in lines]
            detail = f"It is most like exchange {closest.id}, but for:"
            return _Problem(
                "request-differs", DIFFERS, "This request is not in the record", detail, texts, closest.id
            )
        case Unexpected(recorded=count):
            detail = (
                f"All {count} requests of this shape were asked already."
                if count
                else "No request to this connection, method and path is."
            )
            return _Problem(
                "request-unexpected", DIFFERS, "This request is not in the record", detail, (), None
            )
        case NotOnRecord(exchange=exchange, why=why):
            detail = f"Exchange {exchange.id}: {why}."
            return _Problem(
                "not-on-record",
                NOT_ON_RECORD,
                "The record does not hold this answer",
                detail,
                (),
                exchange.id,
            )


def _details(problem: _Problem) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": f"urn:tachograph:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "next": _NEXT[problem.code],
        "differences": list(problem.lines),
    }
    return value | ({"instance": f"urn:uuid:{problem.exchange}"} if problem.exchange else {})


def _llm(problem: _Problem, path: str) -> dict[str, Any]:
    server = problem.status >= 500
    if "/messages" in path:
        kind = "api_error" if server else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": problem.sentence}}
    kind = "server_error" if server else "invalid_request_error"
    code = problem.code.replace("-", "_")
    return {"error": {"message": problem.sentence, "type": kind, "param": None, "code": code}}


def _json_rpc(problem: _Problem, asked: str) -> dict[str, Any]:
    error = {"code": _RPC_SERVER_ERROR, "message": problem.sentence, "data": _details(problem)}
    return {"jsonrpc": "2.0", "id": _rpc_id(asked), "error": error}


def _rpc_id(asked: str) -> str | int | None:
    try:
        value = orjson.loads(asked)
    except orjson.JSONDecodeError:
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
