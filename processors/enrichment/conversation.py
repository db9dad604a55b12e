"""Stores each message of a conversation once, under the hash of everything said up to it.

The history of request n is an exact prefix of request n+1, so a chained hash over normalised messages
gives each message the same name in every request that repeats it. Nothing is remembered between
requests: head and previous head lie in each of them, and a break between the two is a compaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tachograph.processors.enrichment.bounds import MAX_MESSAGES
from tachograph.processors.enrichment.facts import Turn
from tachograph.processors.enrichment.shapes import Json, dumps

__all__ = ["Apart", "Link", "Place", "chain", "place", "root", "taken_apart", "trailing"]


@dataclass(frozen=True, slots=True)
class Link:
    """One message in its chain: `hash` is SHA-256 over the parent's hash (hex) and its canonical JSON."""

    turn: Turn
    index: int
    hash: str
    parent: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where one request stands in its conversation."""

    head: str
    previous: str | None
    count: int
    new: int


@dataclass(frozen=True, slots=True)
class Apart:
    """The messages of a request and the body without them; or neither, and the reason."""

    turns: tuple[Turn, ...] = ()
    rest: str | None = None
    problem: str | None = None


def taken_apart(body: Json, key: str, said: Sequence[Any], read: Callable[[Any], Turn | None]) -> Apart:
    """The messages under `key`, and the body without them; all of them, or none and the reason why.

    A request that cannot be put together again from its pieces stays whole.
    """
    if not said:
        return Apart()
    if len(said) > MAX_MESSAGES:
        return Apart(problem=f"expected at most {MAX_MESSAGES} messages, found {len(said)}")
    turns = tuple(turn for turn in map(read, said) if turn is not None)
    rest = dumps({name: value for name, value in body.items() if name != key})
    if len(turns) < len(said) or rest is None:
        return Apart(problem="the request nests too deep to be taken apart")
    return Apart(turns, rest)


def root(dialect: str) -> str:
    """The parent of a first message. Dialects read one text differently, so they never share a message."""
    return hashlib.sha256(f"tachograph conversation {dialect}".encode()).hexdigest()


def chain(turns: Sequence[Turn], dialect: str) -> tuple[Link, ...]:
    """Every message with its hash and its parent's; one pass, whatever the length of the history."""
    links: list[Link] = []
    parent = root(dialect)
    for index, turn in enumerate(turns):
        name = hashlib.sha256(parent.encode() + turn.canonical).hexdigest()
        links.append(Link(turn, index, name, parent))
        parent = name
    return tuple(links)


def trailing(turns: Sequence[Turn]) -> int:
    """Where the new turn starts: after the last message of the assistant."""
    start = len(turns)
    while start and not turns[start - 1].assistant:
        start -= 1
    return start


def place(links: Sequence[Link]) -> Place | None:
    """Head, the previous request's head, and how much is new; None for a request without messages."""
    if not links:
        return None
    start = trailing([link.turn for link in links])
    before = start
    while before and links[before - 1].turn.assistant:
        before -= 1
    previous = links[before - 1].hash if before else None
    return Place(links[-1].hash, previous, len(links), len(links) - start)
