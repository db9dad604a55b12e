"""Our Merkle trees are those of RFC 9162: equal to an independent implementation, and to the definition."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency

from tachograph.schemas.errors import MalformedRecord, ProofBroken
from tachograph.schemas.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
)

SIZES = 300


@dataclass(frozen=True)
class Trees:
    """The same leaves in our tree and in the other."""

    ours: Tree
    other: InmemoryTree
    leaves: tuple[bytes, ...]


@pytest.fixture(scope="module")
def trees() -> Trees:
    entries = [b"leaf %d" % number for number in range(SIZES)]
    other = InmemoryTree(algorithm="sha256")
    for entry in entries:
        other.append_entry(entry)
    leaves = tuple(map(leaf_hash, entries))
    return Trees(Tree(leaves), other, leaves)


def _defined(leaves: tuple[bytes, ...]) -> bytes:
    """RFC 9162, 2.1.1, word by word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(_defined(leaves[:k]), _defined(leaves[k:]))


def test_roots_equal_another_implementation_and_the_definition(trees: Trees) -> None:
    """For every size up to 300: tree, frontier, pymerkle and the RFC's recursion have one root."""
    frontier = Frontier()
    for size in range(1, SIZES + 1):
        frontier = frontier.extended(trees.leaves[size - 1 : size])
        root = trees.ours.root(size)
        assert root == frontier.root() == trees.other.get_root(size) == _defined(trees.leaves[:size])
    assert Tree().root() == Frontier().root() == EMPTY_ROOT == _defined(())


@pytest.mark.parametrize("part", range(6))
def test_inclusion_proofs_equal_another_implementation(trees: Trees, part: int) -> None:
    """For every leaf of every size up to 300 the path is pymerkle's, and it proves."""
    for size in range(1 + part, SIZES + 1, 6):
        root = trees.ours.root(size)
        for index in range(size):
            proof = trees.ours.inclusion(index, size)
            assert list(proof) == trees.other.prove_inclusion(index + 1, size).path[1:]
            check_inclusion(trees.leaves[index], index, size=size, proof=proof, root=root)


def _subproof(first: int, leaves: tuple[bytes, ...], *, whole: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1, word by word."""
    if first == len(leaves):
        return [] if whole else [_defined(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if first <= k:
        return [*_subproof(first, leaves[:k], whole=whole), _defined(leaves[k:])]
    return [*_subproof(first - k, leaves[k:], whole=False), _defined(leaves[:k])]


def test_consistency_proofs_equal_the_definition(trees: Trees) -> None:
    """For every pair of sizes up to 48 the proof is the one that the RFC's recursion gives."""
    for second in range(1, 49):
        for first in range(1, second):
            proof = _subproof(first, trees.leaves[:second], whole=True)
            assert list(trees.ours.consistency(first, second)) == proof


@pytest.mark.parametrize("part", range(6))
def test_consistency_proofs_prove_what_another_implementation_proves(trees: Trees, part: int) -> None:
    """For every pair of sizes up to 300, ours and pymerkle's (of other nodes) both hold."""
    for second in range(1 + part, SIZES + 1, 6):
        new = trees.ours.root(second)
        for first in range(1, second):
            old, proof = trees.ours.root(first), trees.ours.consistency(first, second)
            check_consistency(first, old, second=second, second_root=new, proof=proof)
            verify_consistency(old, new, trees.other.prove_consistency(first, second))


@given(size=st.integers(1, 70), data=st.data())
def test_an_altered_inclusion_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    """Another leaf, index, size or root, a changed, missing, added or swapped hash: refused."""
    tree = Tree(leaf_hash(b"%d" % number) for number in range(size))
    index = data.draw(st.integers(0, size - 1))
    leaf, proof, root = leaf_hash(b"%d" % index), tree.inclusion(index), tree.root()
    broken = [
        (leaf_hash(b"other"), index, size, proof, root),
        (leaf, index + size, size, proof, root),
        (leaf, -1, size, proof, root),
        (leaf, index, size, (*proof, EMPTY_ROOT), root),
        (leaf, index, size, proof, EMPTY_ROOT),
        (leaf, index, size, (*proof[:-1], b"short"), root),
    ]
    if proof:
        broken.append((leaf, index, size, proof[:-1], root))
        broken.append((leaf, index ^ 1, size, proof, root))
        at = data.draw(st.integers(0, len(proof) - 1))
        flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        broken.append((leaf, index, size, (*proof[:at], flipped, *proof[at + 1 :]), root))
    if len(proof) > 1:
        broken.append((leaf, index, size, proof[::-1], root))
    for case in broken:
        with pytest.raises(ProofBroken):
            check_inclusion(case[0], case[1], size=case[2], proof=case[3], root=case[4])


@given(second=st.integers(2, 70), data=st.data())
def test_an_altered_consistency_proof_proves_nothing(second: int, data: st.DataObject) -> None:
    """A fork has no proof, and neither a longer, shorter or changed one passes."""
    tree = Tree(leaf_hash(b"%d" % number) for number in range(second))
    fork = Tree(leaf_hash(b"%d" % max(number, 1)) for number in range(second))
    first = data.draw(st.integers(1, second - 1))
    old, new, proof = tree.root(first), tree.root(), tree.consistency(first)
    cases = [
        (first, fork.root(first), second, new, proof),
        (first, old, second, fork.root(), proof),
        (first, old, second, new, (*proof, EMPTY_ROOT)),
        (first, old, second, new, proof[:-1]),
        (second, old, first, new, proof),
        (second, old, second, new, ()),
        (0, EMPTY_ROOT, second, new, proof),
    ]
    for case in cases:
        with pytest.raises(ProofBroken):
            check_consistency(case[0], case[1], second=case[2], second_root=case[3], proof=case[4])


def test_nothing_is_the_beginning_of_everything() -> None:
    """From no leaves, or from the same tree, no proof is needed, and the roots are still compared."""
    tree = Tree([leaf_hash(b"a"), leaf_hash(b"b")])
    check_consistency(0, EMPTY_ROOT, second=2, second_root=tree.root(), proof=())
    check_consistency(2, tree.root(), second=2, second_root=tree.root(), proof=())
    with pytest.raises(ProofBroken):
        check_consistency(0, tree.root(), second=2, second_root=tree.root(), proof=())


def test_a_leaf_is_not_taken_for_a_node() -> None:
    """A leaf made of two hashes does not have the hash of the node above them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    root = Tree([left, right]).root()
    with pytest.raises(ProofBroken):
        check_inclusion(leaf_hash(left + right), 0, size=1, proof=(), root=root)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_a_frontier_goes_on_where_it_stopped(batches: list[int]) -> None:
    """In whatever batches leaves come, kept and taken up again, the root is that of all of them."""
    frontier, leaves = Frontier(), []
    for number, batch in enumerate(batches):
        fresh = [leaf_hash(b"%d/%d" % (number, item)) for item in range(batch)]
        leaves += fresh
        frontier = Frontier(frontier.size, frontier.hashes).extended(fresh)
    assert frontier.root() == Tree(leaves).root()


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, ()), (0, (EMPTY_ROOT,)), (3, (EMPTY_ROOT,)), (-1, ()), (1, (b"short",))]
)
def test_a_frontier_that_contradicts_itself_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    """Hashes that do not make up the size are no state to go on from."""
    with pytest.raises(MalformedRecord):
        Frontier(size, hashes)


def test_a_tree_does_not_prove_what_it_does_not_have() -> None:
    """A size beyond the tree, or a leaf beyond the size, is a mistake of the caller."""
    tree = Tree([leaf_hash(b"a")])
    for call in (lambda: tree.root(2), lambda: tree.inclusion(1), lambda: tree.consistency(2)):
        with pytest.raises(ValueError, match="expected"):
            call()
