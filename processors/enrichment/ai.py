"""OCSF's `ai_operation` and `api` objects: model, agent, message context, and what was called."""

from __future__ import annotations

from typing import Any

from tachograph.processors.enrichment.bounds import CONTEXT_TEXT_BYTES, ID_BYTES, LINE_BYTES, clip
from tachograph.processors.enrichment.conversation import trailing
from tachograph.processors.enrichment.facts import Facts
from tachograph.processors.enrichment.http import small
from tachograph.processors.enrichment.ocsf import named
from tachograph.processors.enrichment.tacho import present
from tachograph.schemas import ocsf
from tachograph.schemas.event import Header, PrincipalKind, Protocol

__all__ = ["agent", "api", "context_text", "line", "message_context", "model", "prompt_text"]

_USER, _ASSISTANT, _TOOL = 1, 2, 3
_NOBODY = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.GATEWAY})


def api(
    header: Header, operation: str, *, code: int | None = None, facts: Facts | None = None
) -> dict[str, Any]:
    """What was called and, for an answer, with which result."""
    found: dict[str, Any] = {"operation": clip(operation, LINE_BYTES) or "unknown"}
    if header.connection:
        found["service"] = {"name": header.connection}
    if header.exchange:
        found["request"] = {"uid": str(header.exchange)}
    if facts and facts.revision:
        found["version"] = clip(facts.revision, ID_BYTES)
    if code is not None:
        found["response"] = present(code=small(code)) | (_api_error(facts) if facts else {})
    return found


def agent(header: Header) -> dict[str, Any] | None:
    """The verified principal as an agent, and the agent id that it claims."""
    claimed = header.agent.id or header.agent.session
    speaks_ai = header.protocol in {Protocol.LLM, Protocol.MCP}
    if header.principal.kind in _NOBODY or not (speaks_ai or claimed):
        return None
    name = clip(header.principal.id, ID_BYTES)
    return {"name": name, "uid": name} | present(instance_uid=header.agent.id)


def model(facts: Facts, header: Header) -> dict[str, Any] | None:
    """The model, and whose dialect it was called in; the connection where nobody here knows the dialect."""
    if not facts.model:
        return None
    provider = facts.provider or header.connection or "unknown"
    return {"ai_provider": provider, "name": clip(facts.model, LINE_BYTES)}


def prompt_text(facts: Facts) -> str | None:
    """The text of the trailing new turn: what the model was asked this time."""
    new = facts.turns[trailing(facts.turns) :]
    return context_text("\n".join(turn.text for turn in new if turn.text))


def context_text(text: str | None) -> str | None:
    """Prompt or response text within its bound; the body has the rest."""
    return (clip(text, CONTEXT_TEXT_BYTES) or None) if text else None


def line(text: str | None) -> str | None:
    """A short text within its bound."""
    return (clip(text, LINE_BYTES) or None) if text else None


def message_context(facts: Facts, header: Header, *, is_response: bool) -> dict[str, Any] | None:
    """Prompt or response text with its tokens; None where the exchange is no conversation."""
    prompt = None if is_response else prompt_text(facts)
    response = context_text(facts.response_text)
    if not (facts.turns or facts.tool or response or facts.usage):
        return None
    role = _role(facts, header, is_response=is_response)
    return (
        {"uid": str(header.exchange or header.uid), "service": {"name": header.connection or "unknown"}}
        | named("ai_role", role, ocsf.AI_ROLES)
        | present(prompt_text=prompt, response_text=response)
        | _tokens(facts)
    )


def _role(facts: Facts, header: Header, *, is_response: bool) -> int:
    if header.protocol is Protocol.MCP:
        return _TOOL
    if is_response:
        return _ASSISTANT
    return _TOOL if facts.tool_results else _USER


def _tokens(facts: Facts) -> dict[str, Any]:
    usage = facts.usage
    if usage is None:
        return {}
    total = None if usage.prompt is None else small(usage.prompt + (usage.output or 0))
    return present(
        prompt_tokens=None if usage.prompt is None else small(usage.prompt),
        completion_tokens=None if usage.output is None else small(usage.output),
        total_tokens=total,
    )


def _api_error(facts: Facts) -> dict[str, Any]:
    rpc = facts.rpc_error
    error = facts.error_type or (str(rpc.code) if rpc and rpc.code is not None else None)
    message = facts.error_message or (rpc.message if rpc else None)
    return present(
        error=clip(error, ID_BYTES) if error else None,
        error_message=clip(message, LINE_BYTES) if message else None,
    )
