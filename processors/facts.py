"""Which of a record's facts somebody else chose, as parts for the masker, and the same facts put back masked.

Everything that a client or a target can write goes through: target, headers, trailers, reason phrase, error
detail, method, content types and the context's strings; so do the words of people: the reason of a policy and
of a decision. What the gateway or the operator wrote stays: status, timing, lengths, connection, upstream,
policy ids. The hashes of the raw body and of a decision's inputs stay behind: a short secret could be guessed
from them (the header's commitment is salted and goes on).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from tachograph.processors.masking.masker import Part
from tachograph.schemas.payload import (
    ApprovalMeta,
    ChunkMeta,
    DecisionMeta,
    HeaderField,
    HeartbeatMeta,
    Meta,
    PolicyDecision,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    SessionCloseMeta,
    SessionOpenMeta,
)

__all__ = ["Unmaskable", "content_of", "meta_parts", "stub_meta", "with_masked"]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_TOOL = ("id", "name", "arguments", "replacement")
_CONTEXT = ("model", "rpc_method", "rpc_id", "tool", "tool_use_id")


class Unmaskable(Exception):
    """The masker withheld a fact, or gave it back in a shape that does not fit; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Content(NamedTuple):
    """What the head says about its body."""

    type: str | None
    encoding: str | None


def content_of(headers: Sequence[HeaderField]) -> Content:
    """Content-Type (the first) and Content-Encoding (all, in order: RFC 9110 8.4) of a message's headers."""
    kind: str | None = None
    codings = []
    for name, value in headers:
        lower = name.lower()
        if lower == "content-type" and kind is None:
            kind = value
        elif lower == "content-encoding":
            codings.append(value)
    return Content(kind, ", ".join(codings) or None)


def meta_parts(meta: Meta) -> list[Part]:
    """The facts of one record that must be masked: `target`, `headers`, `trailers`, `texts`."""
    parts = []
    line, headers, trailers = _line(meta), _headers(meta), _trailers(meta)
    if line is not None:
        parts.append(Part("target", "url", line.target.encode("utf-8", "replace")))
    if headers:
        parts.append(Part("headers", "headers", orjson.dumps(headers)))
    if trailers:
        parts.append(Part("trailers", "headers", orjson.dumps(trailers)))
    texts = dict(_texts(meta))
    if texts:
        parts.append(Part("texts", "json", orjson.dumps(texts)))
    return parts


def with_masked(meta: Meta, masked: Mapping[str, bytes]) -> Meta:
    """The same record with its facts from the masked parts; raises `Unmaskable` where one does not fit."""
    texts = _texts_back(dict(_texts(meta)), masked)
    update: dict[str, Any] = {}
    line = _line(meta)
    if line is not None:
        told = {
            "target": _part(masked, "target").decode("utf-8", "replace"),
            "method": texts.get("method", line.method),
        }
        if told != {"target": line.target, "method": line.method}:  # mostly nothing was hidden there
            update["line" if not isinstance(meta, ResponseMeta) else "request"] = line.model_copy(update=told)
    return meta.model_copy(update=update | _SPECIFIC[type(meta)](meta, masked, texts))


def stub_meta(meta: Meta) -> Meta:
    """What is left of a record whose facts cannot be masked: only what the gateway itself wrote."""
    line = _line(meta)
    bare = line.model_copy(update={"target": "", "method": ""}) if line is not None else None
    if isinstance(meta, RequestMeta):
        body = meta.body.model_copy(update={"sha256": ""})
        decision = _plain_decision(meta, "")
        update = {
            "line": bare,
            "headers": (),
            "context": RequestContext(),
            "body": body,
            "decision": decision,
            "injected": None,
        }
        return meta.model_copy(update=update)
    if isinstance(meta, ResponseMeta):
        body = meta.body.model_copy(update={"sha256": ""})
        gone: dict[str, Any] = {"headers": (), "trailers": (), "context": RequestContext(), "reason": ""}
        error = meta.error.model_copy(update={"detail": ""}) if meta.error else None
        return meta.model_copy(update={"request": bare, "body": body, "error": error, **gone})
    if isinstance(meta, DecisionMeta):
        said = {"line": bare, "reason": "", "approval": _with_comments(meta, {})} | _tool_back(meta, {})
        return meta.model_copy(update=said)
    if isinstance(meta, ChunkMeta):
        return meta.model_copy(update={"sha256": "", "content_type": None, "content_encoding": None})
    return meta


def _line(meta: Meta) -> RequestLine | None:
    if isinstance(meta, RequestMeta | DecisionMeta):
        return meta.line
    return meta.request if isinstance(meta, ResponseMeta) else None


def _headers(meta: Meta) -> tuple[HeaderField, ...]:
    return meta.headers if isinstance(meta, RequestMeta | ResponseMeta) else ()


def _trailers(meta: Meta) -> tuple[HeaderField, ...]:
    return meta.trailers if isinstance(meta, ResponseMeta) else ()


def _texts(meta: Meta) -> Iterator[tuple[str, str]]:
    line = _line(meta)
    if line is not None and line.method not in _METHODS:
        yield "method", line.method
    if isinstance(meta, RequestMeta | ResponseMeta):
        yield from _given(meta.context, _CONTEXT)
    if isinstance(meta, RequestMeta) and meta.decision is not None and meta.decision.reason:
        yield "policy_reason", meta.decision.reason
    if isinstance(meta, ResponseMeta):
        if meta.reason and meta.reason != _PHRASES.get(meta.status):
            yield "reason", meta.reason
        yield from _given(meta.error, ("detail",))
    elif isinstance(meta, DecisionMeta):
        yield "reason", meta.reason
        yield from _comments(meta)
        yield from _given(meta.tool, _TOOL)
        if meta.policy is not None and meta.policy.reason:
            yield "policy_reason", meta.policy.reason
    elif isinstance(meta, ChunkMeta):
        yield from _given(meta, ("content_type", "content_encoding"))


def _given(model: object, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        value = getattr(model, name, None)
        if value:
            yield name, value


def _part(masked: Mapping[str, bytes], name: str) -> bytes:
    try:
        return masked[name]
    except KeyError:
        raise Unmaskable(f"{name}-missing") from None


def _texts_back(given: dict[str, str], masked: Mapping[str, bytes]) -> dict[str, str]:
    if not given:
        return {}
    try:
        texts = orjson.loads(_part(masked, "texts"))
    except orjson.JSONDecodeError:
        raise Unmaskable("texts-shape") from None
    # One that did not come back would stay as it was: all must.
    if not isinstance(texts, dict) or texts.keys() != given.keys():
        raise Unmaskable("texts-shape")
    return {str(name): value if isinstance(value, str) else str(value) for name, value in texts.items()}


def _fields_back(
    given: tuple[HeaderField, ...], masked: Mapping[str, bytes], name: str
) -> tuple[HeaderField, ...]:
    if not given:
        return ()
    try:
        pairs = orjson.loads(_part(masked, name))
        fields = tuple((str(field), str(value)) for field, value in pairs)
    except (orjson.JSONDecodeError, TypeError, ValueError):
        raise Unmaskable(f"{name}-shape") from None
    if len(fields) != len(given):
        raise Unmaskable(f"{name}-shape")
    return fields


def _context_back(context: RequestContext, texts: Mapping[str, str]) -> RequestContext:
    update = {name: texts[name] for name in _CONTEXT if name in texts}
    return context.model_copy(update=update) if update else context


def _plain_decision(meta: RequestMeta, reason: str) -> PolicyDecision | None:
    if meta.decision is None:
        return None
    return meta.decision.model_copy(update={"reason": reason, "inputs": ""})


def _request(meta: RequestMeta, masked: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "headers": _fields_back(meta.headers, masked, "headers"),
        "context": _context_back(meta.context, texts),
        "body": meta.body.model_copy(update={"sha256": ""}),
        "decision": _plain_decision(meta, texts.get("policy_reason", "")),
        "injected": None,
    }


def _response(meta: ResponseMeta, masked: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, Any]:
    detail = texts.get("detail", "")
    return {
        "headers": _fields_back(meta.headers, masked, "headers"),
        "trailers": _fields_back(meta.trailers, masked, "trailers"),
        "context": _context_back(meta.context, texts),
        "body": meta.body.model_copy(update={"sha256": ""}),
        "reason": texts.get("reason", meta.reason),
        "error": meta.error.model_copy(update={"detail": detail}) if meta.error else None,
    }


def _chunk(meta: ChunkMeta, masked: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, Any]:
    del meta, masked
    known = {name: texts[name] for name in ("content_type", "content_encoding") if name in texts}
    return {"sha256": "", **known}


def _decision(meta: DecisionMeta, masked: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, Any]:
    del masked
    told = {"reason": texts.get("reason", meta.reason), "approval": _with_comments(meta, texts)}
    return told | _tool_back(meta, texts)


def _tool_back(meta: DecisionMeta, texts: Mapping[str, str]) -> dict[str, Any]:
    """What a model wrote, and the text that took its place, which names the tool."""
    update: dict[str, Any] = {}
    if meta.tool is not None:
        told = {name: texts.get(name, "") for name in _TOOL if getattr(meta.tool, name) is not None}
        update["tool"] = meta.tool.model_copy(update=told)
    if meta.policy is not None:
        reason = texts.get("policy_reason", "")
        update["policy"] = meta.policy.model_copy(update={"reason": reason, "inputs": ""})
    return update


def _comments(meta: DecisionMeta) -> Iterator[tuple[str, str]]:
    """What reviewers wrote may hold anything that they looked at."""
    for index, said in enumerate(meta.approval.decisions if meta.approval else ()):
        if said.comment:
            yield f"comment{index}", said.comment


def _with_comments(meta: DecisionMeta, texts: Mapping[str, str]) -> ApprovalMeta | None:
    if meta.approval is None:
        return None
    decisions = tuple(
        said.model_copy(update={"comment": texts.get(f"comment{index}", "")})
        for index, said in enumerate(meta.approval.decisions)
    )
    return meta.approval.model_copy(update={"decisions": decisions})


def _nothing(meta: Meta, masked: Mapping[str, bytes], texts: Mapping[str, str]) -> dict[str, Any]:
    del meta, masked, texts
    return {}


_SPECIFIC: Mapping[type, Callable[[Any, Mapping[str, bytes], Mapping[str, str]], dict[str, Any]]] = {
    RequestMeta: _request,
    ResponseMeta: _response,
    ChunkMeta: _chunk,
    DecisionMeta: _decision,
    SessionOpenMeta: _nothing,
    SessionCloseMeta: _nothing,
    HeartbeatMeta: _nothing,
}
