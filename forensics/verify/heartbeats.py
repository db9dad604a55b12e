"""What the gateways said under their own signature: which strands there were, how far, and which were open.

A heartbeat counts when its boot's key signed it and a trusted gateway certified that key. What counts proves
that a strand is missing as a whole, that a tail is missing, or that a session was still open. A policy that
names no gateways asks for none of this.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import Document
from tachograph.forensics.verify.places import Places
from tachograph.forensics.verify.policy import Trusted
from tachograph.forensics.verify.report import Findings, RecordState, State
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.errors import MalformedRecord, SignatureBroken
from tachograph.schemas.event import EventType, strand_uids
from tachograph.schemas.heartbeat import (
    BootCertificate,
    Heartbeat,
    StrandState,
    gateway_session,
    heartbeat_message,
    signed_by,
)
from tachograph.schemas.note import open_note

__all__ = ["APART", "End", "Heartbeats", "read_heartbeats"]

APART = "heartbeats"
"""The folder of documents of the gateways' own sessions."""
TYPES = frozenset({EventType.SESSION_OPEN.value, EventType.HEARTBEAT.value})
"""What may lie there."""
Strand = tuple[uuid.UUID, uuid.UUID]


@dataclass(frozen=True, slots=True)
class End:
    """How a strand of the bundle ends: its last place, the type there, and the hashes of its headers."""

    seq: int
    type: str
    hashes: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Named:
    beat: Heartbeat
    state: StrandState


@dataclass(slots=True)
class Heartbeats:
    """The heartbeats that count, by the strand that they name, the latest last."""

    findings: Findings
    named: dict[Strand, list[_Named]] = field(default_factory=lambda: defaultdict(list))
    latest: dict[str, Heartbeat] = field(default_factory=dict)
    """The latest there is of each boot."""
    before: dict[str, Heartbeat] = field(default_factory=dict)
    """The latest of those of each boot that have another `at` than its latest."""
    ended: set[str] = field(default_factory=set)
    """Boots of which a later one says that they are over."""

    def add(self, beat: Heartbeat) -> None:
        self._keep(beat)
        for state in beat.strands:
            self.named[uuid.UUID(state.session), uuid.UUID(state.epoch)].append(_Named(beat, state))

    def _keep(self, beat: Heartbeat) -> None:
        latest, before = self.latest.setdefault(beat.boot, beat), self.before.get(beat.boot)
        if beat.number > latest.number:
            self.latest[beat.boot] = beat
            beat = latest  # which may be the one before now
        if beat.at != self.latest[beat.boot].at and (before is None or beat.number > before.number):
            self.before[beat.boot] = beat

    def judge(self, strand: Strand, end: End) -> None:
        """Compare one strand of the bundle with all that was said of it."""
        where, said = f"strand {strand[1]}", self.named.get(strand, [])
        closed = end.type == EventType.SESSION_CLOSE.value
        if not said:
            self.findings.add(Verdict.HEARTBEAT_MISSING, where, "no heartbeat that counts names it")
        for item in said:
            self._compare(where, item, end)
        last = max(said, key=lambda item: item.beat.number, default=None)
        if closed or (last is not None and last.state.records > end.seq + 1):
            return
        if last is None or not last.state.open or self._passed_over(last.beat):
            self.findings.add(Verdict.TAIL_MISSING, where, f"it ends at seq {end.seq} without session.close")
        elif last.beat.boot in self.ended:
            text = f"it was open at {last.beat.at}, and the gateway ended before it closed it"
            self.findings.add(Verdict.SESSION_CUT, where, text)
        else:
            self.findings.add(Verdict.SESSION_OPEN, where, f"it was open at {last.beat.at}")

    def absent(self, session: uuid.UUID, present: Iterable[Strand], places: Places) -> list[RecordState]:
        """Strands of a session that are named and of which no document is there; what of them is MISSING."""
        found = []
        for strand in sorted(self.named.keys() - set(present)):
            if strand[0] != session:
                continue
            said = self.named[strand]
            records = max(item.state.records for item in said)
            if strand_uids(*strand)(0) in places.lost:
                missing = self._only_leaves(strand, records, places)
            else:
                missing = records
                self.findings.add(Verdict.STRAND_MISSING, f"strand {strand[1]}", f"it had {records} records")
            if missing:
                found.append(RecordState(None, "unknown", State.MISSING, missing))
        return found

    def _only_leaves(self, strand: Strand, records: int, places: Places) -> int:
        """Judge a strand by its leaves, the first of which is there; how many before the last are not."""
        uid, lost = strand_uids(*strand), places.lost
        end = records - 1 if uid(records - 1) in lost else 0
        while uid(end + 1) in lost:
            end += 1
        missing = places.missing(uid, [range(end + 1)])
        if missing:
            self.findings.add(
                Verdict.RECORD_MISSING, f"strand {strand[1]}", f"{missing} places have no record"
            )
        self.judge(strand, End(end, lost[uid(end)], {}))
        return missing

    def _compare(self, where: str, item: _Named, end: End) -> None:
        records, have = item.state.records, end.seq + 1
        if records > have:
            self.findings.add(Verdict.TAIL_MISSING, where, f"it had {records} records, {have} are here")
            return
        head = end.hashes.get(records - 1)
        if head is not None and head != item.state.head:
            self.findings.add(
                Verdict.CHAIN_BROKEN, f"{where}, seq {records - 1}", "a heartbeat has another head"
            )
        if not item.state.open and records < have:
            self.findings.add(Verdict.CHAIN_BROKEN, where, f"it was closed with {records} records")

    def _passed_over(self, beat: Heartbeat) -> bool:
        """Whether a later beat of the boot is there, which would have named a strand that was still open."""
        latest, before = self.latest[beat.boot], self.before.get(beat.boot)
        other = before if latest.at == beat.at else latest
        return other is not None and other.number > beat.number


def read_heartbeats(
    documents: Iterable[Document], gateways: Iterable[Trusted], findings: Findings
) -> Heartbeats:
    """All that counts among these documents, in the order of their lines; what does not is a finding."""
    opened, beats = [], []
    for item in documents:
        if item.type == EventType.SESSION_OPEN.value and "boot" in item.tacho:
            opened.append(item)
        elif item.type == EventType.HEARTBEAT.value:
            beats.append(item)
    trusted = list(gateways)
    boots: dict[str, str] = {}
    heartbeats = Heartbeats(findings)
    for item in opened:
        said = _certified(item, trusted, findings)
        if said is not None and boots.setdefault(said.boot, said.key) != said.key:
            findings.add(
                Verdict.HEARTBEAT_FORGED, f"boot {said.boot}", "an earlier line certifies another key"
            )
        elif said is not None:
            heartbeats.ended.update(said.ended or ())
    for item in beats:
        beat = _signed(item, boots)
        if isinstance(beat, str):
            findings.add(Verdict.HEARTBEAT_FORGED, f"heartbeat {item.uid}", beat)
        else:
            heartbeats.add(beat)
    return heartbeats


def _certified(document: Document, gateways: list[Trusted], findings: Findings) -> BootCertificate | None:
    """What a trusted gateway says of a boot."""
    where = f"boot of session {document.session}"
    note = document.tacho.get("boot_note")
    try:
        said = BootCertificate.model_validate(document.tacho["boot"])
        signed = open_note(note if isinstance(note, str) else "", [item.parsed for item in gateways])
    except (ValidationError, MalformedRecord, SignatureBroken):
        findings.add(Verdict.HEARTBEAT_FORGED, where, "no trusted gateway has certified it")
        return None
    # A form that was filled in is not what was signed, nor what stands in the record.
    fits = document.tacho["boot"] == said.model_dump(mode="json") and signed.text == said.text()
    fits = fits and document.session == str(gateway_session(uuid.UUID(said.boot)))
    if not fits:
        findings.add(Verdict.HEARTBEAT_FORGED, where, "the certificate is another's")
        return None
    good = {item.parsed for item in gateways if not item.revoked}
    if not good.intersection(signed.signers):
        findings.add(Verdict.KEY_REVOKED, where, f"{signed.signers[0].name} is revoked")
        return None
    return said


def _signed(document: Document, boots: Mapping[str, str]) -> Heartbeat | str:
    """What a heartbeat says, or why it does not count."""
    said: Any = document.tacho.get("heartbeat")
    signature = document.tacho.get("signature")
    try:
        beat = Heartbeat.model_validate(said)
    except ValidationError:
        return "it is not in form"
    key = boots.get(beat.boot)
    if key is None or document.session != str(gateway_session(uuid.UUID(beat.boot))):
        return "its boot is certified by nobody"
    message = heartbeat_message(canonical_json(said))
    if not isinstance(signature, str) or not signed_by(key, signature, message):
        return "its boot has not signed it"
    return beat
