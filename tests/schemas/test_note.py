"""Signed notes: what is signed opens, what is altered does not, and strangers' lines say nothing."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.errors import MalformedRecord, SignatureBroken
from tachograph.schemas.note import (
    MAX_SIGNATURES,
    NoteKey,
    NoteSigner,
    SignatureKind,
    merged,
    named,
    open_note,
)

LOG = NoteSigner("log.example/1", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
STRANGER = NoteSigner("log.example/1", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
WITNESS = NoteSigner(
    "witness.example", Ed25519PrivateKey.from_private_bytes(b"\x03" * 32), SignatureKind.COSIGNATURE
)
TEXT = "log.example/1\n1\nabc\n"


def test_the_key_id_is_that_of_the_specification() -> None:
    """The id of a published verifier key follows from its name and its bytes."""
    text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    key = NoteKey.parse(text)
    assert f"{key.id:08x}" == "530d903a"
    assert str(key) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: text + "\n"))
def test_what_is_signed_opens(text: str) -> None:
    """Any text of lines comes back, with who signed it."""
    opened = open_note(LOG.sign(text), [LOG.key, WITNESS.key])
    assert (opened.text, opened.signers, opened.cosigned) == (text, (LOG.key,), ())


def test_a_cosignature_says_when() -> None:
    """A witness's line covers the text and the time, both."""
    note = LOG.sign(TEXT) + WITNESS.cosignature(TEXT, at=1_700_000_000)
    opened = open_note(note, [LOG.key, WITNESS.key])
    assert opened.signers == (LOG.key, WITNESS.key)
    assert opened.cosigned == ((WITNESS.key, 1_700_000_000),)


def test_a_witness_may_say_when_more_than_once() -> None:
    """No cosignature hides behind the first one of its key."""
    note = LOG.sign(TEXT) + WITNESS.cosignature(TEXT, at=1) + WITNESS.cosignature(TEXT, at=2)
    opened = open_note(note, [WITNESS.key])
    assert (opened.signers, opened.cosigned) == ((WITNESS.key,), ((WITNESS.key, 1), (WITNESS.key, 2)))


def test_a_cosignature_for_another_time_is_broken() -> None:
    """Moving the time of a cosignature breaks it."""
    signature = WITNESS.cosignature(TEXT, at=1_700_000_000)
    moved = NoteSigner.line(WITNESS, TEXT, (1_700_000_001).to_bytes(8) + b"\0" * 64)
    assert signature != moved
    with pytest.raises(SignatureBroken):
        open_note(LOG.sign(TEXT) + moved, [LOG.key, WITNESS.key])


def test_strangers_say_nothing() -> None:
    """A line by an unknown key is passed over, also one under a known name; alone it is not enough."""
    both = LOG.sign(TEXT) + STRANGER.line(TEXT, b"\0" * 64)
    assert open_note(both, [LOG.key]).signers == (LOG.key,)
    with pytest.raises(SignatureBroken, match="none of the known"):
        open_note(STRANGER.sign(TEXT), [LOG.key])


def test_who_is_named_needs_no_key() -> None:
    """The names of the lines, once each and in their order; what is no note is refused."""
    note = LOG.sign(TEXT) + STRANGER.line(TEXT, b"\0" * 64) + WITNESS.cosignature(TEXT, at=1_700_000_000)
    assert named(note) == (TEXT, ("log.example/1", "witness.example"))
    with pytest.raises(MalformedRecord):
        named(TEXT)


def test_two_notes_of_one_text_become_one() -> None:
    """Each line once, those of the first before those of the second, never more than a note may have."""
    one, line = LOG.sign(TEXT), WITNESS.cosignature(TEXT, at=1_700_000_000)
    assert merged(one, one + line) == merged(one + line, one) == one + line
    many = one + "".join(f"\u2014 w{number} AAAAAAA=\n" for number in range(2 * MAX_SIGNATURES))
    assert len(merged(one + line, many).splitlines()) == len(TEXT.splitlines()) + 1 + MAX_SIGNATURES


def test_every_flipped_byte_is_noticed() -> None:
    """Whatever byte of a note is changed, it no longer opens as the same statement."""
    note = LOG.sign(TEXT).encode()
    for position in range(len(note)):
        for bit in (1, 0x20):
            altered = bytearray(note)
            altered[position] ^= bit
            with pytest.raises((MalformedRecord, SignatureBroken)):
                open_note(altered.decode("utf-8", "replace"), [LOG.key])


def test_a_second_line_of_one_key_must_hold_too() -> None:
    """A good line does not cover for a bad one by the same key, whichever comes first."""
    good = LOG.sign("a\n")
    text, _, line = good.partition("\n\n")
    bad = LOG.line("a\n", b"x" * 64)
    for note in (good + bad, f"{text}\n\n{bad}{line}"):
        with pytest.raises(SignatureBroken):
            open_note(note, [LOG.key])
    assert open_note(good + line, [LOG.key]).signers == (LOG.key,)


def test_a_known_key_that_signed_something_else_spoils_the_note() -> None:
    """One bad signature of a known key is enough, whoever else has signed."""
    note = LOG.sign(TEXT) + NoteSigner.line(WITNESS, TEXT, b"\0" * 72)
    with pytest.raises(SignatureBroken):
        open_note(note, [LOG.key, WITNESS.key])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n- name AAAA\n",
        "text\n\n\u2014 name !!!!\n",
        "text\n\n\u2014 name AAAAAA==\n",
        "text\n\n\u2014 na+me AAAAAAAAAA==\n",
        "text\n\n\u2014 name AAAAAAB=\n",
        LOG.sign(TEXT).rstrip("\n"),
        LOG.sign(TEXT).replace("\n", "\r\n"),
        LOG.sign(TEXT) + "\u2014 other AAAAAAAA\n" * MAX_SIGNATURES,
        "x" * (1 << 20) + LOG.sign(TEXT),
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    """Cut off, other dashes, bad base64, other line ends, too long, too many: malformed, never a crash."""
    with pytest.raises(MalformedRecord):
        open_note(note, [LOG.key])


@pytest.mark.parametrize("text", ["", "x", "\n", "a\n\n", "a\tb\n", "a\x00\n", "a\r\n"])
def test_only_lines_are_signed(text: str) -> None:
    """A text that could be read back as another is not signed."""
    with pytest.raises(MalformedRecord):
        LOG.sign(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+",
        "name+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm",
        "example.com/foo+530d903a+/ekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """Another id, another algorithm, a short key or a name with a space is no verifier key."""
    with pytest.raises(MalformedRecord):
        NoteKey.parse(text)


def test_a_signer_shows_no_secret() -> None:
    """Its repr is its name."""
    assert repr(LOG) == "NoteSigner('log.example/1')"
