"""What comes of the messages of the checkpoints topic."""

from datetime import UTC, datetime

from authority import Authority
from world import LOG, ORIGIN, WITNESS, sealed, story

from tachograph.forensics.published import collect, text_of
from tachograph.schemas.checkpoint import STAMPED
from tachograph.schemas.note import open_note

KEY = f"{ORIGIN}/9".encode()
STAMP_KEY = KEY + STAMPED.encode()


def test_each_checkpoint_comes_once_with_all_that_was_said_of_it() -> None:
    """Its log's line, the witness's, whichever message brought them, and the time stamp over its text."""
    one, two = sealed(story()).notes()
    cosigned = one + WITNESS.cosignature(text_of(one), at=1_795_413_700)
    token = Authority(1).stamp(text_of(one), at=datetime(2026, 11, 23, 6, 1, tzinfo=UTC))
    found = collect([(KEY, one.encode()), (KEY, two.encode()), (STAMP_KEY, token), (KEY, cosigned.encode())])
    first, second = found[ORIGIN]
    assert open_note(first.note, [LOG.key, WITNESS.key]).signers == (LOG.key, WITNESS.key)
    assert (first.note, first.token, first.said.size) == (cosigned, token, 9)
    assert (second.note, second.token, second.said.size) == (two, None, 10)


def test_a_time_stamp_belongs_to_what_it_is_over() -> None:
    """Two checkpoints of one size have one key; the token's imprint says which of them was stamped."""
    one, two = sealed(story(), cuts=(9, 9)).notes()
    token = Authority(1).stamp(text_of(two), at=datetime(2026, 11, 23, 6, 2, tzinfo=UTC))
    found = collect([(KEY, one.encode()), (KEY, two.encode()), (STAMP_KEY, token)])
    assert [item.token for item in found[ORIGIN]] == [None, token]


def test_what_nobody_of_ours_wrote_is_left_out() -> None:
    """No note, no checkpoint, no token: the rest is read all the same."""
    (note, _) = sealed(story()).notes()
    strange = [(KEY, b"\xff"), (b"", b""), (STAMP_KEY, b"no DER"), (KEY, b"a\n\n\xe2\x80\x94 b AAAA\n")]
    found = collect([*strange, (KEY, note.encode())])
    assert [(item.note, item.token) for item in found[ORIGIN]] == [(note, None)]
    assert list(found) == [ORIGIN]


def test_a_note_does_not_grow_without_bound() -> None:
    """Whoever may write to the topic can add lines; a note that is kept has 100 at most, the log's first."""
    (note, _) = sealed(story()).notes()
    many = note + "".join(f"\u2014 w{number} AAAAAAA=\n" for number in range(300))
    (kept,) = collect([(KEY, note.encode()), (KEY, many.encode())])[ORIGIN]
    assert kept.note.count("\n\u2014 ") == 100
    assert open_note(kept.note, [LOG.key]).signers == (LOG.key,)
