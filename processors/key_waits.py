"""Wait for what opens data keys: beside the event loop, again and again while it is away, within a bound.

Meanwhile no record is passed over and none is committed; they wait in Kafka. Then the process ends, and a
restart goes on from the same record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.processors.errors import KeysAway
from tachograph.processors.keys_cache import KeyTable
from tachograph.processors.unseal import poisoned
from tachograph.schemas.errors import RecordError

__all__ = ["AWAY_S", "cipher_of", "patiently"]

AWAY_S = 900.0
"""How long what opens data keys may be away while a record waits for it, before the process ends."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0

T = TypeVar("T")

_log = structlog.get_logger(__name__)


async def cipher_of(table: KeyTable, strand: str) -> AESGCM:
    """The strand's cipher. Raises `Poisoned`, of which `KeyMissing` is one; `KeysAway` after `AWAY_S`."""
    cipher = table.at_hand(strand)
    if cipher is not None:
        return cipher
    try:
        return await patiently(partial(table.cipher, strand))
    except RecordError as error:
        raise poisoned(error) from None


async def patiently(ask: Callable[[], T]) -> T:
    """What `ask` says in a thread; it is asked again while it raises `KeysAway`, for `AWAY_S`."""
    loop = asyncio.get_running_loop()
    began, pause = loop.time(), FIRST_PAUSE_S
    while True:
        try:
            return await asyncio.to_thread(ask)
        except KeysAway as away:
            if loop.time() - began >= AWAY_S:
                raise
            _log.error("records wait for what opens their keys", error=str(away), pause_s=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
