"""What operators ask the processor: /healthz (is it alive), /readyz (do records get through), /metrics.

Served from a thread of its own, so that a busy worker still answers. Nothing here needs an identity, so
nothing here says more than counts and states.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tachograph.processors.readiness import Verdict
from tachograph.schemas.config import Listen

__all__ = ["serve"]

REQUEST_S = 5.0
"""How long a caller may take over its request."""
Answer = tuple[HTTPStatus, str, bytes]

_log = structlog.get_logger(__name__)


def serve(listen: Listen, registry: CollectorRegistry, verdict: Callable[[], Verdict]) -> str | None:
    """Serve from a daemon thread; the URL, or None (and a warning) where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_S

        def do_GET(self) -> None:
            status, kind, text = _answer(self.path.partition("?")[0], registry, verdict)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing: a scrape is not an event."""

    try:
        server = ThreadingHTTPServer((listen.host, listen.port), Handler)
    except OSError as error:
        # Several workers share one configuration on one machine; the first one has the port.
        _log.warning(
            "no metrics: choose another processor.metrics port, or 0", port=listen.port, error=error.strerror
        )
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="operations", daemon=True).start()
    return f"http://{listen.host}:{server.server_address[1]}"


def _answer(path: str, registry: CollectorRegistry, verdict: Callable[[], Verdict]) -> Answer:
    if path == "/healthz":
        return HTTPStatus.OK, "text/plain", b"ok\n"
    if path == "/metrics":
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)
    if path == "/readyz":
        found = verdict()
        body = orjson.dumps({"ready": not found.refusing, "refusing": found.refusing, **found.details})
        status = HTTPStatus.SERVICE_UNAVAILABLE if found.refusing else HTTPStatus.OK
        return status, "application/json", body
    return HTTPStatus.NOT_FOUND, "text/plain", b"expected /healthz, /readyz or /metrics\n"
