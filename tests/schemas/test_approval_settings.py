"""The bounds of waiting for people."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tachograph.schemas.approval import MAX_GRANT_MINUTES
from tachograph.schemas.approval_settings import Approval


def test_nothing_has_to_be_said() -> None:
    """The defaults: half an hour, never more than eight, a thousand waiting."""
    told = Approval()
    assert (told.grant_minutes, told.max_grant_minutes, told.max_waiting) == (30, 480, 1000)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_grant_minutes": MAX_GRANT_MINUTES + 1},
        {"grant_minutes": 60, "max_grant_minutes": 45},
        {"grant_minutes": 0},
        {"log_timeout": 0},
        {"log_timeout": float("inf")},
        {"max_waiting": 0},
        {"webhooks": 1},
    ],
)
def test_nobody_can_set_a_bound_out_of_force(settings: dict[str, float]) -> None:
    """The cap is a cap, a wait ends, and a word that means nothing is refused."""
    with pytest.raises(ValidationError):
        Approval.model_validate(settings)


def test_grants_can_be_turned_off() -> None:
    """With a cap of 0 every approval is for one request."""
    assert Approval(max_grant_minutes=0).max_grant_minutes == 0
