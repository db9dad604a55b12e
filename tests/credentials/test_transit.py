"""The transit engine of a real server (OpenBao) as a key provider: what it binds, allows and refuses."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import VaultDown, VaultRefused
from tachograph.credentials.transit import TransitKey
from tachograph.credentials.vault_session import VaultSession
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.key_ring import KeyRing
from tachograph.schemas.key_settings import Transit
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.secret_source import Vault

DATA_KEY = b"d" * 32
STRAND = "session/epoch"
Open = Callable[..., TransitKey]


@pytest.fixture
def opened(bao: Any, tmp_path: Path) -> Iterator[Open]:
    """The provider of this key, by root or by a token with these policies; closed at the end."""
    made: list[TransitKey] = []

    def open_(name: str, *policies: str, **settings: Any) -> TransitKey:
        token = "root"
        if policies:
            token = bao.call("POST", "auth/token/create", {"policies": policies})["auth"]["client_token"]
        auth = {"method": "token", "secret": {"env": "T"}}
        vault = {"address": bao.address, "ca_file": str(bao.ca_file), "auth": auth, "timeout": 60} | settings
        session = VaultSession(Vault.model_validate(vault), base=tmp_path, environ={"T": token})
        made.append(TransitKey(Transit(key=name), session))
        return made[-1]

    yield open_
    for provider in made:
        provider.close()


@pytest.fixture
def name(bao: Any) -> str:
    """A key of its own."""
    made = f"tacho-{uuid.uuid4().hex[:12]}"
    bao.call("POST", f"transit/keys/{made}", {})
    return made


def test_a_data_key_comes_back_for_its_strand_only(opened: Open, name: str) -> None:
    """The strand's name is authenticated with it."""
    key = opened(name)
    wrapped = key.wrap(STRAND, DATA_KEY)
    assert (key.local, wrapped.kek) == (False, f"vault:transit/{name}:v1")
    assert key.holds(wrapped.kek)
    assert not key.holds("vault:transit/another:v1")
    assert key.data_key(wrapped) == DATA_KEY
    sealed = AESGCM(DATA_KEY).encrypt(bytes(12), b"x", None)
    assert key.unwrap(wrapped).decrypt(bytes(12), sealed, None) == b"x"
    with pytest.raises(SealBroken, match="does not open"):
        key.data_key(wrapped.model_copy(update={"strand": "another/strand"}))
    with pytest.raises(SealBroken, match="does not open"):
        key.data_key(wrapped.model_copy(update={"wrapped": wrapped.wrapped[:-4] + "AAAA"}))
    assert repr(key) == f"TransitKey('vault:transit/{name}')"


def test_a_rotated_key_opens_what_its_versions_wrapped(bao: Any, opened: Open, name: str) -> None:
    """New keys name the new version, a rewrapped one too; a version that was retired opens no more."""
    key = opened(name)
    old = key.wrap(STRAND, DATA_KEY)
    bao.call("POST", f"transit/keys/{name}/rotate", {})
    assert key.current() == f"vault:transit/{name}:v2"
    again = KeyRing(key).rewrap(old)
    assert (again.kek, key.data_key(again), key.data_key(old)) == (key.current(), DATA_KEY, DATA_KEY)
    bao.call("POST", f"transit/keys/{name}/config", {"min_decryption_version": 2})
    with pytest.raises(SealBroken):
        key.data_key(old)
    assert key.data_key(again) == DATA_KEY


def test_a_data_key_moves_from_a_file_and_back(opened: Open, name: str) -> None:
    """Each ring wraps by its own and opens the other's."""
    transit, file = opened(name), KeyEncryptionKey(b"k" * 32)
    there = KeyRing(transit, [file]).rewrap(file.wrap(STRAND, DATA_KEY))
    assert there.kek == f"vault:transit/{name}:v1"
    back = KeyRing(file, [transit]).rewrap(there)
    assert (back.kek, file.data_key(back)) == (file.id, DATA_KEY)


def test_a_gateway_wraps_and_a_processor_opens(bao: Any, opened: Open, name: str) -> None:
    """One capability each, as the documentation's policies have it; neither makes a key that is not there."""
    for part, operation in (("gateway", "encrypt"), ("processor", "decrypt")):
        rule = f'path "transit/{operation}/{name}" {{ capabilities = ["update"] }}'
        bao.call("PUT", f"sys/policies/acl/{part}-{name}", {"policy": rule})
    gateway, processor = opened(name, f"gateway-{name}"), opened(name, f"processor-{name}")
    wrapped = gateway.wrap(STRAND, DATA_KEY)
    assert processor.data_key(wrapped) == DATA_KEY
    with pytest.raises(VaultRefused, match=r"permission denied \(403\)"):
        gateway.data_key(wrapped)
    with pytest.raises(VaultRefused, match=r"permission denied \(403\)"):
        processor.wrap(STRAND, DATA_KEY)
    assert [bool(why) for why in gateway.refusals()] == [False, True]
    assert [bool(why) for why in processor.refusals()] == [True, False]
    assert opened(name).refusals() == ("", "")
    assert [bool(why) for why in opened(name, "default").refusals()] == [True, True]
    rule = 'path "transit/encrypt/*" { capabilities = ["update"] }'
    bao.call("PUT", f"sys/policies/acl/any-{name}", {"policy": rule})
    with pytest.raises(VaultRefused, match="40"):
        opened(f"{name}-typo", f"any-{name}").wrap(STRAND, DATA_KEY)


@pytest.mark.parametrize(
    "kind", [{"type": "rsa-2048"}, {"derived": True}], ids=["not authenticated", "derived"]
)
def test_a_key_that_would_not_bind_the_strand_is_refused(bao: Any, opened: Open, kind: Any) -> None:
    """By Vault, on the first use; nothing is wrapped without its name."""
    name = f"tacho-{uuid.uuid4().hex[:12]}"
    bao.call("POST", f"transit/keys/{name}", kind)
    with pytest.raises(VaultRefused, match=r"refused the question \(400\)"):
        opened(name).wrap(STRAND, DATA_KEY)


def test_a_key_that_is_not_there_breaks_no_record(opened: Open, name: str) -> None:
    """Whoever opens waits for the operator: the wrapped key is not at fault."""
    wrapped = opened(name).wrap(STRAND, DATA_KEY)
    gone = wrapped.model_copy(update={"kek": f"vault:transit/{name}-gone:v1"})
    with pytest.raises(VaultRefused):
        opened(f"{name}-gone").data_key(gone)


def test_nobody_there_is_said_so(opened: Open, name: str) -> None:
    """Port 9 of this machine takes no connection."""
    key = opened(name, address="http://127.0.0.1:9", ca_file=None)
    for ask in (lambda: key.wrap(STRAND, DATA_KEY), key.current):
        with pytest.raises(VaultDown, match="cannot be reached"):
            ask()
