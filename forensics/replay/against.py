"""Which recorded requests are sent to a test target; secrets come back into them only from the operator.

What is sent is what is on record, masked. A marker is replaced where the operator gave its value; a request
in which one is left is not sent. Headers of the hop, of the client's connection and of the gateway stay out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, quote_plus

import orjson

from tachograph.forensics.errors import OperatorError
from tachograph.forensics.replay.compared import answer_leaves
from tachograph.forensics.replay.differences import Difference, differences
from tachograph.forensics.replay.markers import MARKER
from tachograph.forensics.replay.recorded import Exchange, Field, Request

__all__ = ["HARMLESS", "Prepared", "Skipped", "Values", "chosen", "compared_answers", "kind_of", "prepared"]

HARMLESS = ("GET", "HEAD", "tools/list")
"""Kinds that are sent unless others are named: they should change nothing."""
LISTEN = "listen"
"""An MCP client's GET, which waits for what the server has to say."""
MAX_VALUES = 10_000
_KEPT_BACK = frozenset(
    {
        *("host", "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"),
        *("te", "trailer", "upgrade", "expect", "proxy-authorization", "proxy-connection", "x-tacho-key"),
        *("accept-encoding", "traceparent", "tracestate", "mcp-session-id"),
    }
)
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Values:
    """Masked values by marker or pseudonym, from the operator. `repr` shows how many."""

    by_name: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, given: object, *, file: str) -> Values:
        """From a file's content: a mapping of markers, or of pseudonyms, to texts. Raises `OperatorError`."""
        pairs = dict(given) if isinstance(given, dict) else {None: None}
        texts: dict[str, str] = {}
        for name, value in pairs.items():
            if isinstance(name, str) and isinstance(value, str):
                texts[name.strip()] = value
        if len(texts) != len(pairs) or len(texts) > MAX_VALUES:
            raise OperatorError(f"{file}: expected at most {MAX_VALUES} lines `pseudonym: value`, both texts")
        return cls(texts)

    def value(self, marker: re.Match[str]) -> str | None:
        """What the operator gave for a marker."""
        return self.by_name.get(marker[0]) or self.by_name.get(marker["pseudonym"] or "")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One request as it is sent. `repr` shows neither headers nor body: they may hold what was given."""

    method: str
    target: str = field(repr=False)
    headers: tuple[Field, ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """One that is not sent, and why."""

    why: str


def kind_of(exchange: Exchange) -> str:
    """What `--only` names: the JSON-RPC method of a call to an MCP server, the HTTP method of all else."""
    request = exchange.request
    if request.protocol != "mcp":
        return request.method
    return LISTEN if request.method == "GET" else request.rpc_method or request.method


def chosen(
    exchanges: Iterable[Exchange], kinds: Sequence[str], connection: str | None
) -> tuple[Exchange, ...]:
    """The exchanges of these kinds, of one connection or of all, in their order. Raises `OperatorError`."""
    ours = [item for item in exchanges if connection in (None, item.request.connection)]
    wanted = {kind.lower() for kind in kinds or HARMLESS}
    found = tuple(item for item in ours if kind_of(item).lower() in wanted)
    if not found:
        there = ", ".join(sorted({kind_of(item) for item in ours})) or "none"
        raise OperatorError(
            f"nothing of kind {', '.join(kinds or HARMLESS)} is on record; there are: {there}"
        )
    return found


def prepared(request: Request, values: Values, ours: frozenset[str] = frozenset()) -> Prepared | Skipped:
    """The request with the operator's values in it. Fields with a value of `ours` held the gateway's key."""
    if request.body.missing is not None or not request.body.complete:
        return Skipped(request.body.missing or "its body broke off")
    back = _Back(values)
    media = request.header("content-type").partition(";")[0].strip().lower()
    body = back.into(request.body.text, quote_plus if media == _FORM else _plain if _raw(media) else _escaped)
    target = back.into(request.path, partial(quote, safe=""))
    if request.query:
        target += f"?{back.into(request.query, quote_plus)}"
    headers = tuple(
        (name, back.into(value, _plain))
        for name, value in request.headers
        if name.lower() not in _KEPT_BACK and value not in ours
    )
    if back.left:
        return Skipped(f"no value was given for {', '.join(sorted(back.left))}")
    if any("\r" in value or "\n" in value for _, value in headers):
        return Skipped("a value that was given does not fit into a header")
    return Prepared(request.method, target or "/", headers, body.encode())


def compared_answers(recorded: Exchange, came: Exchange, ignored: frozenset[str]) -> tuple[Difference, ...]:
    """How the masked answer that came differs from the recorded one."""
    protocol = recorded.request.protocol
    if recorded.response is None or came.response is None:
        return (Difference("answer", None if recorded.response is None else "", None),)
    was = answer_leaves(recorded.response, protocol, ignored)
    return differences(was, answer_leaves(came.response, protocol, ignored))


class _Back:
    """Puts values back, and remembers the markers for which there is none."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self.left: set[str] = set()

    def into(self, text: str, written: Callable[[str], str]) -> str:
        return "".join(self._pieces(text, written))

    def _pieces(self, text: str, written: Callable[[str], str]) -> Iterator[str]:
        at = 0
        for marker in MARKER.finditer(text):
            value = self._values.value(marker)
            if value is None:
                self.left.add(marker[0])
            yield text[at : marker.start()]
            yield marker[0] if value is None else written(value)
            at = marker.end()
        yield text[at:]


def _raw(media: str) -> bool:
    return not (media.endswith("json") or not media)


def _plain(value: str) -> str:
    return value


def _escaped(value: str) -> str:
    return orjson.dumps(value).decode()[1:-1]
