"""Every record gives valid events, the same on every run, whatever its content is."""

from __future__ import annotations

from typing import Any

from tachograph.processors.enrichment.enrich import enrich


def test_every_kind_of_record_gives_valid_events(all_kinds: Any, events: Any) -> None:
    """Each event fits our models, our JSON Schema and Kafka's limit."""
    for record in all_kinds:
        assert events(record)[0]["unmapped"]["tacho"]["type"] == record.header.type.value


def test_every_event_is_valid_ocsf(all_kinds: Any, events: Any, ocsf: Any) -> None:
    """Each event fits OCSF 1.9: types, requirements, enums and their siblings, constraints, profiles."""
    for record in all_kinds:
        for event in events(record):
            assert ocsf.problems(event) == []


def test_a_second_run_gives_the_same_bytes(all_kinds: Any) -> None:
    """Enrichment is a pure function of the record."""
    for record in all_kinds:
        assert enrich(record) == enrich(record)
