"""Time stamps (RFC 3161) over checkpoints: whose they are, what they are over, and whether the times agree.

Only the certificates of the policy are believed. Where it has none, nobody's time stamps are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rfc3161_client import VerificationError, Verifier, VerifierBuilder, decode_timestamp_response

from tachograph.forensics.bundle.reader import Note, Opened
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.logs import CLOCK_SKEW_SECONDS, seconds
from tachograph.forensics.verify.policy import Timestamps
from tachograph.forensics.verify.report import Findings

__all__ = ["check_timestamps", "stamped_at"]

SHA256 = "2.16.840.1.101.3.4.2.1"
"""The only digest of a message imprint (docs/spec/log.md)."""


def check_timestamps(
    opened: Opened, rules: Timestamps, ends: Mapping[str, Sequence[int]], findings: Findings
) -> dict[int, datetime]:
    """Judge every time stamp; returns the good ones, by the number of their checkpoint.

    `ends` are the checkpoints of each log's end, of which one must have a time stamp where that is required.
    """
    if not rules.roots:
        return {}
    verifier = VerifierBuilder(roots=rules.certificates).build()
    good: dict[int, datetime] = {}
    for number, token in opened.timestamps.items():
        at = stamped_at(token, opened.checkpoints[number], verifier)
        if at is None:
            text = "it does not verify by the policy's roots, or is over something else"
            findings.add(Verdict.TIMESTAMP_FORGED, f"time stamp {number}", text)
            continue
        good[number] = at
        said = seconds(opened.checkpoints[number].said.time or "")
        if abs(int(at.timestamp()) - said) > CLOCK_SKEW_SECONDS:
            text = f"stamped at {at:%Y-%m-%dT%H:%M:%SZ}, another time than it says"
            findings.add(Verdict.CHECKPOINT_BACKDATED, f"checkpoint {number}", text)
    for origin, numbers in ends.items():
        if rules.required and not any(number in good for number in numbers):
            findings.add(Verdict.TIMESTAMP_MISSING, f"the end of {origin}", "no time stamp that is believed")
    return good


def stamped_at(token: bytes, item: Note, verifier: Verifier) -> datetime | None:
    """When an authority that `verifier` believes saw the text of this checkpoint; None where it did not."""
    text = item.note.rpartition("\n\n")[0] + "\n"
    try:
        answer = decode_timestamp_response(token)
        verifier.verify_message(answer, text.encode())
        said = answer.tst_info
        imprint, at = said.message_imprint.hash_algorithm.dotted_string, said.gen_time
    except (ValueError, VerificationError):
        return None
    # The library takes longer digests too; the format has one, so that nobody chooses another.
    return at if imprint == SHA256 else None
