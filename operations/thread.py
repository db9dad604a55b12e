"""Serves what operators ask from a daemon thread of its own, so that a busy part still answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CollectorRegistry, generate_latest

from tachograph.operations.answers import Readiness, answer
from tachograph.operations.errors import CannotListen
from tachograph.schemas.listen import Listen

__all__ = ["serve", "serve_if_free"]

REQUEST_SECONDS = 5.0
"""How long a caller may take over its request."""

log = structlog.get_logger(__name__)


def serve(listen: Listen, registry: CollectorRegistry, readiness: Callable[[], Readiness]) -> str:
    """Serve until the process ends; returns the URL. Raises `CannotListen`."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            found = answer(self.path, readiness, lambda: generate_latest(registry))
            self.send_response(found.status)
            self.send_header("content-type", found.media)
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Say nothing: a scrape is not an event."""

    try:
        server = ThreadingHTTPServer((listen.host, listen.port), Handler)
    except OSError as error:
        raise CannotListen(f"{listen.host}:{listen.port}: {error.strerror}") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="operations", daemon=True).start()
    return f"http://{listen.host}:{server.server_address[1]}"


def serve_if_free(
    listen: Listen, registry: CollectorRegistry, readiness: Callable[[], Readiness], *, setting: str
) -> str | None:
    """The same for a part whose work matters more than its counts: without it a warning, and None.

    Several workers may share one configuration on one machine; the first has the port. `setting` names it.
    """
    try:
        return serve(listen, registry, readiness)
    except CannotListen as error:
        log.warning("no metrics: choose another port, or 0", setting=setting, reason=str(error))
        return None
