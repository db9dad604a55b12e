"""An address to serve on."""

import pytest
from pydantic import ValidationError

from tachograph.schemas.listen import Listen


def test_by_default_only_this_machine_is_served() -> None:
    """Whoever wants more says so."""
    assert Listen().host == "127.0.0.1"


@pytest.mark.parametrize("port", [-1, 65_536, "http"])
def test_a_port_is_one(port: object) -> None:
    """From 0, which lets the system choose, to 65535."""
    with pytest.raises(ValidationError):
        Listen.model_validate({"port": port})
