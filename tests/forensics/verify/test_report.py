"""The report: the lowest code is the verdict, everything is counted, and details have a bound."""

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import MAX_SHOWN, Findings, RecordState, Report, State, refused


def test_the_lowest_code_is_the_verdict() -> None:
    """Whether a key can be trusted comes before what is missing."""
    findings = Findings()
    assert findings.verdict is Verdict.COMPLETE
    findings.add(Verdict.TAIL_MISSING, "strand")
    findings.add(Verdict.KEY_UNKNOWN, "checkpoint 0")
    assert findings.verdict is Verdict.KEY_UNKNOWN


def test_details_are_bounded_and_counts_are_not() -> None:
    """A bundle may be wrong everywhere; each kind is shown once at least."""
    findings = Findings()
    for _ in range(MAX_SHOWN + 5):
        findings.add(Verdict.RECORD_ALTERED, "line")
    findings.add(Verdict.TAIL_MISSING, "strand")
    assert findings.counts[Verdict.RECORD_ALTERED] == MAX_SHOWN + 5
    assert len(findings.shown) == MAX_SHOWN + 1


def test_states_are_counted_by_record() -> None:
    """Places that nothing stands for count each."""
    records = (RecordState("a", "request", State.PRESENT), RecordState(None, "unknown", State.MISSING, 3))
    states = Report(Verdict.RECORD_MISSING, records=records).states
    assert states == {"PRESENT": 1, "EXPIRED": 0, "ERASED": 0, "MISSING": 3}


def test_a_refusal_is_a_report_too() -> None:
    """With the same keys for programs."""
    said = refused(Verdict.BUNDLE_MALFORMED, "the file", "cut short").as_json()
    assert (said["verdict"], said["exit_code"]) == ("bundle-malformed", 10)
    assert set(said) == set(Report(Verdict.COMPLETE).as_json())
