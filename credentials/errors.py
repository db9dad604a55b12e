"""Why a secret cannot be had, named by whose fault it is.

CredentialsError
|-- OperatorError         whoever runs the gateway must change something
|   |-- SecretUnreadable  variable, file or entry is missing, empty, shared with others, or holds no secret
|   |-- KeyUnreadable     the store's key file is missing, malformed, or readable by others
|   |-- StoreBroken       the store is not ours, damaged, altered, or of another key
|   |-- EntryExists       the store has an entry of this name
|   |-- EntryMissing      the store has none of this name
|   `-- VaultRefused      Vault does not let us in, does not let us read, or has no such secret
`-- VaultDown             Vault is sealed, slow, unreachable, or answers what it should not

`detail` is in our words and names the place only: no secret, no byte of what lies there, no foreign text.
"""

from __future__ import annotations

__all__ = [
    "CredentialsError",
    "EntryExists",
    "EntryMissing",
    "KeyUnreadable",
    "OperatorError",
    "SecretUnreadable",
    "StoreBroken",
    "VaultDown",
    "VaultRefused",
]


class CredentialsError(Exception):
    """Base of every error that this room raises."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class OperatorError(CredentialsError):
    """Whoever runs the gateway must change something."""


class SecretUnreadable(OperatorError):
    """Variable, file or entry is missing, empty, shared with others, or holds no secret."""


class KeyUnreadable(OperatorError):
    """The store's key file is missing, malformed, or readable by others."""


class StoreBroken(OperatorError):
    """The store is not ours, damaged, altered, or of another key."""


class EntryExists(OperatorError):
    """The store has an entry of this name."""


class EntryMissing(OperatorError):
    """The store has none of this name."""


class VaultRefused(OperatorError):
    """Vault does not let us in, does not let us read, or has no such secret."""


class VaultDown(CredentialsError):
    """Vault is sealed, slow, unreachable, or answers what it should not."""
