"""What of a call goes into a decision: exactly the leaves that the policies read, and nothing else.

A plan is made once for each action. Its leaves give the key of the decision cache and, unfolded, the context
that Cedar sees: what is not in the key cannot have changed the decision. Values keep their types in the key,
since in Python `1 == True`, and long texts stand there as their SHA-256, so that the cache stays small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tachograph.ingress.policy.calls import Call
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.reads import Path, Reads
from tachograph.ingress.policy.strict_json import Json

__all__ = ["BODY_TOPS", "MAX_CONTEXT_BYTES", "Leaf", "Plan", "context_of", "key_of", "plan_of", "written"]

MAX_KEY_CHARS = 128
"""Longer texts stand in a cache key as their digest."""
MAX_CONTEXT_BYTES = 512 << 10
"""Of what policies look at in one call, as JSON. Cedar takes 15 ms for a MiB, and nothing else runs."""
_HOUR, _DAY = 3_600_000_000_000, 86_400_000_000_000
_EXACT = range(1 - (1 << 53), 1 << 53)
"""Whole numbers that every JSON parser reads alike (RFC 7493, 2.2)."""

Leaf = Any
"""A hashable value, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the inputs of one action are read."""

    paths: tuple[Path, ...]
    readers: tuple[Callable[[Call], Leaf], ...]
    principal: bool
    groups: frozenset[str]

    def leaves(self, call: Call) -> tuple[Leaf, ...]:
        """The values, in the order of `paths`."""
        return tuple([read(call) for read in self.readers])


def plan_of(reads: Iterable[Reads], tops: Iterable[str]) -> Plan:
    """The plan of all policies that may apply to an action, whose context has the attributes `tops`."""
    total = Reads()
    for item in reads:
        total |= item
    paths = tuple(sorted(path for top in tops for path in _paths(total, top)))
    return Plan(paths, tuple(_reader(path) for path in paths), total.principal, total.groups)


def _paths(reads: Reads, top: str) -> list[Path]:
    """The paths to read below one attribute; shorter than two names where it is one value, or read whole."""
    if () in reads.context:
        return [(top, name) for name in _TIME] if top == "time" else [(top,)]
    found = [path for path in reads.context if path[0] == top]
    if not found:
        return []
    if top not in _RECORDS:
        return [(top,)]
    names = reads.below(top)
    if names is None:
        return [(top, name) for name in _TIME] if top == "time" else [(top,)]
    return [(top, name) for name in sorted(names)]


def key_of(leaf: Leaf) -> Leaf:
    """A leaf as it stands in a cache key."""
    if isinstance(leaf, str):
        return leaf if len(leaf) <= MAX_KEY_CHARS else ("sha256", _sha256(leaf))
    if isinstance(leaf, tuple):
        return tuple([key_of(item) for item in leaf])
    return leaf


def context_of(paths: Iterable[Path], leaves: Iterable[Leaf]) -> Json:
    """The context in Cedar's JSON format."""
    context: Json = {}
    for path, leaf in zip(paths, leaves, strict=True):
        top = path[0]
        record = context.setdefault(top, {}) if top in _RECORDS else None
        if leaf is None:
            continue
        if record is None:
            context[top] = _FORMS.get(top, _plain)(leaf)
        elif len(path) == 1:
            record.update({name: _record_form(top, value) for name, value in leaf})
        else:
            record[path[1]] = _record_form(top, leaf)
    return context


def written(context: Json) -> str:
    """The context as Cedar takes it. Raises `Unclear` for one that is too long to be looked at."""
    told = orjson.dumps(context)
    if len(told) > MAX_CONTEXT_BYTES:
        raise Unclear(f"expected what policies look at to be at most {MAX_CONTEXT_BYTES} bytes long together")
    return told.decode()


# -- leaves ----------------------------------------------------------------------------------------

_TIME: Final[dict[str, Callable[[int], int]]] = {
    "unix": lambda ns: ns // 1_000_000_000,
    "hour": lambda ns: ns % _DAY // _HOUR,
    "weekday": lambda ns: (ns // _DAY + 3) % 7 + 1,  # 1970-01-01 was a Thursday; ISO 8601: Monday is 1
}
_TOPS: Final[dict[str, Callable[[Call], Leaf]]] = {
    "method": lambda call: call.asked.method,
    "path": lambda call: call.view.path,
    "path_folded": lambda call: call.view.folded,
    "host": lambda call: call.host,
    "query": lambda call: call.view.query,
    "content_type": lambda call: call.heads.content_type,
    "source": lambda call: _address(call.asked.client),
    "actors": lambda call: tuple(sorted(set(call.asked.actors))),
    "model": lambda call: call.llm and call.llm.model,
    "stream": lambda call: call.llm and call.llm.stream,
    "tools": lambda call: call.llm and call.llm.tools,
    "max_tokens": lambda call: call.llm and call.llm.max_tokens,
    "batch": lambda call: call.rpc and call.rpc.batch,
    "rpc_method": lambda call: call.rpc and call.rpc.method,
    "tool": lambda call: call.rpc and call.rpc.tool,
    "name": lambda call: call.rpc and call.rpc.name,
    "uri": lambda call: call.rpc and call.rpc.uri,
    "arguments": lambda call: tuple(sorted((n, _typed(v)) for n, v in _arguments(call).items())),
    "argument_types": lambda call: tuple(sorted((n, _typed(v)[0]) for n, v in _arguments(call).items())),
    "argument_names": lambda call: tuple(sorted(_arguments(call))),
}
_RECORDS = frozenset({"time", "arguments", "argument_types"})
BODY_TOPS = frozenset({"model", "stream", "tools", "max_tokens"})
"""What only the body of a call to a model says."""


def _reader(path: Path) -> Callable[[Call], Leaf]:
    top = path[0]
    if len(path) == 1:
        return _TOPS[top]
    name = path[1]
    if top == "time":
        part = _TIME[name]
        return lambda call: part(call.asked.started_ns)
    if top == "arguments":
        return lambda call: _argument(call, name)
    return lambda call: found[0] if (found := _argument(call, name)) is not None else None


def _argument(call: Call, name: str) -> tuple[str, Leaf] | None:
    """One argument with its type. Raises `Unclear` where another name differs by its case alone: some
    targets, such as those that read by Go's encoding/json, take the one for the other.
    """
    found = _arguments(call)
    folded = name.casefold()
    if any(key.casefold() == folded and key != name for key in found):
        raise Unclear("expected arguments in their own case, got one that only some servers take for it")
    return _typed(found[name]) if name in found else None


def _arguments(call: Call) -> Json:
    return call.rpc.arguments if call.rpc else {}


def _typed(value: Any) -> tuple[str, Leaf]:
    """An argument with its JSON type; a value that Cedar has no type for comes without its value."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return "string", value
    if isinstance(value, int | float) and value == int(value) and int(value) in _EXACT:
        return "integer", int(value)  # JSON does not tell 1.0 from 1
    if isinstance(value, int | float):
        return "number", None
    return ("array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"), None


def _address(client: str) -> str | None:
    return client.rpartition(":")[0].strip("[]") or None


# -- Cedar's forms ---------------------------------------------------------------------------------


def _plain(leaf: Leaf) -> Any:
    return list(leaf) if isinstance(leaf, tuple) else leaf


def _record_form(top: str, leaf: Leaf) -> Any:
    if top != "arguments":
        return leaf
    kind, value = leaf
    # A record is neither text nor number: a policy that reads it as one fails, and what fails is denied.
    return {"unreadable": kind} if value is None else value


_FORMS: Final[dict[str, Callable[[Leaf], Any]]] = {
    "source": lambda leaf: {"__extn": {"fn": "ip", "arg": leaf}},
    "actors": lambda leaf: [{"__entity": {"type": "Agent", "id": name}} for name in leaf],
}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
