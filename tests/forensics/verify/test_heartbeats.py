"""What heartbeats prove of a strand; the vectors in tests/evidence have every verdict in a whole bundle."""

import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import read_document
from tachograph.forensics.verify.heartbeats import End, Heartbeats, read_heartbeats
from tachograph.forensics.verify.places import Places
from tachograph.forensics.verify.policy import Trusted
from tachograph.forensics.verify.report import Findings
from tachograph.ingress.recording.gateway import Gateway
from tachograph.ingress.recording.sessions import StrandHead
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.processors.assemble import Ready
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.masker import Masker, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset
from tachograph.processors.pipeline import Pipeline
from tachograph.processors.unseal import open_piece, parse_record
from tachograph.schemas.event import Principal, strand_uids
from tachograph.schemas.heartbeat import Heartbeat
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.topics import Topics

SESSION, EPOCH, BOOT = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)
STRAND = (SESSION, EPOCH)
HEADS = {0: "a" * 64, 1: "b" * 64}


def beat(number: int, *, records: int | None = 2, is_open: bool = False, at: int | None = None) -> Heartbeat:
    state = {"session": str(SESSION), "epoch": str(EPOCH), "open": is_open, "records": records}
    return Heartbeat.model_validate(
        {
            "boot": str(BOOT),
            "number": number,
            "at": f"2026-11-23T06:00:{number if at is None else at:02}.000000000Z",
            "strands": [] if records is None else [state | {"head": HEADS.get(records - 1, "c" * 64)}],
            "last": True,
        }
    )


def judged(end: End, *beats: Heartbeat) -> set[Verdict]:
    findings = Findings()
    heartbeats = Heartbeats(findings)
    for item in beats:
        heartbeats.add(item)
    heartbeats.judge(STRAND, end)
    return set(findings.counts)


CLOSED = End(1, "session.close", HEADS)
OPEN = End(1, "request", HEADS)


@pytest.mark.parametrize(
    ("end", "beats", "verdicts"),
    [
        (CLOSED, [beat(0)], set()),
        (CLOSED, [beat(0, records=1, is_open=True)], set()),
        (CLOSED, [], {Verdict.HEARTBEAT_MISSING}),
        (OPEN, [], {Verdict.HEARTBEAT_MISSING, Verdict.TAIL_MISSING}),
        (OPEN, [beat(0, is_open=True)], {Verdict.SESSION_OPEN}),
        (OPEN, [beat(1, is_open=True), beat(0, records=1, is_open=True)], {Verdict.SESSION_OPEN}),
        (OPEN, [beat(0, is_open=True), beat(1, records=3)], {Verdict.TAIL_MISSING}),
        (OPEN, [beat(0, is_open=True), beat(1, records=None)], {Verdict.TAIL_MISSING}),
        (OPEN, [beat(0, is_open=True), beat(1, records=None, at=0)], {Verdict.SESSION_OPEN}),
        (OPEN, [beat(0)], {Verdict.TAIL_MISSING}),
        (CLOSED, [beat(0, records=1)], {Verdict.CHAIN_BROKEN}),
        (CLOSED, [beat(0, records=3, is_open=True)], {Verdict.TAIL_MISSING}),
    ],
    ids=[
        "closed and said so", "said to be open before", "closed and unnamed", "open and unnamed", "open",
        "the later one decides", "said to have more", "passed over later", "another record of the same beat",
        "closed without a close", "closed before", "a close before the end",
    ],
)  # fmt: skip
def test_what_is_said_of_a_strand_is_held_against_it(
    end: End, beats: list[Heartbeat], verdicts: set[Verdict]
) -> None:
    """Its end, its count and whether it may be open."""
    assert judged(end, *beats) == verdicts


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=8))
def test_any_later_beat_at_another_time_passes_an_open_strand_over(later: list[tuple[int, int]]) -> None:
    """In whatever order they lie, and whichever is the last."""
    beats = [beat(number, records=None, at=at) for number, at in later]
    over = any(number > 4 and at != 0 for number, at in later)
    wanted = {Verdict.TAIL_MISSING if over else Verdict.SESSION_OPEN}
    for split in (0, len(beats) // 2, len(beats)):
        said = [*beats[:split], beat(4, is_open=True, at=0), *beats[split:]]
        assert judged(OPEN, *said) == wanted


def test_a_header_that_is_not_there_is_not_compared() -> None:
    """Of a record that is only a leaf nobody knows the header."""
    assert judged(End(1, "session.close", {}), beat(0)) == set()
    assert judged(End(1, "session.close", {1: "d" * 64}), beat(0)) == {Verdict.CHAIN_BROKEN}


def test_a_strand_of_which_only_leaves_are_left_is_not_missing() -> None:
    """Whether its documents may be gone is for the lines to say; but the last leaf must be there."""
    uid = strand_uids(SESSION, EPOCH)
    opened, closed = {uid(0): "session.open"}, {uid(1): "session.close"}
    for lost, verdicts in (
        ({}, {Verdict.STRAND_MISSING}),
        (opened | closed, set()),
        (opened, {Verdict.TAIL_MISSING}),
    ):
        findings, places = Findings(), Places(lost)
        heartbeats = Heartbeats(findings)
        heartbeats.add(beat(0))
        states = heartbeats.absent(SESSION, [], places)
        assert set(findings.counts) == verdicts
        assert sum(state.count for state in states) == (0 if lost else 2)
        assert places.placed == set(lost)


@pytest.mark.parametrize(
    ("records", "there", "verdicts", "missing"),
    [
        (5, {0, 1, 2, 3, 4}, set(), 0),
        (5, {0, 4}, {Verdict.RECORD_MISSING}, 3),
        (2, {0, 1, 2, 3, 4}, set(), 0),
        (2, {0, 1}, {Verdict.SESSION_OPEN}, 0),
        (1 << 50, {0, 1}, {Verdict.TAIL_MISSING}, 0),
    ],
)
def test_each_place_of_a_strand_of_leaves_has_its_leaf(
    records: int, there: set[int], verdicts: set[Verdict], missing: int
) -> None:
    """First and last do not vouch for what was between them, nor an early heartbeat for the end."""
    uid, findings = strand_uids(SESSION, EPOCH), Findings()
    heartbeats = Heartbeats(findings)
    heartbeats.add(beat(0, records=records, is_open=True))
    lost = {uid(place): "session.close" if place == 4 else "request" for place in there}
    states = heartbeats.absent(SESSION, [], Places(lost))
    assert set(findings.counts) == verdicts
    assert sum(state.count for state in states) == missing


def test_strands_of_other_sessions_are_none_of_the_bundles() -> None:
    """A heartbeat names whatever its gateway writes."""
    findings = Findings()
    heartbeats = Heartbeats(findings)
    heartbeats.add(beat(0))
    assert heartbeats.absent(BOOT, [], Places({})) == []
    assert heartbeats.absent(SESSION, [STRAND], Places({})) == []
    assert findings.counts == {}


def test_what_a_gateway_writes_counts_once_it_is_masked() -> None:
    """From the ingress through the processor to the verifier: the same bytes are signed and judged."""
    signer = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    made: list[Strand] = []

    def make(session: uuid.UUID, principal: Principal) -> Strand:
        made.append(
            Strand(session, EPOCH, principal, Topics(), Sources(lambda: 0, bytes), data_key=b"d" * 32)
        )
        return made[-1]

    gateway = Gateway(BOOT, signer, make, lambda: 0, seed=b"b" * 32, ended=[SESSION])
    wrapped = KeyEncryptionKey(b"k" * 32).wrap(gateway.strand.name, b"d" * 32)
    written = gateway.opening(wrapped, version="1", config_digest="c")[1:]
    written += gateway.beat([StrandHead(SESSION, EPOCH, 2, "b" * 64, open=True)])
    masker = Masker(Ruleset((), ()), PseudonymKey("k1", b"k" * 32), prefilter=False)
    pipeline = Pipeline(lambda _: masker, enrich, message_secret=b"m" * 32)
    pieces = [open_piece(parse_record(entry.value), 0, lambda _: AESGCM(b"d" * 32)) for entry in written]
    documents = [read_document(pipeline.run(Ready(piece)).events[0].value) for piece in pieces]
    findings = Findings()
    heartbeats = read_heartbeats(documents, [Trusted(key=str(signer.key))], findings)
    assert findings.counts == {}
    assert set(heartbeats.named) == {STRAND, (made[0].session, EPOCH)}
    assert heartbeats.ended == {str(SESSION)}
