"""From a request to the calls that policies judge: one, or one for each element of a JSON-RPC batch.

Nothing is guessed: a body that has two readings, a name that has two spellings, a header that asks the
target to take the request for another one, each is `Unclear`, and what is unclear is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from tachograph.ingress.admission import Asked, ToolUse
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.paths import PathView, view
from tachograph.ingress.policy.strict_json import Json, keys_as_read, parse
from tachograph.ingress.upstream.target import Target
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import HeaderField

__all__ = ["Action", "Call", "Heads", "LlmCall", "RpcCall", "calls", "heads", "tool_call"]

MAX_BATCH = 64
"""Calls in one JSON-RPC batch."""
MAX_OFFERED = 2048
"""Tools that a call to a model may offer."""
MAX_ARGUMENTS = 4096
"""Arguments of tools in one body, all calls of a batch together; what is nested in one does not count."""
MAX_NAME_CHARS = 256
"""Of a tool, a prompt or a model."""
MAX_FIELD_CHARS = 512
"""Of a header field that a judgement looks at."""

# Each asks the target to take the request for another one than its request line says.
_OVERRIDES = frozenset(
    {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"}
)
_LOOKED_AT = _OVERRIDES | {"content-type", "content-encoding", "mcp-method", "mcp-name"}
# CGI and WSGI write both `-` and `_` as `_` (RFC 3875, 4.1.18), so their servers take one for the other.
_AS_ONE = _LOOKED_AT | {"content-length", "transfer-encoding"}
# What `Connection` may name: all of it is this hop's, and no target ever gets it.
_OF_THE_HOP = frozenset(
    {
        "close",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_MESSAGES = re.compile(
    r"(?:^|/)(?:messages|messages/count_tokens|messages/batches|chat/completions|completions|responses)$"
)
_MODEL_KEYS = frozenset(
    {"model", "stream", "tools", "functions", "max_tokens", "max_completion_tokens", "max_output_tokens"}
)
_TOOL_KEYS = frozenset({"name", "type", "function", "custom"})
_RPC_KEYS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_CALL = "tools/call"
_PARAM_KEYS = frozenset({"name", "arguments", "uri"})


class Action(StrEnum):
    """What an agent may be allowed to do; these are the ids of Cedar's actions."""

    HTTP_REQUEST = "http.request"
    LLM_MESSAGE = "llm.message"
    LLM_TOOL_USE = "llm.tool_use"
    MCP_CALL = "mcp.call"
    MCP_MESSAGE = "mcp.message"


@dataclass(frozen=True, slots=True)
class Heads:
    """The few header fields that a judgement looks at."""

    content_type: str | None = None
    """The media type in lower case, without parameters."""
    charset: str = "utf-8"
    content_encoding: str | None = None
    mcp_method: str | None = None
    mcp_name: str | None = None


_NO_HEADS = Heads()


@dataclass(frozen=True, slots=True)
class LlmCall:
    """What a call to a model says."""

    model: str | None
    stream: bool
    tools: tuple[str, ...]
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One JSON-RPC message."""

    method: str | None
    """None for an answer of the client's to the server."""
    batch: bool
    tool: str | None = None
    name: str | None = None
    uri: str | None = None
    arguments: Json = field(default_factory=dict)


class Call(NamedTuple):
    """One thing that the agent wants done. A tuple, because one is made for every request."""

    action: Action
    asked: Asked
    view: PathView
    host: str
    """The target's, as the connection names it."""
    heads: Heads
    llm: LlmCall | None = None
    rpc: RpcCall | None = None


def calls(asked: Asked, target: Target) -> tuple[Call, ...]:
    """What `asked` asks for, at least one. Raises `Unclear`."""
    seen = view(target.path(asked.target))
    found = heads(asked.headers)
    protocol = asked.connection.protocol
    if protocol is Protocol.MCP:
        return tuple(
            Call(
                Action.MCP_CALL if rpc.tool is not None else Action.MCP_MESSAGE,
                asked,
                seen,
                target.host,
                found,
                rpc=rpc,
            )
            for rpc in _rpc(asked, found)
        )
    if protocol is Protocol.LLM and asked.method == "POST" and _MESSAGES.search(seen.folded):
        llm = None if asked.body is None else _llm(_json(asked.body, found))
        return (Call(Action.LLM_MESSAGE, asked, seen, target.host, found, llm=llm),)
    return (Call(Action.HTTP_REQUEST, asked, seen, target.host, found),)


def tool_call(asked: Asked, target: Target, use: ToolUse) -> Call:
    """The tool call in the answer to `asked`. Raises `Unclear`."""
    tool = _name(use.tool, "name of a tool")
    if tool is None:
        raise Unclear("expected a tool call to name its tool")
    rpc = RpcCall(method=None, batch=False, tool=tool, arguments=_arguments(parse(use.arguments)))
    llm = LlmCall(_name(use.model, "model"), stream=False, tools=(), max_tokens=None)
    seen, found = view(target.path(asked.target)), heads(asked.headers)
    return Call(Action.LLM_TOOL_USE, asked, seen, target.host, found, llm, rpc)


def heads(headers: tuple[HeaderField, ...]) -> Heads:
    """Raises `Unclear` for a field that comes twice, overrides the request line or would not arrive."""
    values: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if "_" in lower and lower.replace("_", "-") in _AS_ONE:
            raise Unclear(
                "expected header names with dashes: with underscores some targets read another field"
            )
        if lower == "connection":
            _check_named(value, headers)
        elif lower in _LOOKED_AT:
            if lower in _OVERRIDES:
                raise Unclear(f"expected no {lower}: targets that obey it do something else than was judged")
            if lower in values or len(value) > MAX_FIELD_CHARS:
                raise Unclear(f"expected {lower} once, of at most {MAX_FIELD_CHARS} characters")
            values[lower] = value.strip()
    return _heads(tuple(values.items())) if values else _NO_HEADS


def _check_named(connection: str, headers: tuple[HeaderField, ...]) -> None:
    """Fields that `Connection` names are taken out on the way: what was judged would not be what arrives."""
    named = {part.strip().lower() for part in connection.split(",")} - _OF_THE_HOP
    if named and not named.isdisjoint(name.lower() for name, _ in headers):
        raise Unclear("expected Connection to name no field that the target is to get")


@lru_cache(maxsize=256)
def _heads(values: tuple[HeaderField, ...]) -> Heads:
    fields = dict(values)
    media, _, parameters = fields.get("content-type", "").partition(";")
    return Heads(
        content_type=media.strip().lower() or None,
        charset=_charset(parameters),
        content_encoding=fields.get("content-encoding"),
        mcp_method=fields.get("mcp-method"),
        mcp_name=fields.get("mcp-name"),
    )


def _charset(parameters: str) -> str:
    for part in parameters.lower().split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "charset":
            return value.strip().strip('"')
    return "utf-8"


def _json(body: bytes, found: Heads) -> Any:
    if (found.content_encoding or "identity").lower() != "identity":
        raise Unclear("expected a body without Content-Encoding: what is coded is not judged")
    if found.charset not in {"utf-8", "utf8", "us-ascii"}:
        raise Unclear("expected a body in UTF-8")
    return parse(body)


# -- models ----------------------------------------------------------------------------------------


def _llm(value: Any) -> LlmCall:
    if not isinstance(value, dict):
        raise Unclear("expected a JSON object for a model")
    keys_as_read(value, _MODEL_KEYS)
    limits = [value.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")]
    return LlmCall(
        model=_name(value.get("model"), "model"),
        stream=_flag(value.get("stream")),
        tools=_offered(value),
        max_tokens=max((_count(item) for item in limits if item is not None), default=None),
    )


def _offered(value: Json) -> tuple[str, ...]:
    found: set[str] = set()
    for key in ("tools", "functions"):
        items = value.get(key)
        if items is None:
            continue
        if not isinstance(items, list):
            raise Unclear(f"expected `{key}` to be a list")
        if len(items) > MAX_OFFERED:
            raise Unclear(f"expected at most {MAX_OFFERED} tools")
        for item in items:
            found |= _tool_names(item)
    return tuple(sorted(found))


def _tool_names(item: Any) -> set[str]:
    """Every name that the item gives its tool: which of them counts is for the target to say."""
    if not isinstance(item, dict):
        raise Unclear("expected each tool to be an object")
    keys_as_read(item, _TOOL_KEYS)
    inner = [item[key] for key in ("function", "custom") if isinstance(item.get(key), dict)]
    for each in inner:
        keys_as_read(each, _TOOL_KEYS)
    told = [each.get("name") for each in (item, *inner)]
    names = {name for one in told if (name := _name(one, "name of a tool")) is not None}
    kind = None if names else _name(item.get("type"), "name of a tool")
    return names if kind is None else {kind}


def _flag(value: Any) -> bool:
    if value is not None and not isinstance(value, bool):
        raise Unclear("expected `stream` to be true or false")
    return value is True


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Unclear("expected a whole number of tokens")
    return value


# -- MCP -------------------------------------------------------------------------------------------


def _rpc(asked: Asked, found: Heads) -> tuple[RpcCall, ...]:
    if not asked.body:
        if asked.method == "POST":
            raise Unclear("expected JSON-RPC in the body of a POST")
        return (RpcCall(method=None, batch=False),)
    value = _json(asked.body, found)
    if not isinstance(value, list):
        return (_message(value, found, batch=False),)
    if not 1 <= len(value) <= MAX_BATCH:
        raise Unclear(f"expected 1 to {MAX_BATCH} messages in a batch")
    messages = tuple(_message(item, found, batch=True) for item in value)
    _check_arguments(sum(len(one.arguments) for one in messages))
    return messages


def _message(value: Any, found: Heads, *, batch: bool) -> RpcCall:
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise Unclear("expected JSON-RPC 2.0")
    keys_as_read(value, _RPC_KEYS)
    if "method" not in value:
        if "result" not in value and "error" not in value:
            raise Unclear("expected a JSON-RPC request, notification or response")
        return RpcCall(method=None, batch=batch)
    method = _name(value["method"], "method")
    params = value.get("params")
    params = {} if params is None else params
    if method is None or not isinstance(params, dict):
        raise Unclear("expected a method, and its params as an object")
    if method != _CALL and method.casefold() == _CALL:
        raise Unclear("expected the method in its own case, got one that only some servers take for it")
    keys_as_read(params, _PARAM_KEYS)
    name = _name(params.get("name"), "name")
    _agree(found, method, name, params)
    if method != _CALL:
        return RpcCall(method, batch, name=name, uri=_uri(params.get("uri")))
    if name is None:
        raise Unclear("expected a tool call to name its tool")
    return RpcCall(method, batch, tool=name, arguments=_arguments(params.get("arguments")))


def _agree(found: Heads, method: str, name: str | None, params: Mapping[str, Any]) -> None:
    """MCP 2026-07-28 repeats method and name in headers; a target may believe either."""
    if found.mcp_method is not None and found.mcp_method != method:
        raise Unclear("expected Mcp-Method to say what the body says")
    if found.mcp_name is not None and found.mcp_name not in {name, params.get("uri")}:
        raise Unclear("expected Mcp-Name to say what the body says")


def _arguments(value: Any) -> Json:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unclear("expected a tool's arguments as an object")
    _check_arguments(len(value))
    return value


def _check_arguments(count: int) -> None:
    if count > MAX_ARGUMENTS:
        raise Unclear(f"expected at most {MAX_ARGUMENTS} arguments")


def _uri(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Unclear("expected `uri` to be text")
    return value


def _name(value: Any, what: str) -> str | None:
    """A name with one spelling: no control or format characters, nothing that NFKC writes otherwise."""
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARS:
        raise Unclear(f"expected the {what} to be text of 1 to {MAX_NAME_CHARS} characters")
    if not value.isascii() and unicodedata.normalize("NFKC", value) != value:
        raise Unclear(f"expected the {what} in its plain Unicode form (NFKC)")
    if not value.isprintable() or value != value.strip():
        raise Unclear(f"expected the {what} without control or format characters, or spaces around it")
    return value
