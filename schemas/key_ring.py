"""What wraps and opens data keys, wherever its key lies; and several of them as one.

New data keys are wrapped by one provider; what others have wrapped is opened until it is rewrapped. One that
is not local may block for a bounded time, and raise errors of its own, which are not the wrapped key's fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.schemas.errors import SealBroken
from tachograph.schemas.keys import WrappedKey

__all__ = ["KeyProvider", "KeyRing"]


class KeyProvider(Protocol):
    """Safe for several threads. A wrapped key opens for the strand only for which it was wrapped."""

    @property
    def local(self) -> bool:
        """Whether it answers at once, from memory."""
        ...

    def current(self) -> str:
        """What `WrappedKey.kek` says of a key that is wrapped now."""
        ...

    def holds(self, kek: str) -> bool:
        """Whether it can open what this one has wrapped."""
        ...

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        """The data key of this strand, wrapped."""
        ...

    def data_key(self, key: WrappedKey) -> bytes:
        """What was wrapped. Raises `SealBroken`."""
        ...

    def unwrap(self, key: WrappedKey) -> AESGCM:
        """The strand's cipher. Raises `SealBroken`."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class KeyRing:
    """Wraps by the current provider, opens what it or any of the `previous` ones has wrapped."""

    def __init__(self, current: KeyProvider, previous: Iterable[KeyProvider] = ()) -> None:
        self._current = current
        self._providers = (current, *previous)
        self.local = all(provider.local for provider in self._providers)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(map(repr, self._providers))})"

    def current(self) -> str:
        """That of the provider that wraps."""
        return self._current.current()

    def holds(self, kek: str) -> bool:
        """Whether any of them does."""
        return any(provider.holds(kek) for provider in self._providers)

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        """By the current one."""
        return self._current.wrap(strand, data_key)

    def data_key(self, key: WrappedKey) -> bytes:
        """By whichever has wrapped it. Raises `SealBroken` where none of them has."""
        return self._holder(key).data_key(key)

    def unwrap(self, key: WrappedKey) -> AESGCM:
        """The strand's cipher. Raises `SealBroken` as `data_key` does."""
        return self._holder(key).unwrap(key)

    def close(self) -> None:
        """All of them."""
        for provider in self._providers:
            provider.close()

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key, wrapped by the current one. Raises `SealBroken` as `data_key` does."""
        return self.wrap(key.strand, self.data_key(key))

    def _holder(self, key: WrappedKey) -> KeyProvider:
        for provider in self._providers:
            if provider.holds(key.kek):
                return provider
        raise SealBroken(f"strand {key.strand}: wrapped by key {key.kek}, which this process does not hold")
