"""Names compare in one spelling, wildcards work, and what enrichment needs is never taken for a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import (
    DEFAULT_FIELDS,
    FieldMatcher,
    FieldRules,
    marker_type,
    normal_name,
    shown_name,
)

MATCHER = FieldMatcher(DEFAULT_FIELDS)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "dbPassword",
        "Passwort",
        "motDePasse",
        "senha",
        "wachtwoord",
        "kubeconfig",
        "DB-PASSWORD",
        "smtp.password",
        "apiKey",
        "API_KEY",
        "x-api-key",
        "accessToken",
        "refresh_token",
        "clientSecret",
        "privateKey",
        "ssn",
        "cardNumber",
        "dateOfBirth",
        "otp",
        "connectionString",
        "Contraseña",
        "contrasen\u0303a",
        "nuevo_contraseña",
        "hasło",
        "Lösenord",
        "ПАРОЛЬ",
        "пользователь_пароль",
        "パスワード",
        "密码",
        "비밀번호",
        "كلمة_المرور",
        "новый_токен",
    ],
)
def test_secret_keys(name: str) -> None:
    """However it is spelt."""
    assert MATCHER.keys.match(name)


@pytest.mark.parametrize(
    "name",
    [
        "input_tokens",
        "max_tokens",
        "max_completion_tokens",
        "total_tokens",
        "token_type",
        "token_count",
        "next_page_token",
        "progressToken",
        "content",
        "id",
        "name",
        "type",
        "model",
        "key",
        "author",
        "passage",
        "compass",
        "secretary",
        "cache_key",
    ],
)
def test_harmless_keys(name: str) -> None:
    """Usage, paging and prose survive."""
    assert not MATCHER.keys.match(name)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "X-Vault-Token",
        "X-Amz-Security-Token",
        "Mcp-Session-Id",
        "X-JFrog-Art-Api",
        "X-Jfrog-Art-Api",
        "x-jfrog-art-api",
        "DPoP",
        "Sec-WebSocket-Protocol",
    ],
)
def test_secret_headers(name: str) -> None:
    """Whatever the vendor calls it."""
    assert MATCHER.headers.match(name)


@given(st.sampled_from(sorted(n for n in DEFAULT_FIELDS.header_names if "*" not in n)), st.data())
def test_capitals_hide_no_header(name: str, data: st.DataObject) -> None:
    """Whichever of its letters are capitals: a vendor's capitals inside a word divide nothing."""
    capital = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    spelt = "".join(c.upper() if up else c for c, up in zip(name, capital, strict=True)).replace("_", "-")
    assert MATCHER.headers.match(spelt)


def test_a_rule_may_be_spelt_with_capitals_too() -> None:
    """HTTP/2 sends names in lower case, whatever the operator wrote."""
    matcher = FieldMatcher(FieldRules(header_names=("X-JFrog-*", "X-McDuck")))
    for name in ("X-JFrog-Sign", "x-jfrog-sign", "X-McDuck", "x-mcduck", "X-MCDUCK"):
        assert matcher.headers.match(name)
    assert not matcher.headers.match("x-frog-sign")


@pytest.mark.parametrize(
    "name",
    [
        "anthropic-version",
        "content-type",
        "user-agent",
        "mcp-protocol-version",
        "traceparent",
        "host",
        "x-request-id",
        "idempotency-key",
        "sec-websocket-key",
        "x-stainless-retry-count",
    ],
)
def test_harmless_headers(name: str) -> None:
    """What enrichment and an analyst need survives."""
    assert not MATCHER.headers.match(name)


def test_a_connection_can_name_what_is_kept_by_default() -> None:
    """An operator's own rule beats the built-in exception."""
    rules = DEFAULT_FIELDS.with_more(FieldRules(json_keys=("cache_key",), header_names=("x-mine",)))
    matcher = FieldMatcher(rules)
    assert matcher.keys.match("cacheKey")
    assert matcher.headers.match("X-Mine")
    assert DEFAULT_FIELDS.with_more(None) is DEFAULT_FIELDS


def test_marker_types_say_what_was_there() -> None:
    """An analyst reads the type."""
    wanted = {
        "dbPassword": "PASSWORD",
        "apiKey": "API_KEY",
        "refresh_token": "TOKEN",
        "pin": "PIN",
        "x": "SECRET",
        "Contraseña": "PASSWORD",
        "пароль": "PASSWORD",
    }
    assert {name: marker_type(name) for name in wanted} == wanted


@given(st.text(max_size=200))
def test_any_name_has_a_spelling(name: str) -> None:
    """Normalising is idempotent and never raises."""
    assert normal_name(normal_name(name)) == normal_name(name)
    MATCHER.keys.match(name)


@pytest.mark.parametrize(
    "name",
    ["X-Tacho-Key", "DB_PASSWORD_2", "awsSecretAccessKey", "connectionstring", "headers[x-api-key]", "пароль",
     "client_secretV2", "$.token", "oauth2_token", "a.b.token", "apiKey"],
)  # fmt: skip
def test_a_name_of_words_is_told(name: str) -> None:
    """Whoever reads an event sees which field it was."""
    assert shown_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("AGE-SECRET-KEY-1KTSKR55MP6TC8AJLLKSM", "AGE-SECRET-KEY-*"),
        ("ghp_ZWXpEUYvMqDoULpjZ451CmFZdKtmU07POXkV_token", "ghp_*_token"),
        ("AKIAQWERTZUIOPASDFGH_secret", "*_secret"),
        ("hf_qWerTzuIopAsdFghJklYxcVbnMqWerTzuIop.password", "hf_*.password"),
        ("4111111111111111 token", "* token"),
    ],
)
def test_a_secret_in_a_name_is_not_told(name: str, shown: str) -> None:
    """A client chooses the names; the rule's id stands in events, in clear."""
    assert shown_name(name) == shown
