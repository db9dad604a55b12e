"""Synthetic secrets in synthetic exchanges: every place, content type, coding and cut that a secret can hide
in.

`exchange(seed)` is one exchange record with secrets planted; `survivors` reads the masked record as a client,
an analyst or a thief would and names the plants that can still be read. The tests run it by the hundred
thousand; a canary agent sends the same exchanges through the gateway on a schedule.
"""

import base64
import binascii
import gzip
import random
import re
import string
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

import brotli  # type: ignore[import-untyped]  # no type information is published
import orjson
import zstandard

from tachograph.processors.masking.parts import MaskedPart, Part
from tachograph.processors.masking.samples import filled

_FORMATS = (
    "ghp_{alnum:36}", "sk-ant-api03-{b64url:93}AA", "AKIA{b32:16}", "glpat-{alnum:20}", "sk_live_{alnum:24}",
    "xoxb-{digits:12}-{digits:12}-{alnum:24}", "hf_{alpha:34}", "npm_{alnum:36}", "{jwt}", "dop_v1_{hex:64}",
)  # fmt: skip
_NAMES = (
    "password",
    "api_key",
    "clientSecret",
    "access_token",
    "db-password",
    "X-Api-Key",
    "private_key",
    "auth_token",
)
_ODD = string.ascii_letters + string.digits + "!#%+-./:?@^_~*" + 'é"\\\n\t'
_PLAIN = string.ascii_letters + string.digits + "!*+-._~"
MAX_READ_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Plant:
    """One secret and where it was put."""

    place: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Parts of one record and the secrets in them."""

    parts: tuple[Part, ...]
    plants: tuple[Plant, ...]


Wrap = Callable[[str, int], object]


def _text_delta(piece: str, block: int) -> object:
    return {"type": "content_block_delta", "index": block, "delta": {"type": "text_delta", "text": piece}}


def _partial_json(piece: str, block: int) -> object:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": block, "delta": delta}


def _chat_delta(piece: str, block: int) -> object:
    return {"object": "chat.completion.chunk", "choices": [{"index": block, "delta": {"content": piece}}]}


def _tool_delta(piece: str, block: int) -> object:
    call = {"index": block, "function": {"arguments": piece}}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def _response_delta(piece: str, block: int) -> object:
    return {"type": "response.output_text.delta", "output_index": block, "content_index": 0, "delta": piece}


WRAPS: tuple[Wrap, ...] = (_text_delta, _partial_json, _chat_delta, _tool_delta, _response_delta)
TOOL_WRAPS: tuple[Wrap, ...] = (_partial_json, _tool_delta)
"""Those that carry the arguments of a call."""


class Draw:
    """Random choices of one exchange."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  test data, no secret
        self.seed = seed
        self.plants: list[Plant] = []

    def named_value(self, place: str, alphabet: str = _ODD) -> str:
        """A value that only its name makes secret."""
        middle = "".join(self.random.choices(alphabet, k=self.random.randint(6, 24)))
        value = "Zq" + middle + "".join(self.random.choices(string.digits + "kvwx", k=6))
        self.plants.append(Plant(place, value))
        return value

    def shaped_value(self, place: str) -> str:
        """A value that its own form makes secret."""
        value = filled(self.random.choice(_FORMATS), self.random.randrange(1 << 30))
        self.plants.append(Plant(place, value))
        return value

    def name(self) -> str:
        return self.random.choice(_NAMES)

    def cut(self, text: str) -> list[str]:
        """The text in pieces, cut at random; pieces may be empty or one character long."""
        size = self.random.randint(0, min(len(text), 30))
        marks = sorted(self.random.choices(range(len(text) + 1), k=size))
        return [text[a:b] for a, b in zip([0, *marks], [*marks, len(text)], strict=True)]


def _document(draw: Draw, place: str) -> dict[str, object]:
    """JSON with a named secret at a random depth, and a shaped one in prose, perhaps encoded."""
    inner: object = {draw.name(): draw.named_value(f"{place}:named"), "n": 1}
    for _ in range(draw.random.randint(0, 3)):
        if draw.random.random() < 0.5:
            inner = {"arguments": orjson.dumps(inner).decode(), "type": "function"}
        else:
            inner = {"items": [inner, "text"], "usage": {"input_tokens": 12}}
    return {"data": inner, "note": _prose(draw, place), "max_tokens": 100}


def _prose(draw: Draw, place: str) -> str:
    value = draw.shaped_value(f"{place}:prose")
    shape = draw.random.randrange(6)
    if shape == 0:
        value = base64.b64encode(f"key {value} end".encode()).decode()
    elif shape == 1:
        value = "".join(f"%{byte:02x}" for byte in value.encode())
    elif shape == 2:
        value = "".join(f"\\u{ord(c):04x}" for c in value)
    elif shape == 3:
        value = f"the key is {value}".encode().hex()
    elif shape == 4:
        value = base64.urlsafe_b64encode(orjson.dumps({"k": f"with {value} in it"})).decode().rstrip("=")
    return f"please use {value} for it"


def _encoded(draw: Draw, data: bytes) -> tuple[bytes, str | None]:
    coding = draw.random.choice((None, None, "gzip", "br", "zstd", "deflate"))
    if coding == "gzip":
        data = gzip.compress(data, 1, mtime=0)
    elif coding == "br":
        data = brotli.compress(data, quality=1)
    elif coding == "zstd":
        data = zstandard.compress(data, 1)
    elif coding == "deflate":
        data = zlib.compress(data, 1)
    return data, coding


def encoded_body(draw: Draw, data: bytes, kind: str) -> Part:
    """A body under a random content coding, or under none."""
    data, coding = _encoded(draw, data)
    return Part("body", "body", data, kind, coding)


def _json_body(draw: Draw) -> Part:
    option = draw.random.choice((0, orjson.OPT_INDENT_2))
    return encoded_body(draw, orjson.dumps(_document(draw, "json"), option=option), "application/json")


def _stream_body(draw: Draw) -> Part:
    wrap = draw.random.choice(WRAPS)
    text = orjson.dumps(_document(draw, f"sse:{wrap.__name__}")).decode()
    ending = draw.random.choice(("\n\n", "\r\n\r\n"))
    events = [f"data: {orjson.dumps(wrap(piece, 1)).decode()}{ending}" for piece in draw.cut(text)]
    other = orjson.dumps(wrap("noise ", 0)).decode()
    for _ in range(draw.random.randint(0, 3)):  # another block's events in between
        events.insert(draw.random.randint(0, len(events)), f"event: x\ndata: {other}{ending}")
    return encoded_body(draw, "".join(events).encode(), "text/event-stream")


def _lines_body(draw: Draw) -> Part:
    text = orjson.dumps(_document(draw, "ndjson")).decode()
    lines = [orjson.dumps({"response": piece, "done": False}) for piece in draw.cut(text)]
    return encoded_body(draw, b"\n".join(lines), "application/x-ndjson")


def _form_body(draw: Draw) -> Part:
    text = f"a=1&{draw.name()}={quote(draw.named_value('form'), safe='')}&note={quote(_prose(draw, 'form'))}"
    return encoded_body(draw, text.encode(), "application/x-www-form-urlencoded")


def _multipart_body(draw: Draw) -> Part:
    value = draw.named_value("multipart", _PLAIN)
    text = (
        f'--b\r\nContent-Disposition: form-data; name="{draw.name()}"\r\n\r\n{value}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{_prose(draw, "multipart")}\r\n--b--\r\n'
    )
    return encoded_body(draw, text.encode(), "multipart/form-data; boundary=b")


def _text_body(draw: Draw) -> Part:
    lines = [
        f"DB_PASSWORD={draw.named_value('env', _PLAIN)}",
        f"<password>{draw.named_value('xml', _PLAIN)}</password>",
        f"postgres://app:{draw.named_value('dsn', string.ascii_letters + string.digits + '!*-._~')}@db/app",
        f"Authorization: Bearer {draw.named_value('text-header', string.ascii_letters + string.digits)}",
        _prose(draw, "text"),
    ]
    draw.random.shuffle(lines)
    return encoded_body(draw, "\n".join(lines).encode(), "text/plain; charset=utf-8")


_BODIES = (
    _json_body,
    _json_body,
    _stream_body,
    _stream_body,
    _lines_body,
    _form_body,
    _multipart_body,
    _text_body,
)


def _headers(draw: Draw) -> Part:
    pairs = [
        ["Host", "api.example.org"],
        ["Authorization", "Bearer " + draw.named_value("header", _PLAIN)],
        ["Cookie", f"a=b; sid={draw.named_value('cookie', _PLAIN)}"],
        ["X-Trace", _prose(draw, "header")],
    ]
    draw.random.shuffle(pairs)
    return Part("headers", "headers", orjson.dumps(pairs))


def _url(draw: Draw) -> Part:
    value = quote(draw.named_value("query"), safe="")
    note = quote(_prose(draw, "url"))
    return Part("url", "url", f"/v1/things?{draw.name()}={value}&note={note}#x".encode())


def exchange(seed: int) -> Exchange:
    """The exchange of this seed: the same one every time."""
    draw = Draw(seed)
    parts = request_parts(draw)
    return Exchange(parts, tuple(draw.plants))


def request_parts(draw: Draw) -> tuple[Part, ...]:
    """Headers, URL and a body of one kind, with secrets in each."""
    return (_headers(draw), _url(draw), draw.random.choice(_BODIES)(draw))


_RUN = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_SSE_DATA = re.compile(rb"^data: ?(.*?)\r?$", re.MULTILINE)


def survivors(masked: Sequence[MaskedPart], plants: Sequence[Plant]) -> list[Plant]:
    """The plants that can be read in what was passed on, in any reading."""
    readings = readings_of(masked)
    return [plant for plant in plants if plant.value.encode() in readings]


def readings_of(masked: Sequence[MaskedPart]) -> bytes:
    """All that can be read in what was passed on."""
    return b"\0".join(reading for part in masked if part.data for reading in _readings(part.data))


def _readings(data: bytes, depth: int = MAX_READ_DEPTH) -> Iterator[bytes]:
    """What data says, and what it says once decoded, each way, again and again."""
    yield data
    if depth == 0:
        return
    documents = list(_documents(data))
    for document in documents:
        for text in _strings(document):
            yield from _readings(text.encode("utf-8", "surrogatepass"), depth - 1)
    if len(documents) > 1:
        for joined in _channels(documents):
            yield from _readings(joined, depth - 1)
    if b"%" in data:
        plain = unquote_to_bytes(data)
        if plain != data:
            yield from _readings(plain, depth - 1)
    yield from _unwrapped(data)


def _unwrapped(data: bytes) -> Iterator[bytes]:
    if b"\\u" in data:
        yield re.sub(rb"\\u00([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), data)
    for run in _RUN.findall(data):
        for plain in _unpacked(run):
            yield plain
            yield from (text.encode() for document in _documents(plain) for text in _strings(document))


def _unpacked(run: bytes) -> Iterator[bytes]:
    core = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    with suppress(ValueError):
        yield binascii.unhexlify(core)
    for lead in range(4):
        body = core[lead:]
        body = body[: len(body) // 4 * 4] if len(body) % 4 == 1 else body
        try:
            yield base64.b64decode(body + b"=" * (-len(body) % 4))
        except ValueError:
            continue


def _documents(data: bytes) -> Iterator[object]:
    for candidate in [data, *(m[1] for m in _SSE_DATA.finditer(data)), *data.split(b"\n")]:
        if candidate[:1] in (b"{", b"[", b'"'):
            try:
                yield orjson.loads(candidate)
            except orjson.JSONDecodeError:
                continue


def _strings(value: object) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            stack += item


def _channels(documents: Sequence[object]) -> Iterator[bytes]:
    """The strings at one path of all events, joined in order, per block."""
    joined: dict[str, list[str]] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            block = f"{path}#{value.get('index', '')}.{value.get('output_index', '')}"
            for key, item in value.items():
                walk(item, f"{block}.{key}")
        elif isinstance(value, list):
            for item in value:
                walk(item, path + "[]")
        elif isinstance(value, str):
            joined.setdefault(path, []).append(value)

    for document in documents:
        walk(document, "")
    for pieces in joined.values():
        yield "".join(pieces).encode("utf-8", "surrogatepass")
