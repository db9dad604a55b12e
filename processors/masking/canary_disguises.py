"""Further canaries: secrets that a reader sees whole although something stands between their letters, secrets
that code types into a page, and those of which only a weak name tells.

`disguised(seed)` is a request that holds secrets in disguise, and an answer that repeats one of them in
another; `seen(masked, plants)` looks through every disguise.
"""

import binascii
import re
import string
import unicodedata
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence

import orjson

from tachograph.processors.masking.canaries import Draw, Exchange, Plant, encoded_body, readings_of
from tachograph.processors.masking.canary_places import WINDOW, wrapped
from tachograph.processors.masking.parts import MaskedPart, Part

_WORD = string.ascii_letters + string.digits
_MARKS = "\u00ad\u0300\u0301\u0336\u034f\u200b\u200c\u200d\u200e\u2060\u202e\ufe0f\ufeff\U000e0041"
_TERMINAL = ("\x1b[0m", "\x1b[01;31m", "\x1b[K", "\x1b[0m\x1b[38;5;208m", "\x1b]8;;\x07")
_APART = 5
"""Letters of a secret on either side of what joins two lines or strings."""

Disguise = Callable[[Draw, str], str]


def _cut_once(draw: Draw, value: str) -> tuple[str, str]:
    at = draw.random.randint(_APART, len(value) - _APART)
    return value[:at], value[at:]


def _marked(draw: Draw, value: str) -> str:
    """A mark somewhere, or one after every letter."""
    if draw.random.random() < 0.5:
        return draw.random.choice(_MARKS).join(value)
    first, second = _cut_once(draw, value)
    return first + "".join(draw.random.choices(_MARKS, k=draw.random.randint(1, 4))) + second


def _coloured(draw: Draw, value: str) -> str:
    first, second = _cut_once(draw, value)
    return f"\x1b[31m{first}{draw.random.choice(_TERMINAL)}{second}\x1b[0m"


def _soft_broken(draw: Draw, value: str) -> str:
    first, second = _cut_once(draw, value)
    return first + draw.random.choice(("=\r\n", "=\n")) + second


def _quoted_printable(draw: Draw, value: str) -> str:
    """As a part of an e-mail: some letters coded, some lines cut, and the header that says so."""
    coded = "".join(f"={ord(c):02X}" if draw.random.random() < 0.3 else c for c in value)
    at = draw.random.choice([m.end() for m in re.finditer(r"=..|[^=]", coded)][:-1])
    return f"\nContent-Transfer-Encoding: quoted-printable\n\nit is {coded[:at]}=\r\n{coded[at:]}"


def _continued(draw: Draw, value: str) -> str:
    return "\\\n    ".join(_cut_once(draw, value))


def _added(draw: Draw, value: str) -> str:
    quote = draw.random.choice("\"'`")
    joint = draw.random.choice((f"{quote} + {quote}", f"{quote}+{quote}", f"{quote} +\n        {quote}"))
    return quote + joint.join(_cut_once(draw, value)) + quote


def _split_by_nothing(draw: Draw, value: str) -> str:
    return draw.random.choice(("<b></b>", "<wbr>", "<!-- -->")).join(_cut_once(draw, value))


def _deflated(value: str) -> bytes:
    return zlib.compress(orjson.dumps({"seen": f"it was {value} then"}), wbits=-zlib.MAX_WBITS)


def _in_base64(draw: Draw, value: str) -> str:
    text = b64encode(_deflated(value)).decode()
    return text if draw.random.random() < 0.5 else text.replace("+", "-").replace("/", "_").rstrip("=")


def _in_hex(_: Draw, value: str) -> str:
    return _deflated(value).hex()


DISGUISES: dict[str, Disguise] = {
    "marks": _marked, "terminal": _coloured, "soft-break": _soft_broken, "printable": _quoted_printable,
    "continued": _continued, "added": _added,
    "empty-element": _split_by_nothing, "deflate-base64": _in_base64, "deflate-hex": _in_hex,
}  # fmt: skip
CALLS = (
    "await page.fill('#password', '§');", 'page.locator("input[name=api_key]").fill("§")',
    'driver.find_element(By.ID, "password").send_keys("§")', "cy.get('#secret')\n  .clear()\n  .type('§')",
    'await page.getByRole("textbox", { name: "Password" }).pressSequentially("§");',
    "this.passwordInput.setValue(`§`)", '$("#client-secret").val("§")', 'user.setPassword("§");',
    'Client.builder().withApiKey("§").build()', "ConvertTo-SecureString '§' -AsPlainText -Force",
)  # fmt: skip
_TOOLS = (
    {"selector": "#password", "text": "§"}, {"text": "§", "submit": True, "selector": "[type='password']"},
    {"element": "Password field", "ref": "e12", "text": "§"}, {"xpath": "//*[@id='api-key']", "value": "§"},
    {"field": "password", "content": "§"}, {"ParameterKey": "DbPassword", "ParameterValue": "§"},
)  # fmt: skip
WEAK = (
    '{"hmac": "§"}', '{"user": {"salt": "§", "n": 1}}', "nonce = '§'", '{"license": "§"}', "seed: §\n",
    "https://h.example/cb?id=1&hmac=§", "https://h.example/reset-password/§", "password\t§\n",
    "db.example.org:5432:app:bob:§\n",
)  # fmt: skip
_HEADERS = (
    "X-JFrog-Art-Api",
    "X-Api-Key",
    "DPoP",
    "X-Vault-Token",
    "X-Auth-Token",
    "Private-Token",
    "ApiKey",
)


def _plain(draw: Draw, place: str) -> str:
    """A value of letters and digits, both, as every disguise can hold them."""
    return draw.named_value(place, _WORD)


def _drawn(draw: Draw, place: str) -> str:
    """One that looks drawn at random to everybody: what a weak name asks for."""
    value = "".join(draw.random.choices("0123456789abcdef", k=20)) + "Zq7x4Kw9"
    draw.plants.append(Plant(place, value))
    return value


def _hidden(draw: Draw) -> Part:
    """A secret of a known form, in a disguise."""
    name = draw.random.choice(tuple(DISGUISES))
    shown = DISGUISES[name](draw, draw.shaped_value(f"disguise:{name}"))
    return wrapped(draw, f"please use {shown} for it", "text/plain", draw.random.randrange(7))


def _called(draw: Draw) -> Part:
    text = draw.random.choice(CALLS).replace("§", _plain(draw, "call"))
    return wrapped(draw, text, "text/plain", draw.random.randrange(7))


def _tool(draw: Draw) -> Part:
    arguments = orjson.dumps(draw.random.choice(_TOOLS)).decode().replace("§", _plain(draw, "tool"))
    if draw.random.random() < 0.5:
        return wrapped(draw, arguments, "application/json", draw.random.randrange(7))
    call = {"method": "tools/call", "params": {"name": "browser_type", "arguments": orjson.loads(arguments)}}
    return encoded_body(draw, orjson.dumps(call), "application/json")


def _weak(draw: Draw) -> Part:
    text = draw.random.choice(WEAK).replace("§", _drawn(draw, "weak"))
    return wrapped(draw, text, "text/plain", draw.random.randrange(7))


def _headers(draw: Draw) -> Part:
    name = "".join(draw.random.choice((c.upper(), c.lower())) for c in draw.random.choice(_HEADERS))
    pairs = [["Host", "h.example"], [name, _plain(draw, "header-capitals")]]
    return Part("headers", "headers", orjson.dumps(pairs))


def disguised(seed: int) -> tuple[Exchange, Exchange]:
    """A request with secrets in disguise, and an answer that repeats one of them in another."""
    draw = Draw(seed)
    body = draw.random.choice((_hidden, _hidden, _called, _tool, _weak))(draw)
    parts = (_headers(draw), body)
    name = draw.random.choice(tuple(DISGUISES))
    one = draw.random.choice(draw.plants)
    shown = DISGUISES[name](draw, one.value)
    how = draw.random.randrange(7)
    answer = wrapped(draw, f"You sent {shown} before.", "text/plain", how)
    repeated = (Plant(f"answer:{name}:{one.place}", one.value),)
    return Exchange(parts, tuple(draw.plants)), Exchange((answer,), repeated)


_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_JOINT = re.compile(r"<b></b>|<wbr>|<!-- -->|=[ \t]*\r?\n|\\\r?\n[ \t]*|([\"'`])\s*\+\s*\1")
_CODED = re.compile(r"=([0-9A-F]{2})")
_RUN = re.compile(rb"[A-Za-z0-9+/_-]{16,}")


def seen(masked: Sequence[MaskedPart], plants: Sequence[Plant]) -> list[Plant]:
    """The plants of which a stretch can be read, through every disguise."""
    readings = "\0".join(_undisguised(readings_of(masked)))
    return [one for one in plants if any(piece in readings for piece in _windows(one.value))]


def _undisguised(data: bytes) -> Iterator[str]:
    text = data.decode("utf-8", "replace")
    yield text
    bare = _ESCAPE.sub("", text)
    yield bare
    yield "".join(c for c in bare if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    joined = _JOINT.sub("", bare)
    yield joined
    yield _CODED.sub(lambda m: chr(int(m[1], 16)), joined)
    for run in set(_RUN.findall(data)):
        yield from _inflated(run)


def _inflated(run: bytes) -> Iterator[str]:
    for undo in (binascii.unhexlify, _unbase64):
        try:
            plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(undo(run), 1 << 16)
        except (zlib.error, ValueError):
            continue
        yield plain.decode("utf-8", "replace")


def _unbase64(run: bytes) -> bytes:
    return b64decode(run.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(run) % 4))


def _windows(value: str) -> list[str]:
    last = max(0, len(value) - WINDOW)
    return [value[at : at + WINDOW] for at in (*range(0, last, WINDOW // 2), last)]
