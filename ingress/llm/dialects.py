"""Which filter reads an answer: by the path that was asked, and by the content type that came."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tachograph.ingress.llm import anthropic, openai_chat, openai_responses
from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.sse import Json
from tachograph.ingress.llm.stream import Dialect, Filter, StreamFilter
from tachograph.ingress.llm.whole import WholeFilter
from tachograph.schemas.payload import HeaderField

__all__ = ["filter_of"]


@dataclass(frozen=True, slots=True)
class _Api:
    path: re.Pattern[str]
    stream: Callable[[], Dialect]
    calls: Callable[[Json], list[ToolCall]]
    rewritten: Callable[[Json, dict[int, str]], Json]


_APIS = (
    _Api(
        re.compile(r"(?:^|/)messages(?:/|$)"),
        anthropic.Messages,
        anthropic.whole_calls,
        anthropic.whole_rewritten,
    ),
    _Api(
        re.compile(r"(?:^|/)chat/completions(?:/|$)"),
        openai_chat.ChatCompletions,
        openai_chat.whole_calls,
        openai_chat.whole_rewritten,
    ),
    _Api(
        re.compile(r"(?:^|/)responses(?:/|$)"),
        openai_responses.Responses,
        openai_responses.whole_calls,
        openai_responses.whole_rewritten,
    ),
)


def filter_of(path: str, headers: tuple[HeaderField, ...]) -> Filter | None:
    """The filter of a successful answer; None where this path answers no tool calls.

    `path` is in lower case and folded. Raises `Unreadable` for an answer that may call tools in a form
    that nobody here reads: compressed, or neither JSON nor server-sent events.
    """
    api = next((api for api in _APIS if api.path.search(path)), None)
    if api is None:
        return None
    codings = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    if any(coding not in {"", "identity"} for coding in codings):
        raise Unreadable("expected an answer without Content-Encoding, as was asked for")
    kinds = [value for name, value in headers if name.lower() == "content-type"]
    media = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
    if media == "text/event-stream":
        return StreamFilter(api.stream())
    if media == "application/json" or media.endswith("+json"):
        return WholeFilter(api.calls, api.rewritten)
    raise Unreadable("expected JSON or server-sent events")
