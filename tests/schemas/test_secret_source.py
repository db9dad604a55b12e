"""Where secrets may lie, and where they may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Configuration
from tachograph.schemas.secret_source import PlainSource, SecretSource, Vault, VaultAuth, VaultSecret

AUTH = {"secret": {"env": "VAULT_TOKEN"}}


@pytest.mark.parametrize(
    "source",
    [{"env": "KEY"}, {"file": "key"}, {"store": "tickets"}, {"vault": {"path": "a/b"}}],
    ids=["env", "file", "store", "vault"],
)
def test_a_secret_lies_in_exactly_one_place(source: dict[str, Any]) -> None:
    """Each of the four alone, and no two."""
    assert SecretSource.model_validate(source)
    other = {"file": "f"} if "env" in source else {"env": "E"}
    for wrong in ({}, source | other, source | {"text": "s3cret"}):
        with pytest.raises(ValidationError):
            SecretSource.model_validate(wrong)


def test_the_engines_passwords_lie_in_environment_or_file() -> None:
    """What opens the store and Vault cannot lie in them."""
    with pytest.raises(ValidationError):
        PlainSource.model_validate({"store": "tickets"})
    with pytest.raises(ValidationError):
        VaultAuth.model_validate({"secret": {"vault": {"path": "p"}}})


@pytest.mark.parametrize("name", ["", "-a", ".a", "a/b", "a b", "\u00e9", "a\n", "x" * 129])
def test_a_store_entrys_name_is_a_word(name: str) -> None:
    """It stands in command lines and messages."""
    with pytest.raises(ValidationError):
        SecretSource.model_validate({"store": name})


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "a/../b", "..", ".", "a?b", "a#b", "a%2fb", "a b", "a\n"]
)
def test_a_path_in_vault_leads_nowhere_else(path: str) -> None:
    """No question but the one that is meant can be asked."""
    for field in ("path", "mount"):
        with pytest.raises(ValidationError):
            VaultSecret.model_validate({"path": "a"} | {field: path})


@pytest.mark.parametrize(
    "address", ["https://vault.example:8200", "https://v/", "http://127.0.0.1:8200", "http://localhost"]
)
def test_vault_is_reached_over_tls_or_on_this_machine(address: str) -> None:
    """A path's last slash does not count."""
    assert Vault.model_validate({"address": address, "auth": AUTH}).address == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        "http://vault.example",
        "vault.example:8200",
        "https://u:p@v",
        "https://v?a=b",
        "https://v/ui",
        "ftp://v",
        "https://",
    ],
)
def test_an_address_that_would_show_the_token_is_refused(address: str) -> None:
    """In clear over a network, or with more in it than an address."""
    with pytest.raises(ValidationError, match="expected"):
        Vault.model_validate({"address": address, "auth": AUTH})


@pytest.mark.parametrize("method", ["approle", "jwt", "kubernetes"])
def test_a_login_needs_a_role_and_a_token_has_none(method: str) -> None:
    """Said when the configuration is read, not at the first login."""
    assert VaultAuth.model_validate(AUTH | {"method": method, "role": "tacho"})
    with pytest.raises(ValidationError, match="need a role"):
        VaultAuth.model_validate(AUTH | {"method": method})
    with pytest.raises(ValidationError, match="token takes none"):
        VaultAuth.model_validate(AUTH | {"role": "tacho"})


def test_a_credential_in_vault_needs_a_vault() -> None:
    """The connection and the setting are named."""
    connection: dict[str, Any] = {
        "name": "tickets",
        "protocol": "http",
        "upstream": "https://u",
        "credential": {"source": {"vault": {"path": "p"}}},
    }
    with pytest.raises(ValidationError, match=r"connection tickets: .*credentials\.vault"):
        Configuration.model_validate({"connections": [connection]})
    identity = {"client_identity": connection["credential"]["source"]}
    with pytest.raises(ValidationError, match=r"credentials\.vault"):
        Configuration.model_validate({"connections": [connection | {"credential": None, "tls": identity}]})
    vault = {"address": "https://v", "auth": AUTH}
    assert Configuration.model_validate({"connections": [connection], "credentials": {"vault": vault}})


def test_sources_compare_and_hash_by_their_place() -> None:
    """Two connections may share one secret."""
    assert SecretSource(store="a") == SecretSource(store="a")
    assert len({SecretSource(vault=VaultSecret(path="p")), SecretSource(vault=VaultSecret(path="p"))}) == 1
