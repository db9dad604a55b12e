"""A canary session is one that the gateway could have recorded, and its check can fail."""

import random

import pytest

from tachograph.processors.assemble import Assembler, Piece
from tachograph.processors.canary_session import CONNECTION, PRINCIPAL, CanarySession, leaked, plant_session
from tachograph.processors.enrichment.enrich import enrich
from tachograph.processors.masking.masker import Masker, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load
from tachograph.processors.pipeline import Pipeline
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import GENESIS, Direction, Protocol, header_hash
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.payload import decode_payload

SEEDS = range(1, 25)


@pytest.fixture
def session(kek: KeyEncryptionKey) -> CanarySession:
    return plant_session(
        SEEDS, kek=kek, clock=iter(range(10**18, 10**19)).__next__, randomness=random.Random(3).randbytes
    )


def opened(session: CanarySession, kek: KeyEncryptionKey) -> list[Piece]:
    pieces = []
    for offset, record in enumerate(session.records):
        sealed = parse_sealed(record)
        payload = decode_payload(open_sealed(sealed, cipher=kek.unwrap(session.key)))
        pieces.append(Piece(offset, sealed.header, payload.meta, payload.body))
    return pieces


def events(session: CanarySession, kek: KeyEncryptionKey, rules: Ruleset) -> list[bytes]:
    masker = Masker(rules, PseudonymKey("k1", bytes(32)))
    assembler = Assembler(hold_bytes=1 << 24, hold_seconds=60)
    pipeline = Pipeline(lambda _: masker, enrich)
    ready = [one for piece in opened(session, kek) for one in assembler.take(piece).ready]
    return [event.value for one in ready for event in pipeline.run(one).events]


def test_the_records_are_one_chained_session(session: CanarySession, kek: KeyEncryptionKey) -> None:
    """Opens, closes, and every record follows from the one before; it says whose it is."""
    headers = [piece.header for piece in opened(session, kek)]
    chain = [GENESIS, *(header_hash(header.canonical()) for header in headers)]
    assert [header.prev for header in headers] == chain[:-1]
    assert [header.seq for header in headers] == list(range(len(headers)))
    assert (headers[0].type, headers[-1].type) == ("session.open", "session.close")
    assert {header.principal.id for header in headers} == {PRINCIPAL}
    assert session.expected == {str(header.uid) for header in headers}


def test_a_round_takes_every_branch(session: CanarySession, kek: KeyEncryptionKey) -> None:
    """Each protocol in each direction, whole and in chunk records."""
    seen = {
        (piece.header.protocol, piece.header.direction, piece.header.type == "chunk")
        for piece in opened(session, kek)
        if piece.header.connection == CONNECTION
    }
    directions = (Direction.REQUEST, Direction.RESPONSE)
    assert seen == {(p, d, chunk) for p in Protocol for d in directions for chunk in (False, True)}


def test_nothing_survives_our_masker(session: CanarySession, kek: KeyEncryptionKey) -> None:
    """The whole way without Kafka: 24 exchanges, no plant readable, no body withheld."""
    values = events(session, kek, load())
    assert leaked(values, session.plants) == []
    assert len(session.plants) > 100


def test_a_masker_without_rules_is_caught(session: CanarySession, kek: KeyEncryptionKey) -> None:
    """The check can fail: shaped secrets pass a masker that knows only names."""
    assert leaked(events(session, kek, Ruleset(())), session.plants)


def test_no_plant_shows_in_a_repr(session: CanarySession) -> None:
    """Logs and tracebacks may hold the session."""
    assert not any(plant.value in repr(session) for plant in session.plants)
