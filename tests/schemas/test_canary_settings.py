"""The canary's settings: on by default, and bounded."""

import pytest
from pydantic import ValidationError

from tachograph.schemas.canary_settings import Canary


def test_it_is_on_by_default() -> None:
    """Every five minutes, with enough exchanges for every branch."""
    told = Canary()
    assert (told.enabled, told.every_seconds, told.metrics_port) == (True, 300, None)
    assert told.exchanges >= 12


@pytest.mark.parametrize(
    "wrong",
    [{"every_seconds": 0}, {"exchanges": 0}, {"exchanges": 1001}, {"metrics_port": 65_536}, {"evry": 1}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    """A canary that never sings, or one that is mistyped."""
    with pytest.raises(ValidationError):
        Canary.model_validate(wrong)
