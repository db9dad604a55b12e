"""Several providers as one: what is new goes to the first, what is old is opened by whoever wrapped it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.schemas.errors import SealBroken
from tachograph.schemas.key_ring import KeyProvider, KeyRing
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey

OLD, NEW = KeyEncryptionKey(b"o" * 32), KeyEncryptionKey(b"n" * 32)
DATA_KEY = b"d" * 32
SEALED = AESGCM(DATA_KEY).encrypt(bytes(12), b"x", None)


def test_an_earlier_key_is_good_for_opening_only() -> None:
    """New data keys are wrapped by the current one; a third key opens nothing."""
    both = KeyRing(NEW, [OLD])
    wrapped = OLD.wrap("s/e", DATA_KEY)
    assert both.unwrap(wrapped).decrypt(bytes(12), SEALED, None) == b"x"
    assert NEW.unwrap(both.rewrap(wrapped)).decrypt(bytes(12), SEALED, None) == b"x"
    assert (both.current(), both.wrap("s/e", DATA_KEY).kek, both.data_key(wrapped)) == (
        NEW.id,
        NEW.id,
        DATA_KEY,
    )
    assert both.holds(OLD.id)
    assert not both.holds("another")
    with pytest.raises(SealBroken, match="another, which this process does not hold"):
        both.unwrap(WrappedKey(strand="s/e", kek="another", wrapped=""))
    assert repr(both) == f"KeyRing({NEW!r}, {OLD!r})"


def test_a_ring_is_as_quick_as_its_slowest() -> None:
    """One provider that has to be asked makes it wait."""

    class Elsewhere(KeyEncryptionKey):
        local = False

    slow: KeyProvider = Elsewhere(bytes(32))
    assert KeyRing(NEW, [OLD]).local
    assert not KeyRing(NEW, [slow]).local
    assert not KeyRing(slow).local
