"""Settings of the keys: where each lies, and what wraps the data keys of the raw records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from tachograph.schemas.secret_source import SecretPath

__all__ = ["Keys", "Transit"]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Transit(_Config):
    """A key of Vault's or OpenBao's transit engine; `credentials.vault` says how to reach it."""

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
    """The key's name: of type aes256-gcm96, not derived, made before it is used."""
    mount: SecretPath = "transit"
    """Where the engine is mounted."""

    @field_validator("mount")
    @classmethod
    def _no_dots(cls, value: str) -> str:
        if {".", ".."} & set(value.split("/")):
            raise ValueError("expected a path without `.` and `..`")
        return value


class Keys(_Config):
    """Files of 32 random bytes, base64, readable by their owner only; and what wraps data keys."""

    kek_file: str = "keys/kek"
    """The key-encryption key of the raw records; the ingress and the processor hold it. Session ids, the
    fingerprints of claims and the digests of approvals are made with it, too: that is all under
    `vault_transit`, where it wraps nothing and the ingress alone holds it."""
    kek_provider: Literal["file", "vault_transit"] = "file"
    """What wraps new data keys: `kek_file`, or the key that `transit` names, which never leaves Vault."""
    transit: Transit | None = None
    """The key in Vault. Under `file`, what it wrapped before is still read."""
    kek_previous: tuple[str, ...] = ()
    """Earlier key-encryption keys: what they wrapped is read until `tacho keys rewrap` has run."""
    pseudonym_file: str = "keys/pseudonym"
    """The key of the pseudonyms; only the processor holds it."""
    log_file: str = "keys/log"
    """The Ed25519 seed that signs checkpoints; only the sealing worker holds it."""
    signing_file: str = "keys/signing"
    """The Ed25519 seed that certifies each boot's key, which signs heartbeats; only the ingress holds it."""
    export_file: str = "keys/export"
    """The Ed25519 seed that signs exported bundles; only whoever exports holds it."""
    deletion_file: str = "keys/deletion"
    """The Ed25519 seed that signs statements of lawful deletion; only whoever may delete holds it."""
    approvals_file: str = "keys/approvals"
    """The key that signs who asked and who decided; the ingress and whoever takes decisions hold it."""
    control_file: str = "keys/control"
    """The key that signs what is in force: who holds it can change policy. The ingress, the processor and
    `tacho apply` hold it. Without it a changed file needs a restart, and `registry.source: topic` fails."""
    pseudonym_previous: tuple[str, ...] = ()
    """Earlier keys of the pseudonyms: masking does not use them, `tacho keys pseudonym` compares by them."""

    @model_validator(mode="after")
    def _transit_is_named(self) -> Keys:
        if self.kek_provider == "vault_transit" and self.transit is None:
            raise ValueError("kek_provider is vault_transit, and transit does not name its key")
        return self
