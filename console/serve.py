"""One console process: the log followed, the pages served, until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from tachograph.approvals.pen import Pen
from tachograph.approvals.tail import Tail
from tachograph.console.api import Api
from tachograph.console.app import Rooms, console_app
from tachograph.console.bearer import Bearer
from tachograph.console.browser import LOGIN_SECONDS, Browser
from tachograph.console.desk import HISTORY_MS, Desk
from tachograph.console.documents import Documents
from tachograph.console.errors import OperatorError
from tachograph.console.inbox import Inbox
from tachograph.console.kafka_settings import client_settings, read_key, read_secret
from tachograph.console.link_pages import LinkPages
from tachograph.console.links import LinkKey
from tachograph.console.live import Live
from tachograph.console.local_login import LocalLinks
from tachograph.console.login import LoginMethod
from tachograph.console.login_pages import Attempt, Doors, LoginPages
from tachograph.console.metrics import Metrics
from tachograph.console.oidc_login import OidcLogin
from tachograph.console.reviewing import Reviewing
from tachograph.console.saml_login import SamlLogin
from tachograph.console.sessions import OneTime, Sessions
from tachograph.console.templating import Templates
from tachograph.console.webhook import Messenger, Target
from tachograph.identity.errors import IssuerFailed
from tachograph.operations.errors import CannotListen
from tachograph.operations.thread import serve
from tachograph.schemas.approval import ApprovalKey
from tachograph.schemas.config import Configuration
from tachograph.schemas.console_settings import Console
from tachograph.schemas.listen import Listen

__all__ = ["MAX_ATTEMPTS", "opened", "public_url", "run"]

MAX_ATTEMPTS = 1024
MAX_POSTED = 64
MAX_CONNECTIONS = 512
DRAIN_SECONDS = 5

log = structlog.get_logger(__name__)


def run(config: Configuration, *, base: Path, on_ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OperatorError`."""
    _log_to_stderr()
    asyncio.run(_serve(config, base, on_ready))


async def _serve(config: Configuration, base: Path, on_ready: Callable[[dict[str, Any]], None]) -> None:
    told = config.console or Console()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.closing(_listening(told)) as sock:
        url = public_url(told, sock.getsockname()[1])
        async with opened(config, base=base, url=url) as console:
            server = uvicorn.Server(_uvicorn(console.app))
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are in place
            serving = asyncio.create_task(server.serve([sock]))
            where = _for_operators(told.metrics, console.metrics)
            on_ready({"console": url, "metrics": where})
            await stop.wait()
            console.live.close()
            server.should_exit = True
            await serving


def _for_operators(listen: Listen | None, metrics: Metrics) -> str | None:
    try:
        return None if listen is None else serve(listen, metrics.registry, metrics.readiness)
    except CannotListen as error:
        raise OperatorError(f"console.metrics {error}: choose another port, or 0") from None


def public_url(told: Console, port: int) -> str:
    """The origin under which browsers reach it."""
    if told.public_url is not None:
        return told.public_url
    host = f"[{told.listen.host}]" if ":" in told.listen.host else told.listen.host
    return f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A console that follows the log; `app` is what is to be served."""

    app: Any
    desk: Desk
    live: Live
    metrics: Metrics
    sessions: Sessions


@contextlib.asynccontextmanager
async def opened(config: Configuration, *, base: Path, url: str) -> AsyncIterator[Opened]:
    """Everything but the listener, until the end of the block. Kafka and OpenSearch may be down."""
    told = config.console or Console()
    secret = read_key(base / config.keys.approvals_file)
    key, link_key = ApprovalKey(secret), LinkKey(secret)
    kafka, topic = client_settings(config.kafka, base=base), config.kafka.topics.approvals
    async with contextlib.AsyncExitStack() as closing:
        pen = Pen(topic=topic, key=key, settings=kafka, give_up_seconds=config.approval.log_timeout)
        closing.push_async_callback(asyncio.to_thread, pen.close)
        desk = Desk(write=pen.write, log_timeout=config.approval.log_timeout, problem=lambda: tail.problem)
        tail = Tail(desk, topic=topic, key=key, settings=kafka, memory_ms=HISTORY_MS)
        documents = Documents.open(config.opensearch, base=base)
        closing.push_async_callback(documents.close)
        reviewing = Reviewing(desk, documents, auditors=told.auditors)
        counts = Metrics()
        messenger = _messenger(told, base, link_key, url, desk, counts)
        closing.push_async_callback(messenger.close)
        desk.on_asked = messenger.tell
        bearer = Bearer.open(config.identity, base=base)
        closing.push_async_callback(bearer.close)
        methods = _methods(config, told, base, url)
        for method in methods:
            closing.push_async_callback(method.close)
        sessions = _sessions(told)
        browser = Browser(
            sessions, secure=url.startswith("https:"), session_seconds=told.session_minutes * 60
        )
        templates = Templates()
        doors = _doors(sessions, methods, link_key, desk)
        rooms = Rooms(
            inbox=Inbox(reviewing, browser, templates, counts, minutes=config.approval.grant_minutes),
            login=LoginPages(doors, browser, templates, counts),
            links=LinkPages(reviewing, link_key, templates, counts, desk.clock),
            api=Api(reviewing, bearer, counts),
            live=Live(desk, browser, sessions),
            templates=templates,
            methods=methods,
        )
        _gauge(counts, desk, sessions, tail)
        tail.start()
        closing.push_async_callback(asyncio.to_thread, tail.stop)
        yield Opened(console_app(rooms, origin=url), desk, rooms.live, counts, sessions)


def _methods(config: Configuration, told: Console, base: Path, url: str) -> list[OidcLogin | SamlLogin]:
    issuers = {item.issuer: item for item in config.identity.oidc}
    try:
        return [
            *(OidcLogin(login, issuers[login.issuer], base=base, public_url=url) for login in told.logins),
            *(SamlLogin(each, base=base, public_url=url) for each in config.identity.saml),
        ]
    except IssuerFailed as error:
        raise OperatorError(error.detail) from None


def _sessions(told: Console) -> Sessions:
    return Sessions(
        seconds=told.session_minutes * 60,
        idle_seconds=told.idle_minutes * 60,
        monotonic=time.monotonic,
        randomness=os.urandom,
    )


def _doors(sessions: Sessions, methods: Sequence[LoginMethod], key: LinkKey, desk: Desk) -> Doors:
    def once(most: int) -> OneTime[Any]:
        return OneTime(seconds=LOGIN_SECONDS, most=most, monotonic=time.monotonic, randomness=os.urandom)

    attempts: OneTime[Attempt] = once(MAX_ATTEMPTS)
    return Doors(sessions, attempts, once(MAX_POSTED), methods, LocalLinks(key, wall_ms=desk.clock.wall_ms))


def _messenger(told: Console, base: Path, key: LinkKey, url: str, desk: Desk, counts: Metrics) -> Messenger:
    targets = [Target(each, read_secret(each.secret, base=base)) for each in told.webhooks]
    return Messenger(
        targets,
        key=key,
        public_url=url,
        wall_ms=desk.clock.wall_ms,
        count=lambda result: counts.webhooks.labels(result).inc(),
    )


def _gauge(counts: Metrics, desk: Desk, sessions: Sessions, tail: Tail) -> None:
    counts.problem = lambda: desk.problem
    counts.gauges = lambda: {
        "tacho_console_pending": sum(1 for _ in desk.book.pending(desk.now_ms)),
        "tacho_console_log_age_seconds": -1.0 if desk.age is None else desk.age,
        "tacho_console_ignored_events": tail.ignored,
        "tacho_console_sessions": len(sessions),
    }


def _listening(told: Console) -> socket.socket:
    family = socket.AF_INET6 if ":" in told.listen.host else socket.AF_INET
    try:
        return socket.create_server((told.listen.host, told.listen.port), family=family, backlog=128)
    except OSError as error:
        raise OperatorError(
            f"console.listen {told.listen.host}:{told.listen.port}: {error.strerror}"
        ) from None


def _uvicorn(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",  # bounds a request's head, which httptools does not
        ws="none",
        lifespan="off",
        access_log=False,  # addresses hold one-time links
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _log_to_stderr() -> None:
    """One JSON object a line; standard output belongs to `ready`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.getLogger().setLevel(logging.WARNING)
