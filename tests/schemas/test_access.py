"""What an access says of itself."""

import pytest
from pydantic import ValidationError

from tachograph.schemas.access import ACCESS, Access
from tachograph.schemas.masked_tacho import Tacho

SAID = {"action": "replay", "by": "auditor", "host": "h", "tool": "tachograph 1", "how": "served at :0"}


def test_it_says_who_how_and_with_what() -> None:
    """And a masked event carries it."""
    access = Access.model_validate(SAID)
    uid = "00000000-0000-0000-0000-000000000001"
    tacho = Tacho.model_validate({"v": 1, "uid": uid, "type": ACCESS, "session": uid, "access": access})
    assert tacho.access == access


@pytest.mark.parametrize("change", [{"by": ""}, {"action": "look"}, {"how": "x" * 1025}, {"values": {}}])
def test_nothing_else_stands_in_it(change: dict[str, object]) -> None:
    """No room for what was seen."""
    with pytest.raises(ValidationError):
        Access.model_validate(SAID | change)
