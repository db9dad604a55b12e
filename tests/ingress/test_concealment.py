"""Values in a body are filled up, wherever it is cut, and nothing else changes."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.ingress.concealment import MIN_CONCEALED, BodyConcealment, spellings

SECRET = "s3cret/value"


def fed(values: tuple[bytes, ...], pieces: list[bytes]) -> bytes:
    body = BodyConcealment(values)
    return b"".join([*(body.feed(piece, end=False) for piece in pieces), body.feed(b"", end=True)])


def by_definition(values: tuple[bytes, ...], whole: bytes) -> bytes:
    """Every byte that belongs to a value somewhere is a `*`."""
    out = bytearray(whole)
    for value in values:
        for at in range(len(whole)):
            if whole.startswith(value, at):
                out[at : at + len(value)] = b"*" * len(value)
    return bytes(out)


words = st.text("ab", min_size=1, max_size=4).map(str.encode)


@given(
    st.lists(words, min_size=1, max_size=3).map(tuple), st.lists(st.text("abc", max_size=6).map(str.encode))
)
@example((b"abab",), [b"abab", b"ab"])
@example((b"aba", b"bab"), [b"ab", b"a", b"b"])
def test_every_cut_gives_the_same(values: tuple[bytes, ...], pieces: list[bytes]) -> None:
    """Values that overlap, repeat and lie over several pieces too; the length stays."""
    assert fed(values, pieces) == by_definition(values, b"".join(pieces))


@pytest.mark.parametrize(
    "shown", [SECRET, "s3cret%2Fvalue", "s3cret\\/value", base64.b64encode(SECRET.encode()).decode()]
)
def test_a_value_is_found_as_targets_spell_it(shown: str) -> None:
    """In JSON, in a link, in a header that a page prints."""
    body = f'{{"key":"{shown}","a":1}}'.encode()
    assert fed(spellings([SECRET]), [body]) == f'{{"key":"{"*" * len(shown)}","a":1}}'.encode()


def test_a_password_is_found_without_its_user() -> None:
    """A target that has taken the credential apart repeats either part."""
    assert fed(spellings(["user:pass-word"]), [b"is it pass-word?"]) == b"is it *********?"


def test_what_is_too_short_is_not_looked_for() -> None:
    """It would be found in innocent words."""
    assert spellings(["x" * (MIN_CONCEALED - 1), ""]) == ()


def test_only_what_may_be_a_value_is_held_back() -> None:
    """An event of a stream goes on at once."""
    body = BodyConcealment(spellings([SECRET]))
    assert body.feed(b"data: 1\n\n", end=False) == b"data: 1\n\n"
    assert body.feed(b"data: s3cr", end=False) == b"data: "
    assert body.feed(b"ew\n\n", end=False) == b"s3crew\n\n"
    assert body.feed(b"s3c", end=True) == b"s3c"


def test_no_repr_shows_a_value() -> None:
    """Nor what is held back."""
    body = BodyConcealment(spellings([SECRET]))
    body.feed(b"s3cret", end=False)
    assert repr(body) == "BodyConcealment(values=4)"
