"""Time stamps judged one by one; tests/evidence has whole bundles."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from authority import Authority
from rfc3161_client import VerifierBuilder
from world import sealed, story

from tachograph.forensics.bundle.reader import Note
from tachograph.forensics.published import text_of
from tachograph.forensics.verify.timestamps import stamped_at
from tachograph.schemas.checkpoint import Checkpoint

AT = datetime(2026, 11, 23, 6, 1, 2, tzinfo=UTC)
OURS = Authority(1)
BELIEVED = VerifierBuilder(roots=[OURS.root]).build()


def checkpoint() -> Note:
    note = sealed(story()).note(0)
    return Note(note, Checkpoint.parse(text_of(note)))


def test_a_time_stamp_says_when() -> None:
    """The authority's time, where its certificate leads to a root that is believed."""
    item = checkpoint()
    assert stamped_at(OURS.stamp(text_of(item.note), at=AT), item, BELIEVED) == AT
    assert stamped_at(Authority(2).stamp(text_of(item.note), at=AT), item, BELIEVED) is None
    assert stamped_at(OURS.stamp("something else\n", at=AT), item, BELIEVED) is None


def test_after_its_certificate_has_ended_an_authority_says_nothing() -> None:
    """The certificate must hold at the time that the stamp names."""
    item = checkpoint()
    late = OURS.stamp(text_of(item.note), at=datetime(2040, 1, 1, tzinfo=UTC))
    assert stamped_at(late, item, BELIEVED) is None


def test_no_byte_of_a_token_makes_another_time_of_it() -> None:
    """Each byte changed: the same answer, because no signature covers that byte, or none."""
    item = checkpoint()
    token = OURS.stamp(text_of(item.note), at=AT)
    rng, kept = random.Random(1), 0
    for at in range(len(token)):
        data = bytearray(token)
        data[at] ^= 1 << rng.randrange(8)
        found = stamped_at(bytes(data), item, BELIEVED)
        assert found in {None, AT}
        kept += found == AT
    assert kept < 20


def test_whatever_stands_there_is_an_answer() -> None:
    """Cut off, damaged, or no DER at all: None, and no traceback."""
    item = checkpoint()
    token = OURS.stamp(text_of(item.note), at=AT)
    rng = random.Random(2)
    for length in range(0, len(token), 7):
        assert stamped_at(token[:length], item, BELIEVED) is None
        assert stamped_at(rng.randbytes(length), item, BELIEVED) is None
