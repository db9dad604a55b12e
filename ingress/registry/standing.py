"""What is in force in one worker, and what was refused: the same facts wherever a registry comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from tachograph.ingress.relay import Registered

__all__ = ["Standing"]


class Standing(ABC):
    """Whoever replaces the registry of a worker while it serves."""

    def __init__(self) -> None:
        self.version = 0
        """Of the release in force, or how often the file's own was replaced; 0 is that of the start."""
        self.refused = 0
        self.problem = ""
        """Why the last one is not in force; empty where it is."""

    @abstractmethod
    def serve(self, swap: Callable[[Registered], None]) -> None:
        """From now on `swap` takes what comes into force, on the event loop."""

    def details(self) -> dict[str, object]:
        """For /readyz."""
        return {"registry_version": self.version, "registry_problem": self.problem}

    def gauges(self) -> dict[str, float]:
        return {
            "tacho_ingress_registry_version": float(self.version),
            "tacho_ingress_registry_refused": float(self.refused),
        }
