"""An access stands in the record of the session that was looked at."""

import uuid
from datetime import UTC, datetime

import orjson
import pytest

from tachograph.cli.errors import PartDown
from tachograph.cli.replay import access
from tachograph.cli.replay.access import access_event, publish
from tachograph.forensics.verify.documents import read_document
from tachograph.schemas.access import ACCESS, Access
from tachograph.schemas.masked import masked_event_adapter

SESSION = "0a466fdf-3059-889d-bd58-3b7552c7edd6"
NOW = 1_790_000_000_123_456_789
SAID = Access(
    action="replay", by="auditor", host="host", tool="tachograph 1", how="from OpenSearch, served at :0"
)
UID = uuid.UUID(int=7)


def test_it_is_a_masked_event_like_any_other() -> None:
    """It says who, what, how and when, and validates."""
    event = access_event(SAID, SESSION, uid=UID, salt=bytes(16), now_ns=NOW)
    masked_event_adapter.validate_json(event.value)
    value = orjson.loads(event.value)
    assert value["unmapped"]["tacho"]["access"] == {
        "action": "replay",
        "by": "auditor",
        "host": "host",
        "tool": "tachograph 1",
        "how": "from OpenSearch, served at :0",
    }
    assert value["message"].startswith("auditor at host: replay of the session")
    assert value["actor"]["session"]["uid"] == value["unmapped"]["tacho"]["session"] == SESSION
    assert (event.type, str(event.session)) == (ACCESS, SESSION)
    assert event.day == f"{datetime.fromtimestamp(NOW / 1e9, UTC):%Y.%m.%d}"


def test_a_verifier_reads_it_as_no_record_of_the_wire() -> None:
    """It is in no strand, so a bundle that holds it is as complete as before."""
    found = read_document(access_event(SAID, SESSION, uid=UID, salt=bytes(16), now_ns=NOW).value)
    assert (found.type, found.session, found.header) == (ACCESS, SESSION, None)


def test_without_kafka_nothing_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be recorded does not happen."""
    monkeypatch.setattr(access, "ACKNOWLEDGED_SECONDS", 0.2)
    event = access_event(SAID, SESSION, uid=UID, salt=bytes(16), now_ns=NOW)
    with pytest.raises(PartDown, match="nothing was replayed"):
        publish(event, settings={"bootstrap.servers": "127.0.0.1:9"}, topic="t")
