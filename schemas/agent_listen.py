"""Settings of the agents' side: where they come in, and their certificates."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from tachograph.schemas.listen import Listen

__all__ = ["AgentListen", "ListenTls"]


class ListenTls(BaseModel):
    """TLS towards agents, 1.2 or newer; with `client_ca_file` an agent's certificate is its identity."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cert_file: str
    """PEM of the gateway's certificate, with its chain."""
    key_file: str
    """PEM of its private key."""
    client_ca_file: str | None = None
    """PEM of the authority whose client certificates are taken; none are asked for by default."""
    client_required: bool = False
    """Whether who shows no certificate may not even connect; keys and tokens do not help then."""

    @model_validator(mode="after")
    def _meant(self) -> ListenTls:
        if self.client_required and self.client_ca_file is None:
            raise ValueError("client_required: expected client_ca_file as well, else nobody could connect")
        return self


class AgentListen(Listen):
    """An address to serve agents on; port 0 lets the system choose one."""

    tls: ListenTls | None = None
    """Serve TLS, with agents' certificates as identity where that is wanted; plain HTTP by default."""
