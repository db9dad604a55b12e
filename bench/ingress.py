"""The ingress beside nginx, Envoy, mitmproxy, plain httpx and no proxy at all, interleaved in one run.

Proxies have core 0, load and target core 1. CPU per request is the figure that survives a noisy machine. Ours
does more than the others in the same run: it verifies who calls, and each request is durable before it is
forwarded.
Peers that are not installed are left out and named; `make bench-ingress` installs those that PyPI has.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import machine
from bench.ours import Site, engines, start_ingress
from bench.peers import PEERS, ROOT, Running, free_port, pin, stop, wait_port

LOAD_SECONDS = 120
Figures = dict[str, float]


def main() -> None:
    """Run every round, print a table on standard error and one JSON line on standard output."""
    options = _options()
    with ExitStack() as exits:
        work = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="tacho-bench-")))
        work.chmod(0o755)
        endpoints = exits.enter_context(
            engines(work / "engines", kafka=options.kafka, opensearch=options.opensearch)
        )
        upstream = exits.enter_context(_target())
        site = Site.make(work / "site", endpoints, upstream)
        site.tacho("provision")
        running = list(_start(site, upstream, work))
        for each in running:
            exits.callback(stop, each)
        rounds = [{each.name: _measure(each, options) for each in running} for _ in range(options.rounds)]
    figures = {each.name: _median([one[each.name] for one in rounds]) for each in running}
    missing = sorted(set(PEERS) - set(figures))
    _table(figures)
    report = {"machine": machine.describe().as_dict(), "rounds": options.rounds, "missing": missing}
    sys.stdout.write(json.dumps(report | {"figures": figures, "ratios": _ratios(figures)}) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--kafka", help="bootstrap servers of a running Kafka")
    parser.add_argument("--opensearch", help="URL of a running OpenSearch")
    return parser.parse_args()


@contextmanager
def _target() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=pin({1}))  # noqa: PLW1509  # no threads
    try:
        wait_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _start(site: Site, upstream: int, work: Path) -> Iterator[Running]:
    yield start_ingress(site, cpus={0})
    for name, peer in PEERS.items():
        folder = work / name
        folder.mkdir()
        running = peer(upstream, folder)
        if running is not None:
            yield running


def _measure(each: Running, options: argparse.Namespace) -> Figures:
    closed, cpu = _load(each, "closed", "/json", seconds=options.seconds, connections=32)
    steady, _ = _load(each, "rate", "/json", seconds=options.seconds, per_s=300)
    events, event_cpu = _load(each, "sse", "/sse", seconds=options.seconds, connections=50)
    return {
        "req_s": closed["per_s"],
        "cpu_us": cpu / max(1, closed["done"]) * 1e6,
        "p50_ms": steady["p50_ms"],
        "p99_ms": steady["p99_ms"],
        "sse_p50_ms": events["p50_ms"],
        "sse_p99_ms": events["p99_ms"],
        "sse_cpu_us": event_cpu / max(1, events["done"]) * 1e6,
        "failed": closed["failed"] + steady["failed"] + events["failed"],
        "rss_mb": machine.usage(each.process.pid).rss / 2**20 if each.process else 0,
    }


def _load(each: Running, kind: str, path: str, **bounds: float) -> tuple[Figures, float]:
    before = machine.usage(each.process.pid) if each.process else None
    flags = [part for name, value in bounds.items() for part in (f"--{name.replace('_', '-')}", f"{value:g}")]
    key = ["--key", each.key] if each.key else []
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", kind, each.url + path, *flags, *key],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS,
        check=True,
        preexec_fn=pin({1}),  # no threads
    )
    spent = machine.usage(each.process.pid).since(before) if each.process and before else 0.0
    return json.loads(done.stdout), spent


def _median(rows: list[Figures]) -> Figures:
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def _ratios(figures: dict[str, Figures]) -> dict[str, Figures]:
    """Ours divided by each peer's; for `req_s` more is better, for all others less."""
    ours = figures["tachograph"]
    peers = {name: row for name, row in figures.items() if name not in {"tachograph", "direct"}}
    return {
        name: {key: round(ours[key] / row[key], 3) for key in ours if row.get(key) and key != "failed"}
        for name, row in peers.items()
    }


def _table(figures: dict[str, Figures]) -> None:
    columns = list(next(iter(figures.values())))
    lines = [f"{'proxy':<11}" + "".join(f"{column:>12}" for column in columns)]
    for name, row in figures.items():
        lines.append(f"{name:<11}" + "".join(f"{row[column]:>12.2f}" for column in columns))
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
