"""What comes of the checkpoints topic, as documents."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from authority import Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.note import MAX_NOTE_BYTES, NoteSigner, SignatureKind
from tachograph.sinks.checkpoints import (
    Entry,
    Publication,
    Stored,
    ask_body,
    check_written,
    document,
    grown,
    read_publication,
    read_stored,
    write_body,
)
from tachograph.sinks.errors import Unavailable
from tachograph.sinks.index_templates import checkpoint_mappings

LOG = NoteSigner("log.example/0", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
WITNESSES = [
    NoteSigner(f"w{number}", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), SignatureKind(4))
    for number in range(2, 6)
]
SAID = Checkpoint("log.example/0", 7, b"\x07" * 32, time="2026-11-23T06:00:00Z", offset=9)
TEXT, NOTE = SAID.text(), LOG.sign(SAID.text())
UID = hashlib.sha256(TEXT.encode()).hexdigest()
STAMP = Authority(1).stamp(TEXT, at=datetime(2026, 11, 23, 6, 1, tzinfo=UTC))
STAMP_KEY = f"{SAID.key}/tsa".encode()


def cosigned(*numbers: int) -> str:
    """The note as witnesses publish it: the log's line, and their own."""
    return NOTE + "".join(WITNESSES[number].cosignature(TEXT, at=1_795_413_700) for number in numbers)


def test_the_document_of_a_checkpoint() -> None:
    """What the text says, who is named, and the note itself."""
    assert orjson.loads(document(Entry(cosigned(1)))) == {
        "origin": "log.example/0",
        "size": 7,
        "root": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        "time": "2026-11-23T06:00:00Z",
        "offset": 9,
        "signers": ["log.example/0", "w3"],
        "stamped": False,
        "note": cosigned(1),
    }


def test_every_field_but_the_note_can_be_searched() -> None:
    """The mapping has exactly what the document has; the note is kept, not indexed."""
    assert set(orjson.loads(document(Entry(NOTE)))) - {"note"} == set(checkpoint_mappings()["properties"])


def test_the_id_is_that_of_the_signed_text() -> None:
    """Idle checkpoints of one size differ in time, so in their id; a cosignature does not change it."""
    later = Checkpoint(SAID.origin, SAID.size, SAID.root, time="2026-11-23T06:01:00Z", offset=9)
    found = read_publication(SAID.key.encode(), cosigned(0).encode())
    other = read_publication(later.key.encode(), LOG.sign(later.text()).encode())
    assert found == Publication(UID, cosigned(0))
    assert later.key == SAID.key
    assert other is not None
    assert other.uid != UID


def test_a_time_stamp_names_the_text_that_it_is_over() -> None:
    """By its imprint, which is the id."""
    assert read_publication(STAMP_KEY, STAMP) == Publication(UID, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b""),
        (b"k", b"\xff"),
        (b"k", TEXT.encode()),
        (b"k", LOG.sign("no checkpoint\n").encode()),
        (STAMP_KEY, b"no token"),
        (STAMP_KEY, NOTE.encode()),
    ],
)
def test_what_no_sealing_worker_wrote_is_passed_over(key: bytes | None, value: bytes) -> None:
    """No text, no note, no checkpoint, no token."""
    assert read_publication(key, value) is None


@given(st.lists(st.sets(st.sampled_from(range(4)), max_size=2), min_size=1), st.booleans(), st.data())
def test_nothing_that_was_said_is_lost_however_often_it_comes(
    said: list[set[int]], stamped: bool, data: st.DataObject
) -> None:
    """Each witness publishes the log's line and its own: the document has all, also when read once more."""
    came = [Publication(UID, NOTE), *(Publication(UID, cosigned(*who)) for who in said)]
    came += [Publication(UID, None)] * stamped
    entries, strays = grown({}, came)
    found = orjson.loads(document(entries[UID]))
    assert found["signers"][0] == LOG.key.name
    assert sorted(found["signers"][1:]) == sorted({f"w{number + 2}" for who in said for number in who})
    assert (found["stamped"], strays) == (stamped, ())
    again = data.draw(st.permutations(came))
    assert grown(entries, again) == (entries, ())


def test_a_time_stamp_over_nothing_that_is_known_makes_no_document() -> None:
    """It is named, and the rest goes on."""
    assert grown({}, [Publication("ab", None), Publication(UID, NOTE)]) == ({UID: Entry(NOTE)}, ("ab",))


def test_a_note_does_not_grow_past_what_can_be_read() -> None:
    """Whoever may write to the topic can add lines; a note that would be too large keeps what it had."""
    long = f"{NOTE}\u2014 w {'AAAA' * (MAX_NOTE_BYTES // 4 - 200)}\n"
    entries, _ = grown({UID: Entry(cosigned(0))}, [Publication(UID, long)])
    assert document(entries[UID])
    entries, _ = grown({UID: Entry(long)}, [Publication(UID, f"{NOTE}\u2014 v {'BBBB' * 10_000}\n")])
    assert entries == {UID: Entry(long)}


def answered(**item: Any) -> bytes:
    return orjson.dumps({"docs": [{"_index": "i", "_id": UID} | item]})


def test_what_is_stored_is_read_with_its_version() -> None:
    """The body asks for it in order; the answer has it, or says that there is none."""
    assert orjson.loads(ask_body("i", [UID])) == {"docs": [{"_index": "i", "_id": UID}]}
    source = orjson.loads(document(Entry(NOTE, stamped=True)))
    whole = answered(found=True, _seq_no=3, _primary_term=1, _source=source)
    assert read_stored([UID], whole) == {UID: Stored(Entry(NOTE, stamped=True), (3, 1))}
    assert read_stored([UID], answered(found=False)) == {}
    assert read_stored([UID], answered(error={"type": "index_not_found_exception"})) == {}


@pytest.mark.parametrize("source", [None, {}, {"note": 1}, {"note": "x", "stamped": True}])
def test_what_somebody_put_in_its_place_is_made_anew(source: object) -> None:
    """Whatever stands under the id and is not that checkpoint counts for nothing but its version."""
    found = answered(found=True, _seq_no=3, _primary_term=1, _source=source)
    assert read_stored([UID], found) == {UID: Stored(None, (3, 1))}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"docs":[]}',
        b'{"docs":[{"_id":"other","found":false}]}',
        answered(error={"type": "no_shard_available_action_exception"}),
        answered(found=True, _source={}),
    ],
)
def test_an_answer_that_does_not_know_is_none(answer: bytes) -> None:
    """Torn, about something else, from a shard that is away, without a version."""
    with pytest.raises(Unavailable):
        read_stored([UID], answer)


def test_a_document_is_written_over_the_version_that_was_read_only() -> None:
    """A new one is created, so that two writers cannot undo each other's work."""
    entries = {UID: Entry(NOTE)}
    new = write_body("i", entries, {})
    over = write_body("i", entries, {UID: Stored(None, (3, 1))})
    assert orjson.loads(new.split(b"\n")[0]) == {"create": {"_index": "i", "_id": UID}}
    place = {"_index": "i", "_id": UID, "if_seq_no": 3, "if_primary_term": 1}
    assert orjson.loads(over.split(b"\n")[0]) == {"index": place}
    assert new.split(b"\n")[1:] == over.split(b"\n")[1:] == [document(Entry(NOTE)), b""]


@pytest.mark.parametrize("status", [400, 403, 409, 429, 503, None])
def test_only_what_was_acknowledged_is_written(status: int | None) -> None:
    """Anything else, a version that has moved on among it, is read and written once more."""
    check_written([UID], orjson.dumps({"items": [{"index": {"_id": UID, "status": 200}}]}))
    with pytest.raises(Unavailable):
        check_written([UID], orjson.dumps({"items": [{"create": {"_id": UID, "status": status}}]}))
    with pytest.raises(Unavailable):
        check_written([UID], b'{"items":[{}]}')
