"""What the body said, in the fields that analysts search: model, tokens, cost, conversation, tools, RPC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from tachograph.processors.enrichment.arguments import bounded
from tachograph.processors.enrichment.bounds import (
    ARGUMENTS_BYTES,
    ID_BYTES,
    LINE_BYTES,
    MAX_IDS,
    clip,
)
from tachograph.processors.enrichment.conversation import Place
from tachograph.processors.enrichment.facts import NO_FACTS, Facts, ToolUse, Turn, Usage
from tachograph.processors.enrichment.prices import builtin_prices
from tachograph.processors.enrichment.shapes import dumps
from tachograph.processors.enrichment.tacho import present

__all__ = ["facts_block", "place_block", "tools_block", "turn_block"]


def facts_block(facts: Facts, day: date) -> dict[str, Any]:
    """The facts of one request or response."""
    if facts is NO_FACTS:
        return {}
    error = facts.rpc_error
    return (
        present(
            enrichment_error=facts.problem,
            stream=facts.stream,
            stop_reason=_id(facts.stop_reason),
            rpc_method=_id(facts.rpc_method),
            rpc_id=_id(facts.rpc_id),
            rpc_count=facts.rpc_count,
            rpc_error=present(code=error.code, message=clip(error.message, LINE_BYTES)) if error else None,
            is_error=facts.is_error,
            mcp_revision=_id(facts.revision),
            tool=_id(facts.tool),
            tool_use_id=_id(facts.tool_use_id),
            tool_results=_ids(facts.tool_results),
        )
        | _usage_block(facts.usage)
        | _cost_block(facts, day)
        | tools_block(facts.tool_calls)
        | _arguments_block(facts)
    )


def place_block(place: Place | None) -> dict[str, Any]:
    """Where a request stands in its conversation."""
    if place is None:
        return {}
    found = present(head=place.head, previous=place.previous, count=place.count, messages_new=place.new)
    return {"conversation": found}


def turn_block(turn: Turn) -> dict[str, Any]:
    """The tools that one message calls or answers."""
    return present(tool_results=_ids(turn.tool_results)) | tools_block(turn.tool_calls)


def tools_block(calls: tuple[ToolUse, ...]) -> dict[str, Any]:
    """Tool calls by id and name, and their arguments, by tool, as an object and as text."""
    if not calls:
        return {}
    listed = [{"id": clip(call.id, ID_BYTES), "name": clip(call.name, ID_BYTES)} for call in calls[:MAX_IDS]]
    text = clip("\n".join(f"{call.name} {call.text}" for call in calls), ARGUMENTS_BYTES)
    return {"tool_calls": listed, "arguments_text": text} | _arguments(_by_tool(calls))


def _by_tool(calls: Iterable[ToolUse]) -> dict[str, Any]:
    # One call keeps its arguments where a search expects them; a second of the same tool makes it a list.
    found: dict[str, list[Any]] = {}
    for call in calls:
        if call.arguments is not None and call.name:
            found.setdefault(clip(call.name, ID_BYTES), []).append(call.arguments)
    return {name: items[0] if len(items) == 1 else items for name, items in found.items()}


def _arguments_block(facts: Facts) -> dict[str, Any]:
    if facts.arguments is None:
        return {}
    text = dumps(facts.arguments)
    return present(arguments_text=clip(text, ARGUMENTS_BYTES) if text else None) | _arguments(facts.arguments)


def _arguments(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {}
    found, whole = bounded(value)
    return {"arguments": found} | ({} if whole else {"truncated": ["arguments"]})


def _usage_block(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    counts = present(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    return {"usage": counts}


def _cost_block(facts: Facts, day: date) -> dict[str, Any]:
    if facts.model is None or facts.usage is None or facts.usage.output is None:
        return {}
    cost = builtin_prices().cost(facts.model, facts.usage, day)
    return {"cost_usd": cost.usd, "price_from": cost.since.isoformat()} if cost else {}


def _id(value: str | None) -> str | None:
    return clip(value, ID_BYTES) if value else None


def _ids(values: tuple[str, ...]) -> list[str] | None:
    return [clip(value, ID_BYTES) for value in values[:MAX_IDS]] or None
