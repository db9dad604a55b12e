"""The answer of an audit: each thing once, shares of what there is, the gravest finding's exit code."""

from __future__ import annotations

from tachograph.forensics.live.report import LiveReport, Unaudited
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import State


def test_a_thing_is_named_once() -> None:
    """However often it is come across."""
    report = LiveReport()
    for _ in range(3):
        report.findings.add(Verdict.DOCUMENT_MISSING, "record 1", "gone")
    report.findings.add(Verdict.RECORD_ALTERED, "record 1")
    assert report.findings.counts.total() == 2
    assert (report.word, report.exit_code) == ("record-altered", 31)
    assert [item["verdict"] for item in report.as_json()["details"]] == ["record-altered", "document-missing"]


def test_nothing_wrong_is_clean_and_zero() -> None:
    """What is unaudited is a share, and no fault."""
    report = LiveReport()
    assert (report.word, report.exit_code, report.share) == ("clean", 0, 0)
    report.states[State.PRESENT], report.unaudited[Unaudited.UNMASKED] = 3, 1
    report.states[State.ERASED], report.unaudited[Unaudited.DELETED] = 4, 4
    said = report.as_json()
    assert (said["audited"], said["unaudited_share"], said["exit_code"]) == (3, 0.625, 0)
