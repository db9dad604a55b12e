"""The proxies of the ingress benchmark: how each one is started in front of the same target.

Every proxy gets one core, one worker and no access log; ours records every exchange to Kafka besides.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template

__all__ = ["PEERS", "Running", "free_port", "pin", "start", "stop", "wait_port"]

ROOT = Path(__file__).parent.parent
PEER_BIN = ROOT / ".venv-bench" / "bin"
START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Running:
    """A started proxy: its process group, its base URL and the key it wants, if any."""

    name: str
    process: subprocess.Popen[bytes] | None
    url: str
    key: str | None = None


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when `port` takes connections; a process that ends first is an error."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {port} after {START_SECONDS} s")


def pin(cpus: set[int]) -> Callable[[], None]:
    """A preexec function that keeps a child on `cpus`, where the machine has more than one."""
    allowed = cpus & os.sched_getaffinity(0)
    return lambda: os.sched_setaffinity(0, allowed) if allowed else None


def start(name: str, command: list[str], port: int, log: Path) -> Running:
    """Start one proxy on core 0 and wait until it listens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=pin({0}),  # noqa: PLW1509  # the bench has no threads
        )
    wait_port(port, process)
    return Running(name, process, f"http://127.0.0.1:{port}")


def stop(running: Running) -> None:
    """End a proxy that we started, and its children."""
    process = running.process
    if process is None or process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def _template(name: str, **values: object) -> str:
    return Template((Path(__file__).parent / name).read_text()).substitute(values)


def _nginx(upstream: int, work: Path) -> Running | None:
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        return None
    port = free_port()
    (work / "nginx.conf").write_text(_template("nginx.conf.in", dir=work, port=port, upstream=upstream))
    # As root nginx would drop to a user that cannot write here; the benchmark keeps the one it has.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    return start(
        "nginx", [binary, "-c", str(work / "nginx.conf"), "-p", str(work), *user], port, work / "nginx.log"
    )


def _envoy(upstream: int, work: Path) -> Running | None:
    if not (PEER_BIN / "envoy").exists():
        return None
    port = free_port()
    (work / "envoy.yaml").write_text(_template("envoy.yaml.in", port=port, upstream=upstream))
    flags = ["--concurrency", "1", "-l", "error", "--base-id", str(os.getpid() % 60_000)]
    return start(
        "envoy", [str(PEER_BIN / "envoy"), "-c", str(work / "envoy.yaml"), *flags], port, work / "envoy.log"
    )


def _mitmproxy(upstream: int, work: Path) -> Running | None:
    if not (PEER_BIN / "mitmdump").exists():
        return None
    port = free_port()
    mode = ["--mode", f"reverse:http://127.0.0.1:{upstream}", "--listen-host", "127.0.0.1", "-p", str(port)]
    flags = ["-q", "--set", "stream_large_bodies=1", "--set", f"confdir={work}"]
    return start("mitmproxy", [str(PEER_BIN / "mitmdump"), *mode, *flags], port, work / "mitm.log")


def _httpx(upstream: int, work: Path) -> Running | None:
    port = free_port()
    command = [sys.executable, "-m", "bench.plain_httpx", str(port), str(upstream)]
    return start("httpx", command, port, work / "httpx.log")


def _direct(upstream: int, work: Path) -> Running | None:  # noqa: ARG001  # one shape for all peers
    return Running("direct", None, f"http://127.0.0.1:{upstream}")


PEERS: dict[str, Callable[[int, Path], Running | None]] = {
    "direct": _direct,
    "nginx": _nginx,
    "envoy": _envoy,
    "mitmproxy": _mitmproxy,
    "httpx": _httpx,
}
"""Each starts its proxy before the target on port `upstream`, or gives None where it is not installed."""
