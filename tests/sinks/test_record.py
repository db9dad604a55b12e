"""What a sink believes of a message."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.sinks.record import MAX_DEPTH, Message, Record, nesting, read_message, why_unsendable

UID = "0b9c35a4-0f0f-5b5e-8f4e-3a3d8b6f2c11"
Make = Callable[..., Message]


def headers(uid: str = UID, kind: str = "request", day: str = "2026.11.20") -> tuple[tuple[str, bytes], ...]:
    return (("uid", uid.encode()), ("type", kind.encode()), ("day", day.encode()))


def read(message: Message) -> Record | str:
    return read_message(message, index_prefix="tacho")


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        ("request", "tacho-events-2026.11.20"),
        ("part", "tacho-events-2026.11.20"),
        ("message", "tacho-messages-2026.11.20"),
        ("erasure", "tacho-deletions"),
        ("retention.expired", "tacho-deletions"),
        ("not known", "tacho-events-2026.11.20"),
    ],
)
def test_type_and_day_choose_the_index(message: Make, kind: str, index: str) -> None:
    """Messages of conversations have a family of their own; everything else is an event."""
    record = read(message(b"{}", headers=headers(kind=kind)))
    assert isinstance(record, Record)
    assert (record.index, record.uid, record.defect) == (index, UID, None)


@pytest.mark.parametrize("uid", ["", "x", UID.upper(), "{" + UID + "}", UID.replace("-", ""), '"},"'])
def test_without_a_uid_there_is_no_record(message: Make, uid: str) -> None:
    """Only the canonical form of a UUID is an identity; it goes into JSON without escaping."""
    assert read(message(b"{}", headers=headers(uid=uid))) == "no-uid"
    assert read(message(b"{}", headers=())) == "no-uid"


@pytest.mark.parametrize(
    "day", ["", "2026-11-20", "2026.13.01", "2026.02.30", "2026.11.20/_doc", "٢٠٢٦.١١.٢٠"]
)
def test_a_broken_day_keeps_the_identity(message: Make, day: str) -> None:
    """The record goes to the day on which Kafka received it, with a defect."""
    record = read(message(b"{}", headers=headers(day=day), timestamp_ms=1_763_596_800_000))
    assert isinstance(record, Record)
    assert (record.index, record.defect) == ("tacho-events-2025.11.20", "no-day")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not-an-object"),
        (b"[1]", "not-an-object"),
        (b"nonsense", "not-an-object"),
        (b'{"a":\n1}', "line-feed"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "too-deep"),
        (b'{"a":"' + b"[" * 100 + b'"}', None),
        (b"{" + b",".join(b'"%d":[]' % n for n in range(100)) + b"}", None),
    ],
)
def test_what_may_not_go_into_a_bulk_body(value: bytes, reason: str | None) -> None:
    """Lines and depth; brackets inside strings are text."""
    assert why_unsendable(value) == reason


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
@example([[[["\\", '"[', '\\"{']]]] * 30)
def test_nesting_is_never_below_the_truth(value: Any) -> None:
    """Exact above the bound, an upper bound below it."""

    def depth(part: Any) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    text = json.dumps(value).encode()
    found = nesting(text)
    assert found >= depth(value)
    assert found <= MAX_DEPTH or found == depth(value)


@given(st.binary())
def test_any_bytes_are_read_without_error(value: bytes) -> None:
    """A poisoned value is a verdict, never an exception."""
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, value.hex()))
    found = read(Message("t", 0, 0, 0, None, value, headers(uid=name)))
    assert isinstance(found, Record)


def test_repr_shows_no_content(message: Make) -> None:
    """Sizes and places only."""
    one = message(b'{"secret":1}')
    assert "secret" not in repr(one)
    assert repr(one) == "Message(t.masked[0]@0, value=<12 bytes>)"
