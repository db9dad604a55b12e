"""Read a window of the raw topic by offset and tally what a candidate rule set would change there.

It belongs to no consumer group and commits nothing; what it opens stays in this process and is never printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tachograph.processors.asking import ASK_S, asked, partitions, span
from tachograph.processors.assemble import Assembler, Piece, Ready
from tachograph.processors.backtest_tally import Tally
from tachograph.processors.brokers import rdkafka_settings
from tachograph.processors.errors import BrokerFault, KeyMissing, Poisoned
from tachograph.processors.facts import content_of, meta_parts
from tachograph.processors.keyfile import open_keys, read_key
from tachograph.processors.keys_cache import KeysReader, KeyTable
from tachograph.processors.maskers import build_maskers
from tachograph.processors.masking.masker import Part
from tachograph.processors.unseal import open_piece, parse_record
from tachograph.schemas.config import Configuration
from tachograph.schemas.payload import RequestMeta, ResponseMeta

__all__ = ["backtest"]

READ_S = 30.0
"""How long Kafka may send nothing of a window that it says it has."""


def backtest(config: Configuration, *, base: Path, rules: tuple[Path, ...], since_s: float) -> Tally:
    """Mask the records of the last `since_s` seconds by the rules in force and by `rules` in their place.

    `rules` stand in place of `masking.rules`; raises `BrokerFault` and `OperatorError`.
    """
    masking = config.masking.model_copy(update={"rules": tuple(str(path.absolute()) for path in rules)})
    pseudonym_key = read_key(base / config.keys.pseudonym_file)
    current = build_maskers(config, base=base, pseudonym_key=pseudonym_key)
    changed = config.model_copy(update={"masking": masking})
    candidate = build_maskers(changed, base=base, pseudonym_key=pseudonym_key)
    tally = Tally()
    for ready in _window(config, base=base, since_s=since_s, tally=tally):
        name = ready.piece.header.connection
        parts = _parts(ready)
        if ready.withheld:
            tally.unreadable += 1
        if parts:
            tally.add(parts, current(name), candidate(name))
    return tally


def _parts(ready: Ready) -> list[Part]:
    meta = ready.piece.meta
    parts = meta_parts(meta)
    if not ready.withheld and isinstance(meta, RequestMeta | ResponseMeta):
        body = b"".join((*(piece.body for piece in ready.chunks), ready.piece.body))
        content = content_of(meta.headers)
        parts.append(Part("body", "body", body, content.type, content.encoding))
    return parts


def _window(config: Configuration, *, base: Path, since_s: float, tally: Tally) -> Iterator[Ready]:
    settings = rdkafka_settings(config.kafka, base=base)
    ring = open_keys(config, base=base)
    keys = KeysReader(settings, config.kafka.topics.keys, KeyTable(ring))
    keys.start()
    try:
        _wait_for(keys)
        assemblers: dict[int, Assembler] = {}
        bounds = config.processor
        for message in _messages(settings, config.kafka.topics.raw, since_s):
            assembler = assemblers.setdefault(
                message.partition() or 0,
                Assembler(hold_bytes=bounds.hold_bytes, hold_seconds=bounds.hold_seconds),
            )
            try:
                yield from assembler.take(_opened(message, keys.table)).ready
            except (Poisoned, KeyMissing):
                tally.unreadable += 1
    except KafkaException as error:
        raise BrokerFault(f"{config.kafka.bootstrap_servers}: {error.args[0].str()}") from None
    finally:
        keys.stop()
        ring.close()


def _opened(message: Message, table: KeyTable) -> Piece:
    record = parse_record(message.value())
    return open_piece(record, message.offset() or 0, table.cipher)


def _wait_for(keys: KeysReader) -> None:
    deadline = time.monotonic() + READ_S
    while not keys.ready:
        if time.monotonic() > deadline:
            raise BrokerFault(f"the keys topic could not be read within {READ_S:.0f} s")
        time.sleep(0.05)


def _messages(settings: dict[str, object], topic: str, since_s: float) -> Iterator[Message]:
    """Every message between the first of the window and the end as it is now."""
    consumer = Consumer({**settings, "group.id": f"{topic}.backtest", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "allow.auto.create.topics": False,
                         "enable.partition.eof": False})  # fmt: skip
    try:
        first_ms = int((time.time() - since_s) * 1000)
        since = [TopicPartition(topic, each.partition, first_ms) for each in partitions(consumer, topic)]
        starts = asked(lambda: consumer.offsets_for_times(since, timeout=ASK_S))
        ends = {p.partition: span(consumer, p)[1] for p in starts}
        left = {p.partition: ends[p.partition] for p in starts if 0 <= p.offset < ends[p.partition]}
        consumer.assign([place for place in starts if place.partition in left])
        yield from _read(consumer, left)
    finally:
        consumer.close()


def _read(consumer: Consumer, left: dict[int, int]) -> Iterator[Message]:
    deadline = time.monotonic() + READ_S
    while left:
        for message in consumer.consume(100, 0.5):
            number, offset = message.partition(), message.offset()
            if message.error() is not None or number not in left or offset is None:
                continue
            deadline = time.monotonic() + READ_S
            if offset < left[number]:
                yield message
            if offset + 1 >= left[number]:
                del left[number]
        if time.monotonic() > deadline:
            raise BrokerFault(f"Kafka sent nothing of the raw topic for {READ_S:.0f} s")
