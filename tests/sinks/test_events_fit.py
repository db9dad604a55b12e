"""Whatever an agent sends, its event is a document: hostile content, enriched, into the real index."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from typing import Any

import orjson
import pytest

from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.record import MaskedRecord
from tachograph.schemas.event import (
    GENESIS,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
)
from tachograph.schemas.payload import (
    BodyTotals,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    Timing,
)
from tachograph.sinks.batch import Batch
from tachograph.sinks.deliver import Delivery
from tachograph.sinks.record import Message

SESSION, EPOCH, EXCHANGE = (uuid.UUID(int=n, version=4) for n in (1, 2, 3))
TS = "2026-11-20T10:20:30.123456789Z"


def deep(levels: int, value: object, shape: str) -> Any:
    for _ in range(levels):
        value = {"k": value} if shape == "object" else [value]
    return value


ARGUMENTS: dict[str, Any] = {
    "long text": {"x": "y" * 200_000},
    "long name": {"k" * 40_000: 1},
    "long names on every level": deep(30, 1, "object") | {"n" * 600: deep(20, "v" * 9000, "object")},
    "deep objects": {"x": deep(900, 1, "object")},
    "deep lists": {"x": deep(900, 1, "list")},
    "dotted names": {"a.b": 1, "a": {"b": 2}, ".": 3, "": 4, "..a": 5, "b.": 6},
    "clashing types": {"a": [1, "x", {"b": None}, [True]]},
    "numbers": {"big": 10**40, "float": 1e308, "minus": -(2**70)},
    "control characters": {"x": "\x00\x1f\u2028\ufffe"},
    "many": {str(n): n for n in range(20_000)},
    "no object": "text",
    "a list": [1, 2],
    "nothing": None,
}


def header(seq: int, kind: EventType, protocol: Protocol) -> Header:
    return Header(
        uid=event_uid(SESSION, EPOCH, seq),
        type=kind,
        ts=TS,
        session=SESSION,
        epoch=EPOCH,
        seq=seq,
        prev=GENESIS,
        exchange=EXCHANGE,
        connection="target",
        protocol=protocol,
        direction=Direction.REQUEST if kind is EventType.REQUEST else Direction.RESPONSE,
        principal=Principal(id="agent", kind=PrincipalKind.API_KEY),
        raw_commit=GENESIS,
        raw_len=1,
    )


def request(seq: int, protocol: Protocol, body: bytes, **line: str) -> MaskedRecord:
    meta = RequestMeta(
        line=RequestLine(
            method=line.get("method", "POST"),
            target=line.get("target", "/v1/messages"),
            upstream="https://target.example",
        ),
        http_version="1.1",
        headers=(("Content-Type", "application/json"), ("User-Agent", line.get("agent", "a/1"))),
        client=line.get("client", "192.0.2.7:5"),
        body=BodyTotals(length=len(body), sha256=GENESIS),
    )
    return MaskedRecord(
        header(seq, EventType.REQUEST, protocol), meta, body, None, len(body), {"rule": 2}, "r"
    )


def response(seq: int, protocol: Protocol, body: bytes, status: int = 200) -> MaskedRecord:
    meta = ResponseMeta(
        status=status,
        http_version="1.1",
        headers=(("Content-Type", "application/json"),),
        origin="upstream",
        request=RequestLine(method="POST", target="/v1/messages", upstream="https://target.example"),
        context=RequestContext(model="m", tool="t"),
        body=BodyTotals(length=len(body), sha256=GENESIS),
        timing=Timing(start=1_763_596_800_000_000_000, end=5),
    )
    return MaskedRecord(header(seq, EventType.RESPONSE, protocol), meta, body, None, len(body), {}, "r")


def dumps(value: object) -> bytes:
    return json.dumps(value).encode()


def hostile() -> list[MaskedRecord]:
    """One record for each trick."""
    found: list[MaskedRecord] = []
    for arguments in ARGUMENTS.values():
        call = {"jsonrpc": "2.0", "id": "i" * 2000, "method": "tools/call"}
        call |= {"params": {"name": "n" * 3000, "arguments": arguments}}
        use = {"type": "tool_use", "id": "t" * 2000, "name": "n", "input": arguments}
        talk = {"model": "m" * 50_000, "messages": [{"role": "assistant", "content": [use]}]}
        found.append(request(len(found), Protocol.MCP, dumps(call)))
        found.append(request(len(found), Protocol.LLM, dumps(talk)))
        found.append(response(len(found), Protocol.LLM, dumps({"type": "message", "content": [use]})))
        found.append(request(len(found), Protocol.HTTP, dumps(arguments)))
    odd = {"usage": {"input_tokens": -1, "output_tokens": 10**30}, "model": {"a": 1}, "stop_reason": [1]}
    found.append(response(len(found), Protocol.LLM, dumps(odd), status=999))
    found.append(response(len(found), Protocol.LLM, b"\xff not text", status=0))
    found.append(response(len(found), Protocol.MCP, dumps({"jsonrpc": "2.0", "error": {"code": 10**20}})))
    line = {"method": "X" * 60, "target": "/" + "p" * 60_000, "agent": "u" * 60_000, "client": "nobody"}
    found.append(request(len(found), Protocol.HTTP, b"z" * 3_000_000, **line))
    return found


class Ledger:
    """Where records end, and why."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.buried: list[tuple[str | None, str]] = []

    def bury(self, message: Message, *, reason: str, uid: str | None) -> None:
        self.buried.append((uid, reason))

    def settled(self, result: str, count: int) -> None:
        self.results[result] += count

    def retrying(self, reason: str) -> None: ...  # a cluster may have too much to do for a moment

    def equivocation(self, record: object) -> None:
        raise AssertionError(record)


@pytest.mark.engines
def test_no_content_of_an_agent_is_refused_by_the_index(world: Any) -> None:
    """Every emitted event becomes its document; the dead letter stays empty."""
    ledger = Ledger()
    messages = []
    for record in hostile():
        for event in enrich(record):
            headers = {"uid": str(event.uid), "type": event.type, "day": event.day}
            pairs = tuple((name, value.encode()) for name, value in headers.items())
            assert len(event.value) < 2 << 20
            messages.append(Message("t", 0, len(messages), 0, None, event.value, pairs))
    distinct = len({dict(one.headers)["uid"] for one in messages})
    for family in ("events", "messages"):
        world.made(family)
    Delivery(world.prefix, world.cluster, ledger, ledger, world.wait, random.Random(1)).deliver(
        Batch(tuple(messages))
    )
    assert ledger.buried == []
    assert set(ledger.results) <= {"created", "equal"}
    assert ledger.results.total() == len(messages)
    assert orjson.loads(world.ask("POST", f"/{world.prefix}-*/_refresh"))["_shards"]["failed"] == 0
    assert world.count("*") == distinct
