"""Where the tape is served."""

import pytest

from tachograph.cli.errors import WrongUse
from tachograph.cli.replay.serving import address, listening


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        (":0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        ("replay.test:65535", ("replay.test", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, wanted: tuple[str, int]) -> None:
    """Without a host it is loopback: nobody else shall read a session by mistake."""
    assert address(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "9000", "host", "host:", "host:-1", "host:65536", "host:x", "host:\u0661"]
)
def test_anything_else_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(WrongUse, match="expected HOST:PORT"):
        address(text)


def test_a_port_that_is_taken_is_said() -> None:
    """Instead of a traceback."""
    with listening("127.0.0.1", 0) as sock, pytest.raises(WrongUse, match="in use"):
        listening("127.0.0.1", sock.getsockname()[1])
