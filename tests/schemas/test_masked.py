"""The masked event: what is emitted fits it, and whatever is wrong with an event is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from tachograph.schemas.masked import masked_event_adapter

SHA256 = {
    "algorithm_id": 3,
    "algorithm": "SHA-256",
    "encoding_id": 1,
    "encoding": "Hex",
    "serialization_id": 2,
    "serialization": "JCS",
    "value": "0" * 64,
}
UID = "6f1b9773-c148-5492-9478-51a90dfff09e"
EVENT: dict[str, Any] = {
    "category_uid": 6,
    "category_name": "Application Activity",
    "class_uid": 6003,
    "class_name": "API Activity",
    "activity_id": 1,
    "activity_name": "Create",
    "type_uid": 600301,
    "type_name": "API Activity: Create",
    "time": 1_795_429_230_123,
    "severity_id": 1,
    "severity": "Informational",
    "status_id": 0,
    "status": "Unknown",
    "message": "POST /v1/messages",
    "metadata": {
        "version": "1.9.0",
        "product": {"name": "Tachograph"},
        "uid": UID,
        "profiles": ["ai_operation", "host", "record_integrity"],
        "log_name": "tachograph",
        "log_version": "1",
    },
    "actor": {"user": {"uid": "a", "name": "a", "type_id": 4, "type": "Service"}, "session": {"uid": UID}},
    "ai_model": {"ai_provider": "anthropic", "name": "m"},
    "attestation_list": [{"uid": UID, "chain_uid": "s/e", "fingerprint": SHA256}],
    "src_endpoint": {"name": "a"},
    "api": {"operation": "messages"},
    "unmapped": {"tacho": {"v": 1, "uid": UID, "type": "request", "session": UID}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    event = copy.deepcopy(EVENT)
    *parents, last = path.split(".")
    place = event
    for key in parents:
        place = place[key]
    place[last] = value
    return event


def accepted(event: dict[str, Any]) -> None:
    masked_event_adapter.validate_json(json.dumps(event))


def test_a_good_event_is_taken_and_comes_back() -> None:
    """By the model and by its JSON Schema."""
    accepted(EVENT)
    value = masked_event_adapter.validate_json(json.dumps(EVENT))
    assert json.loads(masked_event_adapter.dump_json(value, exclude_none=True)) == EVENT
    jsonschema.validate(EVENT, masked_event_adapter.json_schema())


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("status", "Success", "status_id and status disagree"),
        ("status_id", 1, "status_id and status disagree"),
        ("severity", "High", "severity_id and severity disagree"),
        ("activity_name", "Read", "activity_name"),
        ("activity_id", 2, "activity_name"),
        ("type_uid", 600302, "type_uid"),
        ("type_name", "API Activity: Read", "type_name"),
        ("class_name", "HTTP Activity", "class_name"),
        ("category_name", "Network Activity", "category_name"),
        ("action", "Denied", "action_id and action disagree"),
        ("actor.user.type", "System", "type_id and type disagree"),
        ("metadata.profiles", ["host"], "profiles"),
        ("metadata.profiles", ["ai_operation", "host", "record_integrity", "trace"], "profiles"),
    ],
)
def test_halves_that_disagree_are_refused(path: str, value: Any, match: str) -> None:
    """Numbers and names, class and type, profiles and what the event carries."""
    with pytest.raises(ValidationError, match=match):
        accepted(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("class_uid", 2004),
        ("activity_id", 7),
        ("time", -1),
        ("time", "now"),
        ("time", 1.5),
        ("metadata.version", "1.8.0"),
        ("metadata.uid", "nonsense"),
        ("metadata.nonsense", 1),
        ("nonsense", 1),
        ("src_endpoint", {}),
        ("api", {}),
        ("actor", None),
        ("http_request", {"url": {"url_string": "/"}, "http_method": "BREW"}),
        ("http_request", {"http_method": "GET"}),
        ("attestation_list", [{"uid": UID, "chain_uid": "x", "fingerprint": SHA256 | {"value": "short"}}]),
        ("unmapped.nonsense", 1),
        ("unmapped.tacho.nonsense", 1),
        ("unmapped.tacho.type", "nonsense"),
        ("unmapped.tacho.cost_usd", -1),
        ("unmapped.tacho.seq", -1),
        ("message_context", {"uid": "x", "ai_role_id": 1, "ai_role": "Tool", "service": {"name": "s"}}),
    ],
)
def test_what_is_not_known_is_refused(path: str, value: Any) -> None:
    """Unknown attributes, wrong types, missing parts, values out of their enumeration."""
    with pytest.raises(ValidationError):
        accepted(changed(path, value))


@pytest.mark.parametrize("name", sorted(EVENT.keys() - {"ai_model", "attestation_list"}))
def test_what_is_required_is_missed(name: str) -> None:
    """Every attribute of the smallest event."""
    with pytest.raises(ValidationError):
        accepted({key: value for key, value in EVENT.items() if key != name})


def test_a_session_needs_its_application() -> None:
    """Application lifecycle is about something."""
    event = copy.deepcopy(EVENT) | {
        "class_uid": 6002,
        "class_name": "Application Lifecycle",
        "activity_id": 3,
        "activity_name": "Start",
        "type_uid": 600203,
        "type_name": "Application Lifecycle: Start",
    }
    for name in ("ai_model", "src_endpoint", "api"):
        del event[name]
    event["metadata"]["profiles"] = ["host", "record_integrity"]
    with pytest.raises(ValidationError, match="app"):
        accepted(event)
    accepted(event | {"app": {"name": "agent session"}})
