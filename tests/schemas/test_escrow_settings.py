"""The escrow has two holders or none."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.escrow_settings import Escrow


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    """And then for years."""
    assert (Escrow().keys, Escrow().retention_days) == ((), 3650)


@pytest.mark.parametrize(
    "value",
    [
        {"keys": ["a"]},
        {"keys": ["a", "a"]},
        {"keys": ["a", "b", "c"]},
        {"keys": ["a", ""]},
        {"retention_days": 0},
    ],
)
def test_what_makes_no_sense_is_refused(value: dict[str, Any]) -> None:
    """One holder could open alone, three are not what records are sealed for."""
    with pytest.raises(ValidationError):
        Escrow.model_validate(value)
