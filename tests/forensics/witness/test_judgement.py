"""A witness cosigns what only grew, and gives every other request the status of the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.witness.judgement import Known, Refused, judge
from tachograph.schemas.note import NoteSigner

ORIGIN = "tachograph/test/0"
LOGS = {ORIGIN: NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)).key}


def _known(log: Any) -> dict[str, Known]:
    return {ORIGIN: Known(len(log.tree), log.tree.root())}


def _status(body: str, known: dict[str, Known]) -> tuple[int, int | None]:
    with pytest.raises(Refused) as caught:
        judge(body, logs=LOGS, known=known)
    return caught.value.status, caught.value.size


@given(first=st.integers(0, 40), more=st.integers(0, 40))
def test_a_log_that_only_grew_is_cosigned(first: int, more: int, growing_log: Any) -> None:
    """From any size to any later one, the first time, and again for the same."""
    before = growing_log().grow(first)
    log = growing_log().grow(first + more)
    answer = judge(log.asks(first), logs=LOGS, known=_known(before))
    assert (answer.checkpoint.size, answer.checkpoint.root) == (first + more, log.tree.root())


def test_a_stale_size_is_told_the_one_that_is_known(growing_log: Any) -> None:
    """409, with the size to ask from."""
    known = _known(growing_log().grow(5))
    assert _status(growing_log().grow(9).asks(3), known) == (409, 5)
    assert _status(growing_log().grow(9).asks(7), known) == (409, 5)


def test_a_fork_is_not_cosigned(growing_log: Any) -> None:
    """422 for another history, also of the same size, with whatever proof."""
    known = _known(growing_log().grow(5))
    fork = growing_log(first=100)
    assert _status(fork.grow(5).asks(5), known) == (422, None)
    assert _status(fork.grow(4).asks(5), known) == (422, None)
    honest = growing_log().grow(9)
    assert _status(honest.asks(5, proof=()), known) == (422, None)


def test_a_log_that_was_cut_off_is_not_cosigned(growing_log: Any) -> None:
    """Fewer leaves than before: 400 where it says so, 409 where it hides it."""
    known = _known(growing_log().grow(5))
    assert _status(growing_log().grow(3).asks(5, proof=()), known) == (400, None)
    assert _status(growing_log().grow(3).asks(3), known) == (409, 5)


def test_another_key_is_not_the_log(growing_log: Any) -> None:
    """403 when the key is not the one of this origin, 404 when the origin is unknown."""
    assert _status(growing_log(seed=2).grow(1).asks(0), {}) == (403, None)
    assert _status(growing_log(origin="other/0").grow(1).asks(0), {}) == (404, None)


@pytest.mark.parametrize("body", ["", "old 0\n\n", "old 0\n\ntext\n", "old 0\n\ntext\n\nmore\n"])
def test_what_is_no_request_is_the_askers_fault(body: str) -> None:
    """400, never a crash."""
    assert _status(body, {}) == (400, None)


def test_every_flipped_byte_is_refused(growing_log: Any) -> None:
    """No altered request is cosigned, unless what was altered is the unsigned hint of the old size."""
    body = growing_log().grow(3).asks(0).encode()
    for position in range(len(body)):
        altered = bytearray(body)
        altered[position] ^= 1
        with pytest.raises(Refused):
            judge(altered.decode("utf-8", "replace"), logs=LOGS, known={})
