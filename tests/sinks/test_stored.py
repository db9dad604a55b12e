"""Stored bytes cut out of an answer."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.errors import Unavailable
from tachograph.sinks.record import Message, Record
from tachograph.sinks.stored import mget_body, read_stored

UIDS = [f"00000000-0000-5000-8000-{n:012}" for n in range(8)]
leaves = st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=9)
spaced = st.dictionaries(st.text(max_size=9), leaves | st.lists(leaves, max_size=3), max_size=3).map(
    lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).replace(b"\n", b"")
)


def record(n: int, value: bytes) -> Record:
    return Record(Message("t", 0, n, 0, None, value), UIDS[n], "request", "tacho-events-2026.11.20")


def item(n: int, source: bytes | None) -> bytes:
    head = b'{"_index":"tacho-events-2026.11.20","_id":"%b",' % UIDS[n].encode()
    if source is None:
        return head + b'"found":false}'
    return head + b'"_version":1,"_seq_no":7,"_primary_term":1,"found":true,"_source":' + source + b"}"


def answer(*sources: bytes | None) -> bytes:
    return b'{"docs":[' + b",".join(item(n, source) for n, source in enumerate(sources)) + b"]}"


def test_it_asks_for_each_document_in_order() -> None:
    """By index and id."""
    assert orjson.loads(mget_body([record(0, b"{}"), record(1, b"{}")]))["docs"] == [
        {"_index": "tacho-events-2026.11.20", "_id": uid} for uid in UIDS[:2]
    ]


@given(st.lists(st.tuples(spaced, st.none() | spaced, st.booleans()), min_size=1, max_size=4))
def test_stored_bytes_come_back_unchanged(cases: list[tuple[bytes, bytes | None, bool]]) -> None:
    """Whether equal to what was sent, different, or not there; in their own spelling."""
    records = [record(n, sent) for n, (sent, _, _) in enumerate(cases)]
    stored = [sent if same else other for sent, other, same in cases]
    assert read_stored(records, answer(*stored)) == tuple(stored)


def test_a_document_inside_a_document_is_not_taken_for_one() -> None:
    """A source that holds what an answer holds is still one source."""
    inside = b'{"a":' + item(1, b'{"forged":1}') + b"}"
    assert read_stored([record(0, b"{}"), record(1, b"{}")], answer(inside, b'{"true":1}')) == (
        inside,
        b'{"true":1}',
    )


def test_a_number_of_any_length_ends_somewhere() -> None:
    """Python refuses to read integers of more than 4,300 digits; what is stored need not be read."""
    long = b'{"n":' + b"1" * 5000 + b"}"
    assert read_stored([record(0, b"{}")], answer(long)) == (long,)


@pytest.mark.parametrize("ignored", [["time"], ["unmapped.tacho.rpc_error.code", "duration"]])
def test_what_the_mapping_could_make_nothing_of_is_read_as_any(ignored: list[str]) -> None:
    """OpenSearch names such fields before the source: an agent or its API can bring them about."""
    whole = answer(b'{"a":1}', b'{"code":true}', None)
    named = whole.replace(b'"found":true', b'"_ignored":%b,"found":true' % orjson.dumps(ignored))
    records = [record(n, b'{"a":1}') for n in range(3)]
    assert read_stored(records, named) == (b'{"a":1}', b'{"code":true}', None)


@pytest.mark.parametrize("uid", ['a"b', "a\\b", 'é","found":true,"_source":{}}', "tab\t"])
def test_an_id_of_any_letters_is_one_id(uid: str) -> None:
    """An export asks for what lies in the session, whoever wrote it."""
    told = orjson.dumps({"_index": "i", "_id": uid, "_version": 1, "found": True, "_source": {"x": 1}})
    asked = replace(record(0, b"{}"), uid=uid)
    assert read_stored([asked], b'{"docs":[%b]}' % told) == (b'{"x":1}',)
    gone = orjson.dumps({"_index": "i", "_id": uid, "found": False})
    assert read_stored([asked], b'{"docs":[%b]}' % gone) == (None,)


def test_an_error_for_one_document_counts_as_missing() -> None:
    """An index that does not exist yet holds nothing."""
    head = b'{"_index":"i","_id":"%b","error":{"type":"index_not_found_exception"}}' % UIDS[0].encode()
    assert read_stored([record(0, b"{}")], b'{"docs":[' + head + b"]}") == (None,)


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"{}",
        b'{"docs":[',
        answer(),
        answer(b"{}")[:-2],
        answer(b"{}", b"{}"),
        answer(b'{"a"'),
        item(0, b"{}"),
    ],
)
def test_a_torn_answer_is_no_answer(torn: bytes) -> None:
    """The question is asked again."""
    with pytest.raises(Unavailable):
        read_stored([record(0, b'{"b":1}')], torn)


@given(st.binary())
def test_any_bytes_are_read_or_unavailable(data: bytes) -> None:
    """Never another exception."""
    with pytest.raises(Unavailable):
        read_stored([record(0, b"{}")], b'{"docs":[' + data)
