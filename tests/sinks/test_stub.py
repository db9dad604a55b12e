"""What stands for a refused record."""

import hashlib
import uuid

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tachograph.sinks.record import Message, Record
from tachograph.sinks.stub import stands_for, stub

UID = "0b9c35a4-0f0f-5b5e-8f4e-3a3d8b6f2c11"
SESSION = "7c9c35a4-0f0f-4b5e-8f4e-3a3d8b6f2c11"


def record(value: bytes, kind: str = "request") -> Record:
    return Record(
        Message("t", 0, 7, 1_763_596_800_000, SESSION.encode(), value), UID, kind, "tacho-events-2026.11.20"
    )


def test_a_stub_keeps_what_places_it_in_its_session() -> None:
    """Identity, session, sequence and time, each in its narrow form; nothing else of the value."""
    tacho = {
        "seq": 4,
        "exchange": SESSION,
        "connection": "api",
        "epoch": 5,
        "body": "text",
        "direction": {"a": 1},
    }
    value = orjson.dumps({"time": 12, "class_uid": 6003, "message": "m", "unmapped": {"tacho": tacho}})
    found = orjson.loads(stub(record(value), "mapper_parsing_exception"))
    assert found == {
        "class_uid": 6003,
        "metadata": {"uid": UID},
        "time": 12,
        "unmapped": {
            "tacho": {
                "connection": "api",
                "exchange": SESSION,
                "seq": 4,
                "session": SESSION,
                "stub": {
                    "bytes": len(value),
                    "reason": "mapper_parsing_exception",
                    "sha256": hashlib.sha256(value).hexdigest(),
                },
                "type": "request",
                "withheld": "not-indexed",
            }
        },
    }


@given(st.binary())
def test_every_value_has_a_stub_that_is_small_and_its_own(value: bytes) -> None:
    """Whatever the value is; a stub stands for it and for no other value."""
    made = stub(record(value), "too-deep")
    assert len(made) < 1000
    assert stands_for(made, record(value))
    assert not stands_for(made, record(value + b" "))
    assert stub(record(value), "too-deep") == made


@given(st.binary())
def test_no_foreign_document_is_a_stub(stored: bytes) -> None:
    """Only the sum of the value makes one."""
    assert not stands_for(stored, record(uuid.uuid4().bytes))


def test_a_hostile_type_does_not_enter_the_stub() -> None:
    """A type that is no name is `unknown`."""
    assert orjson.loads(stub(record(b"{}", 'x" y'), "r"))["unmapped"]["tacho"]["type"] == "unknown"
