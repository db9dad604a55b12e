"""The trust policy: the keys, witnesses and masking rules that a verifier believes; it believes nothing else.

YAML, or JSON, which is YAML too. `tacho trust` prints the one of a deployment; it must reach the verifier by
another way than the bundle.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import yaml
from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tachograph.forensics.errors import OperatorError
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Hex64
from tachograph.schemas.note import NoteKey, SignatureKind

__all__ = ["MAX_POLICY_BYTES", "Seen", "Timestamps", "TrustPolicy", "Trusted", "Witnesses"]

MAX_POLICY_BYTES = 1 << 20


class _Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Seen(_Policy):
    """A checkpoint that the verifier remembers: the log may have grown since, nothing else."""

    size: Annotated[int, Field(ge=0, lt=2**63)]
    root: Hex64


class Trusted(_Policy):
    """A key by its `vkey` text. One that is revoked vouches for nothing, whatever time it names."""

    key: str
    revoked: bool = False

    @property
    def parsed(self) -> NoteKey:
        return NoteKey.parse(self.key)


class TrustedLog(Trusted):
    """A log by its key, whose name is the log's origin."""

    seen: Seen | None = None


class Witnesses(_Policy):
    """How many of these must have cosigned one checkpoint of the end of each log."""

    required: Annotated[int, Field(ge=0, le=64)] = 0
    keys: Annotated[tuple[str, ...], Field(strict=False, max_length=64)] = ()


class Timestamps(_Policy):
    """Which time-stamp authorities are believed, by the certificates (PEM) that their own lead to."""

    required: bool = False
    roots: Annotated[tuple[str, ...], Field(strict=False, max_length=64)] = ()

    @property
    def certificates(self) -> list[Certificate]:
        return [load_pem_x509_certificate(text.encode()) for text in self.roots]

    @model_validator(mode="after")
    def _roots_are_certificates(self) -> Self:
        if self.required and not self.roots:
            raise ValueError("timestamps.required: no root says whose time stamps are believed")
        try:
            found = self.certificates
        except ValueError:
            raise ValueError("timestamps.roots: expected certificates, each in PEM") from None
        if len(set(found)) < len(found):
            raise ValueError("timestamps.roots: a certificate stands there twice")
        return self


class TrustPolicy(_Policy):
    """Everything that is believed. Without `rulesets` any masking rules are taken."""

    version: Literal[1]
    logs: Annotated[tuple[TrustedLog, ...], Field(strict=False, max_length=4096)]
    exporters: Annotated[tuple[Trusted, ...], Field(strict=False, max_length=64)]
    witnesses: Witnesses = Witnesses()
    timestamps: Timestamps = Timestamps()
    deletions: Annotated[tuple[Trusted, ...], Field(strict=False, max_length=64)] = ()
    """Whose statements make a deletion lawful."""
    gateways: Annotated[tuple[Trusted, ...] | None, Field(strict=False, max_length=64)] = None
    """Who certifies the keys of heartbeats; where it is absent, heartbeats are not asked for."""
    rulesets: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1)], ...] | None, Field(strict=False)
    ] = None

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        for kind, texts in (
            (SignatureKind.ED25519, [item.key for item in self._signers]),
            (SignatureKind.COSIGNATURE, self.witnesses.keys),
        ):
            for text in texts:
                try:
                    found = NoteKey.parse(text)
                except MalformedRecord as error:
                    raise ValueError(f"{text[:40]!r}: {error}") from None
                if found.kind is not kind:
                    raise ValueError(f"{found.name}: a key of kind {found.kind}, expected {kind}")
        if self.witnesses.required > len(set(self.witnesses.keys)):
            raise ValueError("witnesses.required: more than there are keys")
        return self

    @property
    def _signers(self) -> tuple[Trusted, ...]:
        return *self.logs, *self.exporters, *self.deletions, *(self.gateways or ())

    @classmethod
    def parse(cls, text: str, *, file: str) -> TrustPolicy:
        """Read a policy; raises `OperatorError` that names what is wrong with it."""
        if len(text) > MAX_POLICY_BYTES:
            raise OperatorError(f"{file}: expected at most {MAX_POLICY_BYTES} bytes")
        try:
            value: Any = yaml.safe_load(text)
            return cls.model_validate(value)
        except (yaml.YAMLError, RecursionError):
            raise OperatorError(f"{file}: not YAML") from None
        except ValidationError as error:
            said = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'the policy'}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            )
            raise OperatorError(
                f"{file}: {said[:500]}; `tacho trust` prints a policy to begin with"
            ) from None
