"""Masking by the registry that a record's header names: found on the control topic, compiled, kept a while.

What a record is masked by follows from the record and its registry alone, so whoever reads the raw topic
again gets the same, whatever was applied meanwhile. A registry that the topic does not show is waited for
within a bound, like a key; then the record is told without anything that only its rules could hide. The
configuration file's own needs no topic: an ingress that read the same files names it from its start on.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tachograph.processors.errors import BrokerFault, OperatorError
from tachograph.processors.maskers import Maskers
from tachograph.processors.masking.masker import Masker
from tachograph.processors.pipeline import RulesMissing
from tachograph.processors.recent import Recent
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook
from tachograph.schemas.errors import RecordError
from tachograph.schemas.registry import Registry, ShortDigest, registry_of, short

__all__ = ["MAX_COMPILED", "WAIT_S", "ControlReader", "Own", "Registries", "follows", "own_name"]

MAX_COMPILED = 8
"""Registries whose maskers are kept beside the configuration's own. Those with the same rules share them."""
WAIT_S = 15.0
"""How long a record waits for its registry. It is released before anything is decided by it."""
OUTAGE_S = 900.0
"""How long the control topic may be unreadable while a record waits for it, before the process ends."""
LOOK_S = 0.05
POLL_S = 0.5
RETRY_S = 1.0
ASK_S = 5.0
MAX_HOPELESS = 1_000
UNKNOWN = "registry-unknown"
"""Why a record is withheld whose registry the control topic does not have."""
UNUSABLE = "registry-unusable"
"""Why a record is withheld whose registry has rules that cannot be used here."""

_log = structlog.get_logger(__name__)


Own = tuple[ShortDigest, Maskers]
"""The configuration file's own registry as headers name it, and its maskers."""


def follows(config: Configuration, *, base: Path) -> bool:
    """Whether records may name other registries than the file's: it is so wherever there is a control key."""
    return config.registry.source == "topic" or (base / config.keys.control_file).exists()


def own_name(config: Configuration, *, base: Path) -> ShortDigest | None:
    """How a header names what the file registers; None where files of it are not here, or it is too long."""
    try:
        files = (*config.policy.files, *config.masking.rules)
        texts = {name: (base / name).read_text(encoding="utf-8") for name in files}
        return short(registry_of(config, texts).digest)
    except (OSError, RecordError, ValueError):  # pydantic's errors and those of UTF-8 are ValueErrors
        return None


class ControlReader:
    """The thread that follows the control topic; what is not signed by our key is ignored and logged."""

    def __init__(self, settings: dict[str, Any], topic: str, book: ControlBook) -> None:
        self._settings = settings
        self._topic = topic
        self._book = book
        self._next = 0
        self._asked = 0
        self._answered = 0
        self._caught_up = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout_s: float = 2.0) -> None:
        self._stopping.set()
        self._thread.join(timeout_s)

    @property
    def ready(self) -> bool:
        """Whether everything that was on the topic at the start has been read."""
        return self._caught_up.is_set()

    def named(self, registry: str) -> bytes | None:
        """The snapshot that a header names."""
        return self._book.named(ShortDigest(registry))

    def ask(self) -> Callable[[], bool]:
        """Ask for one look at the topic's end; the result says whether everything up to it is read."""
        self._asked += 1
        question = self._asked
        return lambda: self._answered >= question

    def _run(self) -> None:
        while not self._stopping.is_set():
            consumer = Consumer({**self._settings, "group.id": f"{self._topic}.reader", **_OURS})
            try:
                consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
                while not self._stopping.is_set():
                    message = consumer.poll(POLL_S)
                    if message is not None:
                        self._take(message)
                    elif (asked := self._asked) > self._answered and self._at_end(consumer):
                        self._answered = asked
            except KafkaException as error:
                _log.warning("control topic unreadable, trying again", kind=type(error).__name__)
                self._stopping.wait(RETRY_S)
            finally:
                consumer.close()

    def _at_end(self, consumer: Consumer) -> bool:
        _, high = consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=ASK_S)
        return self._next >= int(high)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's own name
                raise KafkaException(error)
            self._next = int(message.offset() or 0)
            self._caught_up.set()
            return
        self._next = int(message.offset() or 0) + 1
        try:
            self._book.put((message.key() or b"").decode("utf-8", "replace"), message.value())
        except RecordError as refused:
            _log.error("control record ignored", reason=str(refused), offset=message.offset())


class Registries:
    """The maskers of each registry. `settle` one before a record of it is masked."""

    def __init__(
        self, reader: ControlReader, build: Callable[[Registry], Maskers], own: Own | None = None
    ) -> None:
        self._reader = reader
        self._build = build
        self._own_name = own[0] if own is not None else None
        self._own = own[1] if own is not None else None
        self._compiled: OrderedDict[str, Maskers | None] = OrderedDict()
        """None where its rules cannot be used."""
        self._hopeless: Recent[str] = Recent(MAX_HOPELESS)

    def masker(self, connection: str | None, registry: str | None) -> Masker | None:
        """None where the record names no registry, and the file's own is meant. Raises `RulesMissing`."""
        if registry is None:
            return None
        if self._own is not None and registry == self._own_name:
            return self._own(connection)
        if registry not in self._compiled:
            raise RulesMissing(UNKNOWN)
        maskers = self._compiled[registry]
        if maskers is None:
            raise RulesMissing(UNUSABLE)
        return maskers(connection)

    async def settle(self, registry: str | None) -> None:
        """Wait for this registry, and compile it aside from the loop. Raises `BrokerFault`."""
        if registry is None or registry == self._own_name:
            return
        if registry in self._compiled:
            self._compiled.move_to_end(registry)
        elif await self._found(registry):
            self._keep(registry, await asyncio.to_thread(self._compile, registry))

    async def _found(self, registry: str) -> bool:
        loop = asyncio.get_running_loop()
        began, looked = loop.time(), self._reader.ask()
        while self._reader.named(registry) is None:
            waited = loop.time() - began
            if registry in self._hopeless:
                return False
            if waited >= OUTAGE_S:
                raise BrokerFault(f"the control topic has been unreadable for {OUTAGE_S:.0f} s")
            if waited >= WAIT_S and looked():
                self._hopeless.add(registry)
                _log.error(
                    "a registry is not on the control topic: its records are withheld", registry=registry
                )
                return False
            await asyncio.sleep(LOOK_S)
        return True

    def _compile(self, registry: str) -> Maskers | None:
        try:
            return self._build(Registry.parse(self._reader.named(registry) or b""))
        except (OperatorError, RecordError, ValueError) as error:  # pydantic's errors are ValueErrors
            _log.error("a registry cannot be used: its records are withheld", registry=registry,
                       kind=type(error).__name__)  # fmt: skip
            return None

    def _keep(self, registry: str, maskers: Maskers | None) -> None:
        self._compiled[registry] = maskers
        if len(self._compiled) > MAX_COMPILED:
            self._compiled.popitem(last=False)


_OURS: dict[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "error_cb": lambda _: None,  # librdkafka retries by itself; what it gives up comes back from `poll`
}
