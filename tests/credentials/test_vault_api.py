"""Questions to Vault and what its answers say, as values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.credentials.errors import CredentialsError, SecretUnreadable, VaultDown, VaultRefused
from tachograph.credentials.secret import Secret
from tachograph.credentials.vault_api import (
    Answer,
    Question,
    Token,
    login,
    looked_up,
    read_secret,
    secret_in,
    token_in,
)
from tachograph.schemas.secret_source import VaultAuth, VaultSecret

V1, V2 = VaultSecret(path="a/b", key="k", mount="kv", kv=1), VaultSecret(path="a/b", key="k", mount="kv")
DATA_2 = {"data": {"data": {"k": "s3cret"}, "metadata": {"version": 7}}}


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def auth(method: str, **more: Any) -> VaultAuth:
    return VaultAuth.model_validate({"method": method, "secret": {"env": "X"}} | more)


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        (login(auth("approle", role="r"), "s"), ("auth/approle/login", {"role_id": "r", "secret_id": "s"})),
        (login(auth("jwt", role="r"), "j"), ("auth/jwt/login", {"role": "r", "jwt": "j"})),
        (login(auth("kubernetes", role="r"), "j"), ("auth/kubernetes/login", {"role": "r", "jwt": "j"})),
        (login(auth("jwt", role="r", mount="k8s/a"), "j"), ("auth/k8s/a/login", {"role": "r", "jwt": "j"})),
    ],
)
def test_a_login_is_a_post_to_its_mount(asked: Question, question: tuple[str, dict[str, str]]) -> None:
    """The three methods differ in the names of two fields."""
    assert (asked.method, asked.path, asked.body) == ("POST", *question)


def test_an_engine_is_asked_by_its_version() -> None:
    """Version 2 puts `data` between mount and path."""
    assert read_secret(V1).path == "kv/a/b"
    assert read_secret(V2).path == "kv/data/a/b"


def test_a_value_is_found_by_its_key() -> None:
    """In both versions; version 2 says which one it is."""
    assert secret_in(answer(DATA_2), V2) == Secret("s3cret", "version 7")
    assert secret_in(answer({"data": {"k": " s3cret\n"}}), V1) == Secret("s3cret")


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, VaultRefused, "refused the question"),
        (403, VaultRefused, "permission denied"),
        (404, VaultRefused, "nothing there"),
        (307, VaultDown, "name the active node"),
        (429, VaultDown, "too many questions"),
        (500, VaultDown, "status 500"),
        (503, VaultDown, "sealed"),
        (204, VaultDown, "status 204"),
    ],
)
def test_a_status_says_whose_fault_it_is(status: int, kind: type[CredentialsError], reason: str) -> None:
    """The path is named, and nothing that Vault says is repeated."""
    with pytest.raises(kind, match=f"kv/a/b: .*{reason}") as refusal:
        secret_in(answer({"errors": ["s3cret"]}, status), V2)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "secret", "kind"),
    [
        (b"<html>s3cret", V2, VaultDown),
        (b"", V2, VaultDown),
        (b"[" * 100_000, V2, VaultDown),
        (b"\xff\xfe", V2, VaultDown),
        ([], V2, VaultDown),
        ({"data": None}, V2, VaultDown),
        ({"data": {"k": "s3cret"}}, V2, VaultDown),
        ({"data": {"data": None, "metadata": {"destroyed": True}}}, V2, VaultDown),
        ({"data": {"other": "s3cret"}}, V1, VaultRefused),
        ({"data": {"k": {"s3cret": 1}}}, V1, VaultRefused),
        ({"data": {"k": 7}}, V1, VaultRefused),
        ({"data": {"k": ""}}, V1, SecretUnreadable),
        ({"data": {"k": "s3cret\nInjected: header"}}, V1, SecretUnreadable),
    ],
)
def test_an_answer_that_holds_no_secret_is_refused(
    body: Any, secret: VaultSecret, kind: type[CredentialsError]
) -> None:
    """Without showing what came."""
    with pytest.raises(kind) as refusal:
        secret_in(answer(body), secret)
    assert "s3cret" not in str(refusal.value)


def test_a_login_gives_a_token_and_its_lease() -> None:
    """A renewal may leave the token out: it is the one that was renewed."""
    given_ = {"auth": {"client_token": "t", "lease_duration": 60, "renewable": True}}
    assert token_in(answer(given_)) == Token("t", 60, renewable=True)
    renewed = {"auth": {"client_token": "", "lease_duration": 30, "renewable": False}}
    assert token_in(answer(renewed), before="t") == Token("t", 30)
    assert looked_up(answer({"data": {"ttl": 9, "renewable": True, "id": "x"}}), "t") == Token(
        "t", 9, renewable=True
    )


@pytest.mark.parametrize(
    "given_",
    [
        {},
        {"client_token": "t"},
        {"client_token": "t", "lease_duration": -1},
        {"client_token": "t", "lease_duration": True},
        {"client_token": "t", "lease_duration": "60"},
        {"client_token": "t\r\nx: y", "lease_duration": 60},
        {"client_token": 7, "lease_duration": 60},
    ],
)
def test_a_login_without_token_or_lease_is_none(given_: dict[str, object]) -> None:
    """Nothing else goes into a header."""
    with pytest.raises(VaultDown):
        token_in(answer({"auth": given_}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "k", "auth", "ttl"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.integers(100, 599), st.binary(max_size=50) | json_values.map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_a_value_or_one_of_our_errors(status: int, body: bytes) -> None:
    """No foreign exception gets out."""
    for read in (
        lambda came: secret_in(came, V1),
        lambda came: secret_in(came, V2),
        token_in,
        lambda came: looked_up(came, "t"),
    ):
        try:
            read(Answer(status, body))
        except CredentialsError:
            continue


def test_no_repr_shows_a_value() -> None:
    """Neither tokens, nor bodies, nor logins."""
    shown = repr((Token("s3cret"), answer({"a": "s3cret"}), login(auth("jwt", role="r"), "s3cret")))
    assert "s3cret" not in shown
