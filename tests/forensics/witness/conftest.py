"""A log for the witness's tests: it grows, signs, proves, and lies where it is asked to."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.merkle import Tree, leaf_hash
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.tlog_witness import AddCheckpoint

ORIGIN = "tachograph/test/0"


class GrowingLog:
    """Leaves are numbers, from `first` on; another `first` makes another log under the same name."""

    def __init__(self, *, seed: int = 1, first: int = 0, origin: str = ORIGIN) -> None:
        self.signer = NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))
        self.tree = Tree()
        self._first = first

    def grow(self, count: int) -> GrowingLog:
        for number in range(len(self.tree), len(self.tree) + count):
            self.tree.append(leaf_hash(b"%d" % (number + self._first)))
        return self

    def asks(self, old: int, *, proof: tuple[bytes, ...] | None = None) -> str:
        """The body of an add-checkpoint request from size `old` to now."""
        said = Checkpoint(self.signer.key.name, len(self.tree), self.tree.root())
        path = self.tree.consistency(min(old, len(self.tree))) if proof is None else proof
        return AddCheckpoint(old, path, self.signer.sign(said.text())).text()


@pytest.fixture(scope="session")
def growing_log() -> type[GrowingLog]:
    """Makes logs."""
    return GrowingLog
