"""The tree of reasons why a secret cannot be had."""

import pytest

from tachograph.credentials import errors
from tachograph.credentials.errors import CredentialsError, OperatorError, VaultDown


@pytest.mark.parametrize(
    "name", [name for name in errors.__all__ if name not in {"CredentialsError", "VaultDown"}]
)
def test_what_an_operator_must_change_is_an_operator_error(name: str) -> None:
    """Everything but a Vault that does not answer."""
    error = getattr(errors, name)("why")
    assert isinstance(error, OperatorError)
    assert error.detail == str(error) == "why"


def test_a_vault_that_is_down_is_nobodys_mistake() -> None:
    """It is an error of the room, and not an operator's."""
    assert issubclass(VaultDown, CredentialsError)
    assert not issubclass(VaultDown, OperatorError)
