"""What the sealing worker is told: under which name it speaks, how often, and who else is to vouch for it."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.listen import Listen
from tachograph.schemas.note import NoteKey, SignatureKind

__all__ = ["MAX_WITNESSES", "Sealing", "WitnessAddress"]

MAX_WITNESSES = 16


class _Sealing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class WitnessAddress(_Sealing):
    """A witness (C2SP tlog-witness) that is asked to cosign every checkpoint."""

    url: str
    """`http://` or `https://`; `/add-checkpoint` is put behind it."""
    key: str
    """Its verifier key (`vkey`), which a cosignature must fit; `tacho witness` prints its own."""

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        return _plain(value).rstrip("/")

    @field_validator("key")
    @classmethod
    def _cosigns(cls, value: str) -> str:
        try:
            found = NoteKey.parse(value)
        except MalformedRecord as error:
            raise ValueError(str(error)) from None
        if found.kind is not SignatureKind.COSIGNATURE:
            raise ValueError("expected the key of a witness, of kind 4; this one signs something else")
        return value


class Sealing(_Sealing):
    """The worker that appends masked records to the Merkle logs and signs checkpoints."""

    origin: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")] | None = None
    """The logs' name, `<origin>/<partition>`; `tachograph/<topic prefix>` by default."""
    checkpoint_leaves: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """A checkpoint is signed after this many new leaves."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60
    """... or after this time, also when nothing came: silence is a statement."""
    witnesses: Annotated[tuple[WitnessAddress, ...], Field(max_length=MAX_WITNESSES)] = ()
    """Who cosigns checkpoints, best other teams; sealing never waits for them."""
    timestamp_url: str | None = None
    """A time-stamp authority (RFC 3161) that stamps checkpoints; none by default."""
    timestamp_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300
    """At most one checkpoint of each log is stamped in this time: authorities ask to be spared."""
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""

    @field_validator("timestamp_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return value if value is None else _plain(value)

    @model_validator(mode="after")
    def _each_witness_once(self) -> Self:
        if len({item.key for item in self.witnesses}) < len(self.witnesses):
            raise ValueError("witnesses: a key stands there twice, and one witness counts once")
        return self


def _plain(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("expected http://host[:port][/path] or https://host[:port][/path]")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("expected no userinfo, query or fragment")
    return value
