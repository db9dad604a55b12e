"""The one file that talks to OpenSearch. Bytes go in and come out as they are; faults are mapped to ours.

opensearch-py retries on its own and reads every answer as JSON; here it does neither: the loop decides what
is tried again, and documents must not be re-encoded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoAnswer
from opensearchpy.exceptions import OpenSearchException, SerializationError, TransportError
from opensearchpy.serializer import Serializer

from tachograph.schemas.config import OpenSearch as Settings
from tachograph.sinks.access import read_secret
from tachograph.sinks.bulk import FILTER_PATH
from tachograph.sinks.errors import Busy, CallRefused, Unavailable

__all__ = ["CALL_SECONDS", "Cluster"]

CALL_SECONDS = 30.0
"""The longest that one call may take; a cluster that hangs costs this much and not for ever."""
ASK_SECONDS = 5.0
"""The same for a small question."""
_LATER = frozenset({408, 429, 503})
_NDJSON = {"content-type": "application/x-ndjson"}

# The library logs bodies at DEBUG and every failed call with its traceback; our own log says what matters.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


class _AsIs(Serializer):
    """Text passes both ways; bodies are bytes that we have encoded."""

    mimetype = "application/json"

    def loads(self, s: str) -> str:
        return s

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else orjson.dumps(data)


class Cluster:
    """OpenSearch at one URL. Thread-safe; every call raises `Unavailable` or `CallRefused`."""

    def __init__(self, settings: Settings, *, base: Path, lanes: int = 2) -> None:
        password = None if settings.password is None else read_secret(settings.password, base=base)
        login = None if settings.username is None else (settings.username, password or "")
        https = settings.url.startswith("https:")
        ca_file = str(base / settings.ca_file) if https and settings.ca_file else None
        self._client = OpenSearch(
            hosts=[settings.url],
            http_auth=login,
            timeout=CALL_SECONDS,
            max_retries=0,
            pool_maxsize=lanes,
            serializer=_AsIs(),
            ca_certs=ca_file,
        )

    def bulk(self, body: bytes) -> bytes:
        """One `_bulk` call with this body; the answer's bytes, filtered to what `settle` reads."""
        return self.call("POST", "/_bulk", body, params={"filter_path": FILTER_PATH}, headers=_NDJSON)

    def mget(self, body: bytes) -> bytes:
        """The stored documents, their `_source` as it was stored."""
        return self.call("POST", "/_mget", body)

    def source(self, index: str, uid: str) -> bytes | None:
        """One document's stored bytes, None where there is none."""
        try:
            return self.call("GET", f"/{quote(index)}/_source/{quote(uid)}")
        except CallRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def version(self) -> str:
        """The cluster's version; the cheapest question that needs an answer."""
        return str(orjson.loads(self.call("GET", "/", seconds=ASK_SECONDS))["version"]["number"])

    def get(self, path: str) -> Any:
        """A JSON answer, None for 404."""
        try:
            return orjson.loads(self.call("GET", path, seconds=ASK_SECONDS))
        except CallRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def put(self, path: str, value: Mapping[str, Any]) -> None:
        """Store a JSON value."""
        self.call("PUT", path, orjson.dumps(value))

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> bytes:
        """One call, one answer, within `CALL_SECONDS` unless told otherwise."""
        try:
            answer = self._client.transport.perform_request(
                method,
                path,
                params=dict(params or {}),
                body=body,
                headers=dict(headers or {}),
                timeout=seconds or CALL_SECONDS,
            )
        except NoAnswer:
            raise Unavailable("OpenSearch did not answer") from None
        except TransportError as error:
            raise _mapped(error) from None
        except SerializationError:
            raise Unavailable("OpenSearch answered in another content type: is a proxy in between?") from None
        except OpenSearchException as error:
            raise Unavailable(f"OpenSearch client: {type(error).__name__}") from None
        return (answer or "").encode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _mapped(error: TransportError) -> Unavailable | CallRefused:
    status = error.status_code
    if status in _LATER:
        return Busy(f"OpenSearch answered {status}")
    if not isinstance(status, int) or status >= 500:
        return Unavailable(f"OpenSearch answered {status}")
    # `error.error` is the type of a JSON error, or else the whole answer: only the first may be shown.
    known = isinstance(error.info, dict)
    return CallRefused(status, str(error.error) if known else f"http-{status}")
