"""Further canaries: what only its place makes secret, and what an answer repeats of its request.

`placed(seed)` puts secrets into tables, manifests, settings, mark-up, statements, command lines, headers,
sentences and at JSON paths, as they are or in a string, in events, in lines or encoded; `conversation(seed)`
names secrets in a request and lets the answer repeat them as prose, encoded, in chunks and in events.
"""

import base64
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

import orjson

from tachograph.processors.masking.canaries import (
    TOOL_WRAPS,
    WRAPS,
    Draw,
    Exchange,
    Plant,
    Wrap,
    encoded_body,
    readings_of,
    request_parts,
)
from tachograph.processors.masking.fields import FieldRules
from tachograph.processors.masking.parts import MaskedPart, Part

RULES = FieldRules(json_paths=("params.arguments.code", "rows.*.3"))
"""What the connection of these exchanges names by path."""
WINDOW = 8
"""So many characters in a row of a secret are a leak."""

_WORD = string.ascii_letters + string.digits
_BARE = _WORD + "!*+-._~"
_QUOTED = _BARE + "#$%^=?@:/ ,"
_NAMES = ("password", "db_password", "api_key", "client_secret", "access_token", "private_key", "secret")


def _same(value: str) -> str:
    return value


def _json(value: str) -> str:
    return orjson.dumps(value).decode()[1:-1]


@dataclass(frozen=True, slots=True)
class Place:
    """A notation: texts with `§` for the secret and `¶` for its name, and how it writes a value."""

    type: str
    texts: tuple[str, ...]
    alphabet: str = _BARE
    spelled: Callable[[str], str] = _same
    wrapped: bool = True
    """Whether it is also told without its content type: in a string, in events, in lines."""


PLACES: dict[str, Place] = {
    "csv": Place(
        "text/csv",
        (
            "id,user,¶\n1,bob,§\n2,amy,x1\n",
            'user;¶;role\r\nbob;"§";admin\r\n',
            '"user","¶"\n"bob","§"\n',
            "user\t¶\trole\nbob\t§\tadmin\n",
            "| user | ¶ |\n|------|------|\n| bob | § |\n",
            " user | ¶ | role\n------+-----+------\n bob | § | admin\n(1 row)\n",
        ),
        _WORD + "!*+-._~",
    ),
    "json-table": Place(
        "application/json",
        (
            '{"columns":["id","¶"],"rows":[[1,"§"],[2,"x"]]}',
            '{"rows":[[1,"§"]],"columns":[{"name":"id"},{"name":"¶","type":"text"}]}',
            '{"fields":[{"name":"id"},{"name":"¶","dataTypeID":25}],"rows":[[1,"§"]],"rowCount":1}',
            '{"schema":{"fields":[{"name":"id"},{"name":"¶"}]},"rows":[{"f":[{"v":"1"},{"v":"§"}]}]}',
            '[["id","¶"],[1,"§"]]',
            '{"id":[1,2],"¶":["§","x1y2"]}',
            '{"data":[{"name":"DB_PASSWORD","value":"§"}]}',
        ),
        _QUOTED + '"\\é\n',
        _json,
    ),
    "yaml": Place(
        "application/yaml",
        (
            "db:\n  ¶: §\n  port: 5432\n",
            "¶: '§'\nother: x\n",
            '- ¶: "§"\n  x: y\n',
            "¶: |\n  §\nother: x\n",
            "env:\n  - name: DB_PASSWORD\n    value: §\n",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  plain: §\n",
            "apiVersion: v1\nkind: Secret\ndata:\n  any: §\ntype: Opaque\n",
        ),
        _WORD + "!*+-._~",
    ),
    "manifest": Place(
        "application/json",
        (
            '{"apiVersion":"v1","kind":"Secret","data":{"any":"§"}}',
            '{"kind":"Secret","metadata":{"name":"a"},"stringData":{"plain":"§"}}',
        ),
        _QUOTED,
        _json,
    ),
    "settings": Place(
        "text/plain",
        (
            "HOST=db\nDB_PASSWORD=§\nPORT=1\n",
            "export API_KEY='§'\n",
            '[db]\n¶ = "§"\nport = 1\n',
            "¶: §\n",
            '$env:SECRET = "§"\n',
            "spring.datasource.password=§\n",
        ),
        _WORD + "!*+-._~",
    ),
    "xml": Place(
        "application/xml",
        (
            "<r><¶>§</¶></r>",
            "<r><¶><value>§</value></¶></r>",
            '<r ¶="§"/>',
            '<add key="¶" value="§"/>',
            "<dict><key>¶</key><string>§</string></dict>",
            "<table><tr><th>id</th><th>¶</th></tr><tr><td>1</td><td>§</td></tr></table>",
        ),
        _QUOTED + "<&>",
        escape,
    ),
    "sql": Place(
        "text/plain",
        (
            "INSERT INTO users (id, ¶) VALUES (1, '§')",
            "INSERT INTO t (¶, id) VALUES ('a1', 1), ('§', 2);",
            "UPDATE users SET ¶ = '§' WHERE id = 1",
            "SELECT id FROM t WHERE ¶ = '§' LIMIT 1",
            "ALTER USER u PASSWORD '§'",
            "CREATE USER u IDENTIFIED BY '§'",
            "COPY users (id, ¶) FROM stdin;\n1\t§\n\\.\n",
        ),
        _WORD + "!*+-._~#$%^=?@:/ ,",
    ),
    "command": Place(
        "text/plain",
        (
            "curl -u bob:§ https://h.example/x\n",
            "sshpass -p § ssh h\n",
            "mysql -u root -p§ db\n",
            "tool --password § --verbose\n",
            "tool --api-key=§ run\n",
            "PGPASSWORD=§ psql -h h\n",
            "curl -H 'Authorization: Bearer §' https://h.example\n",
            "curl -H 'X-Api-Key: §' https://h.example\n",
        ),
        _WORD + "+._~",
    ),
    "prose": Place(
        "text/plain",
        (
            "The password is §",
            'My password is "§".',
            "Please log in with the password `§` and then go on.",
            "the api key: §\nthanks",
            "username: bob / password: §",
        ),
        _WORD + "#%+",
    ),
    "headers-text": Place(
        "text/plain",
        (
            "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer §\r\n\r\n",
            "POST / HTTP/1.1\nCookie: a=b; sid=§\nHost: h\n\n",
            "X-Api-Key: §\nAccept: */*\n",
            "Set-Cookie: sid=§; Path=/; HttpOnly\n",
        ),
        _WORD + "+._~-",
    ),
}
_HEADERS = (
    ("Authorization", "Bearer §"), ("Authorization", "Basic §"), ("Authorization", "Token §"),
    ("Cookie", "a=b; sid=§"), ("Set-Cookie", "sid=§; Path=/"), ("X-Api-Key", "§"),
    ("Proxy-Authorization", "Digest username=\"bob\", response=\"§\""), ("X-Goog-Api-Key", "§"),
    ("X-Hub-Signature-256", "sha256=§"), ("X-Amz-Security-Token", "§"),
    ("Sec-WebSocket-Protocol", "v1, token.§"),
    ("Location", "https://h.example/cb?access_token=§&x=y"), ("Referer", "https://h.example/?api_key=§"),
)  # fmt: skip


def _filled(draw: Draw, place: Place, name: str) -> str:
    value = draw.named_value(name, place.alphabet)
    text = draw.random.choice(place.texts)
    return text.replace("¶", draw.random.choice(_NAMES)).replace("§", place.spelled(value))


def events(draw: Draw, text: str, wraps: Sequence[Wrap] = WRAPS) -> bytes:
    wrap = draw.random.choice(wraps)
    ending = draw.random.choice(("\n\n", "\r\n\r\n"))
    return "".join(
        f"data: {orjson.dumps(wrap(piece, 1)).decode()}{ending}" for piece in draw.cut(text)
    ).encode()


def wrapped(draw: Draw, text: str, kind: str, how: int) -> Part:
    """The text as a body of its own, in a string, in a string in a string, in events, in lines or encoded."""
    document: object = {"role": "tool", "content": text}
    if how == 0:
        return encoded_body(draw, text.encode(), kind)
    if how == 1:
        return encoded_body(draw, orjson.dumps(document), "application/json")
    if how == 2:
        inner = {"result": [{"type": "text", "text": orjson.dumps(document).decode()}]}
        return encoded_body(draw, orjson.dumps(inner), "application/json")
    if how == 3:
        return encoded_body(draw, events(draw, text), "text/event-stream")
    if how == 4:
        lines = [orjson.dumps({"response": piece, "done": False}) for piece in draw.cut(text)]
        return encoded_body(draw, b"\n".join(lines), "application/x-ndjson")
    data = base64.b64encode(text.encode()).decode() if how == 5 else text.encode().hex()
    return encoded_body(draw, orjson.dumps({"blob": data}), "application/json")


def _body(draw: Draw) -> Part:
    name = draw.random.choice(tuple(PLACES))
    place = PLACES[name]
    text = _filled(draw, place, name)
    how = draw.random.choice((0, 0, 1, 2, 3, 4, 5, 6)) if place.wrapped else 0
    return wrapped(draw, text, place.type, how)


def _paths(draw: Draw) -> Part:
    """A secret that only its path names, in a document, an event, a line, a string or in pieces."""
    value = draw.named_value("path", _QUOTED + '"\\é')
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "t", "arguments": {"code": value}},
    }
    arguments = orjson.dumps({"code": value, "n": 1}).decode()
    how = draw.random.randrange(6)
    if how == 0:
        return encoded_body(draw, orjson.dumps(call), "application/json")
    if how == 1:
        return encoded_body(
            draw, b"event: message\ndata: " + orjson.dumps(call) + b"\n\n", "text/event-stream"
        )
    if how == 2:
        lines = (orjson.dumps({"n": 1}), orjson.dumps(call))
        return encoded_body(draw, b"\n".join(lines), "application/x-ndjson")
    if how == 3:
        return encoded_body(draw, events(draw, arguments, TOOL_WRAPS), "text/event-stream")
    if how == 4:
        rows = {"rows": [["a", 1, True, value], ["b", 2, False, "c1d2e3f4"]]}
        return encoded_body(draw, orjson.dumps(rows), "application/json")
    calls = {"tool_calls": [{"function": {"name": "t", "arguments": arguments}}]}
    return encoded_body(draw, orjson.dumps(calls), "application/json")


def _headers(draw: Draw) -> Part:
    name, shape = draw.random.choice(_HEADERS)
    value = draw.named_value(f"header:{name}", _WORD + "._~-")
    pairs = [["Host", "h.example"], [name, shape.replace("§", value)], ["Accept", "*/*"]]
    draw.random.shuffle(pairs)
    return Part("headers", "headers", orjson.dumps(pairs))


def placed(seed: int) -> Exchange:
    """The exchange of this seed whose secrets are told by their places."""
    draw = Draw(seed)
    body = _paths(draw) if draw.random.random() < 0.15 else _body(draw)
    return Exchange((_headers(draw), body), tuple(draw.plants))


def _repeated(draw: Draw, value: str) -> str:
    """The value in a sentence that does not say what it is, spelled in some way."""
    how = draw.random.randrange(7)
    shown = (
        value,
        base64.b64encode(value.encode()).decode(),
        base64.b64encode(f"it was {value} then".encode()).decode(),
        value.encode().hex(),
        quote(value, safe=""),
        orjson.dumps({"seen": value}).decode(),
        "".join(f"\\u{ord(letter):04x}" for letter in value),
    )[how]
    return draw.random.choice(("You sent {} before.", "-> {} <-", "found {} in line 3\n", "({})")).format(
        shown
    )


def _answer(draw: Draw, text: str) -> tuple[Part, ...]:
    return (
        Part("headers", "headers", orjson.dumps([["X-Echo", quote(text)]])),
        wrapped(draw, text, "text/plain", draw.random.randrange(5)),
    )


def conversation(seed: int) -> tuple[Exchange, Exchange]:
    """A request that names secrets, and an answer that repeats some of them."""
    draw = Draw(seed)
    if draw.random.random() < 0.5:
        parts = request_parts(draw)
    else:
        parts = (_headers(draw), _paths(draw) if draw.random.random() < 0.2 else _body(draw))
    chosen = draw.random.choices(draw.plants, k=draw.random.randint(1, 3))
    plants = tuple(Plant(f"answer:{one.place}", one.value) for one in dict.fromkeys(chosen))
    text = " ".join(_repeated(draw, one.value) for one in plants)
    return Exchange(parts, tuple(draw.plants)), Exchange(_answer(draw, text), plants)


def remnants(masked: Sequence[MaskedPart], plants: Sequence[Plant]) -> list[Plant]:
    """The plants of which a stretch can be read in what was passed on, in any reading."""
    readings = readings_of(masked)
    return [plant for plant in plants if any(piece in readings for piece in _windows(plant.value.encode()))]


def _windows(value: bytes) -> list[bytes]:
    last = max(0, len(value) - WINDOW)
    return [value[at : at + WINDOW] for at in (*range(0, last, WINDOW // 2), last)]
