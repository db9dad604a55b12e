"""One masked event as one line that a person can read: when, which way, what, how it went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Line", "line", "told"]

_ARROWS = {"request": "→", "response": "←", "session.open": "┌", "session.close": "└", "decision": "?"}
_EFFECTS = {"allow": "allowed", "deny": "denied", "approval": "needs approval"}
MAX_TEXT = 160


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of one event; every field is text, empty where there is nothing to say."""

    time: str
    arrow: str
    connection: str
    what: str
    status: str
    numbers: str
    text: str


def line(source: Mapping[str, Any]) -> Line:
    """The line of one document; fields that it does not have are left out, never guessed."""
    tacho: Mapping[str, Any] = source.get("unmapped", {}).get("tacho", {})
    kind = str(tacho.get("type", ""))
    return Line(
        time=str(tacho.get("ts", ""))[11:23],
        arrow=_ARROWS.get(kind, "·"),
        connection=str(tacho.get("connection") or ""),
        what=_what(source, tacho, kind),
        status=_status(source, tacho, kind),
        numbers=_numbers(source, tacho),
        text=_shorten(_text(source, tacho)),
    )


def told(sources: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The lines of several documents. A decision says what the request of its exchange asks for."""
    documents = list(sources)
    asked = {
        _exchange(source): line(source).what
        for source in documents
        if source.get("unmapped", {}).get("tacho", {}).get("type") == "request"
    }
    return [_named(source, asked) for source in documents]


def _named(source: Mapping[str, Any], asked: Mapping[str, str]) -> Line:
    tacho, found = source.get("unmapped", {}).get("tacho", {}), line(source)
    what = asked.get(_exchange(source)) if tacho.get("type") == "decision" and not tacho.get("tool") else None
    return replace(found, what=what) if what else found


def _exchange(source: Mapping[str, Any]) -> str:
    return str(source.get("unmapped", {}).get("tacho", {}).get("exchange") or "")


def _what(source: Mapping[str, Any], tacho: Mapping[str, Any], kind: str) -> str:
    if kind.startswith("session.") or kind == "heartbeat":
        return kind
    if access := tacho.get("access"):
        return str(access.get("action"))
    if tool := tacho.get("tool"):
        return f"{tacho.get('rpc_method', 'tool')} {tool}"
    if method := tacho.get("rpc_method"):
        return str(method)
    if model := source.get("ai_model", {}).get("name"):
        return f"{source.get('api', {}).get('operation', '')} {model}".strip()
    request = source.get("http_request", {})
    method = request.get("http_method") or tacho.get("method") or ""
    return f"{method} {request.get('url', {}).get('path') or ''}".strip()


def _status(source: Mapping[str, Any], tacho: Mapping[str, Any], kind: str) -> str:
    if kind == "request":
        return _policy(tacho.get("policy") or {})
    if kind == "decision":
        by = ", ".join(map(str, (tacho.get("policy") or {}).get("ids") or ()))
        verdict = (tacho.get("approval") or {}).get("outcome") or tacho.get("decision") or ""
        return f"{verdict} by {by}" if by and not tacho.get("approval") else str(verdict)
    if kind != "response":
        return ""
    code = source.get("http_response", {}).get("code")
    error = (tacho.get("error") or {}).get("code")
    return " ".join(str(part) for part in (code, tacho.get("stop_reason"), error) if part)


def _policy(said: Mapping[str, Any]) -> str:
    if not said:
        return ""
    by = f" by {', '.join(map(str, said['ids']))}" if said.get("ids") else ""
    return f"{_EFFECTS.get(str(said.get('effect')), '')}{by}"


def _numbers(source: Mapping[str, Any], tacho: Mapping[str, Any]) -> str:
    usage, found = tacho.get("usage") or {}, []
    if (waited := (tacho.get("approval") or {}).get("waited_ms")) is not None:
        found.append(f"waited {waited / 1000:.1f} s")
    if usage:
        found.append(f"{usage.get('input_tokens', 0)}+{usage.get('output_tokens', 0)} tokens")
    if cost := tacho.get("cost_usd"):
        found.append(f"${cost:.4f}")
    if (duration := source.get("duration")) is not None and tacho.get("type") == "response":
        found.append(f"{duration} ms")
    return ", ".join(found)


def _approval(said: Mapping[str, Any], tacho: Mapping[str, Any]) -> str:
    """Who asked whom, who said what and when: the two people of every approval."""
    asker = (tacho.get("principal") or {}).get("id", "")
    groups = ", ".join(str(need.get("group", "")) for need in said.get("needs") or ())
    words = [f"{asker} asked {groups}" if groups else str(asker)]
    for each in said.get("decisions") or ():
        minutes = f" for {each['grant_minutes']} min" if each.get("grant_minutes") else ""
        verb = "approved" if each.get("verdict") == "approve" else "denied"
        comment = f": {each['comment']}" if each.get("comment") else ""
        words.append(f"{each.get('reviewer')} {verb}{minutes} at {str(each.get('at', ''))[11:19]}{comment}")
    return "; ".join(words)


def _text(source: Mapping[str, Any], tacho: Mapping[str, Any]) -> str:
    if said := tacho.get("approval"):
        return _approval(said, tacho)
    if access := tacho.get("access"):
        return f"{access.get('by')} at {access.get('host')}: {access.get('how')}"
    context = source.get("message_context", {})
    calls = ", ".join(f"{call['name']} ({call['id'][:14]})" for call in tacho.get("tool_calls") or ())
    body = tacho.get("body") if tacho.get("protocol") == "http" else None
    texts = (context.get("response_text"), context.get("prompt_text"), tacho.get("arguments_text"), body)
    said = next((text for text in texts if text), "")
    parts = (f"calls {calls}" if calls else "", str(said), str(tacho.get("withheld") or ""))
    return " | ".join(part for part in parts if part)


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_TEXT else f"{flat[: MAX_TEXT - 1]}…"
