"""Vault as a client sees it: a real server (OpenBao) for what it does, a raw one for what none should do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from tachograph.credentials import vault_session as vault
from tachograph.credentials.errors import SecretUnreadable, VaultDown, VaultRefused
from tachograph.credentials.vault import VaultProvider
from tachograph.credentials.vault_session import RELOGIN_SECONDS
from tachograph.schemas.secret_source import SecretSource, Vault, VaultSecret

Open = Callable[..., VaultProvider]
BUSY = {"timeout": 60}
"""A server on a busy machine may be slow."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock, tmp_path: Path) -> Iterator[Open]:
    """A provider of these settings, closed at the end."""
    made: list[VaultProvider] = []

    def open_(settings: dict[str, Any], environ: dict[str, str]) -> VaultProvider:
        provider = VaultProvider(
            Vault.model_validate(BUSY | settings), base=tmp_path, environ=environ, monotonic=clock
        )
        made.append(provider)
        return provider

    yield open_
    for provider in made:
        provider.close()


@pytest.fixture
def by_token(opened: Open, bao: Any) -> Callable[..., VaultProvider]:
    def open_(token: str | None = None, **more: Any) -> VaultProvider:
        settings = {
            "address": bao.address,
            "ca_file": str(bao.ca_file),
            "auth": {"method": "token", "secret": {"env": "T"}},
        }
        return opened(settings | more, {"T": token or "root"})

    return open_


Raw = Any  # of conftest.py


def at(path: str, **more: Any) -> SecretSource:
    return SecretSource(vault=VaultSecret(path=path, **more))


def fresh() -> str:
    return f"team/{uuid.uuid4()}"


# --- a real server ---


def test_a_new_version_is_read(bao: Any, by_token: Any) -> None:
    """Version 2 of the engine; who rotates writes, and nothing else is needed."""
    path, provider = fresh(), by_token()
    for number, value in enumerate(["first", "second"], 1):
        bao.call("POST", f"secret/data/{path}", {"data": {"value": value, "note": "x"}})
        found = provider.read(at(path))
        assert (found.text, found.version) == (value, f"version {number}")


def test_the_first_version_of_the_engine_is_read(bao: Any, by_token: Any) -> None:
    """At its own mount; the other engine's form is told from it."""
    path = fresh()
    bao.call("POST", f"old/{path}", {"key": "s3cret"})
    assert by_token().read(at(path, key="key", mount="old", kv=1)).text == "s3cret"
    with pytest.raises(VaultRefused, match="nothing there"):
        by_token().read(at(path, key="key", mount="old", kv=2))


def test_what_is_not_there_is_said_not_to_be(bao: Any, by_token: Any) -> None:
    """No secret, a deleted one, a destroyed one, no such field, no such mount."""
    path, provider = fresh(), by_token()
    with pytest.raises(VaultRefused, match=rf"secret/{path}: nothing there \(404\)"):
        provider.read(at(path))
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    with pytest.raises(VaultRefused, match="no field other"):
        provider.read(at(path, key="other"))
    bao.call("DELETE", f"secret/data/{path}")
    with pytest.raises(VaultRefused, match="nothing there"):
        provider.read(at(path))
    bao.call("PUT", f"secret/destroy/{path}", {"versions": [1]})
    with pytest.raises(VaultRefused, match="nothing there"):
        provider.read(at(path))
    with pytest.raises(VaultRefused, match=r"40[34]"):
        provider.read(at(path, mount="nowhere"))


def test_a_token_that_may_not_read_is_refused(bao: Any, by_token: Any) -> None:
    """And so is one that Vault does not know."""
    token = bao.call("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
    with pytest.raises(VaultRefused, match=r"permission denied \(403\)"):
        by_token(token).read(at(fresh()))
    with pytest.raises(VaultRefused, match=r"token: permission denied") as refusal:
        by_token("s.unknown").read(at(fresh()))
    assert "s.unknown" not in str(refusal.value)


def test_an_approle_logs_in(bao: Any, opened: Open, clock: Clock) -> None:
    """By role id and secret id; a revoked token is replaced by a new login, at most so often."""
    bao.call("POST", "auth/approle/role/tacho", {"token_policies": "reader", "token_ttl": "60s"})
    role = bao.call("GET", "auth/approle/role/tacho/role-id")["data"]["role_id"]
    secret_id = bao.call("POST", "auth/approle/role/tacho/secret-id", {})["data"]["secret_id"]
    path = fresh()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    auth = {"method": "approle", "role": role, "secret": {"env": "S"}}
    settings = {"address": bao.address, "ca_file": str(bao.ca_file), "auth": auth}
    provider = opened(settings, {"S": secret_id})
    assert provider.read(at(path)).text == "s3cret"
    first = provider._session._token
    assert first is not None
    bao.call("POST", "auth/token/revoke", {"token": first.text})
    with pytest.raises(VaultRefused, match="permission denied"):
        provider.read(at(path))
    clock.now += RELOGIN_SECONDS
    assert provider.read(at(path)).text == "s3cret"
    assert provider._session._token != first


def test_a_token_is_renewed_before_it_ends(bao: Any, by_token: Any, clock: Clock) -> None:
    """At two thirds of its lease; one that cannot be renewed leads to a new look at where it came from."""
    path = fresh()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    made = bao.call("POST", "auth/token/create", {"policies": ["reader"], "ttl": "900s"})["auth"]
    provider = by_token(made["client_token"])
    provider.read(at(path))
    assert provider._session._renew_at == pytest.approx(clock.now + 600, abs=40)  # the server's clock goes on
    clock.now += 601
    provider.read(at(path))
    assert provider._session._token.text == made["client_token"]
    assert provider._session._renew_at == pytest.approx(clock.now + 600, abs=40)


def test_a_token_of_no_end_is_left_alone(bao: Any, by_token: Any, clock: Clock) -> None:
    """A root token has no lease."""
    path, provider = fresh(), by_token()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    provider.read(at(path))
    assert provider._session._renew_at == float("inf")


def test_a_workload_logs_in_by_its_jwt(bao: Any, opened: Open, tmp_path: Path) -> None:
    """The token's file may be readable by others, as platforms mount it; it is read again at each login."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bao.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public.decode()]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": "reader"}
    bao.call("POST", "auth/jwt/role/tacho", role)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    claims = {"sub": "system:serviceaccount:tacho:ingress", "aud": "vault", "exp": 1 << 33, "iat": 1}
    token = jwt.encode({"alg": "ES256"}, claims, ECKey.import_key(private))
    (tmp_path / "token").write_text(token)
    (tmp_path / "token").chmod(0o644)
    path = fresh()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    auth = {"method": "jwt", "role": "tacho", "secret": {"file": "token"}}
    provider = opened({"address": bao.address, "ca_file": str(bao.ca_file), "auth": auth}, {})
    assert provider.read(at(path)).text == "s3cret"
    (tmp_path / "token").write_text(token[:-4] + "AAAA")
    other = opened({"address": bao.address, "ca_file": str(bao.ca_file), "auth": auth}, {})
    with pytest.raises(VaultRefused, match="Vault login"):
        other.read(at(path))


def test_a_pod_logs_in_by_its_service_account(bao: Any, raw: Raw, opened: Open, tmp_path: Path) -> None:
    """The server asks the cluster (a raw one here) to review the token, and takes the account it names."""
    account = {"username": "system:serviceaccount:tacho:ingress", "uid": "u-1", "groups": []}
    review = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
    review |= {"status": {"authenticated": True, "user": account}}
    raw.answers = [(201, {"content-type": "application/json"}, json.dumps(review).encode())]
    bao.call(
        "POST",
        "auth/kubernetes/config",
        {
            "kubernetes_host": raw.url,
            "disable_local_ca_jwt": True,
            "kubernetes_ca_cert": bao.ca_file.read_text(),  # wanted, and not used over http
        },
    )
    role = {"bound_service_account_names": "ingress", "bound_service_account_namespaces": "tacho"}
    bao.call("POST", "auth/kubernetes/role/tacho", role | {"token_policies": "reader"})
    named = {"namespace": "tacho", "serviceaccount": {"name": "ingress", "uid": "u-1"}}
    claims = {"sub": account["username"], "exp": 1 << 33, "iat": 1, "nbf": 1, "kubernetes.io": named}
    key = ECKey.generate_key("P-256")
    (tmp_path / "token").write_text(jwt.encode({"alg": "ES256"}, claims, key))
    (tmp_path / "token").chmod(0o644)
    path = fresh()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    auth = {"method": "kubernetes", "role": "tacho", "secret": {"file": "token"}}
    provider = opened({"address": bao.address, "ca_file": str(bao.ca_file), "auth": auth}, {})
    assert provider.read(at(path)).text == "s3cret"
    assert [entry[1] for entry in raw.asked] == ["/apis/authentication.k8s.io/v1/tokenreviews"]


def test_a_namespace_is_a_vault_of_its_own(bao: Any, by_token: Any) -> None:
    """The same path, another secret."""
    path, name = fresh(), f"team-{uuid.uuid4()}"
    bao.call("POST", f"sys/namespaces/{name}", {})
    bao.namespace = name
    try:
        bao.mount("secret")
        bao.call("POST", f"secret/data/{path}", {"data": {"value": "theirs"}})
    finally:
        bao.namespace = None
    assert by_token(namespace=name).read(at(path)).text == "theirs"
    with pytest.raises(VaultRefused, match="nothing there"):
        by_token().read(at(path))


def test_a_sealed_vault_is_down(bao: Any, by_token: Any) -> None:
    """Until it is unsealed; what was read stays with the keeper meanwhile."""
    path, provider = fresh(), by_token()
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "s3cret"}})
    provider.read(at(path))
    bao.call("PUT", "sys/seal")
    try:
        with pytest.raises(VaultDown, match=r"sealed or in maintenance \(503\)"):
            provider.read(at(path))
    finally:
        bao.call("PUT", "sys/unseal", {"key": bao.unseal_key})
    assert provider.read(at(path)).text == "s3cret"


def test_a_certificate_of_nobody_we_know_is_not_accepted(bao: Any, by_token: Any) -> None:
    """Without the CA file the system's store decides; no token is sent."""
    with pytest.raises(VaultDown, match="certificate was not accepted"):
        by_token(ca_file=None).read(at(fresh()))
    with pytest.raises(SecretUnreadable, match=r"credentials\.vault\.ca_file"):
        by_token(ca_file="gone.pem")


# --- a server as it should not be ---


LOOKUP = (200, {}, b'{"data":{"ttl":0,"renewable":false}}')


def of_raw(raw: Raw, opened: Open, **more: Any) -> VaultProvider:
    settings = {"address": raw.url, "auth": {"method": "token", "secret": {"env": "T"}}} | more
    return opened(settings, {"T": "token-s3cret"})


def test_every_question_carries_what_vault_wants(raw: Raw, opened: Open) -> None:
    """Token, namespace and the mark that no forged cross-site request carries."""
    raw.answers = [LOOKUP, (200, {}, b'{"data":{"value":"v"}}')]
    assert of_raw(raw, opened, namespace="team/a").read(at("p", kv=1)).text == "v"
    assert [entry[:2] for entry in raw.asked] == [
        ("GET", "/v1/auth/token/lookup-self"),
        ("GET", "/v1/secret/p"),
    ]
    for _, _, fields in raw.asked:
        assert fields["x-vault-token"] == "token-s3cret"
        assert (fields["x-vault-namespace"], fields["x-vault-request"]) == ("team/a", "true")


@pytest.mark.parametrize(
    ("status", "fields", "body", "reason"),
    [
        (500, {}, b'{"errors":["token-s3cret"]}', "status 500"),
        (503, {}, b'{"errors":["Vault is sealed"]}', "sealed"),
        (429, {}, b"", "too many questions"),
        (200, {}, b"<html>token-s3cret</html>", "JSON object"),
        (200, {}, b"", "JSON object"),
        (200, {}, b"x" * (vault.MAX_ANSWER_BYTES + 1), "more than 1048576 bytes"),
        (200, {"content-encoding": "gzip"}, b"token-s3cret", "broke off"),
        (307, {"location": "https://elsewhere.example/v1/secret/p"}, b"", "name the active node"),
    ],
    ids=["500", "sealed", "429", "HTML", "empty", "huge", "not gzip", "redirect"],
)
def test_what_no_vault_should_answer_is_an_error_of_ours(
    raw: Raw, opened: Open, status: int, fields: dict[str, str], body: bytes, reason: str
) -> None:
    """It says what came in our words; a redirect does not get the token."""
    raw.answers = [LOOKUP, (status, fields, body)]
    with pytest.raises(VaultDown, match=reason) as refusal:
        of_raw(raw, opened).read(at("p", kv=1))
    assert "s3cret" not in str(refusal.value)
    assert len(raw.asked) == 2


def test_a_vault_that_is_silent_is_given_up(raw: Raw, opened: Open) -> None:
    """After `timeout`."""
    raw.hold.clear()
    raw.answers = [LOOKUP]
    with pytest.raises(VaultDown, match=r"no answer within 0\.1 s"):
        of_raw(raw, opened, timeout=0.1).read(at("p"))


def test_nobody_there_is_said_so(opened: Open) -> None:
    """Port 9 of this machine takes no connection."""
    settings = {"address": "http://127.0.0.1:9", "auth": {"method": "token", "secret": {"env": "T"}}}
    with pytest.raises(VaultDown, match="cannot be reached"):
        opened(settings, {"T": "t"}).read(at("p"))
    with pytest.raises(SecretUnreadable, match="variable T is not set"):
        opened(settings, {}).read(at("p"))


def test_a_renewal_that_gives_nothing_leads_to_a_new_login(raw: Raw, opened: Open, clock: Clock) -> None:
    """A lease of 0 in a renewal is the end of a token's longest life, not a life without end."""
    leased = (200, {}, b'{"data":{"ttl":60,"renewable":true}}')
    value = (200, {}, b'{"data":{"value":"v"}}')
    ended = (200, {}, b'{"auth":{"client_token":"","lease_duration":0,"renewable":true}}')
    refused = (403, {}, b"")
    raw.answers = [leased, value, ended, leased, value, refused, leased, value]
    provider = of_raw(raw, opened)
    for _ in range(3):
        assert provider.read(at("p", kv=1)).text == "v"
        clock.now += 41
    assert [path.rpartition("/")[2] for _, path, _ in raw.asked] == [
        "lookup-self",
        "p",
        "renew-self",
        "lookup-self",
        "p",
        "renew-self",
        "lookup-self",
        "p",
    ]


def test_no_repr_shows_the_token(raw: Raw, opened: Open) -> None:
    """Only where it asks."""
    raw.answers = [LOOKUP, (200, {}, b'{"data":{"value":"v"}}')]
    provider = of_raw(raw, opened)
    provider.read(at("p", kv=1))
    assert repr(provider) == f"VaultProvider({raw.url!r})"
    assert "s3cret" not in repr(provider._session._token)
