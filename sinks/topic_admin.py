"""Topics with exactly the configuration that `schemas/topics.py` states: no more keys, no other values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without `__all__`
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.errors import OperatorError, Unavailable

__all__ = ["TopicAdmin", "changes"]

_ANSWER_SECONDS = 60.0
_ASK_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_SETTLING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._NOENT,  # noqa: SLF001  librdkafka's own name for a partition without a leader
    }
)
"""What a partition that was just created answers before it can be used."""


class TopicAdmin:
    """Kafka's admin interface. Raises `Unavailable` or `OperatorError`."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._admin = AdminClient(dict(client) | {"log_level": 0})

    def existing(self) -> dict[str, int]:
        """Every topic with its number of partitions."""
        try:
            found = self._admin.list_topics(timeout=_ASK_SECONDS)
        except KafkaException as error:
            raise Unavailable(f"Kafka did not answer: {error.args[0].name()}") from None
        return {name: len(topic.partitions) for name, topic in found.topics.items() if topic.error is None}

    def create(self, *specs: TopicSpec, copies: int = 1) -> None:
        """Create topics; when this returns, every partition's leader answers for it."""
        new = [
            NewTopic(each.name, each.partitions, replication_factor=copies, config=dict(each.config))
            for each in specs
        ]
        made = self._admin.create_topics(new, request_timeout=_ANSWER_SECONDS) if new else {}
        for name, answer in made.items():
            self._result(answer, name)
        for spec in specs:
            self._until(lambda: self._led(spec), spec.name)  # noqa: B023  called here

    def differing(self, spec: TopicSpec) -> dict[str, str | None]:
        """What would have to be set, or reset (None), for the topic to be as specified; changes nothing."""
        return changes(spec.config, self._explicit(spec.name))

    def align(self, spec: TopicSpec) -> tuple[str, ...]:
        """Set what differs, reset what is not ours; returns what was changed, `key=value` or `key reset`."""
        wanted = self.differing(spec)
        if wanted:
            change = ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=_entries(wanted))
            altered = self._admin.incremental_alter_configs([change], request_timeout=_ANSWER_SECONDS)
            self._result(altered[change], spec.name)
            self._until(lambda: not changes(spec.config, self._explicit(spec.name)), spec.name)
        return tuple(f"{key} reset" if value is None else f"{key}={value}" for key, value in wanted.items())

    def _led(self, spec: TopicSpec) -> bool:
        # Metadata names a leader before it leads, so each is asked, and is found by fresh metadata only.
        try:
            found = self.existing().get(spec.name)
        except Unavailable:  # a broker that has many topics to make is asked again
            return False
        if found != spec.partitions:
            return False
        end = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # not annotated
        ends = {TopicPartition(spec.name, number): end for number in range(spec.partitions)}
        answers = self._admin.list_offsets(ends, request_timeout=_ANSWER_SECONDS)
        return all(self._answered(answer, spec.name) for answer in answers.values())

    def _answered(self, future: Any, name: str) -> bool:
        error = future.exception(_ANSWER_SECONDS)
        if isinstance(error, KafkaException) and error.args[0].code() in _SETTLING:
            return False
        self._result(future, name)
        return True

    def _explicit(self, name: str) -> dict[str, str | None]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        answer = self._admin.describe_configs([resource], request_timeout=_ANSWER_SECONDS)
        return {
            key: entry.value
            for key, entry in self._result(answer[resource], name).items()
            if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
        }

    @staticmethod
    def _until(holds: Callable[[], bool], name: str) -> None:
        # The controller has taken a change before every broker shows it.
        end = time.monotonic() + _ANSWER_SECONDS
        while not holds():
            if time.monotonic() >= end:
                raise OperatorError(
                    f"topic {name}: taken by Kafka, not in effect after {_ANSWER_SECONDS:.0f} s"
                )
            time.sleep(_LOOK_SECONDS)

    @staticmethod
    def _result(future: Any, name: str) -> Any:
        try:
            return future.result(_ANSWER_SECONDS)
        except KafkaException as error:
            raise OperatorError(f"topic {name}: Kafka refused: {error.args[0].str()}") from None
        except TimeoutError:
            raise OperatorError(
                f"topic {name}: Kafka did not answer within {_ANSWER_SECONDS:.0f} s"
            ) from None


def changes(wanted: Mapping[str, str], explicit: Mapping[str, str | None]) -> dict[str, str | None]:
    """What to set, and what to reset (None), so that exactly `wanted` is set on a topic."""
    setting: dict[str, str | None] = {k: v for k, v in sorted(wanted.items()) if explicit.get(k) != v}
    return setting | {name: None for name in sorted(explicit) if name not in wanted}


def _entries(wanted: Mapping[str, str | None]) -> list[ConfigEntry]:
    return [
        ConfigEntry(
            name,
            value or "",
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for name, value in wanted.items()
    ]
