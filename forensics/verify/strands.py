"""The capture chain: each strand from its session.open to its session.close, without a gap or a second end.

What the chain says of itself cannot show a strand that is missing as a whole, nor tell a lost tail from a
session that is still open: that is for the gateways' signed heartbeats, where the verifier trusts any. A leaf
without a document must have its place in a strand too, or one that was deleted could stand for all the rest.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import Document
from tachograph.forensics.verify.heartbeats import End, Heartbeats
from tachograph.forensics.verify.places import Places, Uid
from tachograph.forensics.verify.report import Findings, RecordState, State
from tachograph.schemas.event import GENESIS, EventType, Header, header_hash, strand_uids

__all__ = ["check_strands", "check_stray"]

_WIRE_TYPES = frozenset(item.value for item in EventType)


@dataclass(frozen=True, slots=True)
class _Link:
    header: Header
    canonical: bytes
    document: Document


def check_strands(
    documents: Iterable[Document],
    lost: Mapping[str, str],
    findings: Findings,
    heartbeats: Heartbeats | None = None,
    session: uuid.UUID | None = None,
) -> tuple[list[RecordState], set[str]]:
    """Judge the chain of each strand. `lost` are leaves without a document, type by uid; with `heartbeats`,
    also what they say of the strands of the `session`.

    Returns the places that neither a document nor a leaf stands for, and the uids of all others.
    """
    strands: dict[tuple[uuid.UUID, uuid.UUID], dict[int, _Link]] = defaultdict(dict)
    for item in documents:
        if item.header is not None and item.canonical is not None:
            key = (item.header.session, item.header.epoch)
            strands[key].setdefault(item.header.seq, _Link(item.header, item.canonical, item))
    holes: list[RecordState] = []
    uids = {link.document.uid for links in strands.values() for link in links.values()}
    places = Places(lost, uids)
    for strand, links in sorted(strands.items()):
        where, uid = f"strand {strand[1]}", strand_uids(*strand)
        end = _end(links, uid, lost)
        missing = places.missing(uid, _gaps(links, end.seq))
        if missing:
            findings.add(Verdict.RECORD_MISSING, where, f"{missing} places have no record")
            holes.append(RecordState(None, "unknown", State.MISSING, missing))
        _check_chain(where, links, end.seq, findings)
        if heartbeats is not None:
            heartbeats.judge(strand, end)
        elif end.type != EventType.SESSION_CLOSE.value:
            findings.add(Verdict.TAIL_MISSING, where, f"it ends at seq {end.seq} without session.close")
    if heartbeats is not None and session is not None:
        holes += heartbeats.absent(session, strands, places)
    return holes, places.placed


def check_stray(types: Iterable[str], findings: Findings, *, named: bool) -> None:
    """Leaves of the session without a document or a place: of strands of which nothing else is there. Where
    heartbeats must name each strand, none did; else they must be whole strands by their types at least."""
    kinds = [kind for kind in types if kind in _WIRE_TYPES]
    opens, closes = kinds.count(EventType.SESSION_OPEN.value), kinds.count(EventType.SESSION_CLOSE.value)
    where = f"{len(kinds)} leaves without a document"
    if kinds and named:
        findings.add(Verdict.HEARTBEAT_MISSING, where, "they are of strands that no heartbeat names")
    elif kinds and opens < max(closes, 1):
        findings.add(Verdict.RECORD_MISSING, where, f"of strands with {opens} session.open among them")
    elif opens > closes:
        findings.add(Verdict.TAIL_MISSING, where, f"{opens} strands, and {closes} session.close")


def _check_chain(where: str, links: Mapping[int, _Link], end: int, findings: Findings) -> None:
    """`end` is the last place, also where only a leaf stands for it."""
    for seq, link in links.items():
        at = f"{where}, seq {seq}"
        before = links.get(seq - 1)
        if (seq == 0) != (link.header.type is EventType.SESSION_OPEN):
            findings.add(Verdict.CHAIN_BROKEN, at, "a strand begins with session.open, and only once")
        if link.header.type is EventType.SESSION_CLOSE and not _closes(link, end):
            findings.add(Verdict.CHAIN_BROKEN, at, "session.close does not count and end the strand")
        wanted = GENESIS if seq == 0 else header_hash(before.canonical) if before else link.header.prev
        if link.header.prev != wanted:
            findings.add(Verdict.CHAIN_BROKEN, at, "`prev` is not the hash of the header before")


def _closes(link: _Link, end: int) -> bool:
    said = link.document.tacho
    last = said.get("last", link.header.prev)
    return (link.header.seq, said.get("records"), last) == (end, end + 1, link.header.prev)


def _gaps(links: Iterable[int], end: int) -> list[range]:
    """The places up to the last one that have no document."""
    there = sorted(links)
    return [range(one + 1, two) for one, two in pairwise((-1, *there, end + 1)) if one + 1 < two]


def _end(links: Mapping[int, _Link], uid: Uid, lost: Mapping[str, str]) -> End:
    """Where the strand ends; records that are only leaves count."""
    end = max(links)
    kind = links[end].header.type.value
    while (after := lost.get(uid(end + 1))) is not None:
        end, kind = end + 1, after
    return End(end, kind, {seq: header_hash(link.canonical) for seq, link in links.items()})
