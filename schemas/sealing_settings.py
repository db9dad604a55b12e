"""What the sealing worker is told: under which name it speaks, and how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tachograph.schemas.listen import Listen

__all__ = ["Sealing"]


class Sealing(BaseModel):
    """The worker that appends masked records to the Merkle logs and signs checkpoints."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    origin: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")] | None = None
    """The logs' name, `<origin>/<partition>`; `tachograph/<topic prefix>` by default."""
    checkpoint_leaves: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """A checkpoint is signed after this many new leaves."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60
    """... or after this time, also when nothing came: silence is a statement."""
    metrics: Listen | None = None
    """Where /metrics, /healthz and /readyz are served; none by default."""
