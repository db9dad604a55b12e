"""Leaves and documents compared; tests/cli/evidence/test_live.py has every finding within a whole audit."""

from __future__ import annotations

import uuid

from world import ORIGIN, OTHER_SESSION, Doc, Log, filler, story

from tachograph.forensics.live.lawful import Lawful
from tachograph.forensics.live.records import Records, Window
from tachograph.forensics.live.report import LiveReport


def compared(docs: list[Doc], stored: list[bytes | None], window: Window | None = None) -> Records:
    report = LiveReport()
    records = Records(report, Lawful([], report.findings), None, window or Window())
    for leaf, value in zip(Log(docs).leaves, stored, strict=True):
        records.take(ORIGIN, leaf, value, "index")
    records.settle()
    records.finish()
    return records


def found(records: Records) -> list[str]:
    return [item.verdict.word for item in records.report.shown]


def test_a_document_that_is_none_is_named() -> None:
    """By what is wrong with it; one that says another record's facts, by that."""
    assert found(compared([filler(1)], [filler(1).value])) == ["header-malformed"]
    docs = story()
    other = Doc(docs[2].value, docs[2].uid, OTHER_SESSION, "message")
    assert found(compared([other], [other.value])) == ["leaf-disagrees"]


def test_one_of_a_session_is_a_document_and_all_are_the_session() -> None:
    """Without the record it began with in the window nobody knows whether they are all."""
    docs = story()
    values: list[bytes | None] = [doc.value for doc in docs]
    assert found(compared(docs, [*values[:-1], None])) == ["document-missing"]
    assert found(compared(docs, [None] * len(docs))) == ["session-missing"]
    assert found(compared(docs[-2:], [None, None], Window(whole=False))) == ["document-missing"] * 2


def test_only_documents_of_before_the_horizon_are_counted() -> None:
    """Later ones may be on their way."""
    docs = story()
    times = [1_795_413_601, 1_795_413_602]
    values: list[bytes | None] = [doc.value for doc in docs]
    assert compared(docs, values, Window(horizon=times[1])).stored["index"] < len(docs)
    assert compared(docs, values).stored["index"] == 0


def test_of_one_session_only_its_records_and_heartbeats_are_asked_for() -> None:
    """Heartbeats say of it what it does not say of itself."""
    docs = story()
    report = LiveReport()
    records = Records(report, Lawful([], report.findings), None, Window(session=uuid.UUID(int=1)))
    leaf = Log(docs).leaves[1]
    assert not records.wants(leaf)
    assert records.wants(leaf.model_copy(update={"session": uuid.UUID(int=1)}))
    assert records.wants(leaf.model_copy(update={"type": "heartbeat"}))
