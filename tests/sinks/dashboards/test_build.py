"""The dashboards' bundle, linted: it cannot be run here, so everything that it refers to is resolved."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from typing import Any

import orjson
import pytest

from tachograph.sinks.dashboards.build import PANELS, overview
from tachograph.sinks.index_templates import fields

OBJECTS: list[dict[str, Any]] = [orjson.loads(line) for line in overview("tacho").splitlines()]
AGGREGATED = {"keyword", "long", "integer", "double", "boolean", "date", "date_nanos", "ip"}
NUMBERS = {"long", "integer", "double"}


def of(kind: str) -> list[dict[str, Any]]:
    return [item for item in OBJECTS if item["type"] == kind]


def embedded(item: dict[str, Any]) -> list[tuple[str, Any]]:
    """(name, value) of each JSON text inside an object."""
    attributes = item["attributes"]
    texts = {name: text for name, text in attributes.items() if name.endswith("JSON") or name == "visState"}
    texts |= attributes.get("kibanaSavedObjectMeta", {})
    return [(name, orjson.loads(text)) for name, text in texts.items()]


def names_in(value: Any) -> set[str]:
    """Every reference name that an object's parts use."""
    if isinstance(value, dict):
        here = {v for k, v in value.items() if k in {"indexRefName", "panelRefName", "savedSearchRefName"}}
        return here.union(*map(names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return set()


def test_the_shipped_file_is_this_code_s_output() -> None:
    """`make docs` would change nothing: run the module again after a change."""
    shipped = (files("tachograph.sinks.dashboards") / "overview.ndjson").read_bytes()
    made = subprocess.run(
        [sys.executable, "-m", "tachograph.sinks.dashboards.build"], capture_output=True, check=True
    ).stdout
    assert shipped == made == overview("tacho")


def test_the_bundle_holds_what_it_promises() -> None:
    """Two index patterns, a saved search, a dashboard that shows every visualisation and the search."""
    assert [len(of(kind)) for kind in ("index-pattern", "search", "dashboard")] == [2, 1, 1]
    assert len(of("visualization")) == len(PANELS)
    (dashboard,) = of("dashboard")
    shown = {reference["id"] for reference in dashboard["references"]}
    assert shown == {item["id"] for item in OBJECTS if item["type"] in {"visualization", "search"}}


def test_every_reference_resolves_and_is_used() -> None:
    """Targets are in the bundle; names used inside are declared, and declared names are used."""
    known = {(item["type"], item["id"]) for item in OBJECTS}
    assert len(known) == len(OBJECTS)
    for item in OBJECTS:
        declared = {reference["name"] for reference in item["references"]}
        assert {(reference["type"], reference["id"]) for reference in item["references"]} <= known
        assert declared == names_in([value for _, value in embedded(item)])


@pytest.mark.parametrize("item", of("visualization"), ids=lambda item: item["id"])
def test_every_aggregation_is_on_a_mapped_field_that_can_be_aggregated(item: dict[str, Any]) -> None:
    """Sums on numbers, time on dates, everything else on exact values."""
    state = dict(embedded(item))["visState"]
    ids = [one["id"] for one in state["aggs"]]
    assert ids == [str(n + 1) for n in range(len(ids))]
    for one in state["aggs"]:
        field = one["params"].get("field")
        if one["type"] == "count":
            assert field is None
            continue
        kinds = {"sum": NUMBERS, "date_histogram": {"date"}}.get(one["type"], AGGREGATED)
        assert fields()[field] in kinds
    schemas = [one["schema"] for one in state["aggs"]]
    assert schemas[0] == "metric"
    assert set(schemas) <= {"metric", "segment", "group", "bucket"}


def test_every_queried_and_shown_field_is_mapped() -> None:
    """In the queries, the columns, the sort and the time field."""
    wanted: set[str] = set()
    for item in OBJECTS:
        for name, value in embedded(item):
            if name == "searchSourceJSON":
                wanted |= set(re.findall(r"([A-Za-z_.]+) :", value["query"]["query"]))
    (search,) = of("search")
    wanted |= set(search["attributes"]["columns"]) | {name for name, _ in search["attributes"]["sort"]}
    wanted |= {item["attributes"]["timeFieldName"] for item in of("index-pattern")}
    assert "unmapped.tacho.type" in wanted
    assert wanted - set(fields()) == set()


def test_panels_do_not_overlap_and_fit_the_grid() -> None:
    """48 columns; each cell belongs to one panel."""
    (dashboard,) = of("dashboard")
    taken: set[tuple[int, int]] = set()
    for panel in dict(embedded(dashboard))["panelsJSON"]:
        data = panel["gridData"]
        cells = {
            (x, y)
            for x in range(data["x"], data["x"] + data["w"])
            for y in range(data["y"], data["y"] + data["h"])
        }
        assert not taken & cells
        assert data["x"] + data["w"] <= 48
        taken |= cells


def test_another_prefix_moves_every_pattern_and_id() -> None:
    """Two installations in one Dashboards do not meet."""
    other = [orjson.loads(line) for line in overview("prod").splitlines()]
    assert all(item["id"].startswith("prod-") for item in other)
    assert {item["attributes"]["title"] for item in other if item["type"] == "index-pattern"} == {
        "prod-events-*",
        "prod-messages-*",
    }
