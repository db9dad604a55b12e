"""One log from its first leaf to its last: its tree built again, and held against every checkpoint of it.

Memory is that of a frontier and of the checkpoints; leaves pass through. Where the topic has lost its
beginning, the tree goes on from the frontier that the log's writer left there, which the next root proves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tachograph.forensics.bundle.reader import Note
from tachograph.forensics.published import Published
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.logs import check_signature, seconds
from tachograph.forensics.verify.policy import TrustedLog
from tachograph.forensics.verify.report import Findings
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf, unpack_frontier
from tachograph.schemas.merkle import Frontier

__all__ = ["LogCheck"]


class LogCheck:
    """Takes the leaves of one log in order. `published` are its checkpoints, read before the leaves were."""

    def __init__(
        self, origin: str, published: Sequence[Published], trusted: Sequence[TrustedLog], findings: Findings
    ) -> None:
        self.origin, self._findings = origin, findings
        self.next = 0
        """The index after the last leaf."""
        self.offset = 0
        """The offset in the masked topic after the last leaf."""
        self.gone = 0
        """Leaves before the first that the topic still has."""
        self._started = self._broken = False
        self._frontier: Frontier | None = Frontier()
        self._said = [(item.said.size, item.said.root, "its checkpoint") for item in published]
        self._times = [(seconds(item.said.time or ""), item.said.size) for item in published]
        self.last = published[-1].said if published else None
        self._check_published(published, trusted)
        self._remember(trusted)
        self._due = deque(sorted(self._said, key=lambda item: item[0]))

    @property
    def covered(self) -> int:
        """How many leaves a checkpoint covers."""
        return max((size for _, size in self._times), default=0)

    def since(self, unix: float) -> int:
        """The first leaf that may be of this time or later."""
        return max((size for time, size in self._times if time <= unix), default=0)

    def take(self, value: bytes, frontier: bytes | None = None) -> Leaf | None:
        """The next stored leaf, None where it is none; `frontier` is what its writer put beside it."""
        try:
            leaf = Leaf.parse(value)
        except MalformedRecord:
            self._break(f"after leaf {self.next - 1} comes something that is none")
            return None
        if not self._started and leaf.index:
            self.gone, self._frontier = leaf.index, None
        elif leaf.index != self.next:
            self._break(f"leaf {leaf.index} stands where {self.next} belongs")
        if self._started and leaf.offset < self.offset:
            self._break(f"leaf {leaf.index} is of an offset before that of the one before it")
        self._started, self.next, self.offset = True, leaf.index + 1, leaf.offset + 1
        self._grow(bytes.fromhex(leaf.leaf), frontier)
        return leaf

    def finish(self) -> None:
        """After the last leaf."""
        if self.covered > self.next:
            text = f"checkpoints cover {self.covered} leaves, the topic ends after {self.next}"
            self._findings.add(Verdict.LOG_ROLLBACK, self.origin, text)
        self._compare()

    def _grow(self, leaf: bytes, beside: bytes | None) -> None:
        if self._frontier is not None:
            self._compare()
            self._frontier = self._frontier.extended((leaf,))
        elif beside is not None and not self._broken:
            try:
                found = unpack_frontier(beside)
            except MalformedRecord:
                return
            self._frontier = found if found.size == self.next else None

    def _compare(self) -> None:
        """Hold the tree as it stands against every checkpoint of its size."""
        if self._frontier is None:
            return
        while self._due and self._due[0][0] <= self._frontier.size:
            size, root, whose = self._due.popleft()
            if size == self._frontier.size and root != self._frontier.root():
                text = f"the root over {size} leaves is not that of {whose}"
                self._findings.add(Verdict.LOG_FORK, self.origin, text)

    def _break(self, text: str) -> None:
        self._findings.add(Verdict.LEAF_DISAGREES, self.origin, text)
        self._frontier, self._broken = None, True

    def _check_published(self, published: Sequence[Published], trusted: Sequence[TrustedLog]) -> None:
        size, time = 0, 0
        for item in published:
            where = f"{self.origin}, {item.said.size} leaves"
            check_signature(Note(item.note, item.said), where, trusted, (), self._findings)
            at = seconds(item.said.time or "")
            if item.said.size < size:
                self._findings.add(Verdict.LOG_ROLLBACK, where, f"after one of {size} leaves")
            if at < time:
                self._findings.add(Verdict.CHECKPOINT_BACKDATED, where, "earlier than the one before")
            size, time = max(size, item.said.size), max(time, at)

    def _remember(self, trusted: Sequence[TrustedLog]) -> None:
        for seen in (item.seen for item in trusted if item.seen is not None):
            if seen.size > self.covered:
                text = f"it had {seen.size} leaves, now {self.covered}"
                self._findings.add(Verdict.LOG_ROLLBACK, self.origin, text)
            self._said.append((seen.size, bytes.fromhex(seen.root), "the one that the policy remembers"))
