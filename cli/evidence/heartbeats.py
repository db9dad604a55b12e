"""Which documents of gateways belong into a session's bundle: found in OpenSearch, chosen by what is sealed.

For each strand of the session the last heartbeat that names it, for a boot that left one open its last one
and the certificate of the boot that says that it is over, and for each boot its certificate. The newest is
seldom sealed yet: of several the newest sealed one is taken. What lies there may be anybody's: a document
that is no heartbeat in form says nothing, and what one says keeps no other's certificate out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tachograph.cli.documents import TACHO
from tachograph.forensics.bundle.assemble import LogPart

__all__ = ["Wanted", "heartbeats_wanted"]

CANDIDATES = 30
"""Five minutes of heartbeats: so long may the log be behind."""
MAX_BOOTS = 1_000
"""Of gateways, the newest: one of them may say that an earlier one is over."""
MAX_STRANDS = 1_000
"""Strands of one session that are asked for, each a few questions."""
_BEAT = f"{TACHO}.heartbeat"
_EPOCHS = f"{_BEAT}.strands.epoch"
Query = Mapping[str, Any]


class Asked(Protocol):
    """Where events are searched for."""

    def ask(self, body: Query) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored document: its uid, and the index that it lies in."""

    uid: str
    index: str


@dataclass(frozen=True, slots=True)
class NamedStrand:
    """A strand as a heartbeat names it."""

    session: str
    epoch: str
    open: bool

    @classmethod
    def of(cls, said: Any) -> NamedStrand:
        """Raises TypeError or KeyError for anything else."""
        return cls(_text(said["session"]), _text(said["epoch"]), said["open"] is True)


@dataclass(frozen=True, slots=True)
class Beat:
    """What is asked of a heartbeat: the session and boot of its gateway, and the strands that it names."""

    session: str
    boot: str
    strands: tuple[NamedStrand, ...]

    @classmethod
    def of(cls, told: Any) -> Beat:
        """Raises TypeError or KeyError for anything else."""
        said = told["heartbeat"]
        strands = tuple(NamedStrand.of(item) for item in said["strands"])
        return cls(_text(told["session"]), _text(said["boot"]), strands)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of each group one document is wanted; the first in it is the newest."""

    groups: tuple[tuple[Candidate, ...], ...] = ()

    @property
    def uids(self) -> frozenset[str]:
        return frozenset(item.uid for group in self.groups for item in group)

    def picked(self, logs: Iterable[LogPart]) -> dict[str, str]:
        """The newest sealed one of each group, else the newest; its index by its uid."""
        sealed = {
            str(leaf.uid)
            for log in logs
            for leaf in log.leaves
            if log.notes and leaf.index < log.notes[-1].said.size
        }
        chosen = (
            next((item for item in group if item.uid in sealed), group[0]) for group in self.groups if group
        )
        return {item.uid: item.index for item in chosen}

    def without_others(self, logs: Iterable[LogPart], picked: Mapping[str, str]) -> list[LogPart]:
        """The same logs with no leaves of those that were not picked."""
        others = self.uids - set(picked)
        kept = [
            replace(log, leaves=tuple(leaf for leaf in log.leaves if str(leaf.uid) not in others))
            for log in logs
        ]
        return [log for log in kept if log.leaves]


def heartbeats_wanted(events: Asked, session: str) -> Wanted:
    """Everything that gateways said of this session. Raises `PartDown`."""
    groups: list[tuple[Candidate, ...]] = []
    boots: set[str] = set()
    open_: set[str] = set()
    for epoch in _epochs(events, session):
        hits = _beats(events, session, [{"term": {_EPOCHS: epoch}}], count=CANDIDATES)
        groups += [_candidates(hits)] if hits else []
        said = [beat for beat in map(_beat, hits) if beat is not None]
        # The newest of each boot: where one is forged, the boot that wrote the others is asked for too.
        for boot, beat in {beat.boot: beat for beat in reversed(said)}.items():
            boots.add(beat.session)
            if any(item.open for item in beat.strands if (item.session, item.epoch) == (session, epoch)):
                open_.add(boot)
    groups += [_latest(events, boot) for boot in sorted(open_)]
    groups += [_certificate(events, own) for own in sorted(boots)]
    groups += _successors(events, open_)
    return Wanted(tuple(groups))


def _epochs(events: Asked, session: str) -> list[str]:
    """The strands that are on record, and those that only heartbeats name."""
    wanted = {"terms": {"field": f"{TACHO}.epoch", "size": MAX_STRANDS}}
    query = {"term": {f"{TACHO}.session": session}}
    answer = events.ask({"size": 0, "query": query, "aggs": {"epochs": wanted}})
    buckets = answer.get("aggregations", {}).get("epochs", {}).get("buckets", [])
    known = [str(item["key"]) for item in buckets]
    looked = 0
    while len(known) < MAX_STRANDS:
        # A strand may be named only where its successor is named first, or where no other is.
        near = [hit for epoch in known[looked:] for hit in _named_with(events, session, epoch)]
        looked = len(known)
        other = _beats(events, session, [], without=known)
        beats = [beat for beat in map(_beat, (*near, *other)) if beat is not None]
        named = [item.epoch for beat in beats for item in beat.strands if item.session == session]
        new = [epoch for epoch in dict.fromkeys(named) if epoch not in known]
        if not new:
            break
        known += new
    return known[:MAX_STRANDS]


def _named_with(events: Asked, session: str, epoch: str) -> list[dict[str, Any]]:
    """The first heartbeat that names this strand."""
    return _beats(events, session, [{"term": {_EPOCHS: epoch}}], order="asc")


def _beats(
    events: Asked,
    session: str,
    having: Sequence[Query],
    *,
    without: Sequence[str] = (),
    order: str = "desc",
    count: int = 1,
) -> list[dict[str, Any]]:
    query = {
        "bool": {
            "filter": [{"term": {f"{_BEAT}.strands.session": session}}, *having],
            # What a gateway says of its own session is among that session's records.
            "must_not": [{"term": {f"{TACHO}.session": session}}, {"terms": {_EPOCHS: list(without)}}],
        }
    }
    return _hits(events, query, order=order, count=count)


def _latest(events: Asked, boot: str) -> tuple[Candidate, ...]:
    return _candidates(_hits(events, {"term": {f"{_BEAT}.boot": boot}}, order="desc", count=CANDIDATES))


def _certificate(events: Asked, own: str) -> tuple[Candidate, ...]:
    which = [{"term": {f"{TACHO}.session": own}}, {"term": {f"{TACHO}.type": "session.open"}}]
    return _candidates(_hits(events, {"bool": {"filter": which}}, order="asc", count=1))


def _successors(events: Asked, left: Set[str]) -> list[tuple[Candidate, ...]]:
    """The certificates of boots that say of one of these, which left a strand open, that it is over."""
    if not left:
        return []
    which = [{"term": {f"{TACHO}.type": "session.open"}}, {"term": {f"{TACHO}.principal.kind": "gateway"}}]
    sort = [{"time": {"order": "desc", "unmapped_type": "date"}}]
    body = {"size": MAX_BOOTS, "query": {"bool": {"filter": which}}, "sort": sort}
    found = events.ask(body | {"_source": [f"{TACHO}.boot"]}).get("hits", {}).get("hits", [])
    return [_candidates([hit]) for hit in found if not left.isdisjoint(_ended(hit))]


def _hits(events: Asked, query: Query, *, order: str, count: int) -> list[dict[str, Any]]:
    by = [("time", "date"), (f"{_BEAT}.number", "long")]
    sort = [{name: {"order": order, "unmapped_type": kind}} for name, kind in by]
    body = {"size": count, "query": query, "sort": sort}
    fields = [f"{TACHO}.session", f"{_BEAT}.boot", f"{_BEAT}.strands"]
    found: list[dict[str, Any]] = events.ask(body | {"_source": fields}).get("hits", {}).get("hits", [])
    return found


def _candidates(hits: Iterable[Mapping[str, Any]]) -> tuple[Candidate, ...]:
    return tuple(Candidate(hit["_id"], hit["_index"]) for hit in hits)


def _beat(hit: Mapping[str, Any]) -> Beat | None:
    """What a stored document says as a heartbeat; None where it does not say so in form."""
    try:
        return Beat.of(_told(hit))
    except (TypeError, KeyError):
        return None


def _ended(hit: Mapping[str, Any]) -> Set[str]:
    """The boots of which a certificate says that they are over."""
    try:
        return frozenset(_text(name) for name in _told(hit)["boot"]["ended"])
    except (TypeError, KeyError):
        return frozenset()  # it says so of none, or not in form


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("expected a string")


def _told(hit: Mapping[str, Any]) -> Any:
    """What stands under `unmapped.tacho`, whatever it is."""
    return hit["_source"]["unmapped"]["tacho"]
