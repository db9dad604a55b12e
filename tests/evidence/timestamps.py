"""Bundles whose checkpoints are time-stamped and cosigned: honest ones, and what somebody made of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from attacks import Vector
from authority import Authority
from world import (
    EXPORTER,
    TIMES,
    WITNESS,
    Log,
    bundle,
    policy,
    resigned,
    sealed,
    story,
)

from tachograph.forensics.bundle.content import write_bundle

TRUSTED, OTHER = Authority(1), Authority(2)
LATE = timedelta(seconds=301)
SEEN = 1_795_413_700  # between the first checkpoint and the second


def stamping(*, required: bool = True, roots: tuple[str, ...] = (TRUSTED.pem,)) -> dict[str, Any]:
    """The policy of a verifier who believes this authority."""
    return policy(timestamps={"required": required, "roots": list(roots)})


def time_of(number: int) -> datetime:
    return datetime.fromisoformat(TIMES[number])


def token(
    log: Log, number: int, *, by: Authority = TRUSTED, later: timedelta = timedelta(seconds=2)
) -> bytes:
    """The time stamp over one checkpoint of a log, made so much later than the checkpoint."""
    text = log.note(number).rpartition("\n\n")[0] + "\n"
    return by.stamp(text, at=time_of(number) + later)


def timestamp_vectors() -> Iterator[Vector]:
    """Of checkpoints that were anchored: honest ones, and what somebody made of them."""
    log = sealed(story())
    good = token(log, 1)
    yield Vector("stamped", _stamped(log, (1, good)), "complete", stamping())
    yield Vector("stamped-both", _stamped(log, (0, token(log, 0)), (1, good)), "complete", stamping())
    three = sealed(story(), cuts=(9, 10, 10))
    yield Vector("stamped-before-the-last", _stamped(three, (1, token(three, 1))), "complete", stamping())
    yield Vector("timestamp-missing", _stamped(log), "timestamp-missing", stamping())
    short = sealed(story(), cuts=(5, 10))
    early = _stamped(short, (0, token(short, 0)))
    yield Vector("timestamp-before-the-end", early, "timestamp-missing", stamping())
    strange = _stamped(log, (1, token(log, 1, by=OTHER)))
    yield Vector("stamped-for-another-verifier", strange, "complete", policy())
    yield Vector("timestamp-of-a-stranger", strange, "timestamp-forged", stamping())
    yield Vector("timestamp-of-another", _stamped(log, (1, token(log, 0))), "timestamp-forged", stamping())
    yield Vector("timestamp-edited", _stamped(log, (1, _later(good))), "timestamp-forged", stamping())
    refused = TRUSTED.stamp(log.note(1).rpartition("\n\n")[0] + "\n", at=time_of(1), granted=2)
    yield Vector("timestamp-refused", _stamped(log, (1, refused)), "timestamp-forged", stamping())
    for other in ("sha1", "sha512"):
        weak = TRUSTED.stamp(log.note(1).rpartition("\n\n")[0] + "\n", at=time_of(1), imprint_by=other)
        yield Vector(f"timestamp-over-{other}", _stamped(log, (1, weak)), "timestamp-forged", stamping())
    yield Vector("timestamp-no-der", _stamped(log, (1, b"")), "timestamp-forged", stamping(required=False))
    after = _stamped(log, (1, token(log, 1, later=LATE)))
    yield Vector("stamped-later-than-it-says", after, "checkpoint-backdated", stamping())
    before = _stamped(log, (1, token(log, 1, later=-LATE)))
    yield Vector("stamped-earlier-than-it-says", before, "checkpoint-backdated", stamping())
    files = bundle(log, timestamps=((1, good),)).files()
    lost = {**files, "timestamps/00000002.tsr": good}
    yield Vector("timestamp-of-no-checkpoint", resigned(lost), "content-malformed", stamping())
    huge = {**files, "timestamps/00000001.tsr": bytes((64 << 10) + 1)}
    yield Vector("timestamp-too-long", resigned(huge), "content-malformed", stamping())
    yield from _witnessed(three, short)


def _witnessed(log: Log, short: Log) -> Iterator[Vector]:
    """The last checkpoint has no cosignature yet, as it is while a witness is being asked."""
    trust = policy(witnesses={"required": 1, "keys": [str(WITNESS.key)]})
    notes = list(log.notes())
    notes[1] += WITNESS.cosignature(notes[1].rpartition("\n\n")[0] + "\n", at=SEEN)
    whole = bundle(log, checkpoints=tuple(notes))
    yield Vector("witnessed-before-the-last", write_bundle(whole, EXPORTER), "complete", trust)
    notes = list(short.notes())
    notes[0] += WITNESS.cosignature(notes[0].rpartition("\n\n")[0] + "\n", at=SEEN)
    whole = bundle(short, checkpoints=tuple(notes))
    yield Vector("witnessed-before-the-end", write_bundle(whole, EXPORTER), "witness-missing", trust)


def _stamped(log: Log, *tokens: tuple[int, bytes]) -> bytes:
    return write_bundle(bundle(log, timestamps=tokens), EXPORTER)


def _later(good: bytes) -> bytes:
    """The token with another year, under the old signature."""
    assert good.count(b"20261123") == 1
    return good.replace(b"20261123", b"20251123")
