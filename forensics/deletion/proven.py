"""Which documents are still what their leaves were made of, and what these name: pure over leaves and bytes.

What was altered is named by no statement, as what is gone: else deleting it would make tampering lawful. And
what a record named is taken from proven bytes alone: an altered one could keep silent about it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import orjson

from tachograph.forensics.refused import says_stub
from tachograph.schemas.deletion import MAX_NAMES
from tachograph.schemas.derived import Naming
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import leaf_hash

__all__ = ["Proven"]


@dataclass(slots=True)
class Proven:
    """Stored documents held against the leaves of their uid, of which one at least has to be theirs."""

    names: dict[str, frozenset[uuid.UUID]] = field(default_factory=dict)
    """Of each that is proven, by uid, the messages and parts that it names."""
    altered: set[str] = field(default_factory=set)
    """Uids of those that are no more what was sealed."""
    stubs: set[str] = field(default_factory=set)
    """Of those, which say that they are stubs: `refused` may prove them."""
    _sealed: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By uid: the day by leaf hash."""

    @classmethod
    def by(cls, leaves: Iterable[Leaf]) -> Proven:
        """Nothing is proven yet; these are the leaves that could."""
        made = cls()
        for leaf in leaves:
            made._sealed[str(leaf.uid)][leaf.leaf] = leaf.day or ""
        return made

    def take(self, uid: str, document: bytes) -> None:
        """What is stored under a uid."""
        if self._proves(uid, document):
            return
        self.altered.add(uid)
        if says_stub(document):
            self.stubs.add(uid)

    def refused(self, uid: str, value: bytes) -> None:
        """What OpenSearch refused, from its dead letter: its leaf says whether it is what was sealed."""
        if uid in self.stubs and self._proves(uid, value):
            self.stubs.remove(uid)
            self.altered.remove(uid)

    def _proves(self, uid: str, document: bytes) -> bool:
        day = self._sealed.get(uid, {}).get(leaf_hash(document).hex())
        if day is not None:
            self.names[uid] = _named(uid, document, day)
        return day is not None


def _named(uid: str, document: bytes, day: str) -> frozenset[uuid.UUID]:
    """What a document names. One that does not say so in form, as none of ours, names nothing."""
    try:
        naming = Naming.of(orjson.loads(document)["unmapped"]["tacho"])
    except (MalformedRecord, ValueError, KeyError, TypeError):
        return frozenset()
    message = naming.message_named(day.replace(".", "-"))
    parts = islice(naming.parts_named(uid), MAX_NAMES - 1)
    return frozenset((*parts, message) if message else parts)
