"""How far one partition is processed: which offset may be committed, and what a restart may skip.

Faust's own acknowledgements can commit past a record that is still held (its gap check is off by one, and it
has none before the first commit), so the ledger keeps two marks of its own:

- `resume`: every record before it is finished for good. This is the offset that is committed.
- `done`: every record before it is delivered, or held as a piece of a body that began at `resume` or later.
  It travels in the commit's metadata. A restart reads from `resume` to find the held pieces again, and
  emits nothing that `done` covers, nor loses a tail whose beginning lies before `resume`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from enum import Enum

__all__ = ["Admission", "Ledger", "Ticket", "decode_mark", "encode_mark"]

_MARK = "tacho/1 done="


class Admission(Enum):
    """How an offset relates to those before it."""

    NEXT = "next"
    SEEN = "seen"
    GAP = "gap"


class Ticket:
    """One record on its way: finished when everything sent for it is delivered."""

    __slots__ = ("closed", "ledger", "offset", "releases", "waiting")

    def __init__(self, ledger: Ledger, offset: int) -> None:
        self.ledger = ledger
        self.offset = offset
        self.waiting = 0
        self.closed = False
        self.releases: tuple[Hashable, ...] = ()

    def sent(self) -> None:
        """One more message went out for this record."""
        self.waiting += 1

    def delivered(self) -> None:
        """Kafka has acknowledged one of them."""
        self.waiting -= 1
        self.ledger.advance()

    def close(self, releases: Iterable[Hashable] = ()) -> None:
        """Nothing more will be sent for this record; once finished, it lets go of these holds."""
        self.releases = tuple(releases)
        self.closed = True
        self.ledger.advance()


class Ledger:
    """The progress of one partition from one assignment to the next."""

    def __init__(self, resume: int, done: int) -> None:
        self.next_offset = resume
        self.replayed_until = max(done, resume)
        self._tickets: deque[Ticket] = deque()
        self._holds: dict[Hashable, int] = {}

    def admit(self, offset: int) -> Admission:
        """Whether this is the record that comes next; changes nothing."""
        if offset == self.next_offset:
            return Admission.NEXT
        return Admission.SEEN if offset < self.next_offset else Admission.GAP

    def skip_to(self, offset: int) -> None:
        """Go on from here: what lies between is known not to exist."""
        self.next_offset = max(offset, self.next_offset)

    def begin(self, offset: int) -> Ticket:
        """Take up a record; `done` does not pass it until its ticket is finished."""
        ticket = Ticket(self, offset)
        self._tickets.append(ticket)
        self.next_offset = offset + 1
        return ticket

    def hold(self, key: Hashable, offset: int) -> None:
        """Keep `resume` at `offset` until a finished ticket releases `key`."""
        self._holds.setdefault(key, offset)

    def advance(self) -> None:
        """Drop finished tickets from the front, in order."""
        tickets = self._tickets
        while tickets and tickets[0].closed and not tickets[0].waiting:
            for key in tickets.popleft().releases:
                self._holds.pop(key, None)

    @property
    def in_flight(self) -> int:
        return len(self._tickets)

    @property
    def held(self) -> int:
        return len(self._holds)

    @property
    def done(self) -> int:
        reached = self._tickets[0].offset if self._tickets else self.next_offset
        # While a restart replays, what was done before stays done.
        return max(reached, self.replayed_until)

    @property
    def resume(self) -> int:
        reached = self._tickets[0].offset if self._tickets else self.next_offset
        return min(reached, min(self._holds.values(), default=reached))


def encode_mark(done: int) -> str:
    """The commit metadata that carries `done`."""
    return f"{_MARK}{done}"


def decode_mark(metadata: str | None, *, resume: int) -> int:
    """`done` from commit metadata; `resume` where there is none (a new group, or offsets reset by hand)."""
    text = (metadata or "").removeprefix(_MARK)
    return max(int(text), resume) if text.isascii() and text.isdigit() else resume
