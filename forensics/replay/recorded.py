"""A session's exchanges put together again from its masked documents: what was asked, what came, and when.

Pure over the documents, in whatever order they come. What they do not hold (withheld, cut, lost, not yet
there) is named under `missing`; nothing is guessed. Bodies are as they were masked: decoded text. Documents
that no gateway writes, and more text than is held at once, raise `NotReplayable`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tachograph.forensics.errors import NotReplayable
from tachograph.forensics.replay.shape import check_shape

__all__ = ["Body", "Exchange", "Piece", "Request", "Response", "exchanges_of", "requests_of"]

CUT = "\u2026[cut]"
"""How a short text ends that did not fit into its document."""
MAX_MESSAGES = 100_000
"""Of one conversation; a longer one is not put together."""
MAX_TEXT = 1 << 30
"""Characters of all bodies of a session together: a message counts once for each request that has it."""
PIECE = 256
"""What a piece of a body counts beside its text: time and memory go into short ones too."""
Json = Mapping[str, Any]
Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice of a body and when the last of it was seen: microseconds after the exchange's beginning."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Body:
    """A body's masked text, or why it is not on record. `repr` shows its length only."""

    text: str = ""
    missing: str | None = None
    complete: bool = True

    def __repr__(self) -> str:
        return f"Body(<{len(self.text)} characters>, missing={self.missing!r}, complete={self.complete})"


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent asked. `connection` is empty where nothing was registered under what it called."""

    uid: str
    connection: str
    protocol: str
    method: str
    path: str
    query: str
    headers: tuple[Field, ...]
    body: Body
    rpc_method: str | None = None
    registry: str | None = None
    ruleset: str | None = None

    @property
    def lane(self) -> tuple[str, str, str]:
        """Connection, method and path: the shape by which requests are told apart first."""
        return self.connection, self.method, self.path

    def header(self, wanted: str) -> str:
        """The first field of this name, empty where there is none."""
        return _header(self.headers, wanted)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. `pieces` are the body in time; times in microseconds from the exchange's start."""

    uid: str
    status: int
    headers: tuple[Field, ...]
    body: Body
    pieces: tuple[Piece, ...]
    first_byte: int
    end: int
    origin: str
    error: str | None = None

    def header(self, wanted: str) -> str:
        """The first field of this name, empty where there is none."""
        return _header(self.headers, wanted)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; `asked` is the time from the request's start to its last byte."""

    id: str
    request: Request
    response: Response | None
    asked: int = 0
    changed: str | None = None
    """Why the agent got another answer than the one on record."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything masked that it says, but for its fields' names."""
        said = (self.request.query, self.request.body.text, *(value for _, value in self.request.headers))
        if self.response is None:
            return said
        return (*said, self.response.body.text, *(value for _, value in self.response.headers))

    @property
    def missing(self) -> str | None:
        """Why its answer cannot be given again, or None where it can."""
        answer = self.response
        if answer is None:
            return "its answer is not on record: it had not ended, or its document is gone"
        if answer.status == 0:
            return f"nobody answered then ({answer.error or 'no reason on record'})"
        return self.changed or answer.body.missing


def exchanges_of(documents: Iterable[Json]) -> tuple[Exchange, ...]:
    """Every exchange whose request is among the documents, in the order in which they were recorded.

    Raises `NotReplayable`.
    """
    found = _Found(documents)
    return tuple(_exchange(found, document) for document in found.requests)


def requests_of(documents: Iterable[Json]) -> tuple[Request, ...]:
    """Only the requests. Raises `NotReplayable`."""
    found = _Found(documents)
    return tuple(_request(found, document) for document in found.requests)


class _Found:
    """Documents by what they are asked for."""

    def __init__(self, documents: Iterable[Json]) -> None:
        once = {_tacho(document)["uid"]: document for document in map(check_shape, documents)}
        self._left = MAX_TEXT
        self.responses: dict[str, Json] = {}
        self.messages: dict[str, Json] = {}
        self.parts: dict[str, dict[int, Json]] = defaultdict(dict)
        self.chunks: dict[tuple[str, str], dict[int, Json]] = defaultdict(dict)
        self.changed: dict[str, str] = {}
        requests: list[Json] = []
        for document in once.values():
            tacho = _tacho(document)
            match tacho.get("type"):
                case "request":
                    requests.append(document)
                case "response":
                    self.responses[str(tacho.get("exchange"))] = document
                case "chunk":
                    key = (str(tacho.get("exchange")), str(tacho.get("direction")))
                    self.chunks[key][tacho["chunk"]["index"]] = tacho
                case "message" | "part":
                    self._piece(tacho)
                case "decision":
                    self._decision(tacho)
        self.requests = sorted(requests, key=_order)

    def take(self, text: str) -> str:
        """Text that is put into a body; all of it together has a bound."""
        self._left -= len(text) + PIECE
        if self._left < 0:
            raise NotReplayable(f"its bodies, put together, have more than {MAX_TEXT} characters")
        return text

    def _piece(self, tacho: Json) -> None:
        part = tacho.get("part")
        if part is not None:
            self.parts[part["of"]][part["index"]] = tacho
        elif "message" in tacho:
            self.messages[tacho["message"]["hash"]] = tacho

    def _decision(self, tacho: Json) -> None:
        if tacho.get("replacement"):
            tool = tacho.get("tool") or "a tool"
            self.changed[str(tacho.get("exchange"))] = (
                f"the agent got it with a text in place of the call of {tool}, which is not on record as sent"
            )


def _exchange(found: _Found, document: Json) -> Exchange:
    tacho = _tacho(document)
    name = str(tacho.get("exchange"))
    answer = found.responses.get(name)
    asked = 0 if answer is None else (_tacho(answer).get("timing") or {}).get("request_end") or 0
    return Exchange(
        id=name,
        request=_request(found, document),
        response=None if answer is None else _response(found, answer),
        asked=asked,
        changed=found.changed.get(name),
    )


def _request(found: _Found, document: Json) -> Request:
    tacho = _tacho(document)
    line = document.get("http_request") or {}
    url = line.get("url") or {}
    path, query = str(url.get("path") or ""), str(url.get("query_string") or "")
    body = _body(found, document)
    if str(tacho.get("withheld") or "").startswith("meta:"):
        body = Body(missing=f"its head is withheld ({tacho['withheld']})")
    elif path.endswith(CUT) or query.endswith(CUT):
        body = Body(missing="its target is longer than what is kept of one")
    return Request(
        uid=str(tacho.get("uid")),
        connection=str(tacho.get("connection") or ""),
        protocol=str(tacho.get("protocol") or ""),
        method=str(tacho.get("method") or line.get("http_method") or ""),
        path=path,
        query=query,
        headers=_fields(line.get("http_headers")),
        body=body,
        rpc_method=tacho.get("rpc_method"),
        registry=tacho.get("registry"),
        ruleset=tacho.get("ruleset"),
    )


def _response(found: _Found, document: Json) -> Response:
    tacho, head = _tacho(document), document.get("http_response") or {}
    timing = tacho.get("timing") or {}
    end = int(timing.get("end") or 0)
    body = _body(found, document)
    return Response(
        uid=str(tacho.get("uid")),
        status=int(head.get("code") or 0),
        headers=_fields(head.get("http_headers")),
        body=body,
        pieces=_pieces(found, tacho, body, end),
        first_byte=int(timing.get("first_byte") or end),
        end=end,
        origin=str(tacho.get("origin") or ""),
        error=(tacho.get("error") or {}).get("code"),
    )


def _pieces(found: _Found, tacho: Json, body: Body, end: int) -> tuple[Piece, ...]:
    """The body in time: by its chunks where their texts are the body, else at its end."""
    chunks = _in_order(found.chunks[str(tacho.get("exchange")), str(tacho.get("direction"))])
    texts = [_continued(found, chunk)[0] for chunk in chunks]
    if not chunks or "".join(texts) != body.text:
        return (Piece(body.text, end),) if body.text else ()
    start = int((tacho.get("timing") or {}).get("start") or 0)
    times = [max(0, (_unix_ns(str(chunk["ts"])) - start) // 1000) for chunk in chunks]
    return tuple(Piece(text, min(at, end)) for text, at in zip(texts, times, strict=True) if text)


def _body(found: _Found, document: Json) -> Body:
    tacho = _tacho(document)
    wire = tacho.get("wire_body") or {}
    complete = wire.get("complete") is not False
    if reason := tacho.get("withheld"):
        return Body(missing=f"its body is withheld ({reason})", complete=complete)
    text, missing = _text(found, tacho)
    if missing is None and "conversation" in tacho:
        text, missing = _with_messages(found, document, text)
    return Body("" if missing else text, missing, complete)


def _text(found: _Found, tacho: Json) -> tuple[str, str | None]:
    head = str(tacho.get("body") or "")
    if "body" not in (tacho.get("truncated") or ()):
        return head, None
    if tacho.get("body_parts"):
        return _continued(found, tacho)
    wire = tacho.get("wire_body") or {}
    chunks = found.chunks[str(tacho.get("exchange")), str(tacho.get("direction"))]
    places = _in_order(chunks)
    if len(places) != wire.get("chunks") or any(chunk.get("body") is None for chunk in places):
        return "", f"{len(places)} of {wire.get('chunks')} pieces of its body are on record"
    pieces = [_continued(found, chunk) for chunk in places]
    return "".join(text for text, _ in pieces), next((why for _, why in pieces if why), None)


def _continued(found: _Found, tacho: Json) -> tuple[str, str | None]:
    """A body's head and what lies in further documents."""
    count, parts = int(tacho.get("body_parts") or 0), found.parts[str(tacho["uid"])]
    there = [parts[index] for index in sorted(parts) if 1 <= index <= count]
    if len(there) < count:
        return "", f"{len(there)} of {count} further parts of its body are on record"
    return "".join(found.take(str(part.get("body") or "")) for part in (tacho, *there)), None


def _with_messages(found: _Found, document: Json, rest: str) -> tuple[str, str | None]:
    """The body of a request to a model, whose messages lie in documents of their own."""
    tacho = _tacho(document)
    talk = tacho["conversation"]
    values: list[Any] = []
    name = talk.get("head")
    wanted, passed = int(talk.get("count") or 0), set[str]()
    if wanted > MAX_MESSAGES:
        return "", f"its conversation has more than {MAX_MESSAGES} messages"
    try:
        while len(values) < wanted:
            said = found.messages.get(name)
            if said is None:
                return "", f"message {wanted - len(values)} of its {wanted} is not on record"
            if name in passed:
                raise NotReplayable(f"message {wanted - len(values)} of a request comes before itself")
            passed.add(name)
            text, missing = _continued(found, said)
            if missing:
                return "", f"message {wanted - len(values)} of its {wanted}: {missing}"
            values.append(orjson.loads(text))
            name = said["message"]["parent"]
        whole = {**orjson.loads(rest or "{}"), _key(document): values[::-1]}
        return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS).decode(), None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "", "its body on record is not the JSON that was taken apart"


def _key(document: Json) -> str:
    """Under which name the API takes what was said: OpenAI's responses have `input`."""
    path = str(((document.get("http_request") or {}).get("url") or {}).get("path") or "")
    return "input" if path.rstrip("/").endswith("/responses") else "messages"


def _in_order(chunks: Mapping[int, Json]) -> Sequence[Json]:
    return [chunks[index] for index in range(len(chunks)) if index in chunks]


def _tacho(document: Json) -> Json:
    tacho: Json = (document.get("unmapped") or {}).get("tacho") or {}
    return tacho


def _order(document: Json) -> tuple[str, int]:
    tacho = _tacho(document)
    return str(tacho.get("ts") or ""), int(tacho.get("seq") or 0)


def _fields(headers: Any) -> tuple[Field, ...]:
    return tuple((str(item["name"]), str(item["value"])) for item in headers or ())


def _header(headers: Iterable[Field], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _unix_ns(timestamp: str) -> int:
    """RFC 3339 with nine digits to Unix nanoseconds."""
    seconds = datetime.fromisoformat(timestamp[:19] + "+00:00").timestamp()
    return int(seconds) * 1_000_000_000 + int(timestamp[20:29])
