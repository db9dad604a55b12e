"""Index templates: two components, two daily patterns, two indices that stay; from the JSON in `templates/`.

The root is `dynamic: false`: what analysts filter on is mapped by hand, and a hostile body maps nothing. A
malformed value of a mapped field is ignored rather than refused: a document is worth more than its one field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from tachograph.schemas.canonical import canonical_json, sha256_hex

__all__ = [
    "CHECKPOINTS",
    "FAMILIES",
    "KEPT",
    "Template",
    "checkpoint_mappings",
    "effective",
    "fields",
    "mappings",
    "settings",
    "templates",
]

FAMILIES = ("events", "messages")
KEPT = "deletions"
"""The index of what says that others were deleted; it has no day and no end."""
CHECKPOINTS = "checkpoints"
"""The index of what was published of the logs; no events, and it stays too."""
PRIORITY = 300
"""Above the templates that clusters ship with."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template as it is put; `digest` stands in its `_meta` and says whether the cluster has this one."""

    name: str
    path: str
    body: dict[str, Any]
    digest: str


@cache
def mappings() -> dict[str, Any]:
    """The mapping, in the form in which OpenSearch gives it back."""
    return _load("mappings.json")


@cache
def checkpoint_mappings() -> dict[str, Any]:
    """The same for the index of checkpoints."""
    return _load("checkpoints.json")


@cache
def settings() -> dict[str, Any]:
    """The index settings without those that the operator chooses."""
    return _load("settings.json")


@cache
def fields() -> Mapping[str, str]:
    """Every mapped field: dotted path -> type."""
    return dict(_walk(mappings()["properties"], ()))


def templates(prefix: str, *, shards: int, replicas: int) -> tuple[Template, ...]:
    """In the order in which they must be put."""
    chosen = {"number_of_shards": str(shards), "number_of_replicas": str(replicas)}
    index = settings()["index"] | chosen
    parts = (f"{prefix}-settings", f"{prefix}-mappings")
    components = (
        _template(parts[0], "_component_template", {"template": {"settings": {"index": index}}}),
        _template(parts[1], "_component_template", {"template": {"mappings": mappings()}}),
    )
    patterns = tuple(
        _template(
            f"{prefix}-{family}",
            "_index_template",
            {"index_patterns": [f"{prefix}-{family}-*"], "composed_of": list(parts), "priority": PRIORITY},
        )
        for family in FAMILIES
    )
    kept = {"index_patterns": [f"{prefix}-{KEPT}"], "composed_of": list(parts), "priority": PRIORITY}
    published = {
        "index_patterns": [f"{prefix}-{CHECKPOINTS}"],
        "composed_of": [parts[0]],
        "priority": PRIORITY,
        "template": {"mappings": checkpoint_mappings()},
    }
    stay = ((KEPT, kept), (CHECKPOINTS, published))
    return (
        *components,
        *patterns,
        *(_template(f"{prefix}-{name}", "_index_template", body) for name, body in stay),
    )


def effective(
    simulated: Mapping[str, Any], *, shards: int, replicas: int, mapped: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """What differs between an index that OpenSearch would create now and ours; empty when nothing does."""
    template = simulated.get("template", {})
    wanted = dict(_flat(settings())) | {
        "index.number_of_shards": str(shards),
        "index.number_of_replicas": str(replicas),
    }
    given = dict(_flat(template.get("settings", {})))
    differing = [name for name, value in wanted.items() if given.get(name) != value]
    if template.get("mappings") != (mapped or mappings()):
        differing.append("mappings")
    return tuple(sorted(differing))


def _template(name: str, kind: str, body: dict[str, Any]) -> Template:
    digest = sha256_hex(canonical_json(body))
    meta = {"managed_by": "tachograph", "digest": digest}
    return Template(name, f"/{kind}/{name}", body | {"_meta": meta}, digest)


def _load(name: str) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads((files(__package__) / "templates" / name).read_bytes())
    return value


def _walk(properties: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in properties.items():
        if "properties" in value:
            yield from _walk(value["properties"], (*path, name))
        else:
            yield ".".join((*path, name)), value["type"]


def _flat(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, (*path, name))
        else:
            yield ".".join((*path, name)), item
