"""An address that one of our processes serves on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Listen", "Port"]

Port = Annotated[int, Field(ge=0, le=65_535)]


class Listen(BaseModel):
    """An address to serve on; port 0 lets the system choose one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """The address to bind; `0.0.0.0` is every interface."""
    port: Port = 8080
    """The port to bind."""
