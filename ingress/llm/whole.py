"""The filter of an answer that is one JSON body: kept back, judged call by call, sent on or rewritten."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from tachograph.ingress.llm.calls import ToolCall
from tachograph.ingress.llm.errors import TooLong, Unreadable
from tachograph.ingress.llm.sse import MAX_KEPT_BYTES, Json, strict

__all__ = ["WholeFilter"]


class WholeFilter:
    """One body. See `stream.Filter`; what it gives after `fail` is nothing, since a head can still say it."""

    ping = b""

    def __init__(
        self,
        calls: Callable[[Json], list[ToolCall]],
        rewritten: Callable[[Json, dict[int, str]], Json],
    ) -> None:
        self.broken: str | None = None
        self._calls_of = calls
        self._rewritten = rewritten
        self._body = bytearray()
        self._end = False
        self._value: Json | None = None
        self._calls: list[ToolCall] = []
        self._refusals: dict[int, str] = {}
        self._asked = 0

    @property
    def kept(self) -> int:
        return len(self._body)

    def feed(self, data: bytes, *, end: bool) -> None:
        if self.broken is None:
            self._body += data
        self._end = end

    def next(self) -> bytes | ToolCall | None:
        if self.broken is not None:
            return None
        try:
            return self._next()
        except Unreadable as error:
            return self.fail(f"the gateway cannot read this answer: {error}")

    def answer(self, refusal: str | None) -> None:
        if refusal is not None:
            self._refusals[self._asked] = refusal
        self._asked += 1

    def fail(self, reason: str, kind: str = "api_error") -> bytes:
        del kind
        self.broken = reason
        self._body = bytearray()
        return b""

    def _next(self) -> bytes | ToolCall | None:
        if len(self._body) > MAX_KEPT_BYTES:
            raise TooLong(f"expected an answer of at most {MAX_KEPT_BYTES} bytes")
        if not self._end or not self._body:
            return None
        if self._value is None:
            self._value = strict(bytes(self._body))
            self._calls = self._calls_of(self._value)
        if self._asked < len(self._calls):
            return self._calls[self._asked]
        body, self._body = bytes(self._body), bytearray()
        return orjson.dumps(self._rewritten(self._value, self._refusals)) if self._refusals else body
