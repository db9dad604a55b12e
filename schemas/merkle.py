"""The Merkle tree of RFC 6962 and RFC 9162: roots, proofs, and whether a proof proves.

A leaf's hash and a node's hash begin with different bytes, so that neither can be taken for the other.
Nothing here reads or writes anything; a log's writer keeps a `Frontier`, whoever proves keeps a `Tree`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tachograph.schemas.errors import MalformedRecord, ProofBroken

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MAX_PROOF",
    "Frontier",
    "Tree",
    "check_consistency",
    "check_inclusion",
    "leaf_hash",
    "node_hash",
]

HASH_BYTES = 32
MAX_PROOF = 64
"""Hashes of one proof: a tree of 2^63 leaves needs no more."""
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""RFC 9162, 2.1.1: the root of no leaves."""


def leaf_hash(data: bytes) -> bytes:
    """RFC 9162, 2.1.1: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that a writer must keep to go on: the roots of the whole subtrees, widest first.

    There is one hash for each bit that is set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        expected = self.size.bit_count() if self.size >= 0 else -1
        if len(self.hashes) != expected or any(len(item) != HASH_BYTES for item in self.hashes):
            raise MalformedRecord(f"frontier: {len(self.hashes)} hashes do not make {self.size} leaves")

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after these leaf hashes."""
        size, stack = self.size, list(self.hashes)
        for leaf in leaves:
            node = leaf
            for _ in range((~size & (size + 1)).bit_length() - 1):  # as many carries as `size` ends in ones
                node = node_hash(stack.pop(), node)
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self.hashes:
            return EMPTY_ROOT
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node


class Tree:
    """A tree in memory, for whoever must prove: 64 bytes a leaf, any proof in O(log n) hashes."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        level, node = 0, leaf
        self._levels[0].append(node)
        while len(self._levels[level]) % 2 == 0:
            left, right = self._levels[level][-2:]
            node = node_hash(left, right)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node)

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves; of all by default."""
        count = len(self) if size is None else size
        self._check(0, count)
        return self._range(0, count) if count else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """RFC 9162, 2.1.3.1: the path from leaf `index` to the root of the first `size` leaves."""
        count = len(self) if size is None else size
        self._check(index + 1, count)
        return tuple(self._path(index, 0, count))

    def consistency(self, first: int, second: int | None = None) -> tuple[bytes, ...]:
        """RFC 9162, 2.1.4.1: that the first `first` of `second` leaves are what they were."""
        count = len(self) if second is None else second
        self._check(first, count)
        if first in {0, count}:
            return ()
        return tuple(self._subproof(first, 0, count, whole=True))

    def _check(self, low: int, size: int) -> None:
        if not 0 <= low <= size <= len(self):
            raise ValueError(f"expected 0 <= {low} <= {size} <= {len(self)}")

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._range(middle, end)]
        return [*self._path(index, middle, end), self._range(start, middle)]

    def _subproof(self, first: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if first == end:
            return [] if whole else [self._range(start, end)]
        middle = start + _split(end - start)
        if first <= middle:
            return [*self._subproof(first, start, middle, whole=whole), self._range(middle, end)]
        return [*self._subproof(first, middle, end, whole=False), self._range(start, middle)]

    def _range(self, start: int, end: int) -> bytes:
        """The root over leaves `start` to `end`; `start` is a multiple of the widest subtree within."""
        width = end - start
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._levels[level][start >> level]
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))


def check_inclusion(leaf: bytes, index: int, *, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162, 2.1.3.2: raises `ProofBroken` unless `leaf` is number `index` of the tree with this root."""
    _sane(proof)
    if not 0 <= index < size:
        raise ProofBroken(f"inclusion: leaf {index} is not in a tree of {size}")
    position, last, node = index, size - 1, leaf
    for item in proof:
        if last == 0:
            raise ProofBroken("inclusion: the proof is longer than the tree is high")
        if position & 1 or position == last:
            node = node_hash(item, node)
            while position & 1 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, item)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofBroken("inclusion: the proof is shorter than the tree is high")
    _equal("inclusion", node, root)


def check_consistency(
    first: int, first_root: bytes, *, second: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """RFC 9162, 2.1.4.2: raises `ProofBroken` unless the second tree begins with the first."""
    _sane(proof)
    if not 0 <= first <= second:
        raise ProofBroken(f"consistency: a tree of {second} cannot begin with one of {first}")
    if first in {0, second}:
        _trivial(first, first_root, second=second, second_root=second_root, proof=proof)
        return
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        raise ProofBroken("consistency: the proof is empty")
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for item in path[1:]:
        if last == 0:
            raise ProofBroken("consistency: the proof is longer than the tree is high")
        if position & 1 or position == last:
            old, new = node_hash(item, old), node_hash(item, new)
            while position & 1 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, item)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofBroken("consistency: the proof is shorter than the tree is high")
    _equal("consistency, first", old, first_root)
    _equal("consistency, second", new, second_root)


def _trivial(
    first: int, first_root: bytes, *, second: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise ProofBroken(f"consistency: from {first} to {second} leaves needs no proof, got one")
    _equal("consistency", first_root, second_root if first == second else EMPTY_ROOT)


def _sane(proof: Sequence[bytes]) -> None:
    if len(proof) > MAX_PROOF or any(len(item) != HASH_BYTES for item in proof):
        raise ProofBroken(f"expected at most {MAX_PROOF} hashes of {HASH_BYTES} bytes each")


def _equal(what: str, got: bytes, expected: bytes) -> None:
    if got != expected:
        raise ProofBroken(f"{what}: expected root {expected.hex()[:16]}, the proof gives {got.hex()[:16]}")


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1
