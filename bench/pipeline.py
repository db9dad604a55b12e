"""The pipeline stage by stage: exchanges per second, lag from response to searchable, memory of each process.

Each stage works off what the one before left, so a figure is that stage's own; then all run together at a
fixed rate while probes ask how soon their own exchange can be found.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
from confluent_kafka import Consumer, TopicPartition

from bench import machine
from bench.ours import Site, engines, start_ingress, start_part
from bench.peers import ROOT, Running, free_port, stop, wait_port
from tachograph.cli.stack.engines import Endpoints

REQUEST_BYTES = 3 * 1024
"""With the target's answer of 1 KiB an exchange is 4 KiB."""
DRAIN_SECONDS = 300
SEARCHABLE_SECONDS = 30
PROBE_EVERY = 0.5


def main() -> None:
    """Run the stages, print what happens on standard error and one JSON line on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of load in each phase")
    parser.add_argument("--rate", type=float, default=200, help="exchanges per second while lag is measured")
    parser.add_argument("--kafka", help="bootstrap servers of a running Kafka")
    parser.add_argument("--opensearch", help="URL of a running OpenSearch")
    options = parser.parse_args()
    with ExitStack() as exits:
        work = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="tacho-bench-")))
        work.chmod(0o755)
        endpoints = exits.enter_context(
            engines(work / "engines", kafka=options.kafka, opensearch=options.opensearch)
        )
        report = Pipeline(exits, work, endpoints).run(options.seconds, options.rate)
    sys.stdout.write(json.dumps({"machine": machine.describe().as_dict()} | report) + "\n")


class Pipeline:
    """One run over fresh topics and indices."""

    def __init__(self, exits: ExitStack, work: Path, endpoints: Endpoints) -> None:
        self._exits = exits
        self._endpoints = endpoints
        port = free_port()
        target = self._child([sys.executable, "-m", "bench.upstream", str(port)])
        wait_port(port, target)
        self._site = Site.make(work / "site", endpoints, port)
        self._site.tacho("provision")
        self._running: dict[str, Running] = {}
        self._search = httpx.Client(base_url=endpoints.opensearch_url, timeout=30)

    def run(self, seconds: float, rate: float) -> dict[str, object]:
        ingress = self._start("ingress")
        load = json.loads(self._load(ingress, "closed", seconds).communicate()[0])
        say(f"ingress: {load['per_s']} exchanges/s")
        raw = self._settled(lambda: self._records("raw"))
        self._start("process")
        masked = self._paced(lambda: self._records("masked"), raw)
        say(f"masker: {masked / 2:.0f} exchanges/s")
        self._start("sink")
        indexed = self._paced(self._documents, raw)
        say(f"sink: {indexed:.0f} documents/s, {indexed / 2:.0f} exchanges/s")
        lags = self._probe(ingress, seconds, rate)
        emitted = self._settled(lambda: self._records("masked"))
        say(f"searchable after {statistics.median(lags):.2f} s (p50), {max(lags):.2f} s (max)")
        return {
            "ingress_exchanges_s": load["per_s"],
            "masker_exchanges_s": round(masked / 2, 1),
            "sink_exchanges_s": round(indexed / 2, 1),
            "records": raw,
            "missing_documents": emitted - self._settled(self._documents),
            "lag_rate": rate,
            "lag_p50_s": round(statistics.median(lags), 3),
            "lag_max_s": round(max(lags), 3),
            "rss_mb": {name: round(_usage(each).rss / 2**20) for name, each in self._running.items()},
            "cpu_s": {name: round(_usage(each).cpu_s, 2) for name, each in self._running.items()},
        }

    def _child(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self._exits.callback(process.wait, 10)
        self._exits.callback(process.terminate)
        return process

    def _start(self, name: str) -> Running:
        running = start_ingress(self._site, cpus=None) if name == "ingress" else _part(self._site, name)
        self._running[name] = running
        self._exits.callback(stop, running)
        return running

    def _load(self, ingress: Running, kind: str, seconds: float, *flags: str) -> subprocess.Popen[bytes]:
        url = f"{ingress.url}/json"
        bounds = ["--seconds", f"{seconds:g}", "--bytes", str(REQUEST_BYTES), "--key", ingress.key or ""]
        return self._child([sys.executable, "-m", "bench.load", kind, url, *bounds, *flags])

    def _records(self, topic: str) -> int:
        name = f"{self._site.prefix}.{topic}"
        settings = {"bootstrap.servers": self._endpoints.bootstrap_servers, "group.id": "bench"}
        consumer = Consumer(settings)
        try:
            partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
            ends = [
                consumer.get_watermark_offsets(TopicPartition(name, each), timeout=10) for each in partitions
            ]
        finally:
            consumer.close()
        return sum(high - low for low, high in ends)

    def _documents(self) -> int:
        pattern = f"/{self._site.prefix}-*"
        self._search.post(f"{pattern}/_refresh")
        return int(self._search.get(f"{pattern}/_count").json().get("count", 0))

    def _settled(self, count: Callable[[], int]) -> int:
        """The count once it has stayed the same for a second."""
        last, since = count(), time.monotonic()
        while time.monotonic() - since < 1:
            time.sleep(0.1)
            now = count()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def _paced(self, count: Callable[[], int], wanted: int) -> float:
        """Per second between a tenth and nine tenths of `wanted`, so that start and end do not count."""
        marks: dict[float, tuple[float, int]] = {}
        end = time.monotonic() + DRAIN_SECONDS
        while (done := count()) < wanted * 0.9 or 0.1 not in marks:
            if time.monotonic() > end:
                raise RuntimeError(f"{done} of {wanted} after {DRAIN_SECONDS} s")
            if done >= wanted * 0.1 and 0.1 not in marks:
                marks[0.1] = (time.monotonic(), done)
            time.sleep(0.02)
        began, first = marks[0.1]
        return (done - first) / max(time.monotonic() - began, 1e-3)

    def _probe(self, ingress: Running, seconds: float, rate: float) -> list[float]:
        self._settled(self._documents)
        load = self._load(ingress, "rate", seconds, "--per-s", f"{rate:g}")
        lags = []
        with httpx.Client(headers={"x-tacho-key": ingress.key or ""}) as agent:
            while load.poll() is None:
                name = secrets.token_hex(8)
                agent.post(f"{ingress.url}/{name}", json={"probe": True}).raise_for_status()
                lags.append(self._searchable(f"/{name}"))
                time.sleep(PROBE_EVERY)
        return lags

    def _searchable(self, path: str) -> float:
        """Seconds from now until the response's document is found by a search."""
        began = time.monotonic()
        wanted = [{"term": {"http_request.url.path": path}}, {"term": {"unmapped.tacho.type": "response"}}]
        query = {"query": {"bool": {"filter": wanted}}}
        while time.monotonic() - began < SEARCHABLE_SECONDS:
            found = self._search.post(f"/{self._site.prefix}-events-*/_search", json=query).json()
            if found.get("hits", {}).get("hits"):
                return time.monotonic() - began
            time.sleep(0.02)
        raise RuntimeError(f"{path} is not found after {SEARCHABLE_SECONDS} s")


def _part(site: Site, name: str) -> Running:
    return Running(name, start_part(site, name), "")


def _usage(running: Running) -> machine.Usage:
    assert running.process is not None
    return machine.usage(running.process.pid)


def say(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
