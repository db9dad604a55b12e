"""What a console tells about itself. The names are one list, here; no label holds anything of a request.

tacho_console_pending                        approvals that wait, as the log says
tacho_console_log_age_seconds                how old this console's view of the log is
tacho_console_ignored_events                 events on the log that are not signed with our key
tacho_console_sessions                       people who are logged in
tacho_console_logins_total{method,result}    `ok` or `refused`
tacho_console_decisions_total{verdict,result}  `counted`, `void` or `unknown`
tacho_console_webhooks_total{result}         `sent`, `failed` or `dropped`
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tachograph.console.errors import OperatorError
from tachograph.schemas.listen import Listen

__all__ = ["GAUGES", "Metrics", "serve"]

GAUGES = {
    "tacho_console_pending": "Approvals that wait for people.",
    "tacho_console_log_age_seconds": "How old the view of the approvals log is.",
    "tacho_console_ignored_events": "Events that are not signed with our key.",
    "tacho_console_sessions": "People who are logged in.",
}


class Metrics(Collector):
    """Counts, and gauges that are asked for when somebody looks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges: Callable[[], dict[str, float]] = dict
        self.problem: Callable[[], str] = lambda: "it is starting"
        told = self.registry
        self.logins = Counter("tacho_console_logins", "Logins", ("method", "result"), registry=told)
        self.decisions = Counter("tacho_console_decisions", "Decisions", ("verdict", "result"), registry=told)
        self.webhooks = Counter("tacho_console_webhooks", "Messages", ("result",), registry=told)
        self.registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self.gauges().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """What is said on the address for operators."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        if path == "/healthz":
            return HTTPStatus.OK, "text/plain", b"alive\n"
        if path == "/readyz":
            problem = self.problem()
            if problem:
                return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"not ready: {problem}\n".encode()
            return HTTPStatus.OK, "text/plain", b"ready\n"
        return HTTPStatus.NOT_FOUND, "text/plain", b"one of /metrics /healthz /readyz\n"


def serve(listen: Listen, metrics: Metrics) -> str:
    """Serve them from a daemon thread; its URL. Raises `OperatorError` where the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, text = metrics.answer(self.path.partition("?")[0])
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
        raise OperatorError(f"console.metrics {listen.host}:{listen.port}: {error.strerror}") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return f"http://{listen.host}:{server.server_address[1]}"
