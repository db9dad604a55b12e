"""HTTP in OCSF's words: URL, endpoints, request and response objects from a masked record's meta.

Masking may have put `[TYPE:pseudonym]` anywhere, so nothing here trusts a value to parse.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from tachograph.processors.enrichment.bounds import HEADERS_BYTES, ID_BYTES, LINE_BYTES, URL_BYTES, clip
from tachograph.processors.enrichment.reading import path_of
from tachograph.schemas.ocsf import HTTP_METHODS
from tachograph.schemas.payload import HeaderField, RequestLine, RequestMeta, ResponseMeta

__all__ = [
    "http_request",
    "http_response",
    "request_line",
    "small",
    "source",
    "target",
    "url",
    "wire_headers",
]

_INT_LIMIT = 2**31
_HEADER_FRAME = 24
"""Bytes that JSON adds around one header field's name and value."""
_KEPT = 1_024
"""Upstreams and addresses whose parse is remembered: there are few, and they come with every record."""


def url(line: RequestLine) -> dict[str, Any]:
    """Where a request went: the upstream's origin and prefix, and the target as the agent sent it."""
    whole = line.target if "://" in line.target else line.upstream.rstrip("/") + line.target
    query = line.target.partition("#")[0].partition("?")[2]
    return {
        "url_string": clip(whole, URL_BYTES) or "/",
        "path": clip(path_of(line.target), URL_BYTES),
        **_present(query_string=clip(query, URL_BYTES)),
        **_origin(line.upstream),
    }


def target(line: RequestLine, connection: str | None) -> dict[str, Any] | None:
    """The destination endpoint, or None where nothing was routed."""
    origin = _origin(line.upstream)
    name = connection or origin.get("hostname")
    if not name:
        return None
    return _endpoint(name, origin.get("hostname"), origin.get("port")) | _present(svc_name=connection)


def source(principal: str, client: str | None) -> dict[str, Any]:
    """The source endpoint: named by who it is, addressed by where it came from if that is known."""
    host, port = _host_port(client or "")
    return _endpoint(principal, host, port)


def http_request(meta: RequestMeta | ResponseMeta, exchange: uuid.UUID | None) -> dict[str, Any]:
    """The request object; a response document repeats its line only."""
    if isinstance(meta, ResponseMeta):
        return request_line(meta.request, exchange)
    return request_line(meta.line, exchange) | _present(
        version=clip(meta.http_version, ID_BYTES),
        user_agent=_header(meta.headers, "user-agent"),
        referrer=_header(meta.headers, "referer"),
        body_length=small(meta.body.length),
        http_headers=wire_headers(meta.headers),
    )


def request_line(line: RequestLine, exchange: uuid.UUID | None) -> dict[str, Any]:
    """Method and URL. A method that OCSF does not number stands under `unmapped.tacho.method` only."""
    method = line.method if line.method in HTTP_METHODS else None
    return {"url": url(line)} | _present(uid=str(exchange) if exchange else None, http_method=method)


def http_response(meta: ResponseMeta) -> dict[str, Any]:
    """The response object; `code` is 0 where nobody answered."""
    first = meta.timing.first_byte
    return {"code": small(meta.status) or 0} | _present(
        status=clip(meta.reason, LINE_BYTES),
        content_type=_header(meta.headers, "content-type"),
        body_length=small(meta.body.length),
        latency=small(first // 1000) if first is not None and first >= 0 else None,
        http_headers=wire_headers(meta.headers),
    )


def wire_headers(headers: Iterable[HeaderField]) -> list[dict[str, str]]:
    """Header fields in order, within `HEADERS_BYTES` together; what does not fit any more is left out."""
    left = HEADERS_BYTES
    kept = []
    for name, value in headers:
        short, text = clip(name, ID_BYTES), clip(value, max(left, 0))
        left -= _utf8_bytes(short) + _utf8_bytes(text) + _HEADER_FRAME
        if left < 0:
            break
        kept.append({"name": short, "value": text})
    return kept


def small(number: int) -> int | None:
    """An OCSF integer: what does not fit is left out."""
    return number if 0 <= number < _INT_LIMIT else None


def _endpoint(name: str, host: str | None, port: int | None) -> dict[str, Any]:
    address = _address(host or "")
    return {"name": clip(name, ID_BYTES)} | _present(
        ip=address, hostname=None if address else clip(host or "", ID_BYTES), port=port
    )


@lru_cache(_KEPT)
def _origin(upstream: str) -> Mapping[str, Any]:
    try:
        parts = urlsplit(upstream)
        port = parts.port
    except ValueError:
        return {}
    if not parts.hostname:
        return {}
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return _present(
        scheme=clip(parts.scheme, ID_BYTES), hostname=clip(parts.hostname, ID_BYTES), port=port or default
    )


def _host_port(client: str) -> tuple[str | None, int | None]:
    host, _, port = client.rpartition(":")
    host = host.strip("[]")
    if not _address(host):
        return None, None
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None
    return host, number if number is not None and number < 65_536 else None


@lru_cache(_KEPT)
def _address(host: str) -> str | None:
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _header(headers: Iterable[HeaderField], wanted: str) -> str | None:
    found = next((value for name, value in headers if name.lower() == wanted), None)
    return clip(found, LINE_BYTES) if found else None


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ""}
