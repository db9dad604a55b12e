"""Bytes of one body that have come and were not yet taken. The reader of the socket bounds it by pausing."""

from __future__ import annotations

from collections import deque

__all__ = ["Buffer"]


class Buffer:
    """A queue of pieces; `size` is what lies in it, `complete` says that no more will come."""

    __slots__ = ("_pieces", "complete", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.size = 0
        self.complete = False

    def __repr__(self) -> str:
        return f"Buffer(<{self.size} bytes>, complete={self.complete})"

    @property
    def exhausted(self) -> bool:
        """Whether everything came and everything was taken."""
        return self.complete and not self.size

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self.size += len(data)

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes from the front, in as few copies as can be; empty if there is nothing."""
        if self.size <= limit:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self.size = 0
            return data
        return self._take_front(limit)

    def discard(self) -> int:
        """Drop what lies here; returns how many bytes that were."""
        dropped, self.size = self.size, 0
        self._pieces.clear()
        return dropped

    def _take_front(self, limit: int) -> bytes:
        taken: list[bytes] = []
        left = limit
        while left:
            piece = self._pieces.popleft()
            if len(piece) > left:
                self._pieces.appendleft(piece[left:])
                piece = piece[:left]
            taken.append(piece)
            left -= len(piece)
        self.size -= limit
        return b"".join(taken)
