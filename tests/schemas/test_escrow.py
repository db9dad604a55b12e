"""The escrow's form: two shares open one value, one opens nothing, and nothing altered passes."""

from __future__ import annotations

import base64
import random
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.schemas import escrow as module
from tachograph.schemas.commitments import MAX_REMOVED, commitment, removed_block, value_salt
from tachograph.schemas.errors import MalformedRecord, SealBroken
from tachograph.schemas.escrow import (
    EscrowRecord,
    Share,
    Taken,
    holder_id,
    open_share,
    open_value,
    public_key,
    public_text,
    seal_taken,
)
from tachograph.schemas.topics import MAX_RECORD_BYTES

ONE, OTHER, STRANGER = (X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
HOLDERS = (ONE.public_key(), OTHER.public_key())
UID = "11111111-1111-5111-8111-111111111111"
SESSION = "22222222-2222-5222-8222-222222222222"
KEY = b"s" * 32
RANDOM = random.Random(1).randbytes


def sealed(*values: bytes, uid: str = UID) -> list[EscrowRecord]:
    return list(seal_taken(Taken(SESSION, uid, KEY, values), HOLDERS, RANDOM))


def shares(record: EscrowRecord, index: int) -> list[Share]:
    return [open_share(record, index, key) for key in (ONE, OTHER)]


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=64), min_size=1, max_size=6, unique=True))
def test_two_holders_open_what_the_document_commits_to(values: list[bytes]) -> None:
    """Each value with the salt of its commitment, through the form that is on the topic."""
    (record,) = (EscrowRecord.decode(item.encode()) for item in sealed(*values))
    commits = removed_block([("T", None, value) for value in values], KEY, UID)["removed"]
    for index, value in enumerate(values):
        given = [Share.decode(item.model_dump_json().encode()) for item in shares(record, index)]
        salt, found = open_value(record, given)
        assert found == value
        assert commitment(salt, found) == commits[index]["commit"]


def test_one_holder_opens_nothing() -> None:
    """Not alone, not twice, not with a stranger, and a stranger gets no share."""
    (record,) = sealed(b"secret")
    mine, theirs = shares(record, 0)
    forged = Share(**mine.model_dump() | {"holder": theirs.holder})
    for few in ([mine], [mine, mine], [mine, forged], [mine, theirs, theirs]):
        with pytest.raises(SealBroken):
            open_value(record, few)
    with pytest.raises(SealBroken, match=holder_id(STRANGER.public_key())):
        open_share(record, 0, STRANGER)


def test_a_share_is_of_one_value_of_one_record() -> None:
    """Who agrees to show one value has shown no other."""
    (record,), (again,) = sealed(b"first", b"second"), sealed(b"first", b"second")
    for other in (shares(record, 1)[1], shares(again, 0)[1]):
        with pytest.raises(SealBroken, match="of another value"):
            open_value(record, [shares(record, 0)[0], other])
    relabelled = [Share(**item.model_dump() | {"index": 1, "entry": shares(record, 1)[0].entry})
                  for item in shares(record, 0)]  # fmt: skip
    with pytest.raises(SealBroken, match="altered"):
        open_value(record, relabelled)
    with pytest.raises(SealBroken, match="no value 2"):
        open_share(record, 2, ONE)


def _flipped(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def _altered(record: EscrowRecord, part: str) -> EscrowRecord:
    value: dict[str, Any] = orjson.loads(record.encode())
    if part in ("keys", "entries"):
        value[part][0]["sealed"] = _flipped(value[part][0]["sealed"])
    else:
        value[part] = STRAY
    return EscrowRecord.decode(orjson.dumps(value))


STRAY = "33333333-3333-5333-8333-333333333333"


@pytest.mark.parametrize("part", ["keys", "entries", "uid", "session"])
def test_nothing_altered_opens(part: str) -> None:
    """Neither a key, nor a value, nor one that is passed off as another document's or session's."""
    (record,) = sealed(b"secret")
    with pytest.raises(SealBroken):
        open_value(_altered(record, part), shares(_altered(record, part), 0))


def test_the_values_stand_nowhere_in_clear() -> None:
    """Not in the record, its key, or what is printed of it; two sealings of one value differ."""
    (record,), (again,) = sealed(b"hunter2-hunter2"), sealed(b"hunter2-hunter2")
    assert b"hunter2" not in record.encode() + record.name
    assert record.entries[0].sealed != again.entries[0].sealed
    taken = Taken(SESSION, UID, KEY, (b"hunter2",))
    shown = repr((record, shares(record, 0), taken))
    assert not any(
        word in shown for word in ("hunter2", record.entries[0].sealed, shares(record, 0)[0].share)
    )


def test_records_fit_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many values are several records with names of their own; what is too large, or too many, is left."""
    (whole,) = sealed(bytes(module.MAX_VALUE_BYTES))
    assert len(whole.encode()) < MAX_RECORD_BYTES
    monkeypatch.setattr(module, "MAX_PART_BYTES", 10)
    monkeypatch.setattr(module, "MAX_VALUE_BYTES", 8)
    parts = sealed(b"123456", b"1234", b"123456789", b"12345678")
    assert [[entry.index for entry in part.entries] for part in parts] == [[0, 1], [3]]
    assert [part.name.decode() for part in parts] == [f"{SESSION}/{UID}/0", f"{SESSION}/{UID}/3"]
    assert (
        sum(len(part.entries) for part in sealed(*[b"%d" % n for n in range(MAX_REMOVED + 5)])) == MAX_REMOVED
    )
    assert sealed(b"123456789") == []


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":2}'])
def test_what_is_not_in_form_is_said(data: bytes) -> None:
    """Records and shares."""
    for form in (EscrowRecord, Share):
        with pytest.raises(MalformedRecord):
            form.decode(data)


def test_a_public_key_is_its_base64() -> None:
    """There and back; anything else is refused without being shown."""
    assert public_key(public_text(HOLDERS[0]) + "\n").public_bytes_raw() == HOLDERS[0].public_bytes_raw()
    for text in ("", "keys/a.pub", "c2hvcnQ="):
        with pytest.raises(ValueError, match="expected") as error:
            public_key(text)
        assert not text or text not in str(error.value)


def test_the_salts_are_those_of_the_commitments() -> None:
    """The escrow keeps what follows from the strand's key, not a salt of its own."""
    (record,) = sealed(b"a", b"b")
    assert open_value(record, shares(record, 1))[0] == value_salt(KEY, UID, 1)
