"""A stop: a partition of the raw topic that no processor goes on with until an operator has acknowledged why.

Whoever proves that secrets survive masking writes one; the processors obey; it outlives every process. The
topic is compacted under the partition's number, so it holds the last word about each.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tachograph.schemas.errors import MalformedRecord

__all__ = ["Acknowledgement", "Stop", "key_of", "parse_stop", "standing"]

Time = Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z$")]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Acknowledgement(_Wire):
    """Who let the partition go on, and when."""

    by: Annotated[str, Field(min_length=1, max_length=256)]
    at: Time


class Stop(_Wire):
    """Why a partition stands still; it does no longer once it is acknowledged."""

    version: Literal[1] = 1
    reason: Literal["canary-leak"] = "canary-leak"
    finding: uuid.UUID
    """The uid of the finding that tells it to the analysts."""
    partition: Annotated[int, Field(ge=0)]
    session: uuid.UUID
    """The canary's session whose plants could be read."""
    leaks: Annotated[int, Field(ge=1)]
    places: tuple[str, ...]
    """Where they had been planted; never their values."""
    raised: Time
    acknowledged: Acknowledgement | None = None

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


def key_of(partition: int) -> bytes:
    """The topic's key for what is said about a partition."""
    return str(partition).encode()


def parse_stop(value: bytes) -> Stop:
    """Read what `encode` wrote; raises `MalformedRecord`."""
    try:
        return Stop.model_validate_json(value)
    except ValidationError as error:
        raise MalformedRecord(f"stop: {error.error_count()} fields are not as they should be") from None


def standing(said: Iterable[tuple[bytes | None, bytes | None]]) -> Mapping[int, Stop]:
    """The partitions that stand still, from keys and values in the topic's order.

    A value that cannot be read stops nothing by itself and lifts nothing either: the last good word counts.
    A tombstone lifts.
    """
    stops: dict[int, Stop] = {}
    for key, value in said:
        if value is None:
            if key is not None and key.isdigit():
                stops.pop(int(key), None)
            continue
        try:
            stop = parse_stop(value)
        except MalformedRecord:
            continue
        if stop.acknowledged is None:
            stops[stop.partition] = stop
        else:
            stops.pop(stop.partition, None)
    return stops
