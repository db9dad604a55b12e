"""Policy files are named once, and whom to ask is one line of text."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tachograph.schemas.policy_settings import Policies


def test_no_policy_by_default() -> None:
    """Then the connections' allow lists decide alone."""
    assert Policies().files == ()


@pytest.mark.parametrize(
    "value", [{"files": ("a", "a")}, {"contact": "a\nb"}, {"contact": "x" * 201}, {"file": "a"}]
)
def test_what_is_refused(value: dict[str, object]) -> None:
    """A file twice, text that would break a line, text without end, a setting that is none."""
    with pytest.raises(ValidationError):
        Policies.model_validate(value)
