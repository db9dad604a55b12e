"""A record waits for what opens its key: beside the loop, patiently, and not for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import CredentialsError, VaultDown, VaultRefused
from tachograph.processors import key_waits
from tachograph.processors.errors import BrokerFault, KeyMissing, KeysAway, Poisoned
from tachograph.processors.key_waits import cipher_of, patiently
from tachograph.processors.keys_cache import KeyTable
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey


class Elsewhere(KeyEncryptionKey):
    """Away for so many questions, then there; it knows from which threads it was asked."""

    local = False

    def __init__(self, away: int = 0, error: type[CredentialsError] = VaultDown) -> None:
        super().__init__(bytes(range(32)))
        self.away, self.error = away, error
        self.threads: list[int] = []

    def unwrap(self, key: WrappedKey) -> AESGCM:
        self.threads.append(threading.get_ident())
        if len(self.threads) <= self.away:
            raise self.error("Vault at https://vault.test: sealed")
        return super().unwrap(key)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_waits, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(key_waits, "LONGEST_PAUSE_S", 0.002)


def table_of(keys: KeyEncryptionKey, strand: Any) -> KeyTable:
    table = KeyTable(keys)
    table.put(strand.wrapped.strand, strand.wrapped.encode())
    return table


async def test_a_key_is_opened_beside_the_loop_once(new_strand: Callable[..., Any]) -> None:
    """Later records of the strand ask nobody."""
    keys, strand = Elsewhere(), new_strand()
    table = table_of(keys, strand)
    assert not table.local
    assert table.at_hand(strand.wrapped.strand) is None
    first = await cipher_of(table, strand.wrapped.strand)
    assert await cipher_of(table, strand.wrapped.strand) is first
    assert len(keys.threads) == 1
    assert keys.threads[0] != threading.get_ident()


@pytest.mark.parametrize("error", [VaultDown, VaultRefused])
async def test_an_outage_is_waited_out(new_strand: Callable[..., Any], error: type[CredentialsError]) -> None:
    """Also a refusal: no record is at fault for a policy of Vault's."""
    keys, strand = Elsewhere(away=4, error=error), new_strand()
    assert await cipher_of(table_of(keys, strand), strand.wrapped.strand) is not None
    assert len(keys.threads) == 5


async def test_an_outage_without_end_ends_the_process(
    new_strand: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of a part that is down; the record is not passed over."""
    monkeypatch.setattr(key_waits, "AWAY_S", 0.02)
    keys, strand = Elsewhere(away=10**9), new_strand()
    with pytest.raises(KeysAway, match="no data key can be opened: Vault at"):
        await cipher_of(table_of(keys, strand), strand.wrapped.strand)
    assert issubclass(KeysAway, BrokerFault)


async def test_what_waiting_does_not_mend_is_said_at_once(new_strand: Callable[..., Any]) -> None:
    """A key that is missing, shredded, or of another provider's."""
    keys, strand = Elsewhere(), new_strand()
    name = strand.wrapped.strand
    table = KeyTable(keys)
    with pytest.raises(KeyMissing):
        await cipher_of(table, name)
    table.put(name, None)
    with pytest.raises(Poisoned, match="key-shredded"):
        await cipher_of(table, name)
    table.put(name, strand.wrapped.model_copy(update={"kek": "another"}).encode())
    with pytest.raises(Poisoned, match="seal-broken") as refusal:
        await cipher_of(table, name)
    assert not isinstance(refusal.value, SealBroken)


async def test_the_loop_goes_on_while_a_thread_waits() -> None:
    """The consumer's own tasks run."""
    ready, loop = threading.Event(), asyncio.get_running_loop()
    loop.call_soon(ready.set)
    assert await patiently(lambda: ready.wait(30))
