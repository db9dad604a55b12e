"""The control topic's records, and what they add up to."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import (
    CURRENT,
    MAX_SNAPSHOTS,
    RELEASE,
    REMOVED,
    ControlBook,
    ControlKey,
    Release,
    version_key,
)
from tachograph.schemas.errors import MalformedRecord, RecordError, SealBroken
from tachograph.schemas.registry import short

KEY = ControlKey(b"k" * 32)
AT = "2026-01-01T00:00:00.000000000Z"


def release(version: int, data: bytes = b"one") -> Release:
    return Release(version=version, digest=sha256_hex(data), at=AT, by="root")


def put(book: ControlBook, key: str, data: bytes) -> None:
    book.put(key, KEY.seal(key, data))


def put_release(book: ControlBook, version: int, data: bytes = b"one") -> None:
    book.put_release(KEY.seal(RELEASE, release(version, data).encode()))


def test_a_release_puts_its_snapshot_in_force() -> None:
    """By the whole digest, and by what a header carries of it."""
    book = ControlBook(KEY)
    digest = sha256_hex(b"one")
    put(book, digest, b"one")
    assert (book.current, book.whole, book.lost) == (None, True, None)
    put_release(book, 1)
    assert (book.current, book.whole, book.lost) == (release(1), True, None)
    assert book.releases == {1: release(1)}
    assert book.snapshot(digest) == book.named(short(digest)) == b"one"


def test_releases_of_before_count() -> None:
    """They stood on the topic of the snapshots; what is released now goes on from them."""
    book = ControlBook(KEY)
    for version in (1, 2):
        put(book, version_key(version), release(version).encode())
        put(book, CURRENT, release(version).encode())
    assert (book.current, book.whole) == (release(2), True)
    put_release(book, 3, b"two")
    put(book, CURRENT, release(2).encode())  # said again, as whoever reads from the beginning meets it
    assert (book.current, book.whole) == (release(3, b"two"), True)


def test_who_may_write_can_take_no_release_back() -> None:
    """Not by releasing an old one again, by another of its version, nor by removing anything."""
    book = ControlBook(KEY)
    put(book, sha256_hex(b"two"), b"two")
    for version in (1, 2, 3):
        put_release(book, version, b"two")
    put_release(book, 1, b"two")
    put(book, CURRENT, release(3, b"two").encode())
    with pytest.raises(MalformedRecord, match="another one"):
        put_release(book, 2, b"one")
    for value in (
        None,
        b"",
        KEY.seal(CURRENT, release(9).encode()),
        ControlKey(b"x" * 32).seal(RELEASE, b""),
    ):
        with pytest.raises(RecordError):
            book.put_release(value)
    for key in (CURRENT, version_key(3), RELEASE, sha256_hex(b"two")):
        book.put(key, None)
    assert (book.current, book.whole, book.lost) == (release(3, b"two"), True, None)
    assert sorted(book.releases) == [1, 2, 3]


@pytest.mark.parametrize(("versions", "whole"), [((1, 2, 3), True), ((4, 5), True), ((1, 3), False)])
def test_a_release_that_is_missing_is_missed(versions: tuple[int, ...], *, whole: bool) -> None:
    """Between the first that is known and the one in force."""
    book = ControlBook(KEY)
    for version in versions:
        put_release(book, version)
    assert book.whole is whole
    put(book, CURRENT, release(max(versions) + 1).encode())
    assert not book.whole


def test_a_snapshot_that_is_gone_is_missed() -> None:
    """Whoever removed it put nothing older in force."""
    book = ControlBook(KEY)
    put(book, sha256_hex(b"one"), b"one")
    put_release(book, 1)
    put_release(book, 2, b"two")
    assert (book.current, book.lost) == (release(2, b"two"), release(2, b"two"))
    put(book, sha256_hex(b"two"), b"two")
    assert book.lost is None


def test_nobody_without_the_key_puts_anything_in_force() -> None:
    """Another key, another record's mac, a changed byte, a snapshot under another digest."""
    book = ControlBook(KEY)
    body = release(1).encode()
    forged = [
        (CURRENT, ControlKey(b"x" * 32).seal(CURRENT, body)),
        (CURRENT, KEY.seal(version_key(1), body)),
        (CURRENT, KEY.seal(CURRENT, body).replace(b"root", b"toor")),
        (CURRENT, body),
    ]
    for key, value in forged:
        with pytest.raises(SealBroken):
            book.put(key, value)
    with pytest.raises(MalformedRecord, match="digest"):
        put(book, "0" * 64, b"one")
    with pytest.raises(MalformedRecord, match="another key"):
        put(book, version_key(2), body)
    assert book.current is None
    assert not book.releases


def test_an_old_release_played_again_is_refused() -> None:
    """And so is the removal of what is in force."""
    book = ControlBook(KEY)
    put(book, sha256_hex(b"one"), b"one")
    put(book, CURRENT, release(2).encode())
    for old in (release(1), release(2, b"other")):
        with pytest.raises(MalformedRecord, match="version 2 came before"):
            put(book, CURRENT, old.encode())
    put(book, CURRENT, release(2).encode())  # the same once more says nothing new
    book.put(CURRENT, None)
    book.put(sha256_hex(b"one"), None)
    assert book.current == release(2)
    assert book.snapshot(sha256_hex(b"one")) == b"one"


def test_a_snapshot_is_removed_by_a_signed_word_only() -> None:
    """A tombstone may be anybody's. What is in force is not removed at all."""
    book, one, two = ControlBook(KEY), sha256_hex(b"one"), sha256_hex(b"two")
    for data in (b"one", b"two"):
        put(book, sha256_hex(data), data)
    put_release(book, 1, b"two")
    for digest in (one, two, "version/x"):
        book.put(digest, None)
    with pytest.raises(SealBroken):
        book.put(one, ControlKey(b"x" * 32).seal(one, REMOVED))
    assert book.snapshot(one) == book.named(short(one)) == b"one"
    put(book, one, REMOVED)
    put(book, two, REMOVED)
    assert book.snapshot(one) is book.named(short(one)) is None
    assert book.snapshot(two) == b"two"


def test_snapshots_are_bounded_and_the_one_in_force_stays() -> None:
    """Whoever floods the topic with what was signed once does not fill the memory."""
    book = ControlBook(KEY)
    put(book, sha256_hex(b"one"), b"one")
    put(book, CURRENT, release(1).encode())
    for number in range(MAX_SNAPSHOTS + 5):
        put(book, sha256_hex(b"%d" % number), b"%d" % number)
    assert book.snapshot(sha256_hex(b"one")) == b"one"
    assert book.snapshot(sha256_hex(b"3")) is None
    assert book.snapshot(sha256_hex(b"%d" % (MAX_SNAPSHOTS + 4))) is not None


@given(st.text(st.characters(codec="ascii", exclude_characters="\n"), max_size=70), st.binary(max_size=50))
def test_what_is_sealed_opens_and_nothing_else_does(key: str, data: bytes) -> None:
    """Under its own key only."""
    assert KEY.open(key, KEY.seal(key, data)) == data
    with pytest.raises(SealBroken):
        KEY.open(key + "x", KEY.seal(key, data))
    book = ControlBook(KEY)
    with pytest.raises(RecordError):
        book.put(CURRENT, data)


@dataclass(frozen=True)
class Written:
    """One record of the topic, signed by the control key or by another one; `data` None removes."""

    key: str
    data: bytes | None
    ours: bool = True

    @property
    def value(self) -> bytes | None:
        signer = KEY if self.ours else ControlKey(b"x" * 32)
        return None if self.data is None else signer.seal(self.key, self.data)


TEXTS = st.sampled_from([b"one", b"two", b"three"])
NUMBERS = st.integers(1, 6)
RELEASES = st.builds(lambda number, data: release(number, data).encode(), NUMBERS, TEXTS)
WRITTEN = st.one_of(
    st.builds(lambda data, ours: Written(sha256_hex(data), data, ours), TEXTS, st.booleans()),
    st.builds(lambda data, gone: Written(sha256_hex(data), gone), TEXTS, st.sampled_from([None, REMOVED])),
    st.builds(Written, st.just(RELEASE), st.none() | RELEASES | st.binary(max_size=9), st.booleans()),
    st.builds(Written, st.just(CURRENT), st.none() | RELEASES | st.binary(max_size=9), st.booleans()),
    st.builds(Written, st.builds(version_key, NUMBERS), st.none() | RELEASES, st.booleans()),
)


@given(st.lists(WRITTEN, max_size=30))
def test_whatever_is_written_the_book_believes_only_what_it_may(records: list[Written]) -> None:
    """In any order, forged, repeated or removed: versions only go up, what is in force keeps its snapshot.

    A refused record changes nothing, and nothing comes from another key.
    """
    book = ControlBook(KEY)
    signed = {one.data for one in records if one.ours}
    for one in records:
        before = (book.current, dict(book.releases), book.snapshot(_digest(book)))
        accepted = False
        with contextlib.suppress(RecordError):
            book.put_release(one.value) if one.key == RELEASE else book.put(one.key, one.value)
            accepted = True
        after = (book.current, dict(book.releases), book.snapshot(_digest(book)))
        if not accepted or (one.data is not None and not one.ours):
            assert after == before
        if before[0] is not None:
            assert book.current is not None
            assert book.current.version >= before[0].version
            assert book.current == before[0] or book.current.version > before[0].version
            assert book.current != before[0] or after[2] == before[2] or before[2] is None
        assert all(number == found.version for number, found in book.releases.items())
        for found in filter(None, (book.current, *book.releases.values())):
            assert found.encode() in signed
    for data in (b"one", b"two", b"three"):
        digest = sha256_hex(data)
        assert book.snapshot(digest) in {None, data}
        assert book.named(short(digest)) == book.snapshot(digest)


def _digest(book: ControlBook) -> str:
    return book.current.digest if book.current is not None else ""


def test_a_comment_cannot_steer_a_terminal() -> None:
    """Nor run over the next line."""
    with pytest.raises(ValueError, match="printable"):
        Release(version=1, digest="0" * 64, at=AT, by="x", comment="\x1b[2J")


def test_the_key_shows_its_id_only() -> None:
    """In any repr."""
    assert repr(KEY) == f"ControlKey(id={KEY.id!r})"
    with pytest.raises(ValueError, match="32 bytes"):
        ControlKey(b"short")
