"""What is logged of a defect: where, never what."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from tachograph.ingress.faults import log_fault


def _fail(payload: str) -> None:
    raise ValueError(payload)


def test_the_text_of_an_exception_is_not_logged() -> None:
    """A foreign exception's text may hold a payload; its type and place do not."""
    structlog.reset_defaults()
    with capture_logs() as logs:
        try:
            _fail("sk-secret")
        except ValueError as error:
            log_fault("exchange_failed", error)
    (entry,) = logs
    assert (entry["event"], entry["kind"]) == ("exchange_failed", "ValueError")
    assert "test_faults.py" in entry["frames"][-1]
    assert "sk-secret" not in repr(entry)
