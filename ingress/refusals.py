"""What the agent is answered when the gateway answers itself: in the shape that its protocol's clients read.

`llm`: Anthropic's or OpenAI's error object; `mcp`: a JSON-RPC error; `http`: problem details (RFC 9457).
Each says what is wrong and what to do next. Nothing of the request is repeated but the JSON-RPC ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import orjson

from tachograph.ingress.errors import Ambiguous, IngressError, KeysAway, Overload, PolicyDenied
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.paths import view
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import ErrorCode, HeaderField

__all__ = ["MAX_RPC_BYTES", "Refusal", "RpcId", "refuse", "rpc_id", "sentence"]

MAX_RPC_BYTES = 256 << 10
MAX_RPC_IDS = 64
"""Calls of a batch that are answered each by its own error."""
RpcId = str | int | tuple[str | int, ...] | None
"""What a JSON-RPC error answers: one call, every call of a batch, or nobody knows what."""

_NEXT: dict[ErrorCode, str] = {
    "upstream-refused": "Check that the target runs and that the connection's upstream is right; then retry.",
    "upstream-unresolved": "Check the host name in the connection's upstream.",
    "upstream-tls": "Check the target's certificate and the connection's tls settings.",
    "upstream-timeout": "Retry later, or raise the connection's timeouts.",
    "upstream-reset": "Retry if the call is safe to repeat: the target may have acted on it.",
    "upstream-garbage": "Check that the connection's upstream is an HTTP/1.1 server.",
    "client-gone": "Nothing: the client left.",
    "client-timeout": "Send the whole request without long pauses.",
    "bad-request": "Send one well-formed HTTP/1.1 request.",
    "unauthenticated": "Send a gateway API key or an OIDC token: `Authorization: Bearer tacho_...`.",
    "forbidden": "Ask the operator to add this principal to the connection's allow list.",
    "policy-denied": "Do not retry unchanged: ask the gateway's operator whether a policy should permit it.",
    "approval-denied": "Do not retry unchanged: the answer was no. Ask the reviewers, or do something else.",
    "approval-unavailable": "Retry after the time in Retry-After; the operator should look at Kafka.",
    "approval-timeout": "Ask a reviewer to look at it, then send the same request again.",
    "unknown-connection": "Call /c/<connection>/..., with a connection that the configuration names.",
    "credential-missing": "Ask the operator to provide the connection's credential.",
    "recorder-full": "Retry after the time in Retry-After; the operator should look at Kafka and the spool.",
    "gateway-error": "Retry; if it happens again, give the operator the exchange id.",
}

_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_PHRASES = {int(status): status.phrase for status in HTTPStatus}
_MESSAGES = re.compile(r"(?!.*/threads/).*/messages(?:/(?:count_tokens|batches)(?:/.*)?)?/?", re.DOTALL)
"""Paths of Anthropic's Messages API; those of OpenAI's threads end alike."""
_RPC_SERVER_ERROR = -32000  # JSON-RPC 2.0, 5.1: the first code reserved for the server's own errors


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole response. `headers` hold its Content-Length."""

    status: int
    reason: str
    headers: tuple[HeaderField, ...]
    body: bytes


def refuse(
    error: IngressError,
    *,
    protocol: Protocol | None,
    target: str = "",
    exchange: UUID | None = None,
    rpc: RpcId = None,
) -> Refusal:
    """The answer to a request that ends in `error`.

    `target`, as the upstream would get it, chooses the dialect of an LLM connection.
    """
    advice = _advice(error)
    value: Any
    if protocol is Protocol.LLM and _MESSAGES.fullmatch(_path(target)):
        value, media = _anthropic(error, advice, exchange), "application/json"
    elif protocol is Protocol.LLM:
        value, media = _openai(error, advice), "application/json"
    elif protocol is Protocol.MCP:
        value, media = _json_rpc(error, advice, exchange, rpc), "application/json"
    else:
        value, media = _problem(error, advice, exchange), "application/problem+json"
    body = orjson.dumps(value)
    return Refusal(error.status, _reason(error.status), _headers(error, media, len(body), exchange), body)


def _path(target: str) -> str:
    """As policies see it; of one that they refuse to look at, what it most likely means."""
    try:
        return view(target).folded
    except Unclear:
        return unquote(re.split(r"[?#]", target, maxsplit=1)[0]).casefold()


def sentence(error: IngressError) -> str:
    """What is wrong and what to do next, in words."""
    return _sentence(error, _advice(error))


def rpc_id(body: bytes) -> RpcId:
    """The id of a JSON-RPC request, or those of a batch, so that its client can match the answer, or None."""
    if len(body) > MAX_RPC_BYTES:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, list):
        return _own_id(value)
    # JSON-RPC 2.0, 6: an answer to each request of a batch, none to notifications and to answers
    requests = (item for item in value if isinstance(item, dict) and "method" in item)
    found = tuple(own for item in requests if (own := _own_id(item)) is not None)
    return found if 0 < len(found) <= MAX_RPC_IDS else None


def _own_id(value: object) -> str | int | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _advice(error: IngressError) -> str:
    if isinstance(error, Ambiguous):
        return "Write it so that every server reads it alike; then send it again."
    if isinstance(error, PolicyDenied) and error.ask:
        return f"Do not retry unchanged: ask {error.ask} whether a policy should permit it."
    if isinstance(error, KeysAway):
        return "Retry after the time in Retry-After; the operator should look at what wraps the data keys."
    return _NEXT[error.code]


def _policies(error: IngressError) -> dict[str, Any]:
    """Which rules said no, for those who look them up."""
    return {"policies": list(error.policies)} if isinstance(error, PolicyDenied) else {}


def _sentence(error: IngressError, advice: str) -> str:
    return f"Tachograph gateway: {error.detail or error.code}. {advice}"


def _anthropic(error: IngressError, advice: str, exchange: UUID | None) -> dict[str, Any]:
    kind = _ANTHROPIC.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    value: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": _sentence(error, advice)}}
    return value | ({"request_id": str(exchange)} if exchange else {})


def _openai(error: IngressError, advice: str) -> dict[str, Any]:
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {
        "error": {
            "message": _sentence(error, advice),
            "type": kind,
            "param": None,
            "code": error.code.replace("-", "_"),
        }
    }


def _json_rpc(error: IngressError, advice: str, exchange: UUID | None, rpc: RpcId) -> Any:
    if isinstance(rpc, tuple):
        return [_json_rpc(error, advice, exchange, one) for one in rpc]
    data: dict[str, Any] = {
        "code": error.code,
        "exchange": str(exchange) if exchange else None,
        "next": advice,
    }
    data |= _policies(error)
    return {
        "jsonrpc": "2.0",
        "id": rpc,
        "error": {"code": _RPC_SERVER_ERROR, "message": _sentence(error, advice), "data": data},
    }


def _problem(error: IngressError, advice: str, exchange: UUID | None) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": f"urn:tachograph:problem:{error.code}",
        "title": _reason(error.status),
        "status": error.status,
        "detail": error.detail or error.code,
        "next": advice,
    } | _policies(error)
    return value | ({"instance": exchange.urn} if exchange else {})


def _headers(error: IngressError, media: str, length: int, exchange: UUID | None) -> tuple[HeaderField, ...]:
    headers: list[HeaderField] = [
        ("Content-Type", media),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
    ]
    if exchange:
        headers.append(("X-Tacho-Exchange", str(exchange)))
    if error.status == 401:
        headers.append(("WWW-Authenticate", 'Bearer realm="tachograph"'))
    if error.status == 405:
        headers.append(("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
    if isinstance(error, Overload):
        headers.append(("Retry-After", str(error.retry_after)))
    elif error.status == 503:
        headers.append(("Retry-After", str(Overload.retry_after)))
    return tuple(headers)


def _reason(status: int) -> str:
    return _PHRASES.get(status, "Refused")
