"""Gaps: the broker says whether skipped offsets ever held a record."""

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tachograph.processors.errors import BrokerFault
from tachograph.processors.gaps import Gap, look_into
from tachograph.processors.lanes import Place

pytestmark = pytest.mark.engines


def test_a_record_that_is_there_is_found(site: Any) -> None:
    """The first record from the expected offset on: the caller sees that somebody left it out."""
    settings = {"bootstrap.servers": site.bootstrap}
    for _ in range(3):
        site.produce(b"value", key=b"k")
    place = next(
        Place(site.topics.raw, number) for number in range(site.partitions) if _ends(site, number) == 3
    )
    assert look_into(settings, place, 1) == Gap(first=1, expired=0)


def test_records_deleted_by_retention_are_counted(site: Any) -> None:
    """Offsets below the log's start are gone: told with their number, never silently."""
    settings = {"bootstrap.servers": site.bootstrap}
    for _ in range(5):
        site.produce(b"value", key=b"k")
    number = next(number for number in range(site.partitions) if _ends(site, number) == 5)
    admin = AdminClient(settings)
    for future in admin.delete_records([TopicPartition(site.topics.raw, number, 4)]).values():
        future.result(30)
    assert look_into(settings, Place(site.topics.raw, number), 1) == Gap(first=4, expired=3)


def test_a_broker_that_does_not_answer_is_a_fault(
    site: Any, monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory: Any
) -> None:
    """Bounded, and nobody's record is blamed."""
    monkeypatch.setattr("tachograph.processors.gaps.LOOK_S", 1.0)
    began = time.monotonic()
    settings = {"bootstrap.servers": f"127.0.0.1:{unused_tcp_port_factory()}", "log_level": 0}
    with pytest.raises(BrokerFault):
        look_into(settings, Place(site.topics.raw, 0), 0)
    assert time.monotonic() - began < 15


def _ends(site: Any, number: int) -> int:
    consumer = Consumer({"bootstrap.servers": site.bootstrap, "group.id": "ends"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(site.topics.raw, number), timeout=30)[1])
    finally:
        consumer.close()
