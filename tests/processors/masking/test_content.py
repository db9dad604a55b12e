"""Content codings and charsets are undone within bounds, or the content is withheld with a reason."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.content import as_text, decompressed, is_textual, legible, media_type
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Limits

LIMITS = Limits(body_bytes=1_000_000, ratio=50, ratio_free_bytes=100_000)


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


CODERS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "x-gzip": lambda data: gzip.compress(data[:9], mtime=0) + gzip.compress(data[9:], mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
}


@pytest.mark.parametrize("coding", CODERS)
@given(data=st.binary(min_size=1, max_size=500))
def test_every_coding_is_undone(coding: str, data: bytes) -> None:
    """What was coded comes back, several members or frames included."""
    assert decompressed(CODERS[coding](data), coding, LIMITS) == data


def test_codings_are_undone_from_the_right() -> None:
    """RFC 9110 8.4.1: the last one applied is the last one listed."""
    data = brotli.compress(gzip.compress(b"abc"))
    assert decompressed(data, "gzip, br", LIMITS) == b"abc"
    assert decompressed(raw_deflate(b"abc"), "Deflate", LIMITS) == b"abc"


@pytest.mark.parametrize("coding", CODERS)
def test_a_truncated_body_is_withheld(coding: str) -> None:
    """Half a stream is no content."""
    data = CODERS[coding](b"some content that is long enough to be cut" * 3)
    with pytest.raises(Withheld, match="invalid-"):
        decompressed(data[:-4], coding, LIMITS)


@pytest.mark.parametrize("coding", CODERS)
def test_a_bomb_is_withheld_before_it_opens(coding: str) -> None:
    """Neither size nor ratio may pass its bound."""
    with pytest.raises(Withheld, match=r"decode-(limit|ratio)"):
        decompressed(CODERS[coding](bytes(3_000_000)), coding, LIMITS)


@given(data=st.binary(min_size=1, max_size=200), coding=st.sampled_from(sorted(CODERS)))
def test_garbage_is_content_or_withheld(data: bytes, coding: str) -> None:
    """No other exception leaves, whatever comes in."""
    reason = "decode-none"
    try:
        decompressed(data, coding, LIMITS)
    except Withheld as refusal:
        reason = refusal.reason
    assert reason.startswith(("invalid-", "decode-"))


def test_an_empty_body_with_a_coding_is_empty() -> None:
    """HEAD and 304 answers carry a coding and no body."""
    assert decompressed(b"", "gzip", LIMITS) == b""


def test_too_many_codings_are_withheld() -> None:
    """Nested archives end at the named limit."""
    with pytest.raises(Withheld, match="encoding-depth"):
        decompressed(b"x", "gzip, gzip, gzip, gzip", LIMITS)


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ("grün".encode(), None, "grün"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        ("grün".encode("utf-16"), "text/plain", "grün"),
        ("\ufeffgrün".encode(), "application/json", "grün"),
        (b"gr\xfcn", "text/plain", "gr\ufffdn"),
    ],
)
def test_text_comes_out_as_utf8(data: bytes, content_type: str | None, text: str) -> None:
    """By byte-order mark, then charset, then UTF-8 with bad bytes shown."""
    assert as_text(data, content_type, Limits()).decode() == text


@pytest.mark.parametrize("data", [b"\xfe\xfa" * 9 + b"\x00", b"\x89PNG\xff", bytes(64)])
def test_binary_content_is_withheld(data: bytes) -> None:
    """What is neither text nor says so is not passed on."""
    with pytest.raises(Withheld, match="binary"):
        as_text(data, "application/octet-stream", Limits())


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_coding_that_nobody_named_is_no_text(coding: str) -> None:
    """What compression leaves clear is glued to anything, so that no rule sees where a key begins."""
    with pytest.raises(Withheld, match="binary"):
        as_text(CODERS[coding](b'{"a": "lorem ipsum", "b": "lorem"}'), "application/json", Limits())


def test_an_unknown_charset_is_withheld() -> None:
    """Nobody can say what the bytes mean."""
    with pytest.raises(Withheld, match="unknown-charset"):
        as_text(b"abc", "text/plain; charset=klingon", Limits())


def test_media_types() -> None:
    """Type and subtype alone decide."""
    assert media_type("Application/JSON; charset=utf-8") == "application/json"
    assert is_textual("application/problem+json")
    assert not is_textual("image/png")


def test_what_can_be_read_in_no_text() -> None:
    """Stretches of eight bytes or more, a line each; of UTF-16 too; and the rest is nothing."""
    assert legible(b"\x89PNG\xff\xfepassword=hunter2\xff\0short\xffsecond stretch") == (
        b"password=hunter2\nsecond stretch"
    )
    assert legible(b"\xff\xfe\xff" + "password=x1".encode("utf-16-le")) == b"password=x1"
    assert legible(b"\xff" * 99) == b""
