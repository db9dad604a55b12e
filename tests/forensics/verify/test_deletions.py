"""What a statement covers; tests/evidence has every attempt to state more as a vector."""

from __future__ import annotations

import json
import re
from typing import Any

from deletions import deletion_policy, reduced
from world import DAY, ORIGIN, resigned

from tachograph.forensics.bundle.archive import unpack
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.deletions import Deletions
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.report import State
from tachograph.forensics.verify.verify import verify_bundle
from tachograph.schemas.deletion import stated
from tachograph.schemas.leaf import Leaf

OFFSET = re.compile(rb'"offset":\d+')
STRIDE = 7


def trust(**changes: Any) -> TrustPolicy:
    return TrustPolicy.parse(json.dumps(deletion_policy(**changes)), file="trust.json")


def leaf(index: int) -> Leaf:
    uid, session = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
    value = {"index": index, "offset": 1, "leaf": "0" * 64, "type": "request", "uid": uid}
    return Leaf.model_validate(value | {"session": session, "day": DAY}, strict=False)


def test_the_states_and_the_verdict() -> None:
    """What is gone says why, the rest is PRESENT, and the whole is reduced with exit code 4."""
    erased = verify_bundle(reduced((1, 4)), trust())
    assert (erased.verdict, erased.verdict.code, erased.counts) == (Verdict.REDUCED, 4, {})
    assert erased.states == {"PRESENT": 6, "EXPIRED": 0, "ERASED": 2, "MISSING": 0}
    expired = verify_bundle(reduced((1, 4), type="retention.expired"), trust())
    assert expired.states == {"PRESENT": 6, "EXPIRED": 2, "ERASED": 0, "MISSING": 0}


def test_only_a_later_statement_counts() -> None:
    """One that stands before the leaf in the log covers nothing; of two that do, an erasure is told."""
    entry = stated(leaf(5))
    assert entry is not None
    found = Deletions(str(leaf(5).session), {(ORIGIN, entry): [(State.ERASED, 5), (State.EXPIRED, 6)]})
    assert found.state(ORIGIN, leaf(5)) is State.EXPIRED
    found.named[ORIGIN, entry].append((State.ERASED, 7))
    assert found.state(ORIGIN, leaf(5)) is State.ERASED
    assert found.state("another", leaf(5)) is State.MISSING
    assert found.state(ORIGIN, leaf(6)) is State.MISSING


def test_no_flipped_byte_of_a_deletion_passes() -> None:
    """An exporter who lies about one byte of a leaf or statement is found out."""
    files = {name: data for name, data in unpack(reduced((1, 4))).items() if "manifest" not in name}
    passed, rules = [], trust()
    for name in ("leaves.jsonl", "deletions/00000000.json"):
        for at in range(0, len(files[name]), STRIDE):
            data = bytearray(files[name])
            data[at] ^= 1
            verdict = verify_bundle(resigned({**files, name: bytes(data)}), rules).verdict
            lied = OFFSET.sub(b"", data) != OFFSET.sub(b"", files[name])
            if verdict in (Verdict.COMPLETE, Verdict.REDUCED) and lied:
                passed.append((name, at))
    assert passed == []
