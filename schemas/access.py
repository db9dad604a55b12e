"""That somebody looked at a recorded session in a way that uses it or takes it out: said in the record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = ["ACCESS", "Access"]

ACCESS: Literal["access"] = "access"
"""The type of its document."""
Said = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Access(BaseModel):
    """Who, with what, and how. Nothing of what was seen stands in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    action: Literal["replay", "reveal"]
    by: Said
    """The user of the machine, as it names him: nobody verified it."""
    host: Said
    """The machine's own name."""
    tool: Said
    """Which release of which tool."""
    how: Said
    """Where it was read, and what for."""
