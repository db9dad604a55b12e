"""What a thousand requests cost while they wait for people. Part of `make bench-access`.

A real data plane with its recorder in a process of its own, a thousand connections of a client in this one,
each with a request of 2 KiB that needs an approval. Memory is the growth of that process (PSS) by all that
wait; CPU is what it uses beyond an idle one, over ten seconds. The approvals log is in its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from tachograph.approvals.tail import Entry
from tachograph.credentials.opening import keeper_of
from tachograph.ingress.admission import ApprovalNeed, Asked, Decision, Effect, ToolUse
from tachograph.ingress.approval.desk import Desk, Sources
from tachograph.ingress.approval.digests import Digests
from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.identity.authenticator import Authenticated
from tachograph.ingress.recording.recorder import Recorder
from tachograph.ingress.worker import DataPlane, Services
from tachograph.schemas.approval import ApprovalEvent
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.payload import HeaderField

__all__ = ["BARS", "waiting"]

BARS = {"waiting_1000_mb": 50.0, "waiting_1000_cpu_percent": 1.0}
COUNT = 1000
BODY = b"x" * 2048
SECONDS = 10.0
START_SECONDS = 60.0


def waiting() -> dict[str, float]:
    """`waiting_1000_mb` and `waiting_1000_cpu_percent`."""
    ours, theirs = multiprocessing.Pipe()
    gateway = multiprocessing.get_context("spawn").Process(target=_gateway, args=(theirs,), daemon=True)
    gateway.start()
    try:
        port, pid = ours.recv(), gateway.pid or 0
        with _clients(port, 1):  # what the first request loads stays
            _until(ours, 1)
        _until(ours, 0)
        before, idle = _pss(pid), _busy(pid)
        with _clients(port, COUNT):
            _until(ours, COUNT)
            after, used = _pss(pid), _busy(pid)
    finally:
        gateway.kill()
        gateway.join()
    return {
        "waiting_1000_mb": round((after - before) / 1024, 1),
        "waiting_1000_cpu_percent": round(max(used - idle, 0.0), 2),
    }


@contextlib.contextmanager
def _clients(port: int, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as opened:
        for number in range(count):
            sock = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            head = f"POST /c/files/{number} HTTP/1.1\r\nHost: g\r\nContent-Length: {len(BODY)}\r\n\r\n"
            sock.sendall(head.encode() + BODY)
        yield


def _until(pipe: Pipe, count: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        pipe.send(None)
        if pipe.recv() == count:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"never {count} waiting")
        time.sleep(0.2)


def _pss(pid: int) -> int:
    """KiB that this process alone is answerable for."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def _busy(pid: int) -> float:
    """Percent of one core that the process uses when nothing comes."""
    began = _cpu(pid)
    time.sleep(SECONDS)
    return 100 * (_cpu(pid) - began) / SECONDS


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- the gateway's process ------------------------------------------------------------------------------


class _Everybody:
    """An authenticator that knows everybody."""

    async def authenticate(self, headers: tuple[HeaderField, ...], certificate: object) -> Authenticated:
        del certificate
        return Authenticated(Principal(id="bot", kind=PrincipalKind.API_KEY), headers, headers)


class _AskAlways:
    """A judge that sends everything to people."""

    def reads_body(self, connection: Connection) -> bool:
        del connection
        return True

    def decide(self, asked: Asked) -> Decision:
        del asked
        need = ApprovalNeed(group="ops", minutes=30, reviewers=1, reason="all of it", policy="all")
        return Decision(Effect.APPROVAL, ("all",), "", "d" * 64, "e" * 64, 1, (need,))

    def reads_tools(self, connection: Connection) -> bool:
        del connection
        return False

    def decide_tool(self, asked: Asked, use: ToolUse) -> Decision:
        del use
        return self.decide(asked)


class _Log:
    """A log in memory, read back at once and always fresh."""

    def __init__(self) -> None:
        self.desk: Desk | None = None

    def write(self, event: ApprovalEvent) -> None:
        if self.desk is not None:
            self.desk.read([Entry(event, time.time_ns() // 1_000_000)])

    async def beat(self) -> None:
        while True:
            if self.desk is not None:
                self.desk.fresh(time.monotonic())
            await asyncio.sleep(1.0)


def _gateway(pipe: Pipe) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-waiting-") as folder:
        asyncio.run(_serve(pipe, Path(folder)))


async def _serve(pipe: Pipe, base: Path) -> None:
    config = Configuration.model_validate(
        {
            "kafka": {"bootstrap_servers": "127.0.0.1:9"},
            "ingress": {"max_connections": 2 * COUNT},
            "approval": {"max_waiting": COUNT, "max_waiting_each": 100_000},
            "connections": [{"name": "files", "protocol": "http", "upstream": "http://127.0.0.1:9"}],
        }
    )
    kek = KeyEncryptionKey(os.urandom(32))
    recorder = await Recorder.start(config, base=base, kek=kek)
    journal = _Log()
    journal.desk = desk = Desk(
        write=journal.write,
        digests=Digests(kek),
        settings=config.approval,
        instance=uuid.uuid4(),
        sources=Sources(),
    )
    services = Services(
        recorder,
        _Everybody(),  # type: ignore[arg-type]  # as much of an authenticator as is asked here
        CredentialStore(config.connections, keeper_of(config, base=base, cautious=True)),
        on_refused=lambda _: None,
        judge=_AskAlways(),
        holder=desk,
    )
    plane = DataPlane(config, services, base=base)
    beat = asyncio.create_task(journal.beat())
    sock = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
    await plane.start(sock)
    pipe.send(sock.getsockname()[1])
    asyncio.get_running_loop().add_reader(pipe.fileno(), lambda: (pipe.recv(), pipe.send(desk.waiting)))
    await beat
