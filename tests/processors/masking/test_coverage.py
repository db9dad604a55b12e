"""Every way into the record: protocol, direction, content type, streaming, error path, encoding.

Each cell of the table sends planted secrets through assembly, masking and enrichment and reads the events as
a thief would.

`python tests/processors/masking/test_coverage.py` (`make docs`) writes the table to docs/masking-coverage.md;
a test holds the page to what the cells do now.
"""

import base64
import gzip
import itertools
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import brotli
import orjson
import pytest
import zstandard

from tachograph.processors.assemble import Assembler, Piece
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.canaries import Plant, survivors
from tachograph.processors.masking.carried import NOTHING
from tachograph.processors.masking.masker import MaskedPart, Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load
from tachograph.processors.masking.samples import filled
from tachograph.processors.pipeline import Pipeline
from tachograph.schemas.event import Direction, EventType, Header, Principal, PrincipalKind, Protocol
from tachograph.schemas.payload import (
    BodyTotals,
    ChunkMeta,
    ExchangeError,
    Meta,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    Timing,
)

PAGE = Path(__file__).parents[3] / "docs" / "masking-coverage.md"
HEX = "0" * 64
NAMED, SHAPED = "Zq7rV-kM2x.pT9wLc4", filled("ghp_{alnum:36}", 5)
LATE = "Wn5cB-tY8s.hQ3zGd6v"
"""The last secret of every body: where the exchange is cut off, the cut goes through it."""
WINDOW = 8
"""So many characters of a secret in a row, and it counts as leaked."""
CHUNK = 48

Build = Callable[[str], bytes]
Code = Callable[[bytes], bytes]


def plants() -> list[Plant]:
    """Every stretch of every secret that may not be read; a token's public prefix may."""
    return [
        Plant("cell", secret[at : at + WINDOW])
        for secret in (NAMED, LATE, SHAPED.removeprefix("ghp_"))
        for at in range(len(secret) - WINDOW + 1)
    ]


def dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def pair() -> dict[str, object]:
    """What every body carries: a secret known by its name, one by its form."""
    return {"db_password": NAMED, "note": f"please use {SHAPED} for it"}


def api_json(text: str) -> bytes:
    return dumps({"data": {"items": [pair()]}, "text": text, "client_secret": LATE}).encode()


def api_lines(text: str) -> bytes:
    return "\n".join(map(dumps, [pair(), {"text": text}, {"client_secret": LATE}])).encode()


def api_form(text: str) -> bytes:
    note = quote(f"use {SHAPED}")
    return f"db_password={quote(NAMED)}&note={note}&text={quote(text)}&client_secret={quote(LATE)}".encode()


def api_csv(text: str) -> bytes:
    told = text.replace('"', '""')
    row = f'1,{NAMED},"please use {SHAPED} for it","{told}",{LATE}'
    return f"id,db_password,note,text,client_secret\r\n{row}\r\n".encode()


def api_yaml(text: str) -> bytes:
    told = text.replace("'", "''")
    return f"db_password: {NAMED}\nnote: use {SHAPED}\ntext: '{told}'\nclient_secret: {LATE}\n".encode()


def api_table(text: str) -> bytes:
    columns = ["id", "db_password", "note", "text", "client_secret"]
    return dumps({"columns": columns, "rows": [[1, NAMED, f"use {SHAPED}", text, LATE]]}).encode()


def api_multipart(text: str) -> bytes:
    fields = {"db_password": NAMED, "note": f"use {SHAPED}", "text": text, "client_secret": LATE}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    return ("".join(parts) + "--b--\r\n").encode()


def api_xml(text: str) -> bytes:
    return (
        f"<r><db_password>{NAMED}</db_password><note>use {SHAPED}</note><t>{escape(text)}</t>"
        f"<x>ok</x><client_secret>{LATE}</client_secret></r>"
    ).encode()


def api_text(text: str) -> bytes:
    return f"DB_PASSWORD={NAMED}\nuse {SHAPED}\n{text}\nCLIENT_SECRET={LATE}\n".encode()


def api_sql(text: str) -> bytes:
    sql = f"INSERT INTO users (name, password) VALUES ('a', '{NAMED}')"  # noqa: S608  text to mask
    return dumps({"sql": sql, "why": f"use {SHAPED}", "text": text, "password": LATE}).encode()


def messages_request(text: str) -> bytes:
    call = {"type": "tool_use", "id": "t1", "name": "login", "input": pair()}
    said = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": text}]}
    last = {"role": "assistant", "content": [{"type": "tool_use", "input": {"client_secret": LATE}}]}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [said]}, last]
    return dumps({"model": "m", "max_tokens": 9, "messages": turns}).encode()


def messages_response(text: str) -> bytes:
    calls = [{"type": "tool_use", "name": "login", "input": i} for i in (pair(), {"client_secret": LATE})]
    content = [{"type": "text", "text": text}, *calls]
    return dumps({"type": "message", "role": "assistant", "model": "m", "content": content}).encode()


def chat_request(text: str) -> bytes:
    call = {"id": "c1", "type": "function", "function": {"name": "login", "arguments": dumps(pair())}}
    turns = [{"role": "assistant", "tool_calls": [call]}, {"role": "user", "content": text}]
    last = {"role": "tool", "tool_call_id": "c1", "content": dumps({"client_secret": LATE})}
    return dumps({"model": "m", "messages": [*turns, last]}).encode()


def chat_response(text: str) -> bytes:
    calls = [
        {"type": "function", "function": {"name": "login", "arguments": dumps(a)}}
        for a in (pair(), {"client_secret": LATE})
    ]
    message = {"role": "assistant", "content": text, "tool_calls": calls}
    return dumps({"object": "chat.completion", "choices": [{"index": 0, "message": message}]}).encode()


def responses_request(text: str) -> bytes:
    call = {"type": "function_call", "name": "login", "arguments": dumps(pair())}
    last = {"type": "function_call_output", "call_id": "c", "output": dumps({"client_secret": LATE})}
    return dumps({"model": "m", "input": [{"role": "user", "content": text}, call, last]}).encode()


def responses_response(text: str) -> bytes:
    calls = [
        {"type": "function_call", "name": "login", "arguments": dumps(a)}
        for a in (pair(), {"client_secret": LATE})
    ]
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    return dumps({"object": "response", "model": "m", "output": [said, *calls]}).encode()


def mcp_request(text: str) -> bytes:
    arguments = {**pair(), "text": text, "client_secret": LATE}
    call = {"name": "login", "arguments": arguments}
    return dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()


def mcp_response(text: str) -> bytes:
    content = [{"type": "text", "text": dumps(pair())}, {"type": "text", "text": text}]
    result = {"content": content, "structuredContent": {"client_secret": LATE}}
    return dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def picture(text: str) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\xff\xfe" + api_text(text)


Wrap = Callable[[str], object]


def stream(wrap: Wrap, size: int) -> Build:
    """A document as a stream of events, each with a few letters of it."""

    def build(text: str) -> bytes:
        whole = dumps({**pair(), "text": text, "client_secret": LATE})
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        return "".join(f"data: {dumps(wrap(piece))}\n\n" for piece in pieces).encode()

    return build


def text_delta(piece: str) -> object:
    return {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": piece}}


def json_delta(piece: str) -> object:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": 1, "delta": delta}


def chat_delta(piece: str) -> object:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": piece}}]}


def tool_delta(piece: str) -> object:
    call = {"index": 0, "function": {"arguments": piece}}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def response_delta(piece: str) -> object:
    return {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}


def arguments_delta(piece: str) -> object:
    return {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece}


def progress(piece: str) -> object:
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"message": piece}}


def event_of(build: Build) -> Build:
    """One JSON document as one event, as MCP answers."""
    return lambda text: b"event: message\ndata: " + build(text) + b"\n\n"


@dataclass(frozen=True)
class Row:
    """A kind of body in one direction of one protocol."""

    protocol: str
    wire: Protocol
    direction: Direction
    kind: str
    streaming: str
    build: Build
    chunked: bool = False
    secrets: int = 3

    def __str__(self) -> str:
        return f"{self.protocol}, {self.direction.value}, {self.kind}, {self.streaming}"


_BODIES: tuple[tuple[str, Protocol, str, str, Build], ...] = (
    ("HTTP", Protocol.HTTP, "both", "application/json", api_json),
    ("HTTP", Protocol.HTTP, "both", "application/x-ndjson", api_lines),
    ("HTTP", Protocol.HTTP, "both", "application/xml", api_xml),
    ("HTTP", Protocol.HTTP, "both", "text/plain", api_text),
    ("HTTP", Protocol.HTTP, "both", "text/csv", api_csv),
    ("HTTP", Protocol.HTTP, "both", "application/yaml", api_yaml),
    ("HTTP, a table inside", Protocol.HTTP, "both", "application/json", api_table),
    ("HTTP", Protocol.HTTP, "request", "application/x-www-form-urlencoded", api_form),
    ("HTTP", Protocol.HTTP, "request", "multipart/form-data; boundary=b", api_multipart),
    ("HTTP, SQL inside", Protocol.HTTP, "both", "application/json", api_sql),
    ("HTTP", Protocol.HTTP, "both", "image/png", picture),
    ("Anthropic Messages", Protocol.LLM, "request", "application/json", messages_request),
    ("Anthropic Messages", Protocol.LLM, "response", "application/json", messages_response),
    ("OpenAI Chat", Protocol.LLM, "request", "application/json", chat_request),
    ("OpenAI Chat", Protocol.LLM, "response", "application/json", chat_response),
    ("OpenAI Responses", Protocol.LLM, "request", "application/json", responses_request),
    ("OpenAI Responses", Protocol.LLM, "response", "application/json", responses_response),
    ("MCP", Protocol.MCP, "request", "application/json", mcp_request),
    ("MCP", Protocol.MCP, "response", "application/json", mcp_response),
)
_STREAMS: tuple[tuple[str, Protocol, Wrap], ...] = (
    ("Anthropic Messages, text", Protocol.LLM, text_delta),
    ("Anthropic Messages, tool input", Protocol.LLM, json_delta),
    ("OpenAI Chat, text", Protocol.LLM, chat_delta),
    ("OpenAI Chat, tool arguments", Protocol.LLM, tool_delta),
    ("OpenAI Responses, text", Protocol.LLM, response_delta),
    ("OpenAI Responses, tool arguments", Protocol.LLM, arguments_delta),
    ("MCP, progress", Protocol.MCP, progress),
)
_PLAIN, _CHUNKED = "whole", "chunk records"
_EVENT_SIZES = (1, 7)


def rows() -> Iterator[Row]:
    """The table's rows."""
    for name, wire, directions, kind, build in _BODIES:
        for direction in (Direction.REQUEST, Direction.RESPONSE):
            if directions in ("both", direction.value):
                for how in (_PLAIN, _CHUNKED):
                    yield Row(name, wire, direction, kind, how, build, how is _CHUNKED)
    for how in (_PLAIN, _CHUNKED):
        one = event_of(mcp_response)
        yield Row("MCP", Protocol.MCP, Direction.RESPONSE, "text/event-stream", how, one, how is _CHUNKED)
    for name, wire, wrap in _STREAMS:
        for size in _EVENT_SIZES:
            for how in ("", ", chunk records"):
                streaming = f"events of {size} byte{'s' * (size > 1)}{how}"
                build = stream(wrap, size)
                kind = "text/event-stream"
                yield Row(name, wire, Direction.RESPONSE, kind, streaming, build, bool(how))


ROWS = tuple(rows())
CODINGS: dict[str, Code] = {
    "identity": lambda data: data,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "JSON in JSON": dumps,
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "\\u": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "base64 in hex": lambda text: base64.b64encode(text.encode()).hex(),
}
PATHS = {
    "complete": "The exchange ended well.",
    "error": "The target answered with an error (status 500) that repeats the secrets; a request has no such"
    " path.",
    "cut off": "The connection broke in the middle of the last secret.",
}


@cache
def pipeline() -> Pipeline:
    masker = Masker(load(), PseudonymKey("k1", bytes(32)))
    return Pipeline(lambda _: masker, enrich)


def header(row: Row, kind: EventType, number: int) -> Header:
    one = uuid.UUID(int=1)
    return Header(
        uid=uuid.UUID(int=number + 2),
        type=kind,
        ts="2026-01-01T00:00:00.000000000Z",
        session=one,
        epoch=one,
        seq=number,
        prev=HEX,
        exchange=one,
        connection="target",
        protocol=row.wire,
        direction=row.direction,
        principal=Principal(id="agent", kind=PrincipalKind.API_KEY),
        raw_commit=HEX,
        raw_len=0,
    )


def closing_meta(row: Row, body: bytes, coding: str, path: str, chunks: int) -> Meta:
    headers = [("content-type", row.kind)]
    if coding != "identity":
        headers.append(("content-encoding", coding))
    totals = BodyTotals(length=len(body), sha256=HEX, chunks=chunks, complete=path != "cut off")
    line = RequestLine(method="POST", target="/v1/x", upstream="https://api.example.com")
    if row.direction is Direction.REQUEST:
        return RequestMeta(line=line, http_version="1.1", headers=tuple(headers), client="", body=totals)
    return ResponseMeta(
        status=500 if path == "error" else 200,
        http_version="1.1",
        headers=tuple(headers),
        origin="upstream",
        request=line,
        body=totals,
        timing=Timing(start=1, end=2),
        error=ExchangeError(code="upstream-reset") if path == "cut off" else None,
    )


def pieces(row: Row, body: bytes, coding: str, path: str) -> Iterator[Piece]:
    """The records that the gateway makes of this body."""
    parts = [body[at : at + CHUNK] for at in range(0, len(body), CHUNK)] if row.chunked else []
    for index, part in enumerate(parts):
        meta = ChunkMeta(index=index, offset=index * CHUNK, sha256=HEX)
        yield Piece(index, header(row, EventType.CHUNK, index), meta, part)
    kind = EventType.REQUEST if row.direction is Direction.REQUEST else EventType.RESPONSE
    meta = closing_meta(row, body, coding, path, len(parts))
    yield Piece(len(parts), header(row, kind, len(parts)), meta, b"" if row.chunked else body)


def body_of(row: Row, coding: str, path: str, text: str = "nothing") -> bytes:
    """The body as it went over the wire."""
    plain = row.build(text)
    if path == "cut off" and coding == "identity":
        return plain[: _inside_the_last_secret(plain)]
    sent = CODINGS[coding](plain)
    return sent[: len(sent) * 9 // 10] if path == "cut off" else sent


def _inside_the_last_secret(plain: bytes) -> int:
    whole = plain.find(LATE.encode())
    return whole + len(LATE) * 2 // 3 if whole >= 0 else len(plain) * 24 // 25


@cache
def readable(value: bytes) -> int:
    """How many stretches of the secrets can be read in this, in any way; many cells end in the same text."""
    return len(survivors([MaskedPart("", value, None, 0, ())], plants()))


@cache
def outcome(row: Row, coding: str, path: str, text: str = "nothing") -> str:
    """What the cell says: `masked`, or the reason for which the body is withheld; raises where it leaks."""
    assembler = Assembler(hold_bytes=1 << 20, hold_seconds=60)
    flow = pipeline()
    ready = [
        one
        for piece in pieces(row, body_of(row, coding, path, text), coding, path)
        for one in assembler.take(piece).ready
    ]
    *_, record = flow.masked(ready[-1])
    events = b"\n".join(event.value for one in ready for event in flow.run(one).events)
    assert not any(plant.value.encode() in events for plant in plants())
    assert readable(record.body or b"") == 0
    if coding == "identity" and not row.chunked:  # the others differ in the frame only
        assert readable(events) == 0
    if record.body is None:
        assert record.withheld
        return f"`{record.withheld}`"
    assert sum(record.masked.values()) >= row.secrets - (path == "cut off"), "nothing was masked"
    return "masked"


def cell(row: Row, coding: str, path: str) -> str:
    if path == "error" and row.direction is Direction.REQUEST:
        return "-"
    return outcome(row, coding, path)


def spelled(row: Row, spelling: str) -> str:
    return outcome(row, "identity", "complete", SPELLINGS[spelling](dumps(pair())))


def _told(kind: str, size: int, text: str) -> bytes:
    """An answer of this kind that says no more than the text."""
    if kind == "text/plain":
        return text.encode()
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if size else [text]
    if kind == "application/json":
        return dumps({"content": [{"type": "text", "text": text}]}).encode()
    if kind == "application/x-ndjson":
        return "\n".join(dumps({"response": piece}) for piece in pieces).encode()
    return "".join(f"data: {dumps(text_delta(piece))}\n\n" for piece in pieces).encode()


ANSWERS = (
    ("text/plain", 0),
    ("application/json", 0),
    ("application/x-ndjson", 0),
    ("application/x-ndjson", 1),
    ("text/event-stream", 7),
    ("text/event-stream", 1),
)


def answered(kind: str, size: int, spelling: str) -> str:
    """What becomes of a password that only the request names, in an answer that repeats it so."""
    masker = Masker(load(), PseudonymKey("k1", bytes(32)))
    said = SPELLINGS[spelling](NAMED) if spelling else NAMED
    body = _told(kind, size, f"You sent {said} before.")
    asked = masker.mask_with([Part("body", "body", api_json("nothing"), "application/json")], NOTHING)
    (alone,) = masker.mask([Part("body", "body", body, kind)])
    assert alone.data == body, "the answer alone says what is a secret"
    (part,) = masker.mask_with([Part("body", "body", body, kind)], asked.found).parts
    assert readable(part.data or b"") == 0
    return f"`{part.withheld}`" if part.withheld else "masked"


def table(title: Sequence[str], lines: Iterator[list[str]]) -> str:
    head = ["| " + " | ".join(title) + " |", "|" + "---|" * len(title)]
    return "\n".join([*head, *("| " + " | ".join(line) + " |" for line in lines)])


def facts(row: Row) -> list[str]:
    kind = row.kind.partition(";")[0]
    return [row.protocol, row.direction.value, f"`{kind}`", row.streaming]


_FACTS = ["protocol", "direction", "content type", "streaming"]


def page() -> str:
    """docs/masking-coverage.md: every cell as it comes out now."""
    tables = []
    for path, meaning in PATHS.items():
        lines = (facts(row) + [cell(row, coding, path) for coding in CODINGS] for row in ROWS)
        tables.append(f"## {path.capitalize()}\n{meaning}\n\n{table([*_FACTS, *CODINGS], lines)}\n")
    lines = (facts(row) + [spelled(row, spelling) for spelling in SPELLINGS] for row in ROWS)
    told = (
        [
            f"`{kind}`",
            f"pieces of {size}" if size else _PLAIN,
            *(answered(kind, size, s) for s in ("", *SPELLINGS)),
        ]
        for kind, size in ANSWERS
    )
    names = [f"`{name}`" if name == "\\u" else name for name in SPELLINGS]
    requests = sum(row.direction is Direction.REQUEST for row in ROWS)  # they have no error path
    cells = len(ROWS) * (len(CODINGS) * len(PATHS) + len(SPELLINGS)) - requests * len(CODINGS)
    return f"""# Masking coverage

Generated by `tests/processors/masking/test_coverage.py` (`make docs`); a test compares this page with what
the cells do. In each of the {cells} cells a body with a secret known by its name, one known by its form and
one at its end goes through assembly, masking and enrichment, and no {WINDOW} characters in a row of any of
them can be read in the masked body, decoded in every way, nor as they are in the events (of uncoded whole
bodies: in every way there too). *masked* is that; a code is the reason for which the
whole body was withheld ([what they mean](masking.md#when-a-part-is-withheld)); *-* does not exist.

`chunk records`: the body lies in records of {CHUNK} bytes, as long bodies do, so that every secret is cut.
`events of 7 bytes`: each event of the stream carries seven bytes of the document.

{chr(10).join(tables)}
## Spelled otherwise
The same secrets once more in a JSON document, encoded, as the text in the body; the exchange ended well.

{table([*_FACTS, *names], lines)}

## Repeated by the answer
A password that only its name in the request makes one; the answer says "You sent ... before", spelled so.

{table(["answer", "streaming", "as it is", *names], told)}
"""


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_no_cell_leaks(row: Row) -> None:
    """Whatever the coding, the end and the spelling: masked, or withheld with a reason."""
    for coding, path in itertools.product(CODINGS, PATHS):
        assert cell(row, coding, path)
    for spelling in SPELLINGS:
        assert spelled(row, spelling)


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_no_answer_repeats_what_its_request_named(answer: tuple[str, int]) -> None:
    """Whatever the spelling and the pieces; and without its request each would show it."""
    for spelling in ("", *SPELLINGS):
        assert answered(*answer, spelling) == "masked"


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind != "image/png"], ids=str)
def test_what_is_whole_is_not_withheld(row: Row) -> None:
    """Withholding is for what cannot be read: complete text is masked, in every content coding."""
    for coding, path in itertools.product(CODINGS, ("complete", "error")):
        assert cell(row, coding, path) in ("masked", "-")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_reader_would_see_a_leak(row: Row) -> None:
    """The check can fail: in the body as it was sent every secret is found."""
    sent = MaskedPart("", row.build("nothing"), None, 0, ())
    found = {one.value for one in survivors([sent], plants())}
    assert found == {one.value for one in plants()}


def test_the_page_says_what_the_cells_do() -> None:
    """Generated, not asserted by hand; `make docs` writes it anew."""
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    PAGE.write_text(page())
