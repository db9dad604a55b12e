"""The finding that stops a partition: OCSF's own class, critical, with places and no values."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from tachograph.processors.enrichment.finding import finding
from tachograph.schemas.masked import masked_event_adapter
from tachograph.schemas.stops import Stop

STOP = Stop(
    finding=uuid.UUID(int=1),
    partition=3,
    session=uuid.UUID(int=2),
    leaks=4,
    places=("header", "json"),
    raised="2026-11-23T10:00:00.5Z",
)


def test_it_is_a_critical_alert_of_the_day() -> None:
    """Under the stop's finding, in the canary's session, so that both are found from it."""
    told = finding(STOP)
    assert (told.uid, told.session, told.type, told.day) == (
        STOP.finding,
        STOP.session,
        "finding",
        "2026.11.23",
    )
    event = orjson.loads(told.value)
    assert (event["class_name"], event["severity"], event["status"]) == (
        "Detection Finding",
        "Critical",
        "New",
    )
    assert event["is_alert"]
    assert event["unmapped"]["tacho"]["places"] == ["header", "json"]
    assert event["metadata"]["uid"] == event["finding_info"]["uid"] == str(STOP.finding)
    assert "partition 3" in event["message"]


def test_it_is_valid_ocsf(ocsf: Any) -> None:
    """By the schema of the class itself."""
    assert list(ocsf.problems(orjson.loads(finding(STOP).value))) == []


def test_it_is_an_event_of_the_masked_topic() -> None:
    """By the model that its readers go by."""
    masked_event_adapter.validate_json(finding(STOP).value)


def test_it_is_the_same_whenever_it_is_told() -> None:
    """A canary that says it twice makes one document."""
    assert finding(STOP) == finding(STOP)
