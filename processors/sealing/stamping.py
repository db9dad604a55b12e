"""A time-stamp authority (RFC 3161): asked over the text of a checkpoint, its answer read before it is kept.

Whether the authority is to be believed is for verifiers, who hold its root; here is checked that the answer
is one to this question, and that its clock and ours agree.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder, decode_timestamp_response

from tachograph.processors.errors import AnchorFault
from tachograph.processors.sealing.asking import Caller
from tachograph.schemas.checkpoint import Checkpoint

__all__ = ["CLOCK_SKEW_SECONDS", "Authority"]

CLOCK_SKEW_SECONDS = 300
"""Verifiers call a checkpoint back-dated beyond it (docs/spec/log.md)."""


class Authority:
    """An authority at one address."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def stamp(self, note: str, said: Checkpoint) -> bytes:
        """The answer over this note's text, DER. Raises `AnchorFault`."""
        text = (note.rpartition("\n\n")[0] + "\n").encode()
        asked = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
        answer = self._caller.post(asked.as_bytes(), "application/timestamp-query")
        if answer.status != 200 or answer.kind != "application/timestamp-reply":
            raise AnchorFault(f"it answered {answer.status} {answer.kind[:80]}, expected a time stamp")
        try:
            found = decode_timestamp_response(answer.body)
            status = PKIStatus(found.status)
            if status is not PKIStatus.GRANTED:
                raise AnchorFault(f"it did not grant the time stamp ({status.name})")
            info = found.tst_info
            fits = info.message_imprint.message == hashlib.sha256(text).digest() and info.nonce == asked.nonce
        except ValueError:
            raise AnchorFault("its answer is no time stamp") from None
        if not fits:
            raise AnchorFault("its time stamp is over something else, or an older one")
        _check_clocks(info.gen_time, said)
        return answer.body


def _check_clocks(stamped: datetime, said: Checkpoint) -> None:
    made = datetime.fromisoformat((said.time or "")[:19]).replace(tzinfo=UTC)
    apart = (stamped - made).total_seconds()
    if abs(apart) > CLOCK_SKEW_SECONDS:
        raise AnchorFault(
            f"its clock is {apart:+.0f} s from ours: set the clock of this machine, or ask another authority"
        )
