"""What the model says next: a pure function of the request, so the same history always gets the same answer.

The last user text that holds a scenario's phrase chooses the scenario; the assistant's messages after it
are counted, and that is the turn. Tools are named by what the request offers, with or without a prefix.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_TOKENS = 4096
_PIECE = 9
"""Characters of one streamed piece: any credential lies across several events."""
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Say:
    """A block of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A block that asks for a tool."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refuse:
    """An answer that is an error; `{credential}` becomes the API key that the request came with."""

    status: int
    kind: str
    message: str


Turn = Sequence[Say | Call] | Refuse


@dataclass(frozen=True, slots=True)
class Answer:
    """One assistant message, ready to be sent whole or in pieces."""

    id: str
    model: str
    content: tuple[dict[str, Any], ...]
    stop_reason: str
    input_tokens: int
    output_tokens: int


def script(facts: Mapping[str, str]) -> Mapping[str, Sequence[Turn]]:
    """Every scenario by the phrase that starts it."""
    dsn = f"postgres://desk:{facts['database_password']}@db.example.com:5432/orders"
    return {
        "charged twice": (
            (
                Say("I will look at the customer and at the order at the same time."),
                Call("lookup_customer", {"id": 7}),
                Call("lookup_order", {"id": 1042}),
            ),
            (
                Say(f"Two charges. The deployment used {facts['github_token']} to push, let me see more."),
                Call("query_database", {"dsn": dsn, "sql": "select id, reason from charges where id = 1042"}),
                Call("read_file", {"path": "/etc/desk/settings.json"}),
            ),
            (
                Say("I will tell the people on duty."),
                Call(
                    "notify",
                    {"channel": "#duty", "token": facts["slack_token"], "text": "1042 was charged twice"},
                ),
            ),
            (Say("Order 1042 was charged twice because a retry was not idempotent. The duty was told."),),
        ),
        "restart the queue": (
            (Say("I will try."), Call("restart_service", {"name": "queue"})),
            (Say("The desk may not restart it; please ask the operators."),),
        ),
        "Refund the second charge": (
            (
                Say("I will do both."),
                Call("refund_order", {"id": 1042, "amount": 1900, "card": facts["card"]}),
                Call("delete_customer", {"id": 7}),
            ),
            (Say("A copy for the archive."), Call("export_customers", {"path": "/archive/customers.csv"})),
            (Say("That is what I was allowed to do; the rest I leave to people."),),
        ),
        "are you there": (Refuse(529, "overloaded_error", "Overloaded"), (Say("Yes."),)),
        "use the old key": (
            Refuse(
                400,
                "invalid_request_error",
                f"billing key {facts['stripe_key']} is not valid here (asked with {{credential}})",
            ),
        ),
    }


def answer(request: Mapping[str, Any], facts: Mapping[str, str], *, retry: int) -> Answer | Refuse:
    """What the model answers to a Messages request that came `retry` times before."""
    messages: list[dict[str, Any]] = list(request.get("messages", ()))
    turn = _turn(messages, script(facts), retry)
    if isinstance(turn, Refuse):
        return turn
    seed = hashlib.sha256(json.dumps([messages, request.get("model")], sort_keys=True).encode()).hexdigest()
    content = tuple(_content(turn, seed, _tools(request)))
    calls = any(block["type"] == "tool_use" for block in content)
    return Answer(
        id=f"msg_{seed[:24]}",
        model=str(request.get("model", "example-model")),
        content=content,
        stop_reason="tool_use" if calls else "end_turn",
        input_tokens=_tokens(messages),
        output_tokens=_tokens(content),
    )


def pieces(text: str) -> Iterator[str]:
    """A text as the pieces in which it is streamed."""
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _turn(messages: list[dict[str, Any]], scenarios: Mapping[str, Sequence[Turn]], retry: int) -> Turn:
    found, said = None, 0
    for message in messages:
        if message.get("role") == "assistant":
            said += 1
            continue
        text = _text(message)
        phrase = next((phrase for phrase in scenarios if phrase in text), None)
        if phrase is not None:
            found, said = phrase, 0
    if found is None:
        return (Say("I can look into orders, restarts and keys. What is it about?"),)
    turns = scenarios[found]
    if isinstance(turns[0], Refuse):  # a refusal is over when the client tries again
        return turns[min(retry, len(turns) - 1)]
    return turns[min(said, len(turns) - 1)]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content", "")
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")


def _tools(request: Mapping[str, Any]) -> dict[str, str]:
    # Claude Code offers an MCP server's tool as mcp__<server>__<tool>.
    names = [str(tool.get("name", "")) for tool in request.get("tools", ())]
    return {name.rpartition("__")[2]: name for name in names}


def _content(turn: Sequence[Say | Call], seed: str, tools: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for index, block in enumerate(turn):
        if isinstance(block, Say):
            yield {"type": "text", "text": block.text}
        elif block.tool in tools:
            uid = hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()[:24]
            name, arguments = tools[block.tool], dict(block.arguments)
            yield {"type": "tool_use", "id": f"toolu_{uid}", "name": name, "input": arguments}


def _tokens(value: object) -> int:
    return max(1, len(json.dumps(value)) // _CHARACTERS_A_TOKEN)
