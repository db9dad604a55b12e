"""The console's settings: nothing that would carry secrets in clear, nothing that two could mean."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tachograph.schemas.console_settings import Console, ConsoleLogin, Webhook
from tachograph.schemas.document import load_configuration
from tachograph.schemas.errors import ConfigurationError

SECRET = {"env": "CONSOLE_LOGIN"}


@pytest.mark.parametrize(
    "told",
    [
        {"public_url": "http://console.example"},
        {"public_url": "https://console.example/path"},
        {"public_url": "https://user@console.example"},
        {"public_url": "javascript:alert(1)"},
        {"listen": {"host": "0.0.0.0"}},
        {"session_minutes": 0},
        {"webhooks": [{"url": "http://hooks.example/x", "secret": SECRET}]},
        {"webhooks": [{"url": "https://hooks.example/x"}]},
        {"logins": [{"issuer": "https://a", "client_id": "c", "name": "../x"}]},
        {"logins": [{"issuer": "https://a", "client_id": "c"}, {"issuer": "https://b", "client_id": "c"}]},
    ],
)
def test_what_would_be_unsafe_or_ambiguous_is_refused(told: dict[str, object]) -> None:
    """Clear text to other machines, an address with more than an origin, two logins of one name."""
    with pytest.raises(ValidationError):
        Console.model_validate(told)


def test_an_origin_is_kept_as_browsers_send_it() -> None:
    """Lower case, no slash at the end."""
    assert Console(public_url="https://Console.Example:8443/").public_url == "https://console.example:8443"
    assert Console(listen={"host": "::1", "port": 1}).public_url is None


def test_secrets_are_only_named() -> None:
    """Neither a webhook nor a login holds one."""
    login = ConsoleLogin(issuer="https://a", client_id="c", client_secret=SECRET)
    assert login.client_secret is not None
    assert login.client_secret.env == "CONSOLE_LOGIN"
    assert Webhook(url="http://127.0.0.1:1/x", secret=SECRET).link_minutes == 30


def test_a_login_is_at_an_issuer_that_is_known() -> None:
    """Its claim rules have to come from somewhere."""
    text = "console: {logins: [{issuer: 'https://idp.example', client_id: console}]}\n"
    with pytest.raises(ConfigurationError, match=r"none of identity\.oidc"):
        load_configuration(text, file="t")
    known = text + "identity: {oidc: [{issuer: 'https://idp.example', audience: gateway}]}\n"
    told = load_configuration(known, file="t").console
    assert told is not None
    assert told.logins[0].name == "oidc"


def test_two_ways_to_log_in_have_two_names() -> None:
    """A name is an address, whatever is spoken behind it."""
    text = """
console: {logins: [{issuer: 'https://idp.example', client_id: console, name: sso}]}
identity:
  oidc: [{issuer: 'https://idp.example', audience: gateway}]
  saml: [{name: sso, idp_metadata: idp.xml, idp_entity_id: 'https://idp.example/saml'}]
"""
    with pytest.raises(ConfigurationError, match="a login named sso"):
        load_configuration(text, file="t")
    assert load_configuration(text.replace("name: sso, idp", "idp"), file="t").identity.saml
