"""What a witness is told: whose logs it cosigns, where it serves, where its key and its memory lie."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.listen import Listen
from tachograph.schemas.note import NoteKey, SignatureKind

__all__ = ["MAX_LOGS", "WitnessConfiguration"]

MAX_LOGS = 4096


class WitnessConfiguration(BaseModel):
    """The file of `tacho witness`; relative paths lie beside it. It needs no other configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: Literal[1] = 1
    """Of this file's form."""
    name: Annotated[str, StringConstraints(pattern=r"^[^\s+\x00-\x1f\x7f]{1,255}$")]
    """Under which it cosigns; a name of your own that lasts, such as `witness.example.org/1`."""
    listen: Listen = Listen(port=8089)
    """Where it serves plain HTTP; put TLS in front of it where the network is not yours."""
    key_file: str = "witness.key"
    """Its Ed25519 seed, base64, for its owner only; made at the first start."""
    state: str = "witness"
    """The folder of the last checkpoint of each log. Never empty it: a witness that forgets cosigns forks."""
    logs: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_LOGS)]
    """Verifier keys (`vkey`) of the logs that it cosigns, as `tacho trust` prints them under `logs`."""

    @property
    def keys(self) -> dict[str, NoteKey]:
        """The logs' keys by their origins."""
        return {key.name: key for key in map(NoteKey.parse, self.logs)}

    @model_validator(mode="after")
    def _logs_are_keys(self) -> Self:
        for text in self.logs:
            try:
                found = NoteKey.parse(text)
            except MalformedRecord as error:
                raise ValueError(f"logs: {error}") from None
            if found.kind is not SignatureKind.ED25519:
                raise ValueError(f"logs: {found.name} is the key of a witness; expected a log's, of kind 1")
        if len(self.keys) < len(self.logs):
            raise ValueError("logs: one log stands there twice; a witness holds one history of each")
        return self
