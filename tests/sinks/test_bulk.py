"""The bulk call as bytes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.bulk import Verdict, body, judge, settle
from tachograph.sinks.errors import Unavailable
from tachograph.sinks.record import Message, Record

UIDS = [f"00000000-0000-5000-8000-{n:012}" for n in range(8)]


def record(n: int, value: bytes = b"{}") -> Record:
    return Record(Message("t", 0, n, 0, None, value), UIDS[n], "request", "tacho-events-2026.11.20")


def answer(*items: tuple[str, int, str]) -> bytes:
    found = [
        {"create": {"_id": uid, "status": status} | ({"error": {"type": kind}} if kind else {})}
        for uid, status, kind in items
    ]
    return orjson.dumps({"errors": True, "items": found})


@given(st.lists(st.binary().filter(lambda value: b"\n" not in value), max_size=8))
def test_a_body_holds_each_value_unchanged(values: list[bytes]) -> None:
    """Two lines a document, the second one is the value, byte for byte."""
    lines = body((record(n, value), value) for n, value in enumerate(values)).split(b"\n")
    assert lines.pop() == b""
    assert lines[1::2] == values
    assert [orjson.loads(line)["create"]["_id"] for line in lines[::2]] == UIDS[: len(values)]


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (201, "", Verdict.CREATED),
        (409, "version_conflict_engine_exception", Verdict.CONFLICT),
        (400, "mapper_parsing_exception", Verdict.REFUSED),
        (400, "illegal_argument_exception", Verdict.REFUSED),
        (413, "", Verdict.REFUSED),
        (400, "validation_exception", Verdict.RETRY),
        (400, "index_closed_exception", Verdict.RETRY),
        (401, "security_exception", Verdict.RETRY),
        (403, "cluster_block_exception", Verdict.RETRY),
        (404, "index_not_found_exception", Verdict.RETRY),
        (429, "rejected_execution_exception", Verdict.RETRY),
        (500, "", Verdict.RETRY),
        (503, "unavailable_shards_exception", Verdict.RETRY),
    ],
)
def test_each_status_has_one_verdict(status: int, kind: str, verdict: Verdict) -> None:
    """What is about the document is refused; what is about the cluster is tried again."""
    assert judge(status, kind) is verdict


def test_an_answer_is_read_by_position() -> None:
    """Each record gets the verdict that stands at its place."""
    records = [record(n) for n in range(4)]
    found = settle(
        records,
        answer(
            (UIDS[0], 201, ""),
            (UIDS[1], 409, "v"),
            (UIDS[2], 400, "mapper_parsing_exception"),
            (UIDS[3], 429, "r"),
        ),
    )
    assert found.created == (records[0],)
    assert found.conflicts == (records[1],)
    assert found.refused == ((records[2], "mapper_parsing_exception"),)
    assert found.retry == ((records[3], "r"),)


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"{",
        b"[]",
        b'{"items":5}',
        b'{"items":[{"create":{"_id":"a"}}]}',
        b'{"items":[{"index":{"_id":"a","status":201}}]}',
        b'{"items":[{"create":{"_id":"a","status":"201"}}]}',
        b'{"items":[null]}',
        answer(),
        answer((UIDS[1], 201, "")),
        answer((UIDS[0], 201, ""), (UIDS[1], 201, "")),
    ],
)
def test_an_answer_that_does_not_fit_is_no_answer(torn: bytes) -> None:
    """Torn, of another shape, for other ids or another number of items: the call is made again."""
    with pytest.raises(Unavailable):
        settle([record(0)], torn)


@given(st.binary())
def test_any_bytes_are_an_answer_or_unavailable(data: bytes) -> None:
    """Never another exception."""
    with pytest.raises(Unavailable):
        settle([record(0)], data)
