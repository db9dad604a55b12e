"""Templates and the events that they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tachograph.schemas.masked import masked_event_adapter
from tachograph.sinks.index_templates import (
    checkpoint_mappings,
    effective,
    fields,
    mappings,
    settings,
    templates,
)
from tachograph.sinks.record import Message, Record
from tachograph.sinks.stub import stub

SCHEMA = masked_event_adapter.json_schema()
OURS = {"unmapped.tacho.stub.reason", "unmapped.tacho.stub.sha256", "unmapped.tacho.stub.bytes"}
"""Fields of the sink's own stubs, which never stand on the topic."""


def resolved(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every branch of a schema node, references followed."""
    if "$ref" in node:
        yield from resolved(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    branches = [*node.get("anyOf", ()), *node.get("oneOf", ()), *([node["items"]] if "items" in node else ())]
    for branch in branches:
        yield from resolved(branch)
    yield node


def exists(path: str) -> bool:
    nodes = list(resolved(SCHEMA))
    for name in path.split("."):
        nodes = [
            inner
            for node in nodes
            if name in node.get("properties", {})
            for inner in resolved(node["properties"][name])
        ]
    return bool(nodes)


@pytest.mark.parametrize("path", sorted(set(fields()) - OURS))
def test_every_mapped_field_exists_in_the_events_schema(path: str) -> None:
    """A renamed field does not stay behind in the mapping."""
    assert exists(path)


def test_the_check_can_fail() -> None:
    """A path that no event has is not found."""
    assert not exists("unmapped.tacho.no_such_field")
    assert not exists("time.inner")


def test_the_stubs_own_fields_are_the_ones_a_stub_has() -> None:
    """The exception above is exactly what `stub` writes."""
    made = orjson.loads(stub(Record(Message("t", 0, 0, 0, None, b""), "u", "request", "i"), "r"))
    assert {f"unmapped.tacho.stub.{name}" for name in made["unmapped"]["tacho"]["stub"]} == OURS


def test_a_hostile_body_maps_nothing() -> None:
    """The root is not dynamic, no object below turns it on, and the limits are there."""
    text = orjson.dumps(mappings())
    assert mappings()["dynamic"] == "false"
    assert text.count(b'"dynamic"') == 1
    assert text.count(b'"flat_object"') == 1
    assert fields()["unmapped.tacho.arguments"] == "flat_object"
    assert len(fields()) < int(settings()["index"]["mapping"]["total_fields"]["limit"]) / 2


def test_only_what_every_cluster_has_is_used() -> None:
    """No analyzers, normalizers or types of modules that the local engine lacks."""
    assert set(fields().values()) <= {
        "keyword", "text", "long", "integer", "double", "boolean", "date", "date_nanos", "ip", "flat_object"
    }  # fmt: skip
    assert "analysis" not in settings()["index"]


def test_full_text_searches_text_fields() -> None:
    """What a bare query looks through is mapped as text."""
    assert {fields()[name] for name in settings()["index"]["query"]["default_field"]} == {"text"}


def test_a_digest_changes_with_the_template() -> None:
    """Other shards, another digest; the same input, the same digest."""
    one, two = (templates("tacho", shards=n, replicas=0) for n in (1, 2))
    assert one[0].digest != two[0].digest
    assert one[1].digest == two[1].digest
    assert one == templates("tacho", shards=1, replicas=0)
    assert one[0].body["_meta"]["digest"] == one[0].digest


def test_what_another_template_overrides_is_named() -> None:
    """An index that would differ is found before the first document."""
    index = orjson.loads(orjson.dumps(settings()["index"])) | {
        "number_of_shards": "1",
        "number_of_replicas": "0",
    }
    given = {"template": {"settings": {"index": index}, "mappings": mappings()}}
    assert effective(given, shards=1, replicas=0) == ()
    assert effective(given, shards=2, replicas=0) == ("index.number_of_shards",)
    index["codec"] = "default"
    assert effective(given, shards=1, replicas=0) == ("index.codec",)
    assert effective({}, shards=1, replicas=0)[-1] == "mappings"


def test_checkpoints_have_an_index_of_their_own() -> None:
    """It stays, it has our settings, and none of the mapping of events; a note in it maps nothing."""
    made = {item.name: item.body for item in templates("tacho", shards=1, replicas=0)}
    found = made["tacho-checkpoints"]
    assert found["index_patterns"] == ["tacho-checkpoints"]
    assert found["composed_of"] == ["tacho-settings"]
    assert found["template"]["mappings"] == checkpoint_mappings()
    assert checkpoint_mappings()["dynamic"] == "false"
    given = {"template": {"mappings": checkpoint_mappings()}}
    assert "mappings" not in effective(given, shards=1, replicas=0, mapped=checkpoint_mappings())
    assert "mappings" in effective(given, shards=1, replicas=0)
