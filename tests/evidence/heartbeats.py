"""A gateway that signs heartbeats, in the same small world, and what is done to them and what they prove."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from attacks import Vector
from world import (
    EPOCHS,
    EXPORTER,
    SESSION,
    Doc,
    Log,
    Strand,
    bundle,
    filler,
    key,
    policy,
    said,
    sealed,
    story,
)

from tachograph.forensics.bundle.content import Line, write_bundle
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.heartbeat import boot_text, gateway_session, heartbeat_message
from tachograph.schemas.note import NoteSigner

__all__ = [
    "GATEWAY",
    "OTHER_GATEWAY",
    "Boot",
    "heartbeat_vectors",
    "lines",
    "made",
    "state",
    "told_by",
    "told_while_recorded",
    "trusting",
]

GATEWAY = NoteSigner("tachograph/example/gateway", key(20))
OTHER_GATEWAY = NoteSigner("tachograph/example/gateway", key(21))
BOOT = uuid.UUID("55555555-5555-4555-8555-555555555555")
OTHER_BOOT = uuid.UUID("66666666-6666-4666-8666-666666666666")
OWN_EPOCH = uuid.UUID("77777777-7777-4777-8777-777777777777")


def trusting(**changes: Any) -> dict[str, Any]:
    """A policy that asks for heartbeats."""
    return policy(gateways=[{"key": str(GATEWAY.key)}], **changes)


def state(strand: Strand, *, is_open: bool) -> dict[str, Any]:
    """A strand as it stands now."""
    return {
        "epoch": str(strand.epoch),
        "head": strand.last,
        "open": is_open,
        "records": strand.seq,
        "session": str(strand.session),
    }


@dataclass
class Boot:
    """One process of a gateway and its own strand."""

    boot: uuid.UUID = BOOT
    signer: NoteSigner = GATEWAY
    seed: int = 30
    ended: tuple[uuid.UUID, ...] | None = None
    """Those whose spools it took over."""
    strand: Strand = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.strand = Strand(session=gateway_session(self.boot), epoch=OWN_EPOCH)

    def opening(self) -> Doc:
        """The record that certifies the boot's key."""
        public = key(self.seed).public_key().public_bytes_raw()
        certificate: dict[str, Any] = {
            "boot": str(self.boot),
            "key": base64.b64encode(public).decode(),
            "issued": "2026-11-23T06:00:00.000000000Z",
            "previous": None,
        }
        if self.ended is not None:
            certificate["ended"] = [str(boot) for boot in self.ended]
        note = self.signer.sign(boot_text(certificate))
        return self.strand.record("session.open", boot=certificate, boot_note=note)

    def beat(self, *named: dict[str, Any], seed: int | None = None, second: int | None = None) -> Doc:
        """A heartbeat that names these strands and its own."""
        told = {
            "at": f"2026-11-23T06:00:{self.number if second is None else second:02}.000000000Z",
            "boot": str(self.boot),
            "last": True,
            "number": self.number,
            "strands": [state(self.strand, is_open=True), *named],
        }
        self.number += 1
        private = key(self.seed if seed is None else seed)
        signature = base64.b64encode(private.sign(heartbeat_message(canonical_json(told)))).decode()
        return self.strand.record("heartbeat", heartbeat=told, signature=signature)


def told_by(docs: Sequence[Doc], beats: Sequence[Doc]) -> Log:
    """A log of a session and of its gateway."""
    return Log([filler(1), *docs, *beats, filler(2)])


def lines(log: Log) -> tuple[Line, ...]:
    """Records of the session, and beside them what its gateway said."""
    found = []
    for leaf, doc in zip(log.leaves, log.documents, strict=True):
        if doc.session == SESSION:
            found.append(log.line(leaf, doc))
        elif doc.type in {"session.open", "heartbeat"}:
            found.append(replace(log.line(leaf, doc), folder="heartbeats"))
    return tuple(found)


def made(name: str, log: Log, verdict: str, trust: dict[str, Any] | None = None) -> Vector:
    """The bundle of what a log has of the session and of its gateway."""
    return _lined(name, log, lines(log), verdict, trust)


def _lined(
    name: str, log: Log, there: Sequence[Line], verdict: str, trust: dict[str, Any] | None = None
) -> Vector:
    data = write_bundle(bundle(log, lines=tuple(there)), EXPORTER)
    return Vector(name, data, verdict, trust or trusting())


def heartbeat_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    yield from _good()
    yield from _cut()
    yield from _missing()
    yield from _forged()
    yield from _contradicting()


def told_while_recorded() -> tuple[list[Doc], list[Doc]]:
    """The story, and what its gateway said of it."""
    told, beats, _ = _closed()
    return told, beats


def _closed() -> tuple[list[Doc], list[Doc], Strand]:
    """The story, heard of once while it was open and once when it was closed."""
    write, boot = Strand(), Boot()
    told = story(write)
    beats = [boot.opening(), boot.beat(_after_first(told)), boot.beat(state(write, is_open=False))]
    return told, beats, write


def _after_first(told: Sequence[Doc]) -> dict[str, Any]:
    """The strand when only its first record was there."""
    return state(Strand(seq=1, last=said(told[1])["prev"]), is_open=True)


def _good() -> Iterator[Vector]:
    told, beats, _ = _closed()
    yield made("heartbeats", told_by(told, beats), "complete")
    yield made("heartbeats-not-asked-for", told_by(told, beats), "complete", policy())
    write, boot = Strand(), Boot()
    running = story(write, closed=False)
    now = [boot.opening(), boot.beat(state(write, is_open=True))]
    yield made("heartbeats-session-open", told_by(running, now), "session-open")
    boot = Boot()
    own, session = Log([boot.opening(), boot.beat()]), boot.strand.session
    data = write_bundle(bundle(own, lines=tuple(own.lines(session=session)), session=str(session)), EXPORTER)
    yield Vector("heartbeats-of-their-own", data, "session-open", trusting())


def _cut() -> Iterator[Vector]:
    """Its gateway was killed; the next one says so, or somebody says so in its place."""
    write, boot = Strand(), Boot()
    running = story(write, closed=False)
    last = [boot.opening(), boot.beat(state(write, is_open=True))]
    for name, after, verdict in (
        ("heartbeats-session-cut", Boot(boot=OTHER_BOOT, seed=32, ended=(BOOT,)), "session-cut"),
        ("heartbeats-another-ended", Boot(boot=OTHER_BOOT, seed=32, ended=(OTHER_BOOT,)), "session-open"),
        ("heartbeats-nobody-ended", Boot(boot=OTHER_BOOT, seed=32, ended=()), "heartbeat-forged"),
        ("heartbeats-ended-says-a-stranger", _stranger(), "heartbeat-forged"),
    ):
        yield made(name, told_by(running, [*last, after.opening()]), verdict)
    told, beats, _ = _closed()
    later = Boot(boot=OTHER_BOOT, seed=32, ended=(BOOT,)).opening()
    yield made("heartbeats-closed-before-the-end", told_by(told, [*beats, later]), "complete")
    yield made("heartbeats-cut-tail-before-the-end", told_by(told[:-1], [*beats, later]), "tail-missing")


def _stranger() -> Boot:
    return Boot(boot=OTHER_BOOT, seed=32, signer=OTHER_GATEWAY, ended=(BOOT,))


def _missing() -> Iterator[Vector]:
    told, beats, write = _closed()
    yield made("heartbeats-left-out", told_by(told, []), "heartbeat-missing")
    yield made("heartbeats-tail-deleted", told_by(told[:-1], beats), "tail-missing")
    yield made("heartbeats-tail-and-last-deleted", told_by(told[:-1], beats[:2]), "session-open")
    boot = Boot()
    silent = [boot.opening(), boot.beat(_after_first(told)), boot.beat()]
    yield made("heartbeats-pass-over-an-open-strand", told_by(told[:-1], silent), "tail-missing")
    second, boot = Strand(epoch=EPOCHS[1]), Boot()
    _ = [second.record("session.open"), second.close()]
    both = [boot.opening(), boot.beat(state(write, is_open=False), state(second, is_open=False))]
    yield made("heartbeats-strand-deleted", told_by(told, both), "strand-missing")


def _forged() -> Iterator[Vector]:
    told, beats, write = _closed()
    boot = Boot()
    stranger = [boot.opening(), boot.beat(state(write, is_open=False), seed=31)]
    yield made("heartbeat-by-another-key", told_by(told, stranger), "heartbeat-forged")
    yield made("heartbeat-without-certificate", told_by(told, beats[1:]), "heartbeat-forged")
    for name, other in (
        ("heartbeat-of-an-unknown-gateway", Boot(signer=OTHER_GATEWAY)),
        ("heartbeat-of-another-boot", _renamed(Boot())),
    ):
        its = [other.opening(), other.beat(state(write, is_open=False))]
        yield made(name, told_by(told, its), "heartbeat-forged")
    revoked = policy(gateways=[{"key": str(GATEWAY.key), "revoked": True}])
    yield made("heartbeat-gateway-revoked", told_by(told, beats), "key-revoked", revoked)
    edited = beats[2].edited(lambda value: _beat(value)["strands"][1].update({"open": True}))
    yield made("heartbeat-edited", told_by(told, [*beats[:2], edited]), "heartbeat-forged")
    odd = beats[2].edited(lambda value: _beat(value).update({"more": 1}))
    yield made("heartbeat-malformed", told_by(told, [*beats[:2], odd]), "heartbeat-forged")


def _contradicting() -> Iterator[Vector]:
    told, beats, write = _closed()
    boot = Boot()
    lie = state(write, is_open=False) | {"head": "ab" * 32}
    yield made("heartbeat-another-head", told_by(told, [boot.opening(), boot.beat(lie)]), "chain-broken")
    boot = Boot()
    short = state(Strand(seq=2, last=said(told[4])["prev"]), is_open=False)
    yield made("heartbeat-closed-before", told_by(told, [boot.opening(), boot.beat(short)]), "chain-broken")
    wrong = told[-1].edited(lambda value: value["unmapped"]["tacho"].update({"last": "ab" * 32}))
    yield made("close-another-head", sealed([*told[:-1], wrong]), "chain-broken", policy())
    log = told_by(told, beats)
    stray = [
        replace(line, folder="heartbeats") if number == 1 else line for number, line in enumerate(lines(log))
    ]
    yield _lined("heartbeat-that-is-a-request", log, stray, "session-spliced")
    unsealed = [
        replace(line, leaf=None, log=None, proof=None) if line.folder == "heartbeats" else line
        for line in lines(log)
    ]
    yield _lined("heartbeats-not-sealed", log, unsealed, "record-unsealed")


def _renamed(boot: Boot) -> Boot:
    """A boot that speaks in the session of another."""
    boot.strand = Strand(session=gateway_session(OTHER_BOOT), epoch=OWN_EPOCH)
    return boot


def _beat(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = value["unmapped"]["tacho"]["heartbeat"]
    return found
