"""`make bench-access`: what knowing who it is and deciding what they may do costs. The last line is JSON.

A set of 64 policies over 22 connections, as a company might have it. Times are CPU time of this process, so
that a busy machine does not count. "Cached" is a request whose read inputs were seen before, taken apart and
looked up anew; "uncached" goes to Cedar each time.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from uuid import UUID

from bench.access_hostile import BARS as HOSTILE_BARS
from bench.access_hostile import hostile
from bench.access_identity import BARS as IDENTITY_BARS
from bench.access_identity import identity
from bench.access_waiting import BARS as WAITING_BARS
from bench.access_waiting import waiting
from bench.machine import describe
from tachograph.ingress.admission import Asked
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.ingress.serve import GC_ALLOCATIONS
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.payload import HeaderField

CALLS = 20_000
ROUNDS = 5
UNCACHED = 4_000
BARS = (
    {"cached_decision_us": 5.0, "uncached_decision_p99_us": 500.0}
    | IDENTITY_BARS
    | WAITING_BARS
    | HOSTILE_BARS
)
HEADERS: tuple[HeaderField, ...] = (
    ("Host", "gateway:8080"),
    ("User-Agent", "python-httpx/0.28"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Content-Type", "application/json"),
    ("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("X-Request-Id", "5f0c1c7e"),
)
BASE = """
@id("no-admin") @reason("Administration is for people")
forbid(principal is Agent, action, resource) when { context.path_folded like "*/admin/*" };
@id("inside") forbid(principal, action, resource)
unless { context has source && context.source.isInRange(ip("10.0.0.0/8")) };
@id("models") permit(principal in Group::"agents", action == Action::"llm.message", resource)
when { context has model && context.model like "claude-*" };
@id("office-hours") forbid(principal is User, action == Action::"mcp.call", resource)
when { context.time.weekday > 5 };
"""
EACH = """
@id("read-{n}")
permit(principal in Group::"g{g}", action == Action::"http.request", resource == Connection::"c{n}")
when {{ context.method == "GET" && context.path like "/v{n}/*" }};
@id("write-{n}")
permit(principal in Group::"g{g}", action == Action::"http.request", resource == Connection::"c{n}")
when {{ ["POST", "PUT"].contains(context.method) && resource.labels has env && resource.labels.env == "a" }};
@id("tool-{n}") @approval("ops")
permit(principal, action == Action::"mcp.call", resource)
when {{ context.tool == "tool{n}" && context.arguments has path && context.arguments.path like "/{n}/*" }};
"""


def judge() -> tuple[CedarJudge, dict[str, Connection]]:
    """The policies and their connections."""
    text = BASE + "".join(EACH.format(n=n, g=n % 5) for n in range(20))
    connections = [
        Connection(name=f"c{n}", protocol="http", upstream=f"http://c{n}.internal", labels={"env": "a"})
        for n in range(20)
    ]
    connections += [
        Connection(name="files", protocol="mcp", upstream="http://files.internal"),
        Connection(name="model", protocol="llm", upstream="https://api.anthropic.com"),
    ]
    known = {item.name: item for item in connections}
    return CedarJudge(read_policies([PolicyFile("bench", text)]), connections), known


def request(
    connection: Connection, method: str, target: str, body: bytes | None = None, *, who: int = 0
) -> Asked:
    """One agent's request, as the relay makes it."""
    return Asked(
        exchange=UUID(int=1),
        session=UUID(int=2),
        connection=connection,
        principal=Principal(id=f"agent-{who}", kind=PrincipalKind.API_KEY),
        groups=frozenset({"agents", "g1", "everybody"}),
        actors=(),
        method=method,
        target=target,
        headers=HEADERS,
        client="10.1.2.3:4711",
        started_ns=1_795_429_230_123_456_789,
        body=body,
    )


def each_us(run: Callable[[], object], calls: int = CALLS) -> float:
    """CPU microseconds of one call: the median of a few rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(calls):
            run()
        rounds.append((time.process_time_ns() - start) / calls / 1000)
    return round(statistics.median(rounds), 2)


def tool_call(number: int) -> bytes:
    """A JSON-RPC call of one tool."""
    params = {"name": f"tool{number % 20}", "arguments": {"path": f"/{number % 20}/{number}"}}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()


def message(size: int) -> bytes:
    """A Messages request of about `size` bytes."""
    turns = [{"role": "user", "content": "word " * 200} for _ in range(max(1, size // 1050))]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": turns}).encode()


def cached() -> dict[str, float]:
    """Decisions on inputs that were seen before, by kind of request."""
    made, known = judge()
    http = request(known["c1"], "GET", "/v1/people")
    call = request(known["files"], "POST", "", tool_call(1))
    small, large = (
        request(known["model"], "POST", "/v1/messages", message(size)) for size in (4096, 102_400)
    )
    return {
        "cached_decision_us": each_us(lambda: made.decide(http)),
        "cached_mcp_us": each_us(lambda: made.decide(call), CALLS // 4),
        "cached_llm_4k_us": each_us(lambda: made.decide(small), CALLS // 10),
        "cached_llm_100k_us": each_us(lambda: made.decide(large), CALLS // 100),
    }


def uncached() -> dict[str, float]:
    """Decisions that nobody asked for before, every tenth by a principal that is new as well.

    Half are MCP calls, half HTTP requests. The collector is set as the ingress sets it; the median of a few
    rounds, each with a judge of its own.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)
    cuts = [statistics.quantiles(_uncached_round(), n=100) for _ in range(ROUNDS)]
    return {
        "uncached_decision_p50_us": round(statistics.median(cut[49] for cut in cuts), 1),
        "uncached_decision_p99_us": round(statistics.median(cut[98] for cut in cuts), 1),
    }


def _uncached_round() -> list[float]:
    made, known = judge()
    times = []
    for number in range(UNCACHED):
        who = number // 10
        asked = (
            request(known["files"], "POST", "", tool_call(number), who=who)
            if number % 2
            else request(known["c1"], "GET", f"/v1/people/{number}", who=who)
        )
        start = time.thread_time_ns()
        made.decide(asked)
        times.append((time.thread_time_ns() - start) / 1000)
    return times


def loading() -> dict[str, float]:
    """From text to a judge: parsed, validated and compiled."""
    start = time.process_time()
    made, _ = judge()
    return {"policies": len(made.policies), "load_ms": round((time.process_time() - start) * 1000, 1)}


def main() -> None:
    """Measure, show, and say which bars are missed."""
    argparse.ArgumentParser(prog="make bench-access", description=__doc__).parse_args()
    figures: dict[str, float] = {}
    for part in (loading, cached, uncached, identity, waiting, hostile):
        found = part()
        figures |= found
        for name, value in found.items():
            bar = f"   (bar {BARS[name]:g})" if name in BARS else ""
            print(f"{name:28} {value:10}{bar}", flush=True)
    print(json.dumps(figures | {"machine": describe().as_dict()}))


if __name__ == "__main__":
    main()
