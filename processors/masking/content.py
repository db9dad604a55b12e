"""Undo content coding and charset under limits: bytes as sent in, UTF-8 text out, or Withheld.

RFC 9110 8.4.1: codings are listed in the order applied, so they are undone from the right.
"""

import codecs
import re
import zlib
from io import BytesIO

import brotli  # type: ignore[import-untyped]  # no type information is published
import zstandard

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Limits

_STEP = 256 * 1024
_WIDE: dict[tuple[bool, ...], str] = {
    (True, True, True, False): "utf-32-be",
    (True, False, True, False): "utf-16-be",
    (False, True, True, True): "utf-32-le",
    (False, True, False, True): "utf-16-le",
}
_PACKED = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")
"""How gzip and zstd begin (RFC 1952 2.3.1, RFC 8878 3.1.1): what they leave clear is cut anywhere."""
_ZSTD_STEP = 256
_ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659: what every decoder takes
_LEGIBLE = re.compile(rb"[\x20-\x7e\t\r\n]{8,}")
_TEXT_TYPES = ("text/", "application/json", "application/x-www-form-urlencoded", "application/xml")
_TEXT_MARKS = ("+json", "+xml", "ndjson", "jsonl", "javascript", "graphql", "multipart/form-data")


def media_type(content_type: str | None) -> str:
    """The lower-case type/subtype without parameters, "" when there is none."""
    return (content_type or "").split(";", 1)[0].strip().lower()


def _charset(content_type: str | None) -> str | None:
    for parameter in (content_type or "").split(";")[1:]:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or None
    return None


def _bounded(total: int, encoded: int, limits: Limits) -> None:
    if total > limits.body_bytes:
        raise Withheld("decode-limit")
    if total > limits.ratio_free_bytes and total > encoded * limits.ratio:
        raise Withheld("decode-ratio")


def _inflate(data: bytes, wbits: int, limits: Limits) -> bytes:
    out, total = BytesIO(), 0
    while data:
        engine = zlib.decompressobj(wbits)
        rest = data
        while not engine.eof:
            piece = engine.decompress(rest, _STEP)
            total += len(piece)
            _bounded(total, len(data), limits)
            out.write(piece)
            rest = engine.unconsumed_tail
            if not rest and not piece and not engine.eof:
                raise zlib.error("stream ends early")
        data = engine.unused_data  # RFC 1952 2.2: a gzip file may have several members
    return out.getvalue()


def _deflate(data: bytes, limits: Limits) -> bytes:
    # RFC 9110 8.4.1.2: "deflate" is the zlib format, but some senders leave its two header bytes out.
    try:
        return _inflate(data, zlib.MAX_WBITS, limits)
    except zlib.error:
        return _inflate(data, -zlib.MAX_WBITS, limits)


def _unbrotli(data: bytes, limits: Limits) -> bytes:
    engine = brotli.Decompressor()
    out = BytesIO()
    total = out.write(engine.process(data, output_buffer_limit=_STEP))
    while not engine.is_finished():
        _bounded(total, len(data), limits)
        piece = engine.process(b"", output_buffer_limit=_STEP)
        if not piece and engine.can_accept_more_data():
            raise brotli.error("stream ends early")
        total += out.write(piece)
    _bounded(total, len(data), limits)
    return out.getvalue()


def _unzstd(data: bytes, limits: Limits) -> bytes:
    out, total, rest = BytesIO(), 0, data
    while rest:  # RFC 8878 3: frames may follow one another
        window = max(limits.body_bytes, _ZSTD_WINDOW)
        engine = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
        position = 0
        while not engine.eof:
            if position >= len(rest):
                raise zstandard.ZstdError("stream ends early")
            # One step of input yields a bounded output: a block is at most 128 KiB and at least 4 bytes.
            piece = engine.decompress(rest[position : position + _ZSTD_STEP])
            position += _ZSTD_STEP
            total += len(piece)
            _bounded(total, len(data), limits)
            out.write(piece)
        rest = engine.unused_data + rest[position:]
    return out.getvalue()


def _undo(coding: str, data: bytes, limits: Limits) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflate(data, 16 + zlib.MAX_WBITS, limits)
    if coding == "deflate":
        return _deflate(data, limits)
    if coding == "br":
        return _unbrotli(data, limits)
    if coding == "zstd":
        return _unzstd(data, limits)
    raise Withheld("unknown-encoding")


def decompressed(data: bytes, content_encoding: str | None, limits: Limits) -> bytes:
    """The body with every content coding undone; an empty body stays empty whatever its header says."""
    codings = [c.strip().lower() for c in (content_encoding or "").split(",")]
    codings = [c for c in codings if c not in ("", "identity")]
    if len(codings) > limits.content_encodings:
        raise Withheld("encoding-depth")
    for coding in reversed(codings):
        if not data:
            return data
        try:
            data = _undo(coding, data, limits)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError, ValueError):
            name = coding.removeprefix("x-")
            raise Withheld(f"invalid-{name}") from None
    if len(data) > limits.body_bytes:
        raise Withheld("decode-limit")
    return data


def is_textual(content_type: str | None) -> bool:
    """Whether the sender says that this is text."""
    kind = media_type(content_type)
    return kind.startswith(_TEXT_TYPES) or any(mark in kind for mark in _TEXT_MARKS)


def as_text(data: bytes, content_type: str | None, limits: Limits) -> bytes:
    """UTF-8 bytes of the content: by its byte-order mark, its charset, else UTF-8; Withheld("binary") if none
    fits.

    Content that says it is text but holds invalid UTF-8 keeps its readable characters, each bad byte shown as
    U+FFFD; content that does not say so, or is gzip or zstd, is withheld.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does, so it is asked for first
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _transcoded(data, name, limits)
    charset = _charset(content_type)
    if charset and charset.replace("_", "-") not in ("utf-8", "utf8", "us-ascii", "ascii"):
        return _transcoded(data, charset, limits)
    if data.count(b"\0") * 8 > len(data):
        return _transcoded(data, _wide(data), limits)
    if _is_utf8(data):
        return data
    if is_textual(content_type) and not data.startswith(_PACKED):
        return _transcoded(data, "utf-8", limits)
    raise Withheld("binary")


def legible(data: bytes) -> bytes:
    """What can be read in bytes that are no text, a stretch a line: a form field beside a picture."""
    if data.count(b"\0") * 8 > len(data):
        data = data.translate(None, b"\0")  # UTF-16, mostly
    return b"\n".join(_LEGIBLE.findall(data))


def _wide(data: bytes) -> str:
    """The charset of text in units of two or four bytes, by the NULs of its first characters (RFC 4627 3);
    Withheld("binary") for anything else.
    """
    zeros = tuple(byte == 0 for byte in data[:4])
    name = _WIDE.get(zeros)
    if name is None:
        raise Withheld("binary")
    return name


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _transcoded(data: bytes, charset: str, limits: Limits) -> bytes:
    """The text in UTF-8, piece by piece: as a string it takes up to four times its bytes."""
    out, total = BytesIO(), 0
    try:
        bytes(4).decode(charset, "replace")  # LookupError for a codec that is no charset: base64, bz2
        decode = codecs.getincrementaldecoder(charset)("replace").decode
        for at in range(0, len(data), _STEP):
            total += out.write(decode(data[at : at + _STEP], final=at + _STEP >= len(data)).encode())
            if total > limits.body_bytes:
                raise Withheld("decode-limit")
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        raise Withheld("unknown-charset") from None
    return out.getvalue()
