"""The saved objects of the overview, written by hand once, here; `overview.ndjson` is this file's output.

`python -m tachograph.sinks.dashboards.build [PREFIX]` prints the bundle for indices of that prefix. Ids are
names, so a second import replaces what the first one brought.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

__all__ = ["PANELS", "Panel", "overview"]

TIME_FIELD = "time"
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_TACHO = "unmapped.tacho."

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One visualisation and its place on the 48-column grid. `metrics` are (aggregation, field, label)."""

    id: str
    title: str
    kind: Literal["metric", "histogram", "area", "table", "horizontal_bar"]
    place: tuple[int, int, int, int]
    query: str = ""
    metrics: Sequence[tuple[str, str | None, str]] = (("count", None, "Count"),)
    split: str | None = None
    """Field whose values are the rows, or the series over time."""
    over_time: bool = False
    size: int = field(default=10)


def _is(kind: str) -> str:
    return f'{_TACHO}type : "{kind}"'


_RESPONSE = _is("response")
PANELS: Sequence[Panel] = (
    Panel("exchanges", "Exchanges", "metric", (0, 0, 10, 7), _is("request"), (("count", None, "Exchanges"),)),
    Panel(
        "spend",
        "Tokens and cost",
        "metric",
        (10, 0, 22, 7),
        _RESPONSE,
        (
            ("sum", f"{_TACHO}usage.input_tokens", "Input tokens"),
            ("sum", f"{_TACHO}usage.output_tokens", "Output tokens"),
            ("sum", f"{_TACHO}cost_usd", "USD"),
        ),
    ),
    Panel(
        "hidden",
        "Masked values",
        "metric",
        (32, 0, 16, 7),
        f'not {_TACHO}principal.kind : "gateway"',  # a gateway's heartbeats are a session of their own
        (("sum", f"{_TACHO}masked.total", "Values masked"), ("cardinality", f"{_TACHO}session", "Sessions")),
    ),
    Panel(
        "over-time",
        "Exchanges over time, by protocol",
        "histogram",
        (0, 7, 32, 13),
        _is("request"),
        split=f"{_TACHO}protocol",
        over_time=True,
    ),
    Panel(
        "connections", "Connections", "table", (32, 7, 16, 13), _is("request"), split=f"{_TACHO}connection"
    ),
    Panel(
        "models",
        "Models: answers, tokens, cost",
        "table",
        (0, 20, 24, 12),
        f"{_RESPONSE} and ai_model.name : *",
        (
            ("count", None, "Answers"),
            ("sum", f"{_TACHO}usage.input_tokens", "Input tokens"),
            ("sum", f"{_TACHO}usage.output_tokens", "Output tokens"),
            ("sum", f"{_TACHO}cost_usd", "USD"),
        ),
        split="ai_model.name",
    ),
    Panel(
        "cost-over-time",
        "Cost over time, by model",
        "area",
        (24, 20, 24, 12),
        _RESPONSE,
        (("sum", f"{_TACHO}cost_usd", "USD"),),
        split="ai_model.name",
        over_time=True,
    ),
    Panel(
        "tools",
        "Tool calls",
        "horizontal_bar",
        (0, 32, 24, 12),
        f"{_is('request')} and {_TACHO}tool : *",
        split=f"{_TACHO}tool",
    ),
    Panel(
        "statuses",
        "Responses by status",
        "histogram",
        (24, 32, 24, 12),
        _RESPONSE,
        split="http_response.code",
        over_time=True,
    ),
    Panel(
        "errors",
        "Errors of the gateway and its targets",
        "table",
        (0, 44, 16, 12),
        f"{_TACHO}error.code : *",
        split=f"{_TACHO}error.code",
    ),
    Panel(
        "rules",
        "Masked values by rule",
        "horizontal_bar",
        (16, 44, 16, 12),
        "",
        (("count", None, "Documents"),),
        split=f"{_TACHO}masked.rules",
        size=20,
    ),
    Panel("principals", "Principals", "table", (32, 44, 16, 12), _is("request"), split="actor.user.uid"),
)
_COLUMNS = (
    f"{_TACHO}type",
    f"{_TACHO}connection",
    "actor.user.uid",
    "api.operation",
    "http_request.http_method",
    "http_request.url.path",
    "http_response.code",
    "message",
)


def overview(prefix: str) -> bytes:
    """The bundle as NDJSON: index patterns, saved search, visualisations, dashboard."""
    return b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in _objects(prefix))


def _objects(prefix: str) -> Iterator[Json]:
    events = f"{prefix}-events"
    for family in ("events", "messages"):
        attributes = {"title": f"{prefix}-{family}-*", "timeFieldName": TIME_FIELD}
        yield _object("index-pattern", f"{prefix}-{family}", attributes, ())
    search = f"{prefix}-exchanges"
    yield _object("search", search, _search(), (_reference(_SOURCE, "index-pattern", events),))
    for panel in PANELS:
        pattern = _reference(_SOURCE, "index-pattern", events)
        yield _object("visualization", f"{prefix}-{panel.id}", _visualisation(panel), (pattern,))
    shown = [("visualization", f"{prefix}-{panel.id}", panel.place) for panel in PANELS]
    shown.append(("search", search, (0, 56, 48, 20)))
    references = tuple(_reference(f"panel_{n}", kind, name) for n, (kind, name, _) in enumerate(shown))
    places = [place for _, _, place in shown]
    yield _object("dashboard", f"{prefix}-overview", _dashboard(places), references)


def _object(kind: str, name: str, attributes: Json, references: Sequence[Json]) -> Json:
    return {"type": kind, "id": name, "attributes": attributes, "references": list(references)}


def _reference(name: str, kind: str, target: str) -> Json:
    return {"name": name, "type": kind, "id": target}


def _query(text: str) -> Json:
    source = {"query": {"query": text, "language": "kuery"}, "filter": [], "indexRefName": _SOURCE}
    return {"searchSourceJSON": _text(source)}


def _search() -> Json:
    wire = " or ".join(_is(kind) for kind in ("request", "response"))
    return {
        "title": "Tachograph: exchanges",
        "description": "Every request and every response, newest first",
        "columns": list(_COLUMNS),
        "sort": [[TIME_FIELD, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": _query(wire),
    }


def _visualisation(panel: Panel) -> Json:
    title = f"Tachograph: {panel.title}"
    state = {"title": title, "type": panel.kind, "aggs": _aggregations(panel), "params": _params(panel)}
    return {
        "title": title,
        "description": "",
        "version": 1,
        "uiStateJSON": "{}",
        "visState": _text(state),
        "kibanaSavedObjectMeta": _query(panel.query),
    }


def _aggregations(panel: Panel) -> list[Json]:
    found: list[Json] = []
    for kind, name, label in panel.metrics:
        about = {} if name is None else {"field": name}
        found.append(_aggregation(len(found) + 1, kind, "metric", about | {"customLabel": label}))
    if panel.over_time:
        params = {"field": TIME_FIELD, "interval": "auto", "min_doc_count": 1, "drop_partials": False}
        found.append(_aggregation(len(found) + 1, "date_histogram", "segment", params))
    if panel.split is not None:
        schema = "group" if panel.over_time else ("bucket" if panel.kind == "table" else "segment")
        params = {"field": panel.split, "orderBy": "1", "order": "desc", "size": panel.size}
        found.append(_aggregation(len(found) + 1, "terms", schema, params))
    return found


def _aggregation(number: int, kind: str, schema: str, params: Json) -> Json:
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": params}


def _params(panel: Panel) -> Json:
    if panel.kind == "metric":
        style = {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 32}
        metric = {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10_000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": style,
        }
        return {"addTooltip": True, "addLegend": False, "type": "metric", "metric": metric}
    if panel.kind == "table":
        return {
            "perPage": 10,
            "showPartialRows": False,
            "showMetricsAtAllLevels": False,
            "showTotal": False,
            "totalFunc": "sum",
            "percentageCol": "",
        }
    return _axes(panel)


def _axes(panel: Panel) -> Json:
    upright = panel.kind != "horizontal_bar"
    across, along = ("bottom", "left") if upright else ("left", "bottom")
    label = panel.metrics[0][2]
    category = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": across,
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": True, "truncate": 100},
        "title": {},
    }
    value = {
        "id": "ValueAxis-1",
        "name": "LeftAxis-1",
        "type": "value",
        "position": along,
        "show": True,
        "style": {},
        "scale": {"type": "linear", "mode": "normal"},
        "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
        "title": {"text": label},
    }
    series = {
        "show": True,
        "type": "area" if panel.kind == "area" else "histogram",
        "mode": "stacked",
        "data": {"label": label, "id": "1"},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "showCircles": True,
    }
    return {
        "type": panel.kind,
        "grid": {"categoryLines": False},
        "categoryAxes": [category],
        "valueAxes": [value],
        "seriesParams": [series],
        "addTooltip": True,
        "addLegend": panel.over_time,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
    }


def _dashboard(places: Sequence[tuple[int, int, int, int]]) -> Json:
    panels = [
        {
            "panelIndex": str(number),
            "gridData": {"x": x, "y": y, "w": w, "h": h, "i": str(number)},
            "embeddableConfig": {},
            "panelRefName": f"panel_{number}",
        }
        for number, (x, y, w, h) in enumerate(places)
    ]
    empty = {"query": {"query": "", "language": "kuery"}, "filter": []}
    return {
        "title": "Tachograph: overview",
        "description": "What agents did, with which models and tools, at what cost, and what was masked",
        "version": 1,
        "hits": 0,
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "optionsJSON": _text({"hidePanelTitles": False, "useMargins": True}),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(empty)},
    }


def _text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return orjson.dumps(value).decode()


if __name__ == "__main__":
    sys.stdout.buffer.write(overview(sys.argv[1] if len(sys.argv) > 1 else "tacho"))
