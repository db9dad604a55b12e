"""Tool calls in recorded answers, each with the request that it answers, to be judged again.

The answer's event names the calls; what was decided on those that did not go on as they came stands in
records of their own before it. Who asked, and in which groups, stands in the request's.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tachograph.cli.policy.recorded import Recorded
from tachograph.ingress.admission import ToolUse

__all__ = ["MAX_OPEN", "Answers"]

MAX_OPEN = 20_000
"""Requests to models whose answer is still to come; beyond it the oldest is forgotten."""
UNKNOWN = "an answer with tool calls whose request is not among the events"
WITHHELD = "an answer that is withheld, so its tool calls are not known"


@dataclass(slots=True)
class _Open:
    request: Recorded
    decided: dict[str, str] = field(default_factory=dict)
    """The effect that was recorded, by the call's id."""


class Answers:
    """Give it every event in order."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def asked(self, request: Recorded) -> None:
        """A request to a model, in whose answer tool calls are judged."""
        kept = replace(request, asked=replace(request.asked, body=None), missing=request.missing - {"body"})
        self._open[str(request.asked.exchange)] = _Open(kept)
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)

    def told(self, event: Mapping[str, Any]) -> Iterator[Recorded | str]:
        """The tool calls of this event, if it is an answer; or why one cannot be judged."""
        tacho: Mapping[str, Any] = event.get("unmapped", {}).get("tacho", {})
        exchange = str(tacho.get("exchange"))
        if tacho.get("type") == "decision" and exchange in self._open:
            self._decided(self._open[exchange], tacho)
        elif tacho.get("type") == "response":
            yield from self._answered(event, tacho, self._open.pop(exchange, None))

    def _answered(
        self, event: Mapping[str, Any], tacho: Mapping[str, Any], found: _Open | None
    ) -> Iterator[Recorded | str]:
        if tacho.get("withheld"):
            yield WITHHELD
        elif tacho.get("tool_calls"):
            yield from _calls(event, tacho, found) if found is not None else (UNKNOWN,)

    def _decided(self, found: _Open, tacho: Mapping[str, Any]) -> None:
        # Where people were asked, a second record says what they said: the policies decided in the first.
        if tacho.get("tool_use_id") is not None and not tacho.get("approval"):
            effect = (tacho.get("policy") or {}).get("effect") or "deny"
            found.decided.setdefault(str(tacho["tool_use_id"]), str(effect))


def _calls(event: Mapping[str, Any], tacho: Mapping[str, Any], found: _Open) -> Iterator[Recorded]:
    arguments, request = tacho.get("arguments") or {}, found.request
    model = (event.get("ai_model") or {}).get("name")
    cut = "arguments" in (tacho.get("truncated") or ())
    times: Counter[str] = Counter()
    for call in tacho["tool_calls"]:
        name, id_ = str(call["name"]), str(call["id"])
        value = _nth(arguments.get(name), times[name])
        times[name] += 1
        missing = set(request.missing) | ({"arguments"} if cut or value is None else set())
        yield Recorded(
            request.asked,
            found.decided.get(id_, "allow" if request.before else ""),
            frozenset(missing),
            ToolUse(name, json.dumps(value or {}, ensure_ascii=False).encode(), model and str(model)),
        )


def _nth(value: Any, number: int) -> dict[str, Any] | None:
    """Arguments of the call of this number among those of the same tool."""
    if isinstance(value, list):
        value = value[number] if number < len(value) else None
    return value if isinstance(value, dict) else None
