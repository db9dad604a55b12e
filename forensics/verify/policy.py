"""The trust policy: the keys, witnesses and masking rules that a verifier believes; it believes nothing else.

YAML, or JSON, which is YAML too. `tacho trust` prints the one of a deployment; it must reach the verifier by
another way than the bundle. What could be read in two ways, such as a key both revoked and not, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tachograph.forensics.errors import OperatorError
from tachograph.schemas.document import load_model
from tachograph.schemas.errors import ConfigurationError, MalformedRecord
from tachograph.schemas.leaf import Hex64
from tachograph.schemas.note import NoteKey, SignatureKind

__all__ = ["MAX_POLICY_BYTES", "Seen", "Timestamps", "TrustPolicy", "Trusted", "Witnesses"]

MAX_POLICY_BYTES = 1 << 20
MAX_SAID = 500
"""Characters of what is said to be wrong with a policy."""


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
        if self.witnesses.required > len(self.witnesses.keys):
            raise ValueError("witnesses.required: more than there are keys")
        return self

    @model_validator(mode="after")
    def _each_key_once(self) -> Self:
        for where, items in (
            ("logs", self.logs),
            ("exporters", self.exporters),
            ("deletions", self.deletions),
            ("gateways", self.gateways or ()),
        ):
            if _repeated([item.key for item in items]):
                raise ValueError(f"{where}: a key stands there twice")
        # A witness is a key, not a name: with two names it would be two, with a log's no witness at all.
        publics = [NoteKey.parse(text).public for text in self.witnesses.keys]
        if _repeated(publics):
            raise ValueError("witnesses.keys: a key stands there twice, perhaps under two names")
        if set(publics) & {item.parsed.public for item in self._signers}:
            raise ValueError("witnesses.keys: the key of a log, exporter, gateway or deletion is no witness")
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
            return load_model(text, cls, file=file)
        except ConfigurationError as error:
            said = str(error)[:MAX_SAID]
            raise OperatorError(f"{said}; `tacho trust` prints a policy to begin with") from None


def _repeated(items: Sequence[object]) -> bool:
    return len(set(items)) < len(items)
