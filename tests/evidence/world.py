"""A small deployment on paper: one session, the log it is sealed in, and whoever tampers with either.

Everything follows from constants, so that the same bundle has the same bytes wherever it is made.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.forensics.bundle.archive import pack
from tachograph.forensics.bundle.content import (
    Bundle,
    Consistency,
    Custody,
    Inclusion,
    Line,
    manifest_text,
)
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.event import GENESIS, Header, event_uid, header_hash
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import Tree, leaf_hash
from tachograph.schemas.note import NoteSigner, SignatureKind

SESSION = uuid.UUID("11111111-1111-5111-8111-111111111111")
OTHER_SESSION = uuid.UUID("22222222-2222-5222-8222-222222222222")
EPOCHS = (
    uuid.UUID("33333333-3333-4333-8333-333333333333"),
    uuid.UUID("44444444-4444-4444-8444-444444444444"),
)
ORIGIN = "tachograph/example/0"
RULES = "ruleset-1"
DAY = "2026.11.23"
START_MS = 1_795_413_600_000  # 2026-11-23T06:00:00Z
MESSAGES = uuid.UUID("b8b5f3c0-0c8e-5d5c-9d53-6a2f1b3d7e42")
PARTS = uuid.UUID("0b7c52a4-7bd5-5f0a-8f8e-7f6d3a1c9e15")
TIMES = ("2026-11-23T06:01:00Z", "2026-11-23T06:02:00Z", "2026-11-23T06:03:00Z")


def key(number: int) -> Ed25519PrivateKey:
    """A private key that everybody knows."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


LOG = NoteSigner(ORIGIN, key(1))
EXPORTER = NoteSigner("tachograph/example/export", key(2))
STRANGER = NoteSigner("tachograph/example/export", key(3))
OTHER_LOG = NoteSigner(ORIGIN, key(4))
WITNESS = NoteSigner("witness.example/1", key(5), SignatureKind.COSIGNATURE)


def policy(**changes: Any) -> dict[str, Any]:
    """The trust policy that goes with this world."""
    logs = [{"key": str(LOG.key)}]
    return {"version": 1, "logs": logs, "exporters": [{"key": str(EXPORTER.key)}]} | changes


@dataclass(frozen=True)
class Doc:
    """One document, and what the log is told of it."""

    value: bytes
    uid: str
    session: uuid.UUID
    type: str

    @classmethod
    def of(cls, value: dict[str, Any]) -> Doc:
        tacho = value["unmapped"]["tacho"]
        return cls(orjson.dumps(value), tacho["uid"], uuid.UUID(tacho["session"]), tacho["type"])

    def edited(self, change: Callable[[dict[str, Any]], None]) -> Doc:
        """The same record with another content."""
        value = orjson.loads(self.value)
        change(value)
        return replace(self, value=orjson.dumps(value))


def document(tacho: dict[str, Any], *, number: int) -> Doc:
    """A document around its own facts."""
    return Doc.of(
        {
            "time": START_MS + 1000 * number,
            "message": f"record {number}",
            "metadata": {"version": "1.9.0", "uid": tacho["uid"]},
            "unmapped": {"tacho": tacho},
        }
    )


@dataclass
class Strand:
    """Writes the records of one strand in order; `last` is what the next one's `prev` is."""

    session: uuid.UUID = SESSION
    epoch: uuid.UUID = EPOCHS[0]
    seq: int = 0
    last: str = GENESIS

    def record(self, kind: str, *, principal: str = "builder", **facts: Any) -> Doc:
        header = {
            "v": 1,
            "uid": str(event_uid(self.session, self.epoch, self.seq)),
            "type": kind,
            "ts": f"2026-11-23T06:00:{self.seq % 60:02}.000000000Z",
            "session": str(self.session),
            "epoch": str(self.epoch),
            "seq": self.seq,
            "prev": self.last,
            "exchange": None,
            "connection": "desk",
            "protocol": "llm",
            "direction": "none",
            "principal": {"id": principal, "kind": "api_key", "issuer": None},
            "agent": {"session": None, "id": None, "parent": None},
            "trace": None,
            "raw_commit": sha256_hex(b"raw %d" % self.seq),
            "raw_len": 100 + self.seq,
            "incomplete": False,
        }
        canonical = canonical_json(header)
        Header.parse(canonical)
        self.seq, self.last = self.seq + 1, header_hash(canonical)
        return document(header | {"ruleset": RULES} | facts, number=self.seq)

    def close(self) -> Doc:
        return self.record("session.close", records=self.seq + 1, reason="idle")


def message(
    index: int, *, parent: str, text: str, session: uuid.UUID = SESSION, day: str = "2026-11-23"
) -> Doc:
    """One message of a conversation, of the connection that the records are of."""
    digest = hashlib.sha256(parent.encode() + text.encode()).hexdigest()
    tacho = {
        "v": 1,
        "uid": str(uuid.uuid5(MESSAGES, f"{session}/desk/{day}/{digest}")),
        "type": "message",
        "session": str(session),
        "connection": "desk",
        "message": {"hash": digest, "parent": parent, "index": index, "role": "user"},
        "body": text,
    }
    return document(tacho, number=index)


def said(doc: Doc) -> dict[str, Any]:
    """What stands under `unmapped.tacho`."""
    found: dict[str, Any] = orjson.loads(doc.value)["unmapped"]["tacho"]
    return found


def part(of: Doc, index: int) -> Doc:
    """A further slice of a long body."""
    tacho = {
        "v": 1,
        "uid": str(uuid.uuid5(PARTS, f"{of.uid}/{index}")),
        "type": "part",
        "session": str(SESSION),
        "part": {"of": of.uid, "index": index, "count": 1},
        "body": "the rest",
    }
    return document(tacho, number=20 + index)


def story(strand: Strand | None = None, *, closed: bool = True) -> list[Doc]:
    """open, request with two messages, response with a second part, close: seven documents."""
    write = strand or Strand()
    first = message(0, parent="0" * 64, text="hello")
    second = message(1, parent=said(first)["message"]["hash"], text="weigh the cargo")
    talk = {"conversation": {"head": said(second)["message"]["hash"], "count": 2, "messages_new": 1}}
    opened = write.record("session.open", basis="claimed", version="0.1.0", config_digest="c")
    asked = write.record("request", body="{}", **talk)
    answered = write.record("response", body="the beginning", body_parts=1)
    found = [opened, asked, first, second, answered, part(answered, 1)]
    return [*found, write.close()] if closed else found


def filler(number: int) -> Doc:
    """A record of somebody else's session."""
    return Doc(b'{"filler":%d}' % number, str(uuid.UUID(int=number)), OTHER_SESSION, "request")


@dataclass
class Log:
    """One partition's log. `cuts` are the sizes at which checkpoints were signed, in their order."""

    documents: Sequence[Doc]
    cuts: Sequence[int] = ()
    times: Sequence[str] = TIMES
    signer: NoteSigner = LOG
    origin: str = ORIGIN
    witnesses: Sequence[tuple[NoteSigner, int]] = ()
    leaves: list[Leaf] = field(init=False)
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = [
            Leaf(
                index=number,
                offset=10 + number,
                leaf=leaf_hash(doc.value).hex(),
                type=doc.type,
                uid=uuid.UUID(doc.uid),
                session=doc.session,
                day=DAY,
            )
            for number, doc in enumerate(self.documents)
        ]
        self.tree = Tree(bytes.fromhex(leaf.leaf) for leaf in self.leaves)
        self.cuts = self.cuts or (len(self.leaves) - 1, len(self.leaves))

    def note(self, number: int) -> str:
        """The checkpoint of one cut."""
        size = self.cuts[number]
        text = Checkpoint(self.origin, size, self.tree.root(size), time=self.times[number]).text()
        lines = "".join(who.cosignature(text, at=at) for who, at in self.witnesses)
        return self.signer.sign(text) + lines

    def notes(self) -> list[str]:
        return [self.note(number) for number in range(len(self.cuts))]

    def lines(self, *, session: uuid.UUID = SESSION) -> list[Line]:
        """Every leaf of the session with its document, proven to the first checkpoint that covers it."""
        return [
            self.line(leaf, doc)
            for leaf, doc in zip(self.leaves, self.documents, strict=True)
            if doc.session == session
        ]

    def line(self, leaf: Leaf, doc: Doc | None) -> Line:
        number = next((n for n, size in enumerate(self.cuts) if size > leaf.index), None)
        proof = None
        if number is not None:
            proof = Inclusion(number, self.tree.inclusion(leaf.index, self.cuts[number]))
        return Line(self.origin, leaf, None if doc is None else doc.value, proof)

    def steps(self) -> list[Consistency]:
        return [
            Consistency(n, n + 1, self.tree.consistency(one, two) if one <= two else ())
            for n, (one, two) in enumerate(zip(self.cuts, self.cuts[1:], strict=False))
        ]


def sealed(documents: Sequence[Doc], **changes: Any) -> Log:
    """A log in which somebody else's records lie between ours."""
    return Log([filler(1), *documents[:2], filler(2), *documents[2:], filler(3)], **changes)


def bundle(log: Log, **changes: Any) -> Bundle:
    """The honest bundle of a log; `changes` are what somebody made of it."""
    custody = Custody(
        "auditor", "2026-11-23T07:00:00Z", f"session {SESSION}", "tachograph test", {"leaves": 7}
    )
    honest = Bundle(
        session=str(SESSION),
        created="2026-11-23T07:00:00Z",
        tool="tachograph test",
        lines=tuple(log.lines()),
        checkpoints=tuple(log.notes()),
        consistency=tuple(log.steps()),
        keys=(str(log.signer.key), str(EXPORTER.key)),
        custody=(custody,),
    )
    return replace(honest, **changes)


def signed(files: dict[str, bytes], manifest: bytes, signer: NoteSigner = EXPORTER) -> bytes:
    """The archive of these files with a manifest that is signed, whatever it says."""
    note = signer.sign(manifest_text(manifest)).encode()
    return pack(files | {"manifest.json": manifest, "manifest.note": note})


def resigned(files: dict[str, bytes], signer: NoteSigner = EXPORTER, **changes: Any) -> bytes:
    """Files with the manifest that fits them."""
    manifest = orjson.loads(bundle(sealed(story())).manifest(files)) | changes
    return signed(files, canonical_json(manifest), signer)
