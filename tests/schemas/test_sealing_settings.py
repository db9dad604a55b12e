"""The sealing worker's settings refuse what no log could be run with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.sealing_settings import Sealing


@pytest.mark.parametrize(
    "value",
    [
        {"origin": "a b"},
        {"origin": "a+b"},
        {"origin": ""},
        {"checkpoint_leaves": 0},
        {"checkpoint_seconds": 0},
        {"checkpoint_seconds": float("inf")},
        {"other": 1},
    ],
)
def test_what_makes_no_sense_is_refused(value: dict[str, Any]) -> None:
    """Names that a note cannot carry, and rhythms without a beat."""
    with pytest.raises(ValidationError):
        Sealing.model_validate(value)


def test_by_default_a_checkpoint_comes_every_minute() -> None:
    """... and after a thousand leaves."""
    assert (Sealing().checkpoint_leaves, Sealing().checkpoint_seconds, Sealing().origin) == (1000, 60, None)
