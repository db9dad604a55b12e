"""What a worker tells of its registry."""

from __future__ import annotations

from collections.abc import Callable

from tachograph.ingress.metrics import REGISTRY_GAUGES
from tachograph.ingress.registry.standing import Standing
from tachograph.ingress.relay import Registered


class Still(Standing):
    def serve(self, swap: Callable[[Registered], None]) -> None:
        raise NotImplementedError


def test_every_gauge_has_a_value() -> None:
    """And /readyz says version and problem."""
    still = Still()
    still.version, still.refused, still.problem = 3, 2, "why"
    assert still.gauges().keys() == REGISTRY_GAUGES.keys()
    assert still.details() == {"registry_version": 3, "registry_problem": "why"}
