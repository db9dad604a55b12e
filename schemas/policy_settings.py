"""Where policies come from: the `policy` part of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

__all__ = ["Contact", "Policies"]

Contact = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Policies(BaseModel):
    """Who may do what. Without files the connections' `allow` decides alone; with any, both must agree."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    files: tuple[str, ...] = ()
    """Cedar policy files. What none of their policies permits is denied; see docs/policy.md."""
    contact: Contact = ""
    """Whom a refused agent may ask, where the connection has no label `owner`; it reads this."""

    @field_validator("files")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a file named twice")
        return value
