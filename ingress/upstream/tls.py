"""TLS towards a target: always verified, HTTP/1.1 only, a client certificate where one is configured."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

from tachograph.ingress.errors import CredentialMissing, KeysUnreadable
from tachograph.schemas.connection import UpstreamTls

__all__ = ["Contexts", "client_context"]


class Contexts:
    """The context of each new connection to one target; another one when its certificate was rotated."""

    def __init__(self, tls: UpstreamTls, *, base: Path, identity: Callable[[], str] | None = None) -> None:
        """`identity` gives the PEM of `tls.client_identity` as it is now. Raises `KeysUnreadable`."""
        self._tls = tls
        self._base = base
        self._identity = identity
        self._made_for: str | None = None
        self._context = None if identity is not None else client_context(tls, base=base)

    def __repr__(self) -> str:
        return "Contexts()"

    def __call__(self) -> ssl.SSLContext:
        """Raises `CredentialMissing`."""
        pem = self._identity() if self._identity is not None else None
        if self._context is None or pem != self._made_for:
            self._context = client_context(self._tls, base=self._base, identity=pem)
            self._made_for = pem
        return self._context


def client_context(tls: UpstreamTls, *, base: Path, identity: str | None = None) -> ssl.SSLContext:
    """A verifying context; paths are relative to `base`. There is no way to turn verification off."""
    try:
        context = ssl.create_default_context(cafile=_path(base, tls.ca_file))
        if tls.client_cert_file is not None:
            context.load_cert_chain(base / tls.client_cert_file, _path(base, tls.client_key_file))
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (tls.ca_file, tls.client_cert_file, tls.client_key_file)))
        raise KeysUnreadable(f"tls: expected readable PEM files, cannot use {files}") from error
    if identity is not None:
        _load(context, identity)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, identity: str) -> None:
    """Python takes certificates from files only; this one never touches a disk (memfd_create(2), Linux)."""
    if not hasattr(os, "memfd_create"):
        raise CredentialMissing("tls.client_identity: needs Linux; name client_cert_file and client_key_file")
    number = os.memfd_create("client-identity", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(identity.encode())
        context.load_cert_chain(f"/proc/self/fd/{number}")
    except (OSError, ssl.SSLError):
        raise CredentialMissing("tls.client_identity: expected a certificate and its key in PEM") from None
    finally:
        os.close(number)


def _path(base: Path, name: str | None) -> str | None:
    return None if name is None else str(base / name)
