"""TLS towards a target: always verified, HTTP/1.1 only, a client certificate where one is configured."""

from __future__ import annotations

import ssl
from pathlib import Path

from tachograph.ingress.errors import KeysUnreadable
from tachograph.schemas.connection import UpstreamTls

__all__ = ["client_context"]


def client_context(tls: UpstreamTls, *, base: Path) -> ssl.SSLContext:
    """A verifying context; paths are relative to `base`. There is no way to turn verification off."""
    try:
        context = ssl.create_default_context(cafile=_path(base, tls.ca_file))
        if tls.client_cert_file is not None:
            context.load_cert_chain(base / tls.client_cert_file, _path(base, tls.client_key_file))
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (tls.ca_file, tls.client_cert_file, tls.client_key_file)))
        raise KeysUnreadable(f"tls: expected readable PEM files, cannot use {files}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _path(base: Path, name: str | None) -> str | None:
    return None if name is None else str(base / name)
