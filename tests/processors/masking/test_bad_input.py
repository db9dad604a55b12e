"""Hostile content is masked or withheld with a reason, in bounded time, and the masker goes on."""

import base64
import gzip
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli
import orjson
import pytest
import zstandard

from tachograph.processors.masking import validators
from tachograph.processors.masking.assigned import MAX_NAMES, Assigned
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load, parse
from tachograph.processors.masking.scan import MAX_REFUSED

JSON = "application/json"
KEY = PseudonymKey("k1", bytes(32))
MASKER = Masker(load(), KEY, clock=time.process_time)
"""By a clock that stands still while others have the processor: a busy machine changes no outcome here."""
SECONDS = 60.0
"""Far above what any of them takes alone on a slow machine; far below for ever."""

PEAK_MB = 150
"""Resident memory while any of them is masked, the process and its rules included."""

HIDDEN = b"zq7hunter81"


def flood(unit: bytes, size: int = 400_000) -> bytes:
    return unit * (size // len(unit))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b'{"password":"abcdefgh1"}' + b"}" * 10_000,
        b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(100_000)) + b"}",
        b"[" + b",".join(b'{"password":"zq%d"}' % i for i in range(5_000)) + b"]",
        b'{"a":"' + b"\\\\" * 100_000 + b'"}',
        b'{"a":"' + b"x" * 5_000_000 + b'"}',
        b'{"a":"' + flood(b"aB3dE5") + b'"}',
        b"\x00password=abc\x00def12345\x00",
        flood(b"1 "),
        flood(b"4 "),
        flood(b"key="),
        flood(b'"'),
        flood(b"token: abc1234567 "),
        flood(b"insert into t (password) values "),
        flood(b'"columns":["password"],'),
        flood(b'{"secrets":{'),
        flood(b'{"secrets":{"type":"string",'),
        flood(b"-----BEGIN PRIVATE KEY-----"),
        flood(b"content-disposition: form-data; x\r\n"),
        flood(b"a://b:"),
        flood(b"%41%25"),
        flood(b'data: {"index":0,"delta":{"text":"ab"}}\n\n'),
    ],
    ids=range(22),
)
def test_hostile_content_ends(data: bytes) -> None:
    """Masked or withheld, no exception, no minutes."""
    start = time.process_time()
    (out,) = MASKER.mask([Part("b", "body", data, "application/json")])
    assert time.process_time() - start < SECONDS
    assert (out.data is None) == (out.withheld is not None)
    assert b"abcdefgh1" not in (out.data or b"")
    assert b"def12345" not in (out.data or b"")


def wrapped(depth: int, wrap: Callable[[bytes], bytes]) -> bytes:
    text = b'{"password":"%s"}' % HIDDEN
    for _ in range(depth):
        text = wrap(text)
    return b'{"a":"%s"}' % text


def percent(text: bytes) -> bytes:
    return quote(text, safe="").encode()


def field(name: bytes, value: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)


BOMB = b'{"a":"' + bytes(8_000_000) + b'"}'
SECRET_JSON = b'{"password":"%s"}' % HIDDEN
UTF_16 = JSON + "; charset=utf-16le"
FORM = "multipart/form-data; boundary=b"
CODED: dict[str, tuple[str | None, str | None, bytes, str | None]] = {
    "gzip bomb": (JSON, "gzip", gzip.compress(BOMB), "decode-ratio"),
    "deflate bomb": (JSON, "deflate", zlib.compress(BOMB), "decode-ratio"),
    "bare deflate bomb": (JSON, "deflate", zlib.compress(BOMB, wbits=-15), "decode-ratio"),
    "br bomb": (JSON, "br", brotli.compress(BOMB, quality=5), "decode-ratio"),
    "zstd bomb": (JSON, "zstd", zstandard.compress(BOMB), "decode-ratio"),
    "gzip in gzip": (JSON, "gzip, gzip", gzip.compress(gzip.compress(SECRET_JSON)), None),
    "bomb in gzip": (JSON, "gzip, gzip", gzip.compress(gzip.compress(BOMB)), "decode-ratio"),
    "codings without end": (JSON, "gzip, gzip, gzip, gzip", gzip.compress(b"x"), "encoding-depth"),
    "gzip members": (JSON, "gzip", gzip.compress(b"[1,") + gzip.compress(SECRET_JSON + b"]"), None),
    "gzip cut off": (JSON, "gzip", gzip.compress(SECRET_JSON)[:-9], "invalid-gzip"),
    "gzip of nothing": (JSON, "gzip", gzip.compress(b""), None),
    "not gzip": (JSON, "gzip", SECRET_JSON, "invalid-gzip"),
    "br cut off": (JSON, "br", brotli.compress(SECRET_JSON)[:-3], "invalid-br"),
    "zstd cut off": (JSON, "zstd", zstandard.compress(SECRET_JSON)[:-3], "invalid-zstd"),
    "unknown coding": (JSON, "rot13", SECRET_JSON, "unknown-encoding"),
    **{f"empty, {coding}": (JSON, coding, b"", None) for coding in ("gzip", "br", "zstd", "deflate", "odd")},
    "an archive, undeclared": (None, None, gzip.compress(b"x" * 9_000), "binary"),
    "a zip": ("application/zip", None, b"PK\x03\x04\x14\x00\xff\xfe" + bytes(99), "binary"),
    "NUL bytes": (None, None, b"password=" + HIDDEN + bytes(9_000), "binary"),
    "NUL bytes in JSON": (JSON, None, b'{"password":"' + HIDDEN + b'","a":"\0\0"}', None),
    "invalid UTF-8": (JSON, None, b'{"a":"\xff\xc3(","password":"' + HIDDEN + b'\xed\xa0\x80"}', None),
    "invalid UTF-8, undeclared": (None, None, b'{"a":"\xff\xc3("}' + SECRET_JSON, "binary"),
    "UTF-16": (JSON, None, SECRET_JSON.decode().encode("utf-16"), None),
    "UTF-16, odd": (JSON, None, SECRET_JSON.decode().encode("utf-16")[:-1], None),
    "UTF-16 without a mark": (UTF_16, None, SECRET_JSON.decode().encode("utf-16le"), None),
    "UTF-16, undeclared": (JSON, None, SECRET_JSON.decode().encode("utf-16be"), None),
    "UTF-32, undeclared": (JSON, None, SECRET_JSON.decode().encode("utf-32le"), None),
    "UTF-32 by its mark": (JSON, None, SECRET_JSON.decode().encode("utf-32"), None),
    "nothing but NUL bytes": (JSON, None, bytes(9_000), "binary"),
    "UTF-32": (JSON + "; charset=utf-32", None, SECRET_JSON.decode().encode("utf-32"), None),
    "charset that is no text": (JSON + "; charset=base64", None, SECRET_JSON, "unknown-charset"),
    "lone surrogates": (JSON, None, b'{"a":"\\ud800","password":"' + HIDDEN + b'\\udfff"}', None),
    "base64, 8 deep": (JSON, None, wrapped(8, base64.b64encode), None),
    "base64, 16 deep": (JSON, None, wrapped(16, base64.b64encode), "depth"),
    "percent, 9 deep": (JSON, None, wrapped(9, percent), None),
    "percent, 40 deep": (JSON, None, b'{"a":"%' + b"25" * 40 + b'41"}', "depth"),
    "JSON in JSON, 8 deep": (JSON, None, wrapped(8, lambda text: orjson.dumps(text.decode())[1:-1]), None),
    "10,000 parts": (FORM, None, field(b"f", b"v") * 10_000 + field(b"password", HIDDEN), None),
    "100,000 events": (
        "text/event-stream", None, b'data: {"t":"a"}\n\n' * 100_000 + b"data: " + SECRET_JSON + b"\n\n", None
    ),
    "one secret, repeated": (
        JSON, None, b'[{"password":"%s"},"%s"]' % (HIDDEN, (HIDDEN + b" ") * 60_000), "span-limit"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CODED)
def test_a_body_is_masked_or_withheld_with_its_reason(name: str) -> None:
    """Bombs, broken and nested codings, charsets, layers: each has one answer, and the secret is in none."""
    kind, coding, data, reason = CODED[name]
    start = time.process_time()
    (out,) = MASKER.mask([Part("b", "body", data, kind, coding)])
    assert time.process_time() - start < SECONDS
    assert (out.withheld, out.data is None) == (reason, reason is not None)
    text = (out.data or b"").replace(b"\0", b"")
    assert HIDDEN not in text
    assert base64.b64encode(HIDDEN)[:12] not in text


@pytest.mark.parametrize(
    "regex",
    ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?:x+x+)+y", "(a*)*b"],
)
def test_a_catastrophic_rule_takes_linear_time(regex: str) -> None:
    """An operator's pattern on which a backtracking engine would never end takes seconds on a megabyte."""
    masker = Masker(parse(f"[[rules]]\nid='bad'\nregex={json.dumps(regex)}"), KEY)
    start = time.process_time()
    (out,) = masker.mask([Part("b", "text", b"a" * 1_000_000 + b"!")])
    assert time.process_time() - start < SECONDS / 2
    assert (out.data is None) == (out.withheld is not None)


def test_the_masker_goes_on_after_a_failure() -> None:
    """A bug in one step withholds that part; the next record is masked."""

    class Broken(Masker):
        def _read(self, work, deadline):  # type: ignore[no-untyped-def]  # a stand-in for any bug
            if work.part.name == "bad":
                raise RecursionError
            return super()._read(work, deadline)

    masker = Broken(Ruleset(()), KEY)
    bad, good = masker.mask([Part("bad", "text", b"x"), Part("good", "text", b'{"password":"abcdef"}')])
    assert (bad.data, bad.withheld) == (None, "error")
    assert good.data is not None
    assert b"abcdef" not in good.data


def test_memory_that_runs_out_withholds() -> None:
    """The worker lives."""

    class Full(Masker):
        def _read(self, work, deadline):  # type: ignore[no-untyped-def]  # a stand-in for a full machine
            raise MemoryError

    (out,) = Full(Ruleset(()), KEY).mask([Part("b", "body", b"x")])
    assert out.withheld == "memory"


def test_a_rule_that_matches_every_letter_is_withheld_at_its_limit() -> None:
    """Too many spans are no content any more; all of it at once is one span."""
    letters = Masker(parse("[[rules]]\nid='a'\nregex='.'"), KEY)
    (out,) = letters.mask([Part("b", "text", b"abc " * 60_000)])
    assert out.withheld == "span-limit"
    whole = Masker(parse("[[rules]]\nid='a'\nregex='(?s).+'"), KEY)
    (out,) = whole.mask([Part("b", "text", b"all of it")])
    assert out.data is not None
    assert out.data.startswith(b"[A:k1.")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    "name",
    [
        "short strings, a secret",
        "one secret, repeated",
        "long secrets, 23 MB",
        "nested percent, 24 MB",
        "a million stream events",
    ],
)
def test_memory_stays_bounded(name: str) -> None:
    """The worst bodies, each in a process of its own: a few copies of the text and no more."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "bench.hostile", "--only", name]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True)
    said = json.loads(done.stdout)
    assert said["expected"], said
    assert said["peak_mb"] < PEAK_MB


@pytest.mark.parametrize("unit", [b"4 ", b"4-"])
def test_what_may_be_a_card_is_looked_at_a_bounded_number_of_times(
    unit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digit by digit a card may begin and end anywhere: all its readings are one look."""
    looks = 0

    def counted(value: bytes) -> int:
        nonlocal looks
        looks += 1
        return validators.card_in_front(value)

    monkeypatch.setitem(validators.IN_FRONT, "luhn", counted)
    (out,) = MASKER.mask([Part("b", "body", flood(unit, 1_000_000), "text/plain")])
    assert out.withheld == "match-limit"
    assert looks <= MAX_REFUSED // 2 + 1


@pytest.mark.parametrize("unit", [b"token: abc1234567 ", b"[password]=", b"pwd: ", b"password = "])
def test_assignments_are_read_up_to_their_limit(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past it the text is withheld: nobody writes as many, and each costs a look at its line."""
    looks = 0
    read = Assigned._spots

    def counted(self: Assigned, *place: Any, **how: Any) -> Any:
        nonlocal looks
        looks += 1
        return read(self, *place, **how)

    monkeypatch.setattr(Assigned, "_spots", counted)
    (out,) = MASKER.mask([Part("b", "body", flood(unit, 1_000_000), "text/plain")])
    assert out.withheld == "match-limit"
    assert looks <= MAX_NAMES
