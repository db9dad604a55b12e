"""The store's bytes: what goes in comes out, and nothing else is taken for it."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.credentials import store_format
from tachograph.credentials.errors import EntryExists, EntryMissing, StoreBroken
from tachograph.credentials.store_format import (
    MAX_EARLIER,
    MAX_STORE_BYTES,
    Entry,
    added,
    opened,
    removed,
    rotated,
    sealed,
)

KEY, OTHER, NONCE = b"k" * 32, b"o" * 32, b"n" * 12
NOW = "2026-01-01T00:00:00Z"
ENTRIES = {"tickets": Entry("s3cret", NOW), "mail": Entry("b", NOW, NOW, 3, ("a", "0"))}

texts = st.text(max_size=30)
entries = st.dictionaries(
    texts, st.builds(Entry, texts, texts, st.none() | texts, st.integers(), st.lists(texts).map(tuple))
)


@given(entries)
def test_what_was_sealed_is_opened(content: dict[str, Entry]) -> None:
    """Every field of every entry."""
    assert opened(sealed(content, KEY, nonce=NONCE), KEY) == content


def test_the_store_shows_nothing() -> None:
    """Neither values nor names."""
    data = sealed(ENTRIES, KEY, nonce=NONCE)
    assert b"s3cret" not in data
    assert b"tickets" not in data


def test_another_key_is_told_from_an_altered_file() -> None:
    """The one is a mistake, the other is not."""
    with pytest.raises(StoreBroken, match="sealed under another key"):
        opened(sealed(ENTRIES, KEY, nonce=NONCE), OTHER)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_byte_can_be_changed(at: int, by: int) -> None:
    """Magic, version, key id, nonce, content and tag are all bound together."""
    data = bytearray(sealed(ENTRIES, KEY, nonce=NONCE))
    data[at % len(data)] ^= by
    with pytest.raises(StoreBroken):
        opened(bytes(data), KEY)


@given(st.integers(min_value=1))
def test_no_end_can_be_cut_off(cut: int) -> None:
    """Nor anything added."""
    data = sealed(ENTRIES, KEY, nonce=NONCE)
    for altered in (data[: -(cut % len(data)) or -1], data + b"x"):
        with pytest.raises(StoreBroken):
            opened(altered, KEY)


@given(st.binary(max_size=100))
def test_what_is_no_store_is_refused(data: bytes) -> None:
    """Whatever came."""
    with pytest.raises(StoreBroken):
        opened(data, KEY)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"a":1}',
        b'{"a":{"value":1,"created":"","rotated":null,"version":1,"earlier":[]}}',
    ],
)
def test_a_sealed_content_of_another_form_is_refused(content: bytes) -> None:
    """Our key does not make it ours."""
    head = sealed({}, KEY, nonce=NONCE)[: store_format._HEAD]
    with pytest.raises(StoreBroken, match="not what this release writes"):
        opened(head + AESGCM(KEY).encrypt(NONCE, content, head), KEY)


def test_a_newer_version_and_a_huge_file_are_refused() -> None:
    """By their name, before anything is decrypted."""
    data = bytearray(sealed(ENTRIES, KEY, nonce=NONCE))
    data[8] = 2
    with pytest.raises(StoreBroken, match="expected version 1, got 2"):
        opened(bytes(data), KEY)
    with pytest.raises(StoreBroken, match="at most"):
        opened(b"x" * (MAX_STORE_BYTES + 1), KEY)


def test_a_rotation_keeps_what_the_masker_must_know() -> None:
    """The latest values before, each once, so many; the current one is none of them."""
    content = added({}, "a", "v0", now=NOW)
    for number in range(1, MAX_EARLIER + 3):
        content = rotated(content, "a", f"v{number}", now="later")
    entry = content["a"]
    assert (entry.value, entry.version, entry.created, entry.rotated) == ("v6", 7, NOW, "later")
    assert entry.earlier == ("v5", "v4", "v3", "v2")
    assert rotated(content, "a", "v4", now="later")["a"].earlier == ("v6", "v5", "v3", "v2")


def test_entries_are_added_once_and_changed_or_removed_only_where_they_are() -> None:
    """Each refusal says what to do."""
    with pytest.raises(EntryExists, match="credentials rotate tickets"):
        added(ENTRIES, "tickets", "x", now=NOW)
    with pytest.raises(EntryMissing, match="credentials list"):
        rotated(ENTRIES, "gone", "x", now=NOW)
    with pytest.raises(EntryMissing, match="credentials list"):
        removed(ENTRIES, "gone")
    assert set(removed(ENTRIES, "mail")) == {"tickets"}


def test_no_repr_shows_a_value() -> None:
    """Nor an earlier one."""
    assert repr(ENTRIES["mail"]) == f"Entry(created={NOW!r}, version=3)"
