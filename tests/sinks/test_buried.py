"""The stub of a dead letter is known byte for byte; nothing else is taken for it."""

from __future__ import annotations

import orjson
import pytest

from tachograph.sinks.buried import is_stub_of
from tachograph.sinks.deadletter import headers_for
from tachograph.sinks.record import Message, Record, read_message
from tachograph.sinks.stub import stub

UID = "0b9c35a4-0f0f-5b5e-8f4e-3a3d8b6f2c11"
KEY = b"7c9c35a4-0f0f-4b5e-8f4e-3a3d8b6f2c11"
VALUE = orjson.dumps({"time": 12, "unmapped": {"tacho": {"seq": 4, "body": "x"}}})
OWN = (("uid", UID.encode()), ("type", b"request"), ("day", b"2026.11.20"))


def buried(value: bytes = VALUE, reason: str = "mapper_parsing_exception") -> tuple[bytes, dict[str, bytes]]:
    """The stub as the sink stores it, and the headers of the letter that it writes."""
    message = Message("tacho.masked", 3, 7, 1_763_596_800_000, KEY, value, OWN)
    record = read_message(message, index_prefix="p")
    assert isinstance(record, Record)
    headers = {
        name: item.encode() if isinstance(item, str) else item or b""
        for name, item in headers_for(message, reason=reason, uid=record.uid)
    }
    return stub(record, reason), headers


@pytest.mark.parametrize("value", [VALUE, b"no json", b'{"a":\n1}'])
def test_the_letter_gives_the_stub_again(value: bytes) -> None:
    """Whatever was refused, and why."""
    stored, headers = buried(value)
    assert is_stub_of(stored, value, KEY, headers, index_prefix="p")


def test_another_stub_is_not_it() -> None:
    """Edited, of another value, of another reason, or with more in it."""
    stored, headers = buried()
    for other in (
        stored.replace(b'"seq":4', b'"seq":5'),
        stored[:-1] + b',"more":1}',
        buried(b"else")[0],
        buried(reason="other")[0],
    ):
        assert not is_stub_of(other, VALUE, KEY, headers, index_prefix="p")
    assert not is_stub_of(stored, VALUE + b" ", KEY, headers, index_prefix="p")
    assert not is_stub_of(stored, VALUE, None, headers, index_prefix="p")


@pytest.mark.parametrize(
    "name", ["origin-partition", "origin-offset", "origin-timestamp", "origin-header-uid"]
)
def test_a_letter_of_somebody_else_is_none(name: str) -> None:
    """A processor's, or one that is not whole."""
    stored, headers = buried()
    assert not is_stub_of(stored, VALUE, KEY, {**headers, name: b""}, index_prefix="p")
    del headers[name]
    assert not is_stub_of(stored, VALUE, KEY, headers, index_prefix="p")
