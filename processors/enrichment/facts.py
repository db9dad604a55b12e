"""What a protocol parser read out of one masked body. Every field is optional: a parser says what it knows.

Parsers fill it, `enrich` turns it into an OCSF event; neither knows how the other works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NO_FACTS", "Facts", "RpcFailure", "ToolUse", "Turn", "Usage"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. `input` leaves out what the cache served or took in."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    """The part of `cache_write` that is kept for an hour, at its own price."""
    standard: bool = True
    """Whether list prices hold: false for batch, priority and fast tiers."""

    @property
    def prompt(self) -> int | None:
        """All tokens that went in, cached or not."""
        parts = [part for part in (self.input, self.cache_read, self.cache_write) if part is not None]
        return sum(parts) if parts else None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the model asked for. `arguments` is None where its JSON does not parse."""

    id: str
    name: str
    text: str
    arguments: Any = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One normalised message: its canonical JSON and what is worth searching in it."""

    role: str
    canonical: bytes
    text: str
    tool_calls: tuple[ToolUse, ...] = ()
    tool_results: tuple[str, ...] = ()

    @property
    def assistant(self) -> bool:
        return self.role == "assistant"


@dataclass(frozen=True, slots=True)
class RpcFailure:
    """A JSON-RPC error object."""

    code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that one body says, in one place."""

    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    stream: bool | None = None
    turns: tuple[Turn, ...] = ()
    rest: str | None = None
    """The body without its messages, where they were taken out."""
    response_text: str | None = None
    tool_calls: tuple[ToolUse, ...] = ()
    tool_results: tuple[str, ...] = ()
    usage: Usage | None = None
    stop_reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    rpc_method: str | None = None
    rpc_id: str | None = None
    rpc_count: int | None = None
    rpc_error: RpcFailure | None = None
    is_error: bool | None = None
    tool: str | None = None
    tool_use_id: str | None = None
    arguments: Any = None
    revision: str | None = None
    problem: str | None = None
    """What the body was expected to be and is not; it is kept as text all the same."""


NO_FACTS = Facts()
"""Of a body that no parser reads."""
