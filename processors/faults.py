"""Named places where a crash test may kill the process. Off unless the environment asks for one.

`TACHO_FAULT=after-send:3` kills it with SIGKILL the third time it passes `after-send`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from typing import Literal, get_args

__all__ = ["FaultPoint", "Faults"]

FaultPoint = Literal["before-open", "after-mask", "after-send", "after-dead-letter", "after-close"]


class Faults:
    """Counts passes and kills at the one that was asked for."""

    def __init__(self, wish: str | None = None) -> None:
        name, _, count = (wish or "").partition(":")
        if name and name not in get_args(FaultPoint):
            raise ValueError(f"fault point: expected one of {', '.join(get_args(FaultPoint))}, got {name!r}")
        self._name = name
        self._at = int(count or 1)
        self._passes: Counter[str] = Counter()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Faults:
        return cls(environment.get("TACHO_FAULT"))

    def at(self, point: FaultPoint) -> None:
        """Pass a point; does not return where it is the one."""
        if point != self._name:
            return
        self._passes[point] += 1
        if self._passes[point] >= self._at:
            os.kill(os.getpid(), signal.SIGKILL)
