"""HTTP under one deadline: an exchange ends in time, from the look-up of a name to the last byte of a body.

httpx bounds each silence, so who sends a byte a second is waited for without end. Here every step on the
socket gets what is left of the exchange's time and no more, and one that is cut off closes its connection.
Blocking: an exchange belongs to the thread that began it.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
import httpx

__all__ = ["DeadlinePassed", "DeadlineTransport", "within"]

MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS, IDLE_SECONDS = 100, 20, 5.0
"""Those of httpx."""
ROUNDING_SECONDS = 0.01
"""A wait may end so much before its time by another clock."""


class DeadlinePassed(httpx.TimeoutException):
    """The exchange as a whole took too long, however lively it was."""


def within(seconds: float) -> dict[str, Any]:
    """The request's `extensions` for an exchange that may take so long as a whole."""
    return {"total": seconds}


class DeadlineTransport(httpx.BaseTransport):
    """For an `httpx.Client` whose requests say `within`; one that does not has httpx's time-outs alone."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Speaks HTTP/1.1, through no proxy. Connects to nobody yet."""
        self._clock = _Clock()
        backend = _Backend(self._clock)
        self._pool = httpcore.ConnectionPool(
            context,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, whose body is to be read in this thread too. Raises what httpx's own does."""
        self._clock.start(request.extensions.get("total", math.inf))
        told = {name: self._clock.left(value) for name, value in request.extensions["timeout"].items()}
        url = request.url
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions | {"timeout": told},
        )
        with _as_httpx(self._clock):
            answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, self._clock),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _Clock(threading.local):
    """When the exchange of this thread has to be over."""

    end = math.inf

    def start(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return self.end - time.monotonic() < ROUNDING_SECONDS

    def left(self, silence: float | None) -> float | None:
        """Seconds that one step may take, 0 when time is up; None for ever."""
        left = min(math.inf if silence is None else silence, max(self.end - time.monotonic(), 0.0))
        return None if left == math.inf else left


class _Body(httpx.SyncByteStream):
    """The body as it comes."""

    def __init__(self, answer: httpcore.Response, clock: _Clock) -> None:
        self._answer = answer
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx(self._clock):
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Backend(httpcore.NetworkBackend):
    """Opens connections that keep to the clock."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _some(self._clock, timeout, httpcore.ConnectTimeout)
        connect = partial(self._plain.connect_tcp, host, port, seconds, local_address, socket_options or ())
        return _Stream(_in_time(connect, self._clock), self._clock)


class _Stream(httpcore.NetworkStream):
    """One connection, used by one thread after another."""

    def __init__(self, plain: httpcore.NetworkStream, clock: _Clock) -> None:
        self._plain = plain
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _some(self._clock, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # httpcore's own loop would give every turn the whole time.
        sock = self._plain.get_extra_info("socket")
        while buffer:
            sock.settimeout(_some(self._clock, timeout, httpcore.WriteTimeout))
            try:
                sent = sock.send(buffer)
            except TimeoutError as error:
                raise httpcore.WriteTimeout from error
            except OSError as error:
                raise httpcore.WriteError from error
            buffer = buffer[sent:]

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # OpenSSL's handshake in Python takes its time-out for the whole of it.
        seconds = _some(self._clock, timeout, httpcore.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, seconds), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


def _some(clock: _Clock, silence: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    """The seconds that are left for a step, never 0, which a socket takes for another thing."""
    left = clock.left(silence)
    if left is not None and left <= 0:
        raise late
    return left


def _in_time(connect: Callable[[], httpcore.NetworkStream], clock: _Clock) -> httpcore.NetworkStream:
    """A connection, made in a thread that can be left behind.

    Neither the look-up of a name nor a list of addresses has a time-out; who is left behind ends when the
    resolver and the system give up, and closes what it has got.
    """
    made: Future[httpcore.NetworkStream] = Future()

    def work() -> None:
        try:
            made.set_result(connect())
        except Exception as error:  # noqa: BLE001  it is raised again by who waits
            made.set_exception(error)

    threading.Thread(target=work, name="connect", daemon=True).start()
    try:
        return made.result(clock.left(None))
    except TimeoutError:
        made.add_done_callback(_let_go)
        raise httpcore.ConnectTimeout from None


def _let_go(made: Future[httpcore.NetworkStream]) -> None:
    if made.exception() is None:
        made.result().close()


@contextmanager
def _as_httpx(clock: _Clock) -> Iterator[None]:
    """httpx has an exception of the same name for each that httpcore raises."""
    try:
        yield
    except httpcore.TimeoutException as error:
        if clock.over:
            raise DeadlinePassed("the exchange took too long") from error
        raise getattr(httpx, type(error).__name__)(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
