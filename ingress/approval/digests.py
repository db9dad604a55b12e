"""What an approval is bound to: a keyed digest of the request to the byte, and one of its kind for grants.

Keyed, because requests are short and a plain hash of one could be guessed. Every part goes in with its
length, so no two requests share one text. Pure.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable

import orjson

from tachograph.ingress.admission import Asked
from tachograph.schemas.event import Protocol
from tachograph.schemas.keys import KeyEncryptionKey

__all__ = ["Digests"]

_LENGTH = struct.Struct(">Q")
_VOLATILE = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "baggage",
        "connection",
        "content-length",
        "date",
        "expect",
        "host",
        "keep-alive",
        "te",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "user-agent",
        "x-request-id",
        "x-tacho-agent",
        "x-tacho-parent",
        "x-tacho-session",
    }
)
"""Fields in which an honest retry differs. Every other one is part of the request that reviewers see."""
_VOLATILE_PREFIX = "x-stainless-"
"""What the model vendors' clients count and time."""


class Digests:
    """Digests under one key, which all workers of an installation derive alike."""

    def __init__(self, kek: KeyEncryptionKey) -> None:
        self._request = kek.derive("approval request digest")
        self._scope = kek.derive("approval scope digest")

    def request(self, asked: Asked) -> str:
        """64 hex digits: who asks for what. An altered retry has another."""
        headers = sorted((name.lower(), value) for name, value in asked.headers if not _volatile(name))
        told = (field for header in headers for field in header)
        return _digest(self._request, (*_who(asked), asked.target, str(len(headers)), *told), asked.body)

    def scope(self, asked: Asked) -> str:
        """64 hex digits: who, where, which kind of call: method and path, for MCP tool or resource too."""
        path = asked.target.partition("?")[0]
        calls = _calls(asked.body) if asked.connection.protocol is Protocol.MCP else ()
        return _digest(self._scope, (*_who(asked), path, str(len(calls)), *calls), None)


def _who(asked: Asked) -> tuple[str, ...]:
    who = asked.principal
    actors = (str(len(asked.actors)), *asked.actors)
    return (asked.connection.name, who.kind.value, who.id, who.issuer or "", *actors, asked.method)


def _calls(body: bytes | None) -> tuple[str, ...]:
    """Every call of a JSON-RPC message or batch: method, and of what. The body itself where it is neither."""
    try:
        value = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return ((body or b"").hex(),)
    calls = value if isinstance(value, list) else [value]
    if not all(isinstance(call, dict) for call in calls):
        return ((body or b"").hex(),)
    return tuple(orjson.dumps([call.get("method"), *_named(call)]).decode() for call in calls)


def _named(call: dict[str, object]) -> tuple[object, object]:
    """What the call is of: a tool or a prompt by its name, a resource by its address."""
    params = call.get("params")
    return (params.get("name"), params.get("uri")) if isinstance(params, dict) else (None, None)


def _volatile(name: str) -> bool:
    lower = name.lower()
    return lower in _VOLATILE or lower.startswith(_VOLATILE_PREFIX)


def _digest(key: bytes, texts: Iterable[str], body: bytes | None) -> str:
    made = hmac.new(key, digestmod="sha256")
    for part in (*(text.encode("utf-8", "surrogatepass") for text in texts), body or b""):
        made.update(_LENGTH.pack(len(part)))
        made.update(part)
    return made.hexdigest()
