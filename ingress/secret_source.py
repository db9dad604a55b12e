"""A password of the engines, from environment or private file, or an error of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.provider import read_plain
from tachograph.ingress.errors import CredentialMissing
from tachograph.schemas.secret_source import PlainSource

__all__ = ["read_secret"]


def read_secret(source: PlainSource, *, base: Path, environ: Mapping[str, str] | None = None) -> str:
    """The secret's text without surrounding white space. Raises `CredentialMissing`."""
    try:
        return read_plain(source, base=base, environ=environ)
    except SecretUnreadable as error:
        raise CredentialMissing(error.detail) from None
