"""What two requests (or two answers) are compared by: leaves of a tree, without what differs in every run.

| what                       | compared                                                                     |
|----------------------------|------------------------------------------------------------------------------|
| connection, method, path   | yes: they say which recorded requests are looked at                          |
| query                      | yes, whatever the order of its names                                         |
| headers                    | only the media type of `Content-Type`                                        |
| JSON body                  | yes, by value; the order of keys and white space are nothing                 |
| form, multipart            | yes, field by field in order; the boundary is nothing                        |
| other bodies               | yes, as text                                                                 |
| body of a model's API      | without `metadata`, `user`, `safety_identifier`, `prompt_cache_key`          |
| JSON-RPC                   | without the ids of requests, progress tokens, and the client's own version   |
| what `--ignore` names      | no, at any depth and in queries                                              |
| status of an answer        | yes; its headers as above                                                    |

Everything compared is masked. Equal secrets are equal there, because pseudonyms are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from tachograph.forensics.replay.recorded import Request, Response

__all__ = ["NOT_TEXT", "RUN_OF_A_MODEL", "Leaves", "answer_leaves", "request_leaves"]

RUN_OF_A_MODEL = frozenset({"metadata", "user", "safety_identifier", "prompt_cache_key"})
"""Members of a request to a model's API that say who runs it and when, not what is asked."""
MAX_DEPTH = 64
NOT_TEXT = "\u200b"
"""What the leaf of a JSON value begins with that is no string."""
Leaves = Mapping[str, str]
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Text:
    protocol: str
    media: str
    content_type: str
    text: str


def request_leaves(request: Request, ignored: frozenset[str] = frozenset()) -> Leaves:
    """Every compared fact of a request, by its place. A body that is not on record has none."""
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name not in ignored:
            found[f"query {name}[{times[name]}]" if times[name] else f"query {name}"] = value
            times[name] += 1
    return found | dict(_body(request, request.protocol, ignored))


def answer_leaves(answer: Response, protocol: str, ignored: frozenset[str] = frozenset()) -> Leaves:
    """Every compared fact of an answer."""
    return {"status": str(answer.status)} | dict(_body(answer, protocol, ignored))


def _body(message: Request | Response, protocol: str, ignored: frozenset[str]) -> Iterator[tuple[str, str]]:
    kind = message.header("content-type")
    media = kind.partition(";")[0].strip().lower()
    if message.body.missing is not None:
        yield "body", f"({message.body.missing})"
        return
    if not message.body.text:
        return
    yield "content-type", media
    value = _parsed(_Text(protocol, media, kind, message.body.text))
    if isinstance(message, Request):
        value = _without_run(value, protocol)
    yield from _leaves("body", value, ignored, MAX_DEPTH)


def _parsed(body: _Text) -> Any:
    if body.media == "text/event-stream":
        return [_json(data) for data in _events(body.text)]
    if body.media == "application/x-www-form-urlencoded":
        return [{name: value} for name, value in parse_qsl(body.text, keep_blank_values=True)]
    if boundary := _BOUNDARY.search(body.content_type):
        return body.text.replace(boundary[1], "boundary").split("--boundary")
    return _json(body.text)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _events(text: str) -> Iterator[str]:
    """The data of each event (WHATWG HTML, 9.2.6)."""
    for block in re.split(r"(?:\r\n|\r|\n){2,}", text):
        lines = [line for line in re.split(r"\r\n|\r|\n", block) if line.startswith("data:")]
        if lines:
            yield "\n".join(line.removeprefix("data:").removeprefix(" ") for line in lines)


def _without_run(value: Any, protocol: str) -> Any:
    if protocol == "llm" and isinstance(value, dict):
        return {name: item for name, item in value.items() if name not in RUN_OF_A_MODEL}
    if protocol == "mcp":
        return [_call(item) for item in value] if isinstance(value, list) else _call(value)
    return value


def _call(message: Any) -> Any:
    """A JSON-RPC message without what its client numbers. An answer keeps its id: the server gave it."""
    if not isinstance(message, dict) or "method" not in message:
        return message
    found = {name: item for name, item in message.items() if name != "id"}
    params = found.get("params")
    if not isinstance(params, dict):
        return found
    params = dict(params)
    if message["method"] == "notifications/cancelled":
        params.pop("requestId", None)
    params.pop("progressToken", None)
    for name, gone in (("_meta", "progressToken"), ("clientInfo", "version")):
        if isinstance(params.get(name), dict):
            params[name] = {key: item for key, item in params[name].items() if key != gone}
    if not params.get("_meta", True):  # only the token stood there
        del params["_meta"]
    return found | {"params": params}


def _leaves(place: str, value: Any, ignored: frozenset[str], depth: int) -> Iterator[tuple[str, str]]:
    if depth and isinstance(value, dict) and value:
        for name, item in value.items():
            if name not in ignored:
                yield from _leaves(f"{place}.{name}", item, ignored, depth - 1)
    elif depth and isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(f"{place}[{number}]", item, ignored, depth - 1)
    elif isinstance(value, str):
        yield place, value
    else:
        yield place, _written(value)


def _written(value: Any) -> str:
    # In quotes a text would be another thing than a number: here the text is bare and all else is JSON.
    try:
        return f"{NOT_TEXT}{orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()}"
    except TypeError:
        return f"{NOT_TEXT}(nested too deep)"
