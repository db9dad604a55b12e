"""What the canary agent is told: how often it plants, how much, and how long it waits.

`tacho up` runs it where it is enabled; `tacho canary` runs it anywhere.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Canary"]


class Canary(BaseModel):
    """The agent that plants synthetic secrets and proves that none survives; a leak stops its partition."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    enabled: bool = True
    """`tacho up` runs it beside the other parts. Where each part is run by itself: `tacho canary`."""
    every_seconds: Annotated[float, Field(ge=1)] = 300
    """From one round to the next, and from the start to the first."""
    exchanges: Annotated[int, Field(ge=1, le=1000)] = 24
    """Exchanges in a round; twelve take every branch."""
    wait_seconds: Annotated[float, Field(ge=1)] = 60
    """How long the processors may take over a round."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Where /metrics is served on 127.0.0.1; nowhere by default."""
