"""One tree, so that a part can end with one message whatever its operators' address lacks."""

from tachograph.operations.errors import CannotListen, OperationsError


def test_one_base() -> None:
    """Every error of the room is caught by the room's name."""
    assert issubclass(CannotListen, OperationsError)
