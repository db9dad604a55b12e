"""Questions and answers of the transit engine: what is at fault in a ciphertext, and what in Vault."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.credentials.errors import CredentialsError, VaultDown, VaultRefused
from tachograph.credentials.transit_api import (
    MAX_CIPHERTEXT,
    data_key_in,
    decrypt,
    encrypt,
    key_name,
    wrapped_in,
)
from tachograph.credentials.vault_api import Answer
from tachograph.schemas.errors import SealBroken
from tachograph.schemas.key_settings import Transit
from tachograph.schemas.keys import WrappedKey

TRANSIT = Transit(key="tacho-raw", mount="team/transit")
KEK = "vault:team/transit/tacho-raw:v2"
KEY = WrappedKey(strand="s/e", kek=KEK, wrapped="vault:v2:AAAA")
DATA_KEY = bytes(range(32))


def answer(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def test_a_question_binds_the_strand() -> None:
    """Its name goes along as associated data, in both directions; no repr shows the key."""
    wrap, open_ = encrypt(TRANSIT, "s/e", DATA_KEY), decrypt(TRANSIT, KEY)
    assert (wrap.path, open_.path) == ("team/transit/encrypt/tacho-raw", "team/transit/decrypt/tacho-raw")
    assert wrap.body is not None
    assert open_.body == {"ciphertext": "vault:v2:AAAA", "associated_data": wrap.body["associated_data"]}
    assert base64.b64decode(wrap.body["associated_data"]) == b"s/e"
    assert base64.b64decode(wrap.body["plaintext"]) == DATA_KEY
    assert wrap.body["plaintext"] not in repr(wrap)


def test_a_wrapped_key_names_the_version() -> None:
    """Mount, key and version, so that a rotation shows and every key is known by who wrapped it."""
    found = wrapped_in(answer({"data": {"ciphertext": "vault:v2:AAAA"}}), TRANSIT, "s/e")
    assert found == KEY
    assert key_name(TRANSIT) == "vault:team/transit/tacho-raw"


@pytest.mark.parametrize("ciphertext", [None, 7, "", "AAAA", "vault:v0:AAAA", "vault:v1:", "vault:v1:%"])
def test_an_answer_without_a_ciphertext_is_none(ciphertext: object) -> None:
    """Whatever answers is not the engine."""
    with pytest.raises(VaultDown, match="expected a ciphertext"):
        wrapped_in(answer({"data": {"ciphertext": ciphertext}}), TRANSIT, "s/e")


@pytest.mark.parametrize(
    "changed",
    [
        {"wrapped": "AAAA"},
        {"wrapped": "vault:v2:AA AA"},
        {"wrapped": "vault:v2:" + "A" * MAX_CIPHERTEXT},
        {"wrapped": "vault:v1:AAAA"},
        {"kek": "vault:team/transit/another:v2"},
    ],
)
def test_what_is_no_ciphertext_of_this_key_is_not_asked_about(changed: dict[str, str]) -> None:
    """Vault sees nothing of it."""
    with pytest.raises(SealBroken, match="no ciphertext of"):
        decrypt(TRANSIT, KEY.model_copy(update=changed))


@pytest.mark.parametrize(
    "said",
    [
        "cipher: message authentication failed",
        "chacha20poly1305: message authentication failed",
        "invalid ciphertext: version is too new",
        "ciphertext or signature version is disallowed by policy (too old)",
    ],
)
def test_a_ciphertext_at_fault_is_the_records_affair(said: str) -> None:
    """It will never open, however long one waits; what Vault said is not repeated."""
    with pytest.raises(SealBroken, match="does not open") as broken:
        data_key_in(answer({"errors": [said]}, 400), TRANSIT, "s/e")
    assert said not in str(broken.value)


@pytest.mark.parametrize(
    ("status", "value", "error"),
    [
        (400, {"errors": ["encryption key not found"]}, VaultRefused),
        (400, {"errors": "message authentication failed"}, VaultRefused),
        (400, ["message authentication failed"], VaultRefused),
        (403, {"errors": ["cipher: message authentication failed"]}, VaultRefused),
        (404, {}, VaultRefused),
        (500, {"errors": ["cipher: message authentication failed"]}, VaultDown),
        (503, {}, VaultDown),
        (200, {"data": {}}, VaultDown),
        (200, {"data": {"plaintext": "%"}}, VaultDown),
    ],
)
def test_everything_else_is_not(status: int, value: object, error: type[CredentialsError]) -> None:
    """A record waits until the operator has mended it."""
    with pytest.raises(error):
        data_key_in(answer(value, status), TRANSIT, "s/e")


def test_a_data_key_comes_back() -> None:
    """32 bytes; others were no data key."""
    plaintext = base64.b64encode(DATA_KEY).decode()
    assert data_key_in(answer({"data": {"plaintext": plaintext}}), TRANSIT, "s/e") == DATA_KEY
    with pytest.raises(SealBroken, match="32 bytes"):
        data_key_in(answer({"data": {"plaintext": "AAAA"}}), TRANSIT, "s/e")


@given(st.integers(200, 599), st.binary())
def test_any_answer_is_an_error_of_ours(status: int, body: bytes) -> None:
    """Nothing but refusals comes out of garbage."""
    for read in (wrapped_in, data_key_in):
        with pytest.raises((CredentialsError, SealBroken)):
            read(Answer(status, body), TRANSIT, "s/e")
