"""What `tacho retention` is told: for how long documents stay, by what they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Retention"]

Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(BaseModel):
    """How long documents stay in OpenSearch. Only `tacho retention` and `tacho erase` delete."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    events_days: Days | None = None
    """Whole days that events stay; for ever by default. Longer than `kafka.masked_retention_hours`."""
    messages_days: Days | None = None
    """The same for the messages of conversations, which are most of what is said."""
