"""What the processors are told about the escrow of removed values: who holds its two keys, for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tachograph.schemas.topics import ESCROW_DAYS

__all__ = ["Escrow"]

Named = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class Escrow(BaseModel):
    """Removed values, kept so that two holders together can prove one. Without `keys` nothing is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    keys: tuple[Named, ...] = ()
    """None, or the two holders' public keys as `tacho escrow keygen` prints them, each itself or a file."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = ESCROW_DAYS
    """How long values stay on `<prefix>.escrow`."""

    @model_validator(mode="after")
    def _two_holders(self) -> Escrow:
        if self.keys and (len(self.keys) != 2 or len(set(self.keys)) != 2):
            raise ValueError("escrow.keys: expected none, or the public keys of two different holders")
        return self
