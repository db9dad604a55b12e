"""One secret from where the configuration says it is: an environment variable or a private file.

Its errors name the source and never the value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tachograph.ingress.errors import CredentialMissing, KeysUnreadable
from tachograph.ingress.keyfile import check_private
from tachograph.schemas.connection import SecretSource

__all__ = ["MAX_SECRET_BYTES", "read_secret"]

MAX_SECRET_BYTES = 16 * 1024


def read_secret(source: SecretSource, *, base: Path, environ: Mapping[str, str] | None = None) -> str:
    """The secret's text without surrounding white space. Raises `CredentialMissing`."""
    text = (
        _from_file(base / source.file) if source.file is not None else _from_environment(source.env, environ)
    )
    secret = text.strip()
    if not secret:
        raise CredentialMissing(f"{_where(source)} is empty")
    if not secret.isascii() or not secret.isprintable():
        raise CredentialMissing(f"{_where(source)} holds something else than one line of printable ASCII")
    return secret


def _from_environment(name: str | None, environ: Mapping[str, str] | None) -> str:
    value = (os.environ if environ is None else environ).get(name or "")
    if value is None:
        raise CredentialMissing(f"environment variable {name} is not set")
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()))
            data = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise CredentialMissing(f"file {path}: {error.strerror}") from None
    except KeysUnreadable as error:
        raise CredentialMissing(f"file {error.detail}") from None
    if len(data) > MAX_SECRET_BYTES:
        raise CredentialMissing(f"file {path}: expected at most {MAX_SECRET_BYTES} bytes")
    return data.decode("ascii", "replace")


def _where(source: SecretSource) -> str:
    return f"environment variable {source.env}" if source.env is not None else f"file {source.file}"
