"""Follow the keys topic: every wrapped key that a raw record may need, and which of them are shredded.

A thread reads the compacted topic from its beginning and goes on reading. Keys are kept wrapped; a cipher is
made when a record asks for it and kept in a bounded cache. Both are bounded: past `MAX_KEYS` the oldest are
forgotten, and a miss then reads the topic again with the wanted strand kept first.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING as BEGINNING
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import CredentialsError
from tachograph.processors.errors import KeyMissing, KeysAway, Poisoned
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.keys import WrappedKey

__all__ = ["KeyTable", "KeysReader"]

MAX_KEYS = 500_000
"""Wrapped keys in memory: about 300 bytes each. One strand is one key."""
MAX_CIPHERS = 4_096
POLL_S = 0.2
BATCH = 1_000
METADATA_TIMEOUT_S = 10.0
SETTLE_S = 0.01

_log = structlog.get_logger(__name__)


class KeyTable:
    """Strand -> wrapped key, and the few ciphers in use; the reader's thread writes, the worker reads."""

    def __init__(self, kek: KeyProvider, *, max_keys: int = MAX_KEYS, max_ciphers: int = MAX_CIPHERS) -> None:
        self._kek = kek
        self.local = kek.local
        """Whether `cipher` never waits for anybody."""
        self._max_keys = max_keys
        self._max_ciphers = max_ciphers
        self._lock = threading.Lock()
        self._wrapped: OrderedDict[str, bytes | None] = OrderedDict()
        self._ciphers: OrderedDict[str, AESGCM] = OrderedDict()
        self.wanted: set[str] = set()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._wrapped)

    def knows(self, strand: str) -> bool:
        """Whether the topic has shown this strand, with a key or with its tombstone."""
        return strand in self._wrapped

    def put(self, strand: str, value: bytes | None) -> None:
        """Take in one record of the keys topic; no value is a tombstone, and shreds."""
        with self._lock:
            self._wrapped[strand] = value
            self._wrapped.move_to_end(strand)
            self._ciphers.pop(strand, None)
            while len(self._wrapped) > self._max_keys:
                oldest = next(name for name in self._wrapped if name not in self.wanted)
                del self._wrapped[oldest]
                self.forgotten += 1

    def at_hand(self, strand: str) -> AESGCM | None:
        """The strand's cipher, where it is in use."""
        return self._ciphers.get(strand)

    def cipher(self, strand: str) -> AESGCM:
        """The strand's cipher; raises `KeyMissing`, `Poisoned("key-shredded")`, `SealBroken` or `KeysAway`.

        It may wait for what opens it, where that is not local; from any thread.
        """
        cipher = self._ciphers.get(strand)
        if cipher is not None:
            return cipher
        with self._lock:
            if strand not in self._wrapped:
                raise KeyMissing(strand)
            value = self._wrapped[strand]
        if value is None:
            raise Poisoned("key-shredded", f"strand {strand}: its key was deleted")
        return self._keep(strand, self._unwrap(strand, value))

    def _unwrap(self, strand: str, value: bytes) -> AESGCM:
        key = WrappedKey.decode(value)
        if key.strand != strand:
            raise MalformedRecord(
                f"strand {strand}: the keys topic holds another strand's key under its name"
            )
        try:
            return self._kek.unwrap(key)
        except CredentialsError as error:
            raise KeysAway(f"no data key can be opened: {error.detail}") from None

    def _keep(self, strand: str, cipher: AESGCM) -> AESGCM:
        with self._lock:
            if self._wrapped.get(strand) is not None:  # not shredded meanwhile
                self._ciphers[strand] = cipher
                if len(self._ciphers) > self._max_ciphers:
                    self._ciphers.popitem(last=False)
        return cipher


class KeysReader:
    """The thread that fills a `KeyTable` from the keys topic."""

    def __init__(self, settings: dict[str, Any], topic: str, table: KeyTable) -> None:
        self.table = table
        self._topic = topic
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._asked = 0
        self._answered = 0
        self._forgotten_at_read = 0
        self._ends: dict[int, int] = {}
        self._consumer = Consumer(
            {
                **settings,
                "group.id": f"{topic}.reader",  # librdkafka wants one; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": False,
                "allow.auto.create.topics": False,
            }
        )
        self._thread = threading.Thread(target=self._run, name="keys-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout_s: float = 2.0) -> None:
        self._stopping.set()
        self._thread.join(timeout_s)

    @property
    def ready(self) -> bool:
        """Whether everything that was on the topic at the start has been read."""
        return self._caught_up.is_set()

    def ask(self) -> Callable[[], bool]:
        """Ask for one more look at the topic's end; the result says whether everything up to it is read."""
        self._asked += 1
        question = self._asked
        return lambda: self._answered >= question

    def _run(self) -> None:
        pause = POLL_S
        while not self._stopping.is_set():
            try:
                self._follow()
                pause = POLL_S
            except KafkaException as error:
                _log.warning("keys topic unreadable, trying again", error=str(error), pause_s=pause)
                self._stopping.wait(pause)
                pause = min(pause * 2, METADATA_TIMEOUT_S)
        self._consumer.close()

    def _follow(self) -> None:
        self._assign()
        while not self._stopping.is_set():
            asked = self._asked
            if asked > self._answered or not self._caught_up.is_set():
                self._look_back_if_forgotten()
                self._ends = {part: self._end(part) for part in self._ends}
                self._read_to_ends()
                self._answered = asked
                self._caught_up.set()
            self._read()

    def _assign(self) -> None:
        topics = self._consumer.list_topics(self._topic, timeout=METADATA_TIMEOUT_S).topics
        self._ends = dict.fromkeys(topics[self._topic].partitions, 0)
        if not self._ends:
            raise KafkaException(
                KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"{self._topic}: no partitions")
            )
        self._consumer.assign([TopicPartition(self._topic, part, BEGINNING) for part in self._ends])
        self._await_beginning()

    def _await_beginning(self) -> None:
        """librdkafka forgets a moment later where an earlier reading ended: till then all passes for read."""
        deadline = time.monotonic() + METADATA_TIMEOUT_S
        while not self._stopping.is_set() and any(place.offset >= 0 for place in self._places()):
            if time.monotonic() > deadline:
                late = KafkaError(KafkaError.REQUEST_TIMED_OUT, f"{self._topic}: not at its beginning")
                raise KafkaException(late)
            self._stopping.wait(SETTLE_S)

    def _look_back_if_forgotten(self) -> None:
        if self.table.wanted and self.table.forgotten > self._forgotten_at_read:
            self._forgotten_at_read = self.table.forgotten
            self._assign()

    def _end(self, partition: int) -> int:
        _, high = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), timeout=METADATA_TIMEOUT_S
        )
        return int(high)

    def _read_to_ends(self) -> None:
        while not self._stopping.is_set() and not self._at_ends():
            self._read()

    def _at_ends(self) -> bool:
        # A position that is not yet known is negative; an empty partition has nothing to wait for.
        return all(
            place.offset >= self._ends[place.partition] or not self._ends[place.partition]
            for place in self._places()
        )

    def _places(self) -> list[TopicPartition]:
        return self._consumer.position([TopicPartition(self._topic, part) for part in self._ends])

    def _read(self) -> None:
        for message in self._consumer.consume(BATCH, timeout=POLL_S):
            self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        key = message.key()
        if key is not None:
            self.table.put(bytes(key).decode("utf-8", "replace"), message.value())
