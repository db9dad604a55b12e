"""The ways to log in. One small protocol: a way sends the browser off, and later says who came back.

What it keeps between the two is held by the console, tied to the browser by a cookie, and given back once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tachograph.identity.proof import Proof

__all__ = ["Begun", "Described", "LoginMethod", "Returned"]


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what the way wants to see again when it is back."""

    url: str = field(repr=False)
    kept: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser came back with: the address's parameters, and a form where the way takes forms."""

    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


class LoginMethod(Protocol):
    """One way. `begin` and `finish` raise `LoginRefused`, `IssuerFailed` or `Unproven`."""

    @property
    def key(self) -> str:
        """Its name in addresses: `/login/<key>` and `/login/<key>/back`."""
        ...

    @property
    def label(self) -> str:
        """What its button says."""
        ...

    @property
    def takes_forms(self) -> bool:
        """Whether the browser comes back with a form that another site made (SAML's POST binding)."""
        ...

    async def begin(self) -> Begun:
        """A new attempt."""
        ...

    async def finish(self, kept: object, returned: Returned) -> Proof:
        """Who came back. What was kept is good for this one call."""
        ...


@runtime_checkable
class Described(Protocol):
    """A way whose other end must be told about the console, by a document that holds no secret."""

    def metadata(self) -> bytes:
        """The document: SAML metadata."""
        ...
