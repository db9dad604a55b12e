"""Our own parts in a benchmark: a folder with configuration and keys, and each part as a child process.

Kafka and OpenSearch are real: those that `--kafka` and `--opensearch` name, or local engines of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from bench.peers import ROOT, Running, free_port, pin, wait_port
from tachograph.cli.home import make_key_files
from tachograph.cli.stack.config import StackConfig
from tachograph.cli.stack.engines import Endpoints, Stack
from tachograph.cli.stack.progress import for_stream

__all__ = ["Site", "engines", "start_ingress", "start_part"]

READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Site:
    """One benchmark's folder: configuration, keys, logs."""

    folder: Path
    port: int
    prefix: str

    @property
    def config(self) -> Path:
        return self.folder / "tacho.yaml"

    @classmethod
    def make(cls, folder: Path, endpoints: Endpoints, upstream: int) -> Site:
        """A fresh site whose topics and indices have a prefix of their own."""
        site = cls(folder, free_port(), f"bench-{secrets.token_hex(4)}")
        keys = folder / "keys"
        make_key_files(keys, randomness=os.urandom)
        site.config.write_text(yaml.safe_dump(site._settings(endpoints, upstream)))
        return site

    def _settings(self, endpoints: Endpoints, upstream: int) -> dict[str, object]:
        return {
            "version": 1,
            "ingress": {"listen": {"port": self.port}},
            "kafka": {
                "bootstrap_servers": endpoints.bootstrap_servers,
                "topic_prefix": self.prefix,
                "partitions": 2,
            },
            "opensearch": {"url": endpoints.opensearch_url, "index_prefix": self.prefix},
            "connections": [
                {"name": "bench", "protocol": "http", "upstream": f"http://127.0.0.1:{upstream}"},
                {"name": "model", "protocol": "llm", "upstream": f"http://127.0.0.1:{upstream}"},
            ],
        }

    def tacho(self, *arguments: str) -> str:
        """Run one `tacho` command on this site; its output."""
        done = subprocess.run(
            [*_TACHO, *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"tacho {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def new_key(self) -> str:
        """A gateway key for the load."""
        return str(json.loads(self.tacho("keys", "create", "bench", "--json"))["key"])


_TACHO = [sys.executable, "-m", "tachograph.cli.main"]


@contextlib.contextmanager
def engines(folder: Path, *, kafka: str | None, opensearch: str | None) -> Iterator[Endpoints]:
    """The named engines, or local ones for as long as the benchmark runs."""
    if kafka and opensearch:
        yield Endpoints(bootstrap_servers=kafka, opensearch_url=opensearch)
        return
    config = StackConfig(home=folder, kafka_port=0, controller_port=0, opensearch_port=0, transport_port=0)
    with Stack(replace(config, opensearch_heap_mb=1024)) as stack:
        yield stack.start(for_stream(sys.stderr))


def start_part(site: Site, name: str, *, cpus: set[int] | None = None) -> subprocess.Popen[bytes]:
    """`tacho NAME` on this site, once it says that it is ready."""
    everywhere = os.sched_getaffinity(0)
    with (site.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*_TACHO, name, "--config", str(site.config)],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=pin(cpus or everywhere),  # noqa: PLW1509  # the bench has no threads
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(b"ready"):
        raise RuntimeError(f"tacho {name} did not start: see {log.name}")
    return process


def start_ingress(site: Site, *, cpus: set[int] | None) -> Running:
    """The whole gateway: identity, capture, durable before forwarded, published to Kafka."""
    process = start_part(site, "ingress", cpus=cpus)
    wait_port(site.port, process)
    return Running("tachograph", process, f"http://127.0.0.1:{site.port}/c/bench", site.new_key())
