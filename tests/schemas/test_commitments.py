"""Salts and commitments: what follows from what, and what a verifier can do with one revealed salt."""

import hashlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.commitments import (
    MAX_REMOVED,
    Removed,
    RemovedMore,
    commitment,
    commitments_root,
    document_salt,
    message_key,
    removed_block,
    salt_key,
    value_salt,
)
from tachograph.schemas.merkle import Tree, leaf_hash

KEY = bytes(32)
UID = "11111111-1111-5111-8111-111111111111"


def test_a_strands_salts_follow_from_its_data_key() -> None:
    """The same for the same key, another for another, and never the key itself."""
    one = salt_key(AESGCM(b"d" * 32))
    assert one == salt_key(AESGCM(b"d" * 32))
    assert one != salt_key(AESGCM(b"e" * 32))
    assert (len(one), one) != (32, b"d" * 32)


def test_each_document_and_each_value_has_a_salt_of_its_own() -> None:
    """By uid, by place, and neither is the other."""
    salts = {document_salt(KEY, UID), document_salt(KEY, UID[:-1] + "2"), document_salt(b"k" * 32, UID)}
    assert {len(salt) for salt in salts} == {32}
    assert len(salts) == 3
    assert len({value_salt(KEY, UID, number) for number in range(100)}) == 100
    assert len({message_key(KEY, UID), message_key(KEY, UID[:-1] + "2"), message_key(b"k" * 32, UID)}) == 3


@given(st.lists(st.tuples(st.text(max_size=8), st.none() | st.text(min_size=1, max_size=8), st.binary())))
def test_one_value_can_be_proven_alone(found: list[tuple[str, str | None, bytes]]) -> None:
    """Its salt and itself give its commitment; of the others nothing is needed."""
    told = removed_block(found, KEY, UID).get("removed", [])
    assert len(told) == len(found)
    for number, (item, (kind, pseudonym, value)) in enumerate(zip(told, found, strict=True)):
        Removed.model_validate(item)
        salt = value_salt(KEY, UID, number)
        assert item["commit"] == hashlib.sha256(b"\2" + salt + value).hexdigest()
        assert (item["type"], item.get("pseudonym")) == (kind, pseudonym)


def test_too_many_values_have_a_root() -> None:
    """The first ones stand there, the root is of all; at the bound there is none."""
    found = [("EMAIL", None, b"%d" % number) for number in range(MAX_REMOVED + 1)]
    assert "removed_more" not in removed_block(found[:-1], KEY, UID)
    told = removed_block(found, KEY, UID)
    assert len(told["removed"]) == MAX_REMOVED
    more = RemovedMore.model_validate(told["removed_more"])
    commits = [commitment(value_salt(KEY, UID, n), item[2]) for n, item in enumerate(found)]
    tree = Tree(leaf_hash(bytes.fromhex(commit)) for commit in commits)
    assert (more.count, more.root) == (MAX_REMOVED + 1, tree.root().hex())
    assert commitments_root(commits) == more.root


def test_nothing_removed_says_nothing() -> None:
    """No empty lists in millions of documents."""
    assert removed_block([], KEY, UID) == {}
