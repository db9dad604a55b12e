"""An address to serve on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tachograph.schemas.listen import Listen


def test_this_machine_only_unless_told_otherwise() -> None:
    """Nobody is reachable from outside by mistake."""
    assert Listen().host == "127.0.0.1"


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_is_one(port: int) -> None:
    """16 bits."""
    with pytest.raises(ValidationError):
        Listen(port=port)
