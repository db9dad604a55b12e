"""Programs' identity: a gateway key or an OIDC bearer token in the request's own header, never a cookie."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request

from tachograph.console.errors import Away, NotProven, OperatorError
from tachograph.console.people import Person
from tachograph.identity.api_keys import ApiKeyFile
from tachograph.identity.documents import issuer_client
from tachograph.identity.errors import IssuerFailed, KeysUnreadable, Unproven
from tachograph.identity.oidc import TokenVerifier
from tachograph.identity.proof import Proof
from tachograph.schemas.config import Identity

__all__ = ["Bearer"]

_PREFIX = "tacho_"


class Bearer:
    """The gateway's own keys and issuers. Close it when done."""

    def __init__(self, keys: ApiKeyFile, tokens: TokenVerifier) -> None:
        self._keys = keys
        self._tokens = tokens

    @classmethod
    def open(cls, told: Identity, *, base: Path, monotonic: Callable[[], float] = time.monotonic) -> Bearer:
        """Raises `OperatorError`."""
        try:
            keys = ApiKeyFile(base / told.api_keys_file, now=lambda: datetime.now(UTC), monotonic=monotonic)
            tokens = TokenVerifier(
                told.oidc,
                lambda issuer: issuer_client(base / issuer.ca_file if issuer.ca_file else None),
                now=time.time,
                monotonic=monotonic,
            )
        except (KeysUnreadable, IssuerFailed) as error:
            raise OperatorError(error.detail) from None
        return cls(keys, tokens)

    async def close(self) -> None:
        await self._tokens.close()

    async def identify(self, request: Request) -> Person:
        """Who asks; raises `NotProven`, or `Away` where the issuer is."""
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        key = request.headers.get("x-tacho-key")
        if key is None and scheme.lower() != "bearer":
            raise NotProven("Send Authorization: Bearer with a token or a gateway key.")
        try:
            return Person(await self._prove(key or told.strip()), via="console")
        except Unproven as error:
            raise NotProven(error.detail) from None
        except IssuerFailed as error:
            raise Away(error.detail) from None

    async def _prove(self, text: str) -> Proof:
        if text.startswith(_PREFIX):
            return self._keys.verify(text)
        return await self._tokens.verify(text)
