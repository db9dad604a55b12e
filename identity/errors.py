"""Why nobody's identity was established, named by whose fault it is.

IdentityError
|-- Unproven             what was presented does not prove who it is; the caller must change something
|-- LoginRefused         the person or the issuer said no to a login, or nobody answered in time
|-- IssuerFailed         the issuer is away, or answers something that cannot be used
`-- KeysUnreadable       the operator's key file is missing, malformed, or writable by others

`detail` is in our words and may be shown to the caller and recorded: it repeats nothing of the credential.
"""

from __future__ import annotations

__all__ = ["IdentityError", "IssuerFailed", "KeysUnreadable", "LoginRefused", "Unproven"]


class IdentityError(Exception):
    """Base of every error that this room raises."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class Unproven(IdentityError):
    """What was presented does not prove who it is."""


class LoginRefused(IdentityError):
    """The person or the issuer said no, or nobody answered in time; the login may be begun again."""


class IssuerFailed(IdentityError):
    """The issuer is away, or what it answers cannot be used."""


class KeysUnreadable(IdentityError):
    """A key file is missing, malformed, or writable by others."""
