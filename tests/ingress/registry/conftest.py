"""The topics of registries on a real Kafka."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tachograph.schemas.topics import Topics, topic_specs
from tachograph.sinks.topic_admin import TopicAdmin

SECONDS = 60.0


@pytest.fixture
def registry_topics(stack: Any) -> Iterator[Topics]:
    """As `tacho provision` makes them, under a prefix of their own."""
    topics, settings = Topics(f"reg-{secrets.token_hex(4)}"), {"bootstrap.servers": stack.bootstrap_servers}
    specs = topic_specs(topics, partitions=1, raw_retention_hours=1, masked_retention_hours=1)
    names = [topics.control, topics.releases]
    TopicAdmin(settings).create(*(spec for spec in specs if spec.name in names))
    yield topics
    admin = AdminClient(settings)  # it must outlive what it is asked
    for gone in admin.delete_topics(names).values():
        gone.result(SECONDS)
