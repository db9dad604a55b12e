"""Conversations between the engine and one exchange's record, with a journal in memory."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.errors import BadRequest, RecorderFull
from tachograph.ingress.recording.claims import NO_CLAIMS
from tachograph.ingress.recording.exchange_record import MAX_PIECE_BYTES, ExchangeRecord, Opening, RequestHead
from tachograph.ingress.recording.sessions import OpenStrand
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.connection import Connection
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Direction, EventType, Header, Principal, PrincipalKind
from tachograph.schemas.payload import (
    BodyTotals,
    ExchangeError,
    Payload,
    PolicyDecision,
    RequestLine,
    ResponseMeta,
    Timing,
    ToolDecision,
    decode_payload,
)
from tachograph.schemas.topics import Topics

CONNECTION = Connection.model_validate(
    {
        "name": "tools",
        "protocol": "mcp",
        "upstream": "http://u",
        "credential": {"type": "header", "name": "X-Key", "source": {"env": "K"}},
    }
)
HEADERS = (("Content-Type", "text/plain"), ("Content-Encoding", "identity"))


class Journal:
    """Keeps what is added; refuses when told to; its clock is set by the test."""

    def __init__(self) -> None:
        self.strand = Strand(
            session=uuid.UUID(int=1),
            epoch=uuid.UUID(int=2),
            principal=Principal(id="bot", kind=PrincipalKind.API_KEY),
            topics=Topics(),
            sources=Sources(lambda: 0, bytes),
            data_key=b"d" * 32,
        )
        self.entries: list[SpoolEntry] = []
        self.outcomes: list[tuple[str | None, str | None]] = []
        self.waited: list[int] = []
        self.refusing = False
        self.now = 5_000_000
        self.timers: list[Callable[[], None]] = []

    async def admit(self) -> None:
        if self.refusing:
            raise RecorderFull("full")

    def add(self, entry: SpoolEntry) -> int:
        self.entries.append(entry)
        return len(self.entries)

    async def durable(self, count: int) -> None:
        self.waited.append(count)

    async def calm(self) -> None: ...

    def ended(self, held: OpenStrand, *, connection: str | None, error: str | None) -> None:
        self.outcomes.append((connection, error))

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.timers.append(call)
        loop = asyncio.get_running_loop()
        return asyncio.TimerHandle(loop.time() + seconds, call, (), loop)

    def monotonic_ns(self) -> int:
        return self.now

    def record(self, **changes: Any) -> ExchangeRecord:
        values: dict[str, Any] = {
            "exchange": uuid.UUID(int=3),
            "connection": CONNECTION,
            "claims": NO_CLAIMS,
            "head": RequestHead("POST", "/mcp", "1.1", HEADERS, "127.0.0.1:1"),
            "upstream": "http://u/mcp",
            "started_ns": 77,
            "origin_ns": 1_000_000,
        }
        return ExchangeRecord(self, OpenStrand(self.strand, 0, 0, 1), Opening(**values | changes))

    @property
    def opened(self) -> list[tuple[Header, Payload]]:
        sealed = [parse_sealed(entry.value) for entry in self.entries]
        return [
            (item.header, decode_payload(open_sealed(item, cipher=self.strand._cipher))) for item in sealed
        ]


def answer(record: ExchangeRecord, *pieces: bytes) -> None:
    record.response_head(status=200, reason="OK", http_version="1.1", headers=HEADERS, origin="upstream")
    for piece in pieces:
        record.response_data(piece)


async def test_what_is_injected_is_sealed_with_the_request() -> None:
    """The record carries what must not show: no other place has it, and no `repr`."""
    journal = Journal()
    record = journal.record(injected=("user:pass-word", "pass-word"))
    await record.request(b"", end=True)
    record.end()
    (_, request), (_, response) = journal.opened
    assert request.meta.kind == "request"
    assert request.meta.injected == ("user:pass-word", "pass-word")
    assert "pass-word" not in repr(request.meta) + response.meta.model_dump_json()
    assert all(b"pass-word" not in entry.value for entry in journal.entries)


async def test_a_short_exchange_is_two_records() -> None:
    """Both bodies lie in their closing records; the response repeats line and context, and has the times."""
    journal = Journal()
    record = journal.record()
    journal.now += 1_000_000
    await record.request(b'{"method": "tools/call", "id": 1, "params": {"name": "t"}}', end=True)
    assert journal.waited == [1]
    journal.now += 2_000_000
    answer(record, b"a", b"b")
    journal.now += 3_000_000
    record.response_trailers([("X-Sum", "1")])
    record.end()
    (asked, request), (answered, response) = journal.opened
    assert (asked.type, answered.type) == (EventType.REQUEST, EventType.RESPONSE)
    assert request.meta.kind == "request"
    assert (request.meta.credential, request.meta.context.tool) == ("X-Key", "t")
    assert response == Payload(
        ResponseMeta(
            status=200,
            reason="OK",
            http_version="1.1",
            headers=HEADERS,
            trailers=(("X-Sum", "1"),),
            origin="upstream",
            request=RequestLine(method="POST", target="/mcp", upstream="http://u/mcp"),
            client=request.meta.client,
            context=request.meta.context,
            body=BodyTotals(length=2, sha256=hashlib.sha256(b"ab").hexdigest()),
            timing=Timing(start=77, request_end=5_000, first_byte=7_000, end=10_000),
        ),
        b"ab",
    )
    assert journal.outcomes == [("tools", None)]


@given(sizes=st.lists(st.integers(0, 300_000), max_size=6), complete=st.booleans())
def test_whatever_the_pieces_the_body_adds_up(sizes: list[int], *, complete: bool) -> None:
    """Any cutting of an answer gives chunks in order and totals that fit, in exactly one response record."""

    async def converse() -> None:
        journal = Journal()
        record = journal.record()
        await record.request(b"", end=True)
        answer(record, *(bytes([number]) * size for number, size in enumerate(sizes)))
        record.end(complete=complete)
        body = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
        records = [payload for header, payload in journal.opened if header.direction == "response"]
        assert b"".join(payload.body for payload in records) == body
        assert all(len(payload.body) <= MAX_PIECE_BYTES for payload in records)
        offset = 0
        for index, payload in enumerate(records[:-1]):
            assert payload.meta.kind == "chunk"
            assert (payload.meta.index, payload.meta.offset) == (index, offset)
            offset += len(payload.body)
            assert payload.meta.sha256 == hashlib.sha256(body[:offset]).hexdigest()
        closing = records[-1].meta
        assert closing.kind == "response"
        assert closing.body == BodyTotals(
            length=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            chunks=len(records) - 1,
            complete=complete,
        )
        assert not records[-1].body or not closing.body.chunks

    asyncio.run(converse())


async def test_a_slow_stream_is_recorded_as_it_comes() -> None:
    """What was forwarded a second ago is on record, although the answer goes on."""
    journal = Journal()
    record = journal.record()
    await record.request(b"", end=True)
    answer(record, b"first", b" event")
    (timer,) = journal.timers
    timer()
    assert [payload.body for _, payload in journal.opened][1:] == [b"first event"]
    record.response_data(b"second")
    assert len(journal.timers) == 2
    record.end()
    assert [payload.body for _, payload in journal.opened][1:] == [b"first event", b"second", b""]
    journal.timers[1]()
    assert len(journal.opened) == 4


async def test_a_long_request_is_durable_piece_by_piece() -> None:
    """Each piece is waited for before it is forwarded; the request record closes with the totals."""
    journal = Journal()
    record = journal.record()
    await record.request(b"a" * 10, end=False)
    await record.request(b"b" * 10, end=False)
    await record.request(b"c", end=True)
    assert journal.waited == [1, 2, 4]
    assert [header.type.value for header, _ in journal.opened] == ["chunk", "chunk", "chunk", "request"]
    meta = journal.opened[-1][1].meta
    assert meta.kind == "request"
    assert (meta.body.length, meta.body.chunks) == (21, 3)


async def test_the_context_of_a_request_in_pieces_is_read() -> None:
    """A body that came in two pieces has its facts all the same."""
    journal = Journal()
    record = journal.record()
    await record.request(b'{"method": "tools/list",', end=False)
    await record.request(b' "id": 1}', end=True)
    meta = journal.opened[-1][1].meta
    assert meta.kind == "request"
    assert meta.context.rpc_method == "tools/list"


async def test_an_exchange_that_breaks_off_still_has_both_records() -> None:
    """An agent that left in mid-request leaves an incomplete request and a response that says why."""
    journal = Journal()
    record = journal.record()
    await record.request(b"half", end=False)
    record.end(error=ExchangeError(code="client-gone"), complete=False)
    record.end()
    record.response_data(b"late")
    (chunk, _), (asked, request), (answered, response) = journal.opened
    assert (chunk.type, asked.incomplete, answered.incomplete) == (EventType.CHUNK, True, True)
    assert request.meta.kind == "request"
    assert response.meta.kind == "response"
    assert (request.meta.body.complete, request.meta.body.length) == (False, 4)
    assert (response.meta.status, response.meta.origin, response.meta.timing.request_end) == (0, "none", None)
    assert response.meta.error == ExchangeError(code="client-gone")
    assert journal.outcomes == [("tools", "client-gone")]


async def test_a_refused_piece_is_not_recorded_as_forwarded() -> None:
    """When nothing can be recorded the engine is told before it forwards; the refusal is on record later."""
    journal = Journal()
    record = journal.record()
    journal.refusing = True
    with pytest.raises(RecorderFull):
        await record.request(b"x", end=True)
    record.response_head(status=503, reason="", http_version="1.1", headers=(), origin="gateway")
    record.end(error=ExchangeError(code="recorder-full"))
    assert [header.type.value for header, _ in journal.opened] == ["request", "response"]
    assert journal.opened[0][0].incomplete


async def test_a_head_too_long_to_be_recorded_is_refused_and_still_on_record() -> None:
    """Nothing is forwarded without its record; who sent what kind of request is written down all the same."""
    journal = Journal()
    headers = (("x", '"' * 600_000),)
    head = RequestHead("POST", "/" + "t" * 2000, "1.1", headers, "127.0.0.1:1")
    record = journal.record(head=head)
    with pytest.raises(BadRequest) as refusal:
        await record.request(b"body", end=True)
    assert refusal.value.status == 431
    record.end(error=refusal.value.recorded())
    (asked, request), (_, response) = journal.opened
    assert request.meta.kind == "request"
    assert (asked.incomplete, request.meta.headers, len(request.meta.line.target)) == (True, (), 1024)
    assert response.meta.kind == "response"
    assert response.meta.error == ExchangeError(
        code="bad-request", detail="the request's head is too long to be recorded"
    )


async def test_an_answers_head_beyond_all_bounds_does_not_cost_the_record() -> None:
    """The response record is written without it, and says that it is incomplete."""
    journal = Journal()
    record = journal.record()
    await record.request(b"", end=True)
    headers = (("x", '"' * 600_000),)
    record.response_head(status=200, reason="", http_version="1.1", headers=headers, origin="upstream")
    record.response_data(b"body")
    record.end()
    header, response = journal.opened[-1]
    assert (header.incomplete, response.body) == (True, b"body")
    assert len(journal.outcomes) == 1


async def test_a_request_to_no_connection_is_recorded() -> None:
    """Unknown connections have records too, without connection or context."""
    journal = Journal()
    record = journal.record(connection=None, upstream="")
    await record.request(b"{}", end=True)
    record.end(error=ExchangeError(code="unknown-connection"))
    assert [header.connection for header, _ in journal.opened] == [None, None]
    assert journal.outcomes == [(None, "unknown-connection")]


async def test_a_decision_on_a_tool_call_is_durable_and_names_its_record() -> None:
    """It belongs to the answer, and its uid is what reviewers look up."""
    journal = Journal()
    record = journal.record()
    policy = PolicyDecision(effect="approval", digest="a" * 64, inputs="b" * 64, micros=1)
    tool = ToolDecision(id="toolu_1", name="rm", arguments="{}")
    uid = await record.decided_tool("hold", reason="final", tool=tool, policy=policy)
    ((header, payload),) = journal.opened
    assert (header.uid, header.type, header.direction) == (uid, EventType.DECISION, Direction.RESPONSE)
    assert (payload.meta.decision, payload.meta.tool, payload.meta.policy) == ("hold", tool, policy)
    assert journal.waited == [1]
