"""Keys: found when they are there, told apart from shredded and missing ones, bounded."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.processors.errors import KeyMissing, Poisoned
from tachograph.processors.keys_cache import KeysReader, KeyTable
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.errors import MalformedRecord, SealBroken
from tachograph.schemas.keys import KeyEncryptionKey

BOUND_S = 60.0


def test_a_key_opens_its_strand(kek: KeyEncryptionKey, new_strand: Callable[..., Any]) -> None:
    """The cipher from the table opens what the strand's own sealed."""
    strand = new_strand()
    table = KeyTable(kek)
    table.put(strand.wrapped.strand, strand.wrapped.encode())
    assert open_sealed(parse_sealed(strand.open().value), cipher=table.cipher(strand.wrapped.strand))


def test_missing_shredded_and_foreign_keys_are_told_apart(
    kek: KeyEncryptionKey, new_strand: Callable[..., Any]
) -> None:
    """Wait for the first, never for the second, and trust neither of the others."""
    strand, other = new_strand(), new_strand()
    name = strand.wrapped.strand
    table = KeyTable(kek)
    with pytest.raises(KeyMissing):
        table.cipher(name)
    table.put(name, None)
    assert table.knows(name)
    with pytest.raises(Poisoned, match="key-shredded"):
        table.cipher(name)
    table.put(name, other.wrapped.encode())
    with pytest.raises(MalformedRecord, match="another strand"):
        table.cipher(name)
    table.put(name, b"{}")
    with pytest.raises(MalformedRecord):
        table.cipher(name)
    foreign = KeyTable(KeyEncryptionKey(bytes(32)))
    foreign.put(name, strand.wrapped.encode())
    with pytest.raises(SealBroken):
        foreign.cipher(name)


def test_a_tombstone_shreds_a_key_in_use(kek: KeyEncryptionKey, new_strand: Callable[..., Any]) -> None:
    """A cached cipher does not outlive its key."""
    strand = new_strand()
    name = strand.wrapped.strand
    table = KeyTable(kek)
    table.put(name, strand.wrapped.encode())
    table.cipher(name)
    table.put(name, None)
    with pytest.raises(Poisoned, match="key-shredded"):
        table.cipher(name)


def test_both_memories_are_bounded(kek: KeyEncryptionKey, new_strand: Callable[..., Any]) -> None:
    """The oldest go first, the wanted stay, and what was forgotten is counted."""
    strands = [new_strand() for _ in range(5)]
    table = KeyTable(kek, max_keys=2, max_ciphers=1)
    table.wanted.add(strands[0].wrapped.strand)
    for strand in strands:
        table.put(strand.wrapped.strand, strand.wrapped.encode())
    assert len(table) == 2
    assert table.knows(strands[0].wrapped.strand)
    assert table.knows(strands[4].wrapped.strand)
    assert table.forgotten == 3
    for strand in (strands[0], strands[4]):
        table.cipher(strand.wrapped.strand)
    assert len(table._ciphers) == 1


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + BOUND_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@pytest.mark.engines
def test_the_reader_follows_the_topic(site: Any) -> None:
    """Keys from before and after the start arrive, tombstones too; a question is answered by a full read."""
    before, after = site.strand(), site.strand()
    site.publish_key(before)
    table = KeyTable(site.kek)
    reader = KeysReader({"bootstrap.servers": site.bootstrap}, site.topics.keys, table)
    reader.start()
    assert until(lambda: reader.ready)
    assert table.knows(before.wrapped.strand)
    site.publish_key(after)
    site.shred(before)
    assert until(reader.ask())
    assert table.knows(after.wrapped.strand)
    with pytest.raises(Poisoned, match="key-shredded"):
        table.cipher(before.wrapped.strand)
    reader.stop()


@pytest.mark.engines
def test_an_empty_topic_is_read_at_once(site: Any) -> None:
    """A first start does not wait for a key that nobody has written yet."""
    reader = KeysReader({"bootstrap.servers": site.bootstrap}, site.topics.keys, KeyTable(site.kek))
    reader.start()
    assert until(lambda: reader.ready)
    reader.stop()


@pytest.mark.engines
def test_a_forgotten_key_is_found_again(site: Any) -> None:
    """Past the bound of the memory a wanted key is read again from the topic, not given up."""
    strands = [site.strand() for _ in range(6)]
    for strand in strands:
        site.publish_key(strand)
    table = KeyTable(site.kek, max_keys=3)
    reader = KeysReader({"bootstrap.servers": site.bootstrap}, site.topics.keys, table)
    reader.start()
    assert until(lambda: reader.ready)
    wanted = strands[0].wrapped.strand
    assert not table.knows(wanted)
    table.wanted.add(wanted)
    assert until(reader.ask())
    assert table.knows(wanted)
    reader.stop()
