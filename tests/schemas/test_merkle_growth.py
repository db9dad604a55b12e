"""Proofs of growth from a frontier equal those from the whole tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.merkle import Frontier, Tree, check_consistency, leaf_hash
from tachograph.schemas.merkle_growth import grown_proof

LEAVES = [leaf_hash(b"%d" % number) for number in range(400)]
TREE = Tree(LEAVES)


def test_every_pair_of_small_sizes() -> None:
    """The same hashes as `Tree.consistency`, which is held against `pymerkle`."""
    for second in range(70):
        for first in range(second + 1):
            edge = Frontier().extended(LEAVES[:first])
            assert grown_proof(edge, LEAVES[first:], second=second) == TREE.consistency(first, second)


@given(st.integers(0, 400), st.integers(0, 400))
def test_larger_ones(one: int, two: int) -> None:
    """And they prove."""
    first, second = sorted((one, two))
    edge = Frontier().extended(LEAVES[:first])
    proof = grown_proof(edge, iter(LEAVES[first:]), second=second)
    assert proof == TREE.consistency(first, second)
    root = TREE.root(second)
    check_consistency(first, edge.root(), second=second, second_root=root, proof=proof)


def test_too_few_leaves_prove_nothing() -> None:
    """Nor does a log that became shorter."""
    edge = Frontier().extended(LEAVES[:5])
    with pytest.raises(ValueError, match="they end at 7"):
        grown_proof(edge, LEAVES[5:7], second=9)
    with pytest.raises(ValueError, match="expected 0 <="):
        grown_proof(edge, [], second=4)
