"""From a configuration to a serving ingress: opens what it needs, serves until told to stop, closes all."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop
from prometheus_client import generate_latest

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.admission import NoApprovals
from tachograph.ingress.approval.desk import Desk
from tachograph.ingress.approval.opening import open_desk
from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.identity.authenticator import Authenticator
from tachograph.ingress.keyfile import open_wrapper, read_key, read_signer
from tachograph.ingress.listening import bind, join, server_context, url
from tachograph.ingress.logs import log_to_stderr
from tachograph.ingress.metrics import APPROVAL_GAUGES, REGISTRY_GAUGES, Metrics
from tachograph.ingress.operations import Operations
from tachograph.ingress.policy.load import load_judge
from tachograph.ingress.recording.recorder import Recorder
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.origin import Origin, serving_by
from tachograph.ingress.registry.standing import Standing
from tachograph.ingress.supervisor import Place, Supervisor
from tachograph.ingress.worker import DataPlane, Services
from tachograph.operations.answers import Readiness
from tachograph.schemas.config import Configuration, Listen
from tachograph.schemas.keys import KeyEncryptionKey

__all__ = ["run"]

_log = structlog.get_logger(__name__)

FLUSH_SECONDS = 3.0
"""What Kafka gets at the end to take what the spool holds; the rest waits there for the next start."""
MAX_DRAIN_SECONDS = 6.0
"""Of `drain_timeout`, so that a stop as a whole stays below ten seconds."""

GC_ALLOCATIONS = 20_000
"""How many containers may be made before the youngest are looked through; exchanges leave few cycles."""


def run(
    config: Configuration,
    *,
    base: Path,
    on_ready: Callable[[dict[str, object]], None],
    file: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` is called once, with the URLs, when requests are taken.

    `file` is where the configuration was read from: what it registers is followed while we serve.
    Raises `OperatorError` for what stands in the way: keys, spool, addresses. Kafka may be down.
    """
    log_to_stderr()
    read_key(base / config.keys.kek_file)  # once here, so that its error comes before any worker does
    open_wrapper(config, base=base).close()  # likewise
    read_signer(config, base=base)  # likewise
    load_judge(config, base=base)  # likewise
    origin = Origin(config, base, file)
    server_context(config.ingress.listen.tls, base=base)  # likewise
    workers = config.ingress.workers
    with bind(config.ingress.listen, shared=workers > 1) as sock:
        ready = _ready(config, sock)
        if workers == 1:
            _work(origin, sock=sock, place=Place(0, lambda: on_ready(ready)))
            return

        def work(place: Place) -> None:
            with join(*sock.getsockname()[:2]) as own:
                _work(origin, sock=own, place=place)

        Supervisor(workers, work).run(lambda: on_ready(ready))


def _work(origin: Origin, *, sock: socket.socket, place: Place) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(origin, sock=sock, place=place))


async def _serve(origin: Origin, *, sock: socket.socket, place: Place) -> None:
    stop, config, base = _stop_event(place), origin.config, origin.base
    kek = KeyEncryptionKey(read_key(base / config.keys.kek_file))
    async with contextlib.AsyncExitStack() as opened:
        authenticator = Authenticator(config.identity, base=base)
        opened.push_async_callback(authenticator.close)
        metrics = Metrics()
        signer = read_signer(config, base=base)
        keys = open_wrapper(config, base=base)
        opened.callback(keys.close)
        recorder = await Recorder.start(config, base=base, kek=kek, keys=keys, metrics=metrics, signer=signer)
        opened.push_async_callback(recorder.stop, seconds=FLUSH_SECONDS)
        keeper = keeper_of(config, base=base, cautious=True, growing=origin.followed)
        opened.callback(keeper.stop)
        await asyncio.to_thread(keeper.start)
        credentials = CredentialStore(config.connections, keeper)
        for problem in credentials.check():
            _log.warning("credential_missing", problem=problem)
        compiler = Compiler(config, base=base, keeper=keeper, loop=asyncio.get_running_loop())
        in_force, registered = await serving_by(origin, compiler, opened)
        held = in_force is not None or registered.judge is not None
        desk = await _desk(config, base=base, kek=kek, opened=opened) if held else None
        services = Services(
            recorder,
            authenticator,
            credentials,
            on_refused=lambda _: metrics.malformed(),
            holder=desk or NoApprovals(),
            on_decided=metrics.decided,
        )
        plane = DataPlane(config, services, base=base, registered=registered)
        opened.push_async_callback(plane.stop, min(config.ingress.drain_timeout, MAX_DRAIN_SECONDS))
        if in_force is not None:
            in_force.serve(plane.adopt)
            metrics.watch(in_force.gauges, REGISTRY_GAUGES)
        if desk is not None:
            metrics.watch(desk.gauges, APPROVAL_GAUGES)
            opened.callback(desk.close)  # before the drain: who waits for people would only be cut at its end
        if config.ingress.metrics is not None:
            operations = _operations(recorder, metrics, plane, in_force)
            opened.callback(operations.stop)
            await operations.start(bind(_own(config.ingress.metrics, place.index), shared=False))
        await plane.start(sock)
        _settle_heap()
        place.ready()
        await stop.wait()


async def _desk(
    config: Configuration, *, base: Path, kek: KeyEncryptionKey, opened: contextlib.AsyncExitStack
) -> Desk | None:
    """Where requests wait for people; None, and a word in the log, where there is no key to sign with."""
    file = base / config.keys.approvals_file
    if not file.exists():
        _log.warning("approvals_off", reason=f"{file} is missing: what asks for an approval is denied")
        return None
    return await opened.enter_async_context(open_desk(config, base=base, kek=kek))


def _settle_heap() -> None:
    """What was loaded so far stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)


def _stop_event(place: Place) -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if place.life is not None:
        loop.add_reader(place.life, stop.set)
    return stop


def _operations(
    recorder: Recorder, metrics: Metrics, plane: DataPlane, in_force: Standing | None
) -> Operations:
    def readiness() -> Readiness:
        status = recorder.status
        details: dict[str, object] = {"spool_bytes": status.spool_bytes, "strands": status.strands}
        details["registry"] = plane.relay.registered.registry
        return Readiness(status.refusing, details | (in_force.details() if in_force is not None else {}))

    return Operations(readiness=readiness, metrics=lambda: generate_latest(metrics.registry))


def _own(listen: Listen, index: int) -> Listen:
    """Each worker answers for itself: the first on the configured port, the next on the ones after it."""
    return listen if listen.port == 0 else Listen(host=listen.host, port=listen.port + index)


def _ready(config: Configuration, sock: socket.socket) -> dict[str, object]:
    scheme = "https" if config.ingress.listen.tls else "http"
    base, metrics = url(sock, scheme), config.ingress.metrics
    return {
        "ingress": base,
        "metrics": f"http://{metrics.host}:{metrics.port}" if metrics and metrics.port else None,
        "workers": config.ingress.workers,
        "connections": {item.name: f"{base}/c/{item.name}" for item in config.connections},
    }
