"""Bodies made to hurt: each says what it holds, how it is declared, and is built anew from nothing.

`outcomes` are what the masker may answer; another answer is a failure of the bench.
"""

import base64
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]  # no type information is published
import zstandard

MB = 1_000_000
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One body: how to build it, and what its message says of it."""

    make: Callable[[], bytes]
    type: str | None = JSON
    coding: str | None = None
    outcomes: frozenset[str] = frozenset({"masked"})


def _written(pieces: Iterable[bytes], before: bytes = b"", after: bytes = b"") -> bytes:
    out = io.BytesIO()
    out.write(before)
    for piece in pieces:
        out.write(piece)
    out.write(after)
    return out.getvalue()


def _flood(unit: bytes, size: int = 5 * MB) -> bytes:
    return unit * (size // len(unit))


def _quoted(unit: bytes, size: int = 5 * MB, before: bytes = b"") -> bytes:
    return b'{"a":"' + before + _flood(unit, size) + b'"}'


def _zeros(count: int) -> Iterator[bytes]:
    return (bytes(MB) for _ in range(count))


def _gzip_bomb() -> bytes:
    return gzip.compress(b'{"a":"' + bytes(100 * MB))


def _deflate_bomb() -> bytes:
    engine = zlib.compressobj(9)
    return _written(map(engine.compress, _zeros(100))) + engine.flush()


def _brotli_bomb() -> bytes:
    engine = brotli.Compressor(quality=5)
    return _written(map(engine.process, _zeros(100))) + bytes(engine.finish())


def _zstd_bomb() -> bytes:
    engine = zstandard.ZstdCompressor().compressobj()
    return _written(map(engine.compress, _zeros(100))) + engine.flush()


def _nested_base64(depth: int) -> bytes:
    text = b'{"password":"nested-hunter2"}'
    for _ in range(depth):
        text = base64.b64encode(text)
    return b'{"a":"' + text + b'"}'


def _nested_percent(depth: int) -> bytes:
    return b"%" + b"25" * depth + b"41"


def _long_secrets() -> bytes:
    return _written(
        (b'{"password":"%s"},' % os.urandom(30_000).hex().encode() for _ in range(390)), b"[", b"{}]"
    )


def _multipart() -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv%d\r\n'
    return _written((part % (i, i) for i in range(200_000)), after=b"--b--\r\n")


BODIES: dict[str, Hostile] = {
    "plain prose, 5 MB": Hostile(lambda: _quoted(b"the cat sat on ")),
    "plain prose, 24 MB": Hostile(lambda: _quoted(b"the cat sat on ", 24 * MB)),
    "one line of 50 MB": Hostile(
        lambda: _quoted(b"the cat sat on ", 50 * MB), outcomes=frozenset({"decode-limit"})
    ),
    "a million keys": Hostile(lambda: _written((b'"k%d":%d,' % (i, i) for i in range(MB)), b"{", b'"k":1}')),
    "a million keys, a secret": Hostile(
        lambda: _written((b'"k%d":"v%d",' % (i, i) for i in range(MB)), b"{", b'"password":"abcdefgh1"}')
    ),
    "empty objects": Hostile(lambda: b"[" + _flood(b"{},") + b"{}]"),
    "numbers": Hostile(lambda: b"[" + _flood(b"1,") + b"1]"),
    "short strings, a secret": Hostile(
        lambda: b"[" + _flood(b'"a",', 24 * MB) + b'{"password":"abcdefgh1"}]'
    ),
    "depth of a million": Hostile(lambda: b"[" * MB + b"]" * MB),
    "backslashes": Hostile(lambda: _quoted(b"\\\\"), outcomes=frozenset({"masked", "edit-limit"})),
    "backslashes, 24 MB": Hostile(lambda: _quoted(b"\\\\", 24 * MB), outcomes=frozenset({"edit-limit"})),
    "percent codes": Hostile(lambda: _flood(b"%41 ")),
    "nested percent codes": Hostile(
        lambda: _flood(_nested_percent(9) + b" "),
        outcomes=frozenset({"masked", "edit-limit", "match-limit"}),
    ),
    "nested percent, 24 MB": Hostile(
        lambda: _quoted(b"the cat sat on ", 24 * MB, _nested_percent(9)),
        outcomes=frozenset({"masked"}),
    ),
    "percent without end": Hostile(lambda: _nested_percent(40), outcomes=frozenset({"depth"})),
    "base64 without end": Hostile(lambda: _nested_base64(16), outcomes=frozenset({"depth"})),
    "entities": Hostile(lambda: _flood(b"&amp;")),
    "base64 runs": Hostile(lambda: b'"' + _flood(b"QUJDREVGR0hJSktM ") + b'"'),
    "hex runs": Hostile(lambda: _flood(b"61626364656667686970 ")),
    "PEM headers": Hostile(lambda: _flood(b"-----BEGIN PRIVATE KEY-----")),
    "PEM headers in JSON": Hostile(lambda: _quoted(b"-----BEGIN PRIVATE KEY-----\\n")),
    "a million stream events": Hostile(lambda: b'data: {"t":"a"}\n\n' * MB, "text/event-stream"),
    "stream events": Hostile(
        lambda: _flood(b'data: {"index":0,"delta":{"text":"ab"}}\n\n'), "text/event-stream"
    ),
    "a million JSON lines": Hostile(
        lambda: b'{"password":"zq1"}\n' + b'{"t":"a"}\n' * MB, "application/x-ndjson"
    ),
    "passwords": Hostile(
        lambda: _written((b'{"password":"zq%d"},' % i for i in range(200_000)), b"[", b"{}]"),
        outcomes=frozenset({"span-limit"}),
    ),
    "a list of secrets": Hostile(
        lambda: _written((b'"zqaa%d",' % i for i in range(400_000)), b'{"secrets":[', b'""]}'),
        outcomes=frozenset({"span-limit"}),
    ),
    "20,000 secrets": Hostile(
        lambda: _written((b'"zqaa%d",' % i for i in range(20_000)), b'{"secrets":[', b'""]}')
    ),
    "70,000 secrets": Hostile(
        lambda: _written((b'"zqaa%d",' % i for i in range(70_000)), b'{"secrets":[', b'""]}'),
        outcomes=frozenset({"span-limit"}),
    ),
    "one secret, repeated": Hostile(
        lambda: _quoted(b"abcdefgh1 ", 24 * MB, b'","password":"abcdefgh1","b":"'),
        outcomes=frozenset({"span-limit"}),
    ),
    "long secrets, 23 MB": Hostile(_long_secrets, outcomes=frozenset({"span-limit"})),
    "e-mail addresses": Hostile(
        lambda: _written(b"a%d@b.de " % i for i in range(300_000)), outcomes=frozenset({"span-limit"})
    ),
    "tokens": Hostile(lambda: _flood(b"token: abc1234567 "), outcomes=frozenset({"match-limit", "timeout"})),
    "a multipart of 200,000": Hostile(_multipart, "multipart/form-data; boundary=b"),
    "gzip bomb": Hostile(_gzip_bomb, coding="gzip", outcomes=frozenset({"decode-ratio"})),
    "gzip bomb in gzip": Hostile(
        lambda: gzip.compress(_gzip_bomb()), coding="gzip, gzip", outcomes=frozenset({"decode-ratio"})
    ),
    "deflate bomb": Hostile(_deflate_bomb, coding="deflate", outcomes=frozenset({"decode-ratio"})),
    "br bomb": Hostile(_brotli_bomb, coding="br", outcomes=frozenset({"decode-ratio"})),
    "zstd bomb": Hostile(_zstd_bomb, coding="zstd", outcomes=frozenset({"decode-ratio"})),
    "24 MB in gzip": Hostile(
        lambda: gzip.compress(_quoted(os.urandom(20_000).hex().encode(), 24 * MB), 1),
        coding="gzip",
        outcomes=frozenset({"masked", "decode-ratio"}),
    ),
    "gzip cut off": Hostile(
        lambda: gzip.compress(os.urandom(5 * MB))[:-9], coding="gzip", outcomes=frozenset({"invalid-gzip"})
    ),
    "an archive": Hostile(lambda: gzip.compress(os.urandom(5 * MB)), None, outcomes=frozenset({"binary"})),
    "NUL bytes": Hostile(lambda: bytes(5 * MB), outcomes=frozenset({"binary"})),
    "invalid UTF-8": Hostile(lambda: b'{"a":"' + _flood(b"\xff\xc3(") + b'"}'),
    "invalid UTF-8, 24 MB": Hostile(
        lambda: b'{"a":"' + _flood(b"\xff\xc3(", 24 * MB) + b'"}', outcomes=frozenset({"decode-limit"})
    ),
    "UTF-16": Hostile(lambda: _quoted(b"the cat ", 12 * MB).decode().encode("utf-16")),
    "UTF-32": Hostile(
        lambda: _quoted(b"the cat ", 6 * MB).decode().encode("utf-32"), "application/json; charset=utf-32"
    ),
    "lone surrogates": Hostile(lambda: _quoted(b"\\ud800 \\udfff")),
}
