"""How requests wait for people: the bounds of the `approval` part of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tachograph.schemas.approval import DEFAULT_GRANT_MINUTES, MAX_GRANT_MINUTES

__all__ = ["Approval"]


class Approval(BaseModel):
    """Requests that wait for reviewers. Who must approve what is for the policies to say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    grant_minutes: Annotated[int, Field(ge=1, le=MAX_GRANT_MINUTES)] = DEFAULT_GRANT_MINUTES
    """How long a grant lasts where its reviewer says no time."""
    max_grant_minutes: Annotated[int, Field(ge=0, le=MAX_GRANT_MINUTES)] = MAX_GRANT_MINUTES
    """The longest grant that a reviewer can give; with 0 every approval is for one request."""
    max_waiting: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Requests that may wait per worker; one more gets a 503."""
    max_waiting_each: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Approvals that one principal may have open at a time; one more gets a 503."""
    log_timeout: Annotated[float, Field(gt=0, le=300)] = 10
    """Seconds that Kafka may take for a word about an approval; then 503, and nothing is forwarded."""

    @model_validator(mode="after")
    def _within_the_cap(self) -> Approval:
        if 0 < self.max_grant_minutes < self.grant_minutes:
            raise ValueError("grant_minutes: expected at most max_grant_minutes")
        return self
