"""A bundle in, a report out; tests/evidence has every attack."""

import json

from attacks import honest
from world import ORIGIN, SESSION, policy

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.verify import verify_bundle


def test_the_report_says_what_is_there_and_up_to_where_it_is_sealed() -> None:
    """Every record with its state, and each log's last checkpoint."""
    report = verify_bundle(honest(), TrustPolicy.parse(json.dumps(policy()), file="trust"))
    assert report.verdict is Verdict.COMPLETE
    assert report.session == str(SESSION)
    assert [item.type for item in report.records][:2] == ["session.open", "request"]
    assert report.sealed == ((ORIGIN, 10, "2026-11-23T06:02:00Z"),)
    assert json.dumps(report.as_json())
