"""The recorded session as a tape: which recorded exchange an incoming request is, or which it is not. No I/O.

A request is looked for among the recorded ones of its connection, method and path that were not asked yet.
Equal ones are taken in their recorded order, others in any order: what ran side by side then may come in
another order now. One that equals none is told apart from the recorded one that is most like it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tachograph.forensics.replay.compared import Leaves, request_leaves
from tachograph.forensics.replay.differences import Difference, differences, likeness
from tachograph.forensics.replay.markers import alike, markers_in
from tachograph.forensics.replay.recorded import Exchange, Request

__all__ = ["MAX_REPORTED", "Differs", "Found", "NotOnRecord", "Tape", "Unexpected", "Verdict"]

MAX_REPORTED = 1_000
"""Requests that differ and are kept for the summary; further ones are counted."""
Lane = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """It is this one, and it can be answered."""

    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Differs:
    """It equals none; this recorded one is most like it."""

    request: Request
    closest: Exchange
    lines: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Every recorded request of this shape was asked already, or there never was one."""

    request: Request
    recorded: int


@dataclass(frozen=True, slots=True)
class NotOnRecord:
    """It is, or may be, this one, which the documents do not hold whole; `why` names what is missing."""

    exchange: Exchange
    why: str


Verdict = Found | Differs | Unexpected | NotOnRecord


@dataclass(slots=True)
class _Place:
    exchange: Exchange
    leaves: Leaves
    state: str = "never asked"


@dataclass(slots=True)
class Tape:
    """What is left to be asked, and what happened so far."""

    exchanges: Sequence[Exchange]
    ignored: frozenset[str] = frozenset()
    _lanes: Mapping[Lane, list[_Place]] = field(init=False)
    _known: frozenset[str] = field(init=False)
    _odd: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _times: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        lanes: dict[Lane, list[_Place]] = defaultdict(list)
        for exchange in self.exchanges:
            leaves = request_leaves(exchange.request, self.ignored)
            lanes[exchange.request.lane].append(_Place(exchange, leaves))
        self._lanes = dict(lanes)
        self._known = markers_in(text for exchange in self.exchanges for text in exchange.texts)

    def ask(self, request: Request) -> Verdict:
        """Which exchange this is; the one that is found is not asked for again."""
        lane = self._lanes.get(request.lane, [])
        left = [place for place in lane if place.state != "served"]
        leaves = request_leaves(request, self.ignored)
        same = [place for place in left if self._same(place.leaves, leaves)]
        if same and request.body.missing is None:
            return self._take(next((place for place in same if place.state == "never asked"), same[0]))
        verdict = self._other(request, leaves, lane, left)
        if isinstance(verdict, Differs | NotOnRecord):
            name = (verdict.closest if isinstance(verdict, Differs) else verdict.exchange).id
            place = next(item for item in left if item.exchange.id == name)
            if place.state == "never asked":
                place.state = "asked differently" if isinstance(verdict, Differs) else "not on record"
        self._note(request, leaves, verdict)
        return verdict

    def _same(self, recorded: Leaves, came: Leaves) -> bool:
        if recorded == came:
            return True
        return recorded.keys() == came.keys() and not self._differences(recorded, came)

    def _differences(self, recorded: Leaves, came: Leaves) -> tuple[Difference, ...]:
        return differences(recorded, came, lambda was, now: alike(was, now, self._known))

    def _other(
        self, request: Request, leaves: Leaves, lane: Sequence[_Place], left: Sequence[_Place]
    ) -> Verdict:
        if not left:
            return Unexpected(request, len(lane))
        hidden = [place for place in left if place.exchange.request.body.missing is not None]
        if request.body.missing is not None or hidden:
            # What cannot be read cannot be told apart: the next that may be meant, and no guess at an answer.
            place = (hidden or left)[0]
            why = place.exchange.request.body.missing or request.body.missing
            return NotOnRecord(place.exchange, f"the request cannot be compared: {why}")
        fresh = [place for place in left if place.state == "never asked"] or left
        closest = max(fresh, key=lambda place: likeness(place.leaves, leaves))
        return Differs(request, closest.exchange, self._differences(closest.leaves, leaves))

    def _take(self, place: _Place) -> Verdict:
        if why := place.exchange.missing:
            place.state = "not on record"
            return NotOnRecord(place.exchange, why)
        place.state = "served"
        return Found(place.exchange)

    def _note(self, request: Request, leaves: Leaves, verdict: Verdict) -> None:
        """Remember what was asked otherwise; trying again is one more time, not one more thing."""
        self._times += 1
        key = repr((request.lane, sorted(leaves.items())))
        if known := self._odd.get(key):
            known["times"] += 1
        elif len(self._odd) < MAX_REPORTED:
            self._odd[key] = _told(verdict) | _line(request) | {"times": 1}

    def summary(self) -> dict[str, Any]:
        """How it stands: counts, and the requests behind those that are not `served`."""
        states: dict[str, list[Exchange]] = defaultdict(list)
        for place in (place for lane in self._lanes.values() for place in lane):
            states[place.state].append(place.exchange)
        return {
            "recorded": len(self.exchanges),
            "served": len(states["served"]),
            "differing": list(self._odd.values()),
            "differing_times": self._times,
            "not_on_record": [
                _line(item.request) | {"exchange": item.id, "why": item.missing or item.request.body.missing}
                for item in states["not on record"]
            ],
            "never_asked": [_line(item.request) | {"exchange": item.id} for item in states["never asked"]],
            "same": len(states["served"]) == len(self.exchanges) and not self._odd,
        }


def _line(request: Request) -> dict[str, Any]:
    told = {"connection": request.connection, "method": request.method, "path": request.path}
    return told | ({"rpc_method": request.rpc_method} if request.rpc_method else {})


def _told(verdict: Verdict) -> dict[str, Any]:
    match verdict:
        case Differs(closest=closest, lines=lines):
            return {"closest": closest.id, "differences": [line.text for line in lines]}
        case NotOnRecord(exchange=exchange, why=why):
            return {"closest": exchange.id, "differences": [why]}
        case Unexpected(recorded=0):
            return {"closest": None, "differences": ["nothing of this shape is on record"]}
        case Unexpected(recorded=count):
            return {"closest": None, "differences": [f"asked more often than the {count} times on record"]}
        case _:
            return {}
