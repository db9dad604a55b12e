"""Rules for header fields: which are hop-by-hop, which frame a body, which make a message unacceptable.

RFC 9110 (semantics) and RFC 9112 (HTTP/1.1) are quoted above the code that follows them. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tachograph.ingress.errors import BadRequest, UpstreamGarbage
from tachograph.schemas.payload import HeaderField

__all__ = [
    "Control",
    "control_fields",
    "end_to_end",
    "refuse_request",
    "refuse_response",
    "response_length",
    "tokens",
    "trailer_fields",
]

Control = dict[str, list[str]]
"""The fields that steer the connection itself: lower-case name to its values in order."""

_STEERING = frozenset(
    {"connection", "content-length", "transfer-encoding", "host", "expect", "upgrade", "te", "keep-alive"}
)

# RFC 9110, 7.6.1, with the two that only a proxy consumes (11.7) and `Trailer`, since trailers are
# reframed by us.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# RFC 9110, 6.5.1: what frames, routes, authenticates or changes how content is read is no trailer.
_NO_TRAILER = (
    _STEERING
    | _HOP_BY_HOP
    | {"authorization", "content-encoding", "content-range", "content-type", "cookie", "set-cookie"}
)

_NOT_HERE = {
    "CONNECT": "this listener is a reverse proxy: CONNECT is not offered here",
    # Its answer repeats the request, and with it the target's credential.
    "TRACE": "TRACE is not relayed",
}

# RFC 3986, 3.2.2 with RFC 9110, 7.2: a host and perhaps a port; never userinfo, never a path.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?")


def control_fields(fields: Iterable[HeaderField]) -> Control:
    """The steering fields of a message in one pass."""
    control: Control = {}
    for name, value in fields:
        key = name.lower()
        if key in _STEERING:
            control.setdefault(key, []).append(value)
    return control


def tokens(values: Iterable[str]) -> frozenset[str]:
    """The members of a comma-separated list field, lower-case."""
    return frozenset(
        token for value in values for part in value.split(",") if (token := part.strip().lower())
    )


def end_to_end(fields: Sequence[HeaderField], control: Control) -> tuple[HeaderField, ...]:
    """The fields without those that belong to one hop, and without those that `Connection` names.

    RFC 9110, 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is
    forwarded and [...] remove any header or trailer field(s) from the message with the same name".
    """
    named = tokens(control["connection"]) if "connection" in control else frozenset()
    # Content-Length frames the body that is forwarded: no sender can name it away.
    dropped = _HOP_BY_HOP | (named - {"content-length"}) if named else _HOP_BY_HOP
    return tuple(field for field in fields if field[0].lower() not in dropped)


def trailer_fields(fields: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
    """The trailers that may be forwarded as trailers; they are never merged into the head."""
    return tuple(field for field in fields if field[0].lower() not in _NO_TRAILER)


def refuse_request(method: str, http_version: str, control: Control) -> BadRequest | None:
    """Why a request that could be parsed is not taken all the same, or None."""
    if http_version not in {"1.0", "1.1"}:
        return BadRequest(f"expected HTTP/1.1, got HTTP/{http_version}", status=505)
    return _refuse_coding(http_version, control) or _refuse_steering(method, http_version, control)


def _refuse_coding(http_version: str, control: Control) -> BadRequest | None:
    # RFC 9112, 6.1: "A server that receives a request message with a transfer coding it does not
    # understand SHOULD respond with 501"; and in HTTP/1.0 the framing is faulty.
    codings = control.get("transfer-encoding")
    if codings is None:
        return None
    if http_version == "1.0":
        return BadRequest("Transfer-Encoding is not defined for HTTP/1.0")
    # RFC 9112, 6.1: a message with both "might indicate an attempt to perform request smuggling".
    if "content-length" in control:
        return BadRequest("expected Content-Length or Transfer-Encoding, got both")
    if len(codings) != 1 or codings[0].lower() != "chunked":
        return BadRequest("expected no transfer coding but chunked", status=501)
    return None


def _refuse_steering(method: str, http_version: str, control: Control) -> BadRequest | None:
    hosts = control.get("host", [])
    # RFC 9112, 3.2: "A server MUST respond with a 400 [...] to any HTTP/1.1 request message that lacks
    # a Host header field and to any request message that contains more than one".
    if len(hosts) != 1 and (hosts or http_version == "1.1"):
        return BadRequest(f"expected exactly one Host field, got {len(hosts)}")
    if hosts and not _HOST.fullmatch(hosts[0]):
        return BadRequest("expected Host to be a host and perhaps a port")
    if method in _NOT_HERE:
        return BadRequest(_NOT_HERE[method], status=405)
    if "expect" in control and any(value.lower() != "100-continue" for value in control["expect"]):
        return BadRequest("expected no expectation but 100-continue", status=417)
    if "upgrade" in control and _wants_websocket(control):
        return BadRequest("WebSocket is not relayed yet", status=501)
    return None


def _wants_websocket(control: Control) -> bool:
    return "upgrade" in tokens(control.get("connection", ())) and "websocket" in tokens(control["upgrade"])


def refuse_response(status: int, http_version: str, control: Control) -> UpstreamGarbage | None:
    """Why an upstream's response head is not taken, or None. Status 1xx but 100 to 103 is refused."""
    if http_version not in {"1.0", "1.1"}:
        return UpstreamGarbage(f"expected HTTP/1.1, got HTTP/{http_version}")
    if status < 100 or status > 599 or status == 101 or 103 < status < 200:
        return UpstreamGarbage(f"status {status} answers nothing that was asked")
    codings = control.get("transfer-encoding")
    if codings is None:
        return None
    if http_version == "1.0" or len(codings) != 1 or codings[0].lower() != "chunked":
        return UpstreamGarbage("expected no transfer coding but chunked")
    if "content-length" in control:
        return UpstreamGarbage("expected Content-Length or Transfer-Encoding, got both")
    return None


def response_length(method: str, status: int, control: Control) -> int | None:
    """How long a response's body is by its head: bytes, -1 if chunked, None if it ends with the connection.

    RFC 9112, 6.3. The parser has already refused a Content-Length that is no number.
    """
    if method == "HEAD" or status in {204, 304} or status < 200:
        return 0
    if "transfer-encoding" in control:
        return -1
    lengths = control.get("content-length")
    return int(lengths[0]) if lengths else None
