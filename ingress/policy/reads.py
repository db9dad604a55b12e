"""What a policy looks at, read from its parsed form: the inputs that a cached decision depends on.

Whatever is not understood counts as reading everything, so that a decision is never reused where an input
that a policy saw has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Path", "Reads", "entities_of", "reads_of"]

Path = tuple[str, ...]
Est = Mapping[str, Any]
"""A node of Cedar's JSON policy format."""

_ACCESS = frozenset({".", "has"})
_PRINCIPALS = frozenset({"User", "Agent"})


@dataclass(frozen=True, slots=True)
class Reads:
    """Inputs of one or more policies."""

    context: frozenset[Path] = frozenset()
    """Paths into the context; the empty path is all of it."""
    principal: bool = False
    """Who it is: its id, kind or issuer."""
    issuer: bool = False
    """Who vouches for it, by `principal.issuer`."""
    groups: frozenset[str] = frozenset()
    """Groups that are asked for by name."""
    labels: frozenset[str] = frozenset()
    """Labels of connections that are asked for by name."""

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.context | other.context,
            self.principal or other.principal,
            self.issuer or other.issuer,
            self.groups | other.groups,
            self.labels | other.labels,
        )

    def below(self, top: str) -> frozenset[str] | None:
        """Names that are read directly below a context attribute; None where all of it is read."""
        if () in self.context or (top,) in self.context:
            return None
        return frozenset(path[1] for path in self.context if path[0] == top)


def reads_of(policy: Est) -> Reads:
    """What one policy reads, its scope included."""
    principal = policy["principal"]
    accesses = set(_accesses(item["body"] for item in policy["conditions"]))
    entities = tuple(_entities(policy))
    return Reads(
        context=frozenset(path[1:] for path in accesses if path[0] == "context"),
        principal=principal["op"] in {"==", "is"}
        or any(path[0] == "principal" for path in accesses)
        or any(type_ in _PRINCIPALS for type_, _ in entities),
        issuer=("principal", "issuer") in accesses,
        groups=frozenset(id_ for type_, id_ in entities if type_ == "Group"),
        labels=frozenset(
            path[2] for path in accesses if path[:2] == ("resource", "labels") and len(path) > 2
        ),
    )


def entities_of(policy: Est) -> frozenset[tuple[str, str]]:
    """Every entity that a policy names: (type, id)."""
    return frozenset(_entities(policy))


def _accesses(nodes: Iterable[Any]) -> Iterator[Path]:
    """The longest attribute path from each variable that is mentioned."""
    for node in nodes:
        if isinstance(node, dict):
            path = _path(node)
            yield from [path] if path is not None else _accesses(node.values())
        elif isinstance(node, list):
            yield from _accesses(node)


def _path(node: Est) -> Path | None:
    """`context.a.b` as (context, a, b); None for what is no chain from a variable."""
    if len(node) != 1:
        return None
    ((kind, body),) = node.items()
    if kind == "Var":
        return (str(body),)
    if kind in _ACCESS and isinstance(body, dict) and isinstance(body.get("attr"), str):
        left = body.get("left")
        start = _path(left) if isinstance(left, dict) else None
        return None if start is None else (*start, body["attr"])
    return None


def _entities(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if node.keys() >= {"type", "id"} and isinstance(node["id"], str):
            yield str(node["type"]), node["id"]
        for child in node.values():
            yield from _entities(child)
    elif isinstance(node, list):
        for child in node:
            yield from _entities(child)
