"""What differs between two registries, as a person reads it: by connection, policy file and masking rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import yaml

from tachograph.schemas.connection import Connection
from tachograph.schemas.registry import Registry

__all__ = ["Change", "changes"]

CONTEXT = 2
"""Lines around each difference."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was added, removed or changed; `lines` begin with `+`, `-`, a space or `@`."""

    what: str
    action: Literal["added", "removed", "changed"]
    lines: tuple[str, ...]


def changes(before: Registry, after: Registry) -> tuple[Change, ...]:
    """In the order in which they are told; empty where both mean the same."""
    old, new = _texts(before), _texts(after)
    return tuple(_changes(old, new))


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for what in dict.fromkeys((*new, *old)):
        was, is_ = old.get(what), new.get(what)
        if was == is_:
            continue
        action: Literal["added", "removed", "changed"] = "changed"
        if was is None or is_ is None:
            action = "added" if was is None else "removed"
        lines = difflib.unified_diff(
            (was or "").splitlines(), (is_ or "").splitlines(), lineterm="", n=CONTEXT
        )
        yield Change(what, action, tuple(line for line in lines if not line.startswith(("---", "+++"))))


def _texts(registry: Registry) -> dict[str, str]:
    """Each part as text, by its name."""
    masking = registry.masking
    names = {name: list(getattr(masking, name)) for name in ("headers", "query", "json_keys")}
    rules = [one.file for one in masking.rules]
    return {
        **{f"connection {one.name}": _connection(one) for one in registry.connections},
        **{f"policy {one.file}": one.text for one in registry.policies},
        **{f"masking {name}": "\n".join(values) for name, values in names.items() if values},
        **({"masking rules, in order": "\n".join(rules)} if rules else {}),
        **{f"masking rules {one.file}": one.text for one in masking.rules},
        **({"contact": registry.contact} if registry.contact else {}),
    }


def _connection(connection: Connection) -> str:
    value = connection.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
