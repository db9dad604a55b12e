"""Stops on the real broker: read to the end before anything else, followed, and written durably."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.processors.errors import BrokerFault
from tachograph.processors.stops import StopsReader, read_stops, write_stop
from tachograph.schemas.stops import Acknowledgement, Stop

pytestmark = pytest.mark.engines
AT = "2026-11-23T10:00:00Z"
BOUND_S = 60.0


def stop(partition: int) -> Stop:
    return Stop(
        finding=uuid.UUID(int=1),
        partition=partition,
        session=uuid.UUID(int=2),
        leaks=1,
        places=("url",),
        raised=AT,
    )


def lifted(one: Stop) -> Stop:
    return one.model_copy(update={"acknowledged": Acknowledgement(by="joe", at=AT)})


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + BOUND_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_a_stop_is_followed_until_it_is_acknowledged(site: Any) -> None:
    """From an empty topic on, and by one who comes later."""
    settings = {"bootstrap.servers": site.bootstrap}
    reader = StopsReader(settings, site.topics.stops)
    reader.start()
    assert eventually(lambda: reader.ready)
    assert reader.stopped(1) is None
    write_stop(settings, site.topics.stops, stop(1))
    write_stop(settings, site.topics.stops, stop(0))
    assert eventually(lambda: reader.stopped(1) == stop(1) and reader.stopped(0) == stop(0))
    late = StopsReader(settings, site.topics.stops)
    late.start()
    assert eventually(lambda: late.ready)
    assert late.stopped(1) == stop(1)
    write_stop(settings, site.topics.stops, lifted(stop(1)))
    assert eventually(lambda: reader.stopped(1) is None and late.stopped(1) is None)
    assert read_stops(settings, site.topics.stops) == {0: stop(0)}
    reader.stop()
    late.stop()


def test_a_missing_topic_says_what_to_do(site: Any) -> None:
    """The operator provisions; nobody takes silence for permission."""
    settings = {"bootstrap.servers": site.bootstrap}
    with pytest.raises(BrokerFault, match="tacho provision"):
        read_stops(settings, f"{site.topics.prefix}-none.stops")
    reader = StopsReader(settings, f"{site.topics.prefix}-none.stops")
    reader.start()
    reader.stop()
    assert not reader.ready
