"""How long one hostile body holds the event loop while it is read and judged: the slowest of many kinds.

Each is as long as bodies that are judged may be, or as full of values. The policies look at whatever a body
can say. Nothing else runs in a worker meanwhile, so this is its longest stall.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from uuid import UUID

from tachograph.ingress.admission import MAX_JUDGED_BODY, Asked
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.ingress.serve import GC_ALLOCATIONS
from tachograph.schemas.connection import Connection
from tachograph.schemas.event import Principal, PrincipalKind

BARS = {"hostile_body_ms": 100.0}
ROUNDS = 3
MANY = 130_000
POLICIES = """
@id("all") permit(principal, action, resource);
@id("tools") forbid(principal, action == Action::"llm.message", resource)
when { context.tools.contains("rm") || (context has max_tokens && context.max_tokens > 100000) };
@id("text") forbid(principal, action == Action::"mcp.call", resource)
when { context.arguments has sql && context.arguments.sql like "*DROP*a*a*b*TABLE*" };
@id("names") forbid(principal, action == Action::"mcp.call", resource)
when { context.argument_names.contains("force") };
@id("address") forbid(principal, action == Action::"mcp.message", resource)
when { context has uri && context.uri like "*a*a*b*" };
"""
_UNITS = {
    "lists": b"[],",
    "objects": b"{},",
    "members": b'{"":0},',
    "numbers": b"1.5,",
    "texts": b'"",',
    "brackets": b'"[",',
}
_TEXTS = {
    "plain": b"a",
    "escapes": b"\\n",
    "quotes": b'\\"',
    "backslashes": b"\\\\",
    "unicode": "é".encode(),
    "coded": b"\\u00e9",
    "digits": b"e" * 64 + b"x",
    "prose": b'She said: \\"x, y\\" [1]\\n',
}


def bodies() -> Iterator[tuple[str, str, bytes]]:
    """(name, connection, body) of each."""
    for name, unit in _UNITS.items():
        yield name, "model", b'{"a":[' + _times(unit) + b"0]}"
    for name, unit in _TEXTS.items():
        yield name, "model", b'{"a":"' + _times(unit) + b'"}'
    yield "members of one", "model", _members(240_000)
    yield "members taken", "model", _members(MANY)
    yield "lists taken", "model", b'{"a":[' + b"[]," * (MANY // 2) + b"0]}"
    yield "tools", "model", b'{"tools":[' + b'{"name":"t"},' * (MANY // 2 - 9) + b'{"name":"u"}]}'
    yield "arguments", "files", _call(_members(MANY - 9))
    yield "a text", "files", _call(b'{"sql":"DROP' + _times(b"a") + b'"}')
    yield "an address", "files", _call(b"{}", b"resources/read", b',"uri":"' + _times(b"a") + b'"')
    yield "a batch", "files", b"[" + b",".join([_call(_members(1000))] * 64) + b"]"


def hostile() -> dict[str, float]:
    """CPU milliseconds of the slowest, taken apart anew."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)
    return {"hostile_body_ms": round(max(took for _, took in each()), 1)}


def each() -> Iterator[tuple[str, float]]:
    """Each body's name and its CPU milliseconds."""
    known = {
        name: Connection(name=name, protocol=protocol, upstream=f"https://{name}.internal")
        for name, protocol in (("model", "llm"), ("files", "mcp"))
    }
    for name, connection, body in bodies():
        yield name, min(_took(known, connection, body) for _ in range(ROUNDS))


def _took(known: dict[str, Connection], connection: str, body: bytes) -> float:
    judge = CedarJudge(read_policies([PolicyFile("hostile", POLICIES)]), known.values())
    asked = _asked(known[connection], "/v1/messages" if connection == "model" else "/", body)
    start = time.thread_time_ns()
    judge.decide(asked)
    return (time.thread_time_ns() - start) / 1e6


def _asked(connection: Connection, target: str, body: bytes) -> Asked:
    return Asked(
        exchange=UUID(int=1),
        session=UUID(int=2),
        connection=connection,
        principal=Principal(id="agent", kind=PrincipalKind.API_KEY),
        groups=frozenset(),
        actors=(),
        method="POST",
        target=target,
        headers=(),
        client="10.1.2.3:4711",
        started_ns=0,
        body=body,
    )


def _times(unit: bytes) -> bytes:
    """As often as it fits into a body, with some room for what stands around it."""
    return unit * ((MAX_JUDGED_BODY - 200) // len(unit))


def _members(count: int) -> bytes:
    return b"{" + b",".join(b'"%06d":1' % number for number in range(count)) + b"}"


def _call(arguments: bytes, method: bytes = b"tools/call", more: bytes = b"") -> bytes:
    params = b'{"name":"x"' + more + b',"arguments":' + arguments + b"}"
    return b'{"jsonrpc":"2.0","id":1,"method":"' + method + b'","params":' + params + b"}"


def main() -> None:
    """Show each."""
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)
    for name, took in each():
        print(f"{name:16} {took:8.1f} ms")


if __name__ == "__main__":
    main()
