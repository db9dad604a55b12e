"""A bundle opened and judged at once: nothing that a command does with one comes before its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tachograph.cli.errors import BadEvidence, WrongUse

if TYPE_CHECKING:
    from tachograph.forensics.bundle.reader import Opened
    from tachograph.forensics.verdict import Verdict
    from tachograph.forensics.verify.report import Report

__all__ = ["JudgedBundle", "judged_bundle"]


@dataclass(frozen=True, slots=True)
class JudgedBundle:
    """What a trusted exporter signed, and what `tacho verify` says of it."""

    opened: Opened
    report: Report


def judged_bundle(file: Path, trust: Path | None) -> JudgedBundle:
    """Open a bundle and verify it by a policy; one that cannot be opened has no content.

    Raises `BadEvidence` with the verdict where it cannot be opened, `WrongUse`, `OperatorError`.
    """
    from tachograph.cli.bundle_file import read_bundle_file
    from tachograph.cli.evidence.trusted import read_policy
    from tachograph.forensics.bundle.reader import Exporters, read_bundle
    from tachograph.forensics.bundle.reader import Refused as BundleRefused
    from tachograph.forensics.verdict import Verdict
    from tachograph.forensics.verify.verify import verify_bundle

    if trust is None:
        raise WrongUse("a bundle needs --trust FILE, the policy that says whose bundles are believed")
    policy, data = read_policy(trust), read_bundle_file(file)
    if data is None:
        raise _refused(file, Verdict.BUNDLE_TOO_LARGE, "the file")
    keys = tuple(item.parsed for item in policy.exporters if not item.revoked)
    revoked = tuple(item.parsed for item in policy.exporters if item.revoked)
    try:
        opened = read_bundle(data, Exporters(keys, revoked))
    except BundleRefused as refused:
        raise _refused(file, refused.verdict, str(refused)) from None
    return JudgedBundle(opened, verify_bundle(data, policy))


def _refused(file: Path, verdict: Verdict, where: str) -> BadEvidence:
    return BadEvidence(f"{file}: {verdict.word} at {where}; `tacho verify` says more", verdict.code)
