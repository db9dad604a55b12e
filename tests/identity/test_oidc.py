"""Forged tokens, one table: each is refused, with a reason that repeats nothing of it."""

import base64
import hmac
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tachograph.identity import documents
from tachograph.identity.claims import MAX_AUDIENCES, MAX_GROUPS
from tachograph.identity.errors import Unproven
from tachograph.identity.issuer_keys import ASK_BURST, ASK_SECONDS, STALE_SECONDS
from tachograph.identity.oidc import MAX_REMEMBERED, TokenVerifier
from tachograph.identity.tokens import MAX_TOKEN_BYTES
from tachograph.schemas.config import OidcIssuer
from tachograph.schemas.event import MAX_ACTORS, PrincipalKind

NOW = 1_900_000_000
SECONDS = 60.0
"""How long the issuer of these tests may take on a busy machine."""
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
ROTATED = RSAKey.generate_key(2048, {"kid": "rsa-2"})
FOREIGN = RSAKey.generate_key(2048, {"kid": "rsa-1"})
PUBLISHED = FOREIGN.as_dict(private=False)
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})


@dataclass
class Issuer:
    """A real HTTP server that publishes keys, counts who asks, and misbehaves on demand."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answer: Callable[[str], tuple[int, bytes]] | None = None
    url: str = ""

    def publish(self, *keys: Any) -> None:
        self.keys = [key.as_dict(private=False) for key in keys]

    def serve(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.answer is not None:
            return self.answer(path)
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        return 200, json.dumps({"keys": self.keys}).encode()


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setattr(documents, "FETCH_SECONDS", SECONDS)
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = made.serve(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        made.publish(RSA, EC, ED)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        server.shutdown()


class Clock:
    def __init__(self) -> None:
        self.wall = float(NOW)
        self.monotonic = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


RULES: dict[str, Any] = {"require": {"env": ["prod", "stage-*"]}, "groups_claim": "org.roles"}
"""What the gateway of these tests asks of a token beyond the standard's."""


class World:
    """A verifier with its clock and its client."""

    def __init__(self, issuer: Issuer, **changes: Any) -> None:
        self.clock = Clock()
        settings = OidcIssuer(issuer=issuer.url, audience="tachograph", **RULES | changes)
        self.verifier = TokenVerifier(
            [settings],
            lambda _: httpx.AsyncClient(timeout=SECONDS),
            now=lambda: self.clock.wall,
            monotonic=lambda: self.clock.monotonic,
        )

    async def refuses(self, token: str, reason: str) -> None:
        with pytest.raises(Unproven, match=reason) as refusal:
            await self.verifier.verify(token)
        for part in token.split("."):
            assert len(part) < 8 or part not in str(refusal.value)


def claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    whole = {
        "iss": issuer.url,
        "aud": "tachograph",
        "sub": "agent-7",
        "exp": NOW + 600,
        "env": "prod",
        "org": {"roles": ["ops", "dev"]},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def token(
    issuer: Issuer, key: Any = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any
) -> str:
    head = {"alg": alg, "kid": key.kid} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    with warnings.catch_warnings():  # the library warns of signing under EdDSA's old name
        warnings.simplefilter("ignore")
        return jwt.encode(head, claims(issuer, **changes), key, algorithms=[alg])


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")], ids=["RSA", "EC", "Ed25519"]
)
async def test_a_good_token_names_its_principal(issuer: Issuer, key: Any, alg: str) -> None:
    """Signature, issuer, audience and time hold: the subject is who it is."""
    proof = await World(issuer).verifier.verify(token(issuer, key, alg, aud=["other", "tachograph"]))
    principal = proof.principal
    assert (proof.groups, proof.expires) == ({"ops", "dev"}, NOW + 600 + 30)
    assert (principal.id, principal.kind, principal.issuer) == ("agent-7", PrincipalKind.OIDC, issuer.url)


FORGED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "none": (lambda i: f"{encoded({'alg': 'none'})}.{encoded(claims(i))}.", "algorithm"),
    "None in capitals": (lambda i: f"{encoded({'alg': 'NONE'})}.{encoded(claims(i))}.AAAA", "algorithm"),
    "no algorithm": (lambda i: f"{encoded({})}.{encoded(claims(i))}.AAAA", "algorithm"),
    "HS256 with the public key": (
        lambda i: _hmac_signed(claims(i), RSA.as_pem(private=False)),
        "algorithm",
    ),
    "algorithm not listed": (lambda i: token(i, RSA, "PS256"), "algorithm"),
    "algorithm of another key type": (lambda i: _with_header(token(i), alg="ES256"), "signature"),
    "algorithm as a list": (
        lambda i: f"{encoded({'alg': ['RS256']})}.{encoded(claims(i))}.AAAA",
        "algorithm",
    ),
    "foreign key, known id": (lambda i: token(i, FOREIGN), "signature"),
    "key of another kind under the id": (
        lambda i: token(i, EC, "ES256", header={"kid": "rsa-1"}),
        "signature",
    ),
    "key in the header": (
        lambda i: token(i, FOREIGN, header={"jwk": FOREIGN.as_dict(private=False)}),
        "signature",
    ),
    "signature cut": (lambda i: token(i)[:-10], "sign"),
    "no signature": (lambda i: token(i).rpartition(".")[0] + ".", "signature"),
    "claims altered": (lambda i: _with_claims(token(i), claims(i, sub="root")), "signature"),
    "expired": (lambda i: token(i, exp=NOW - 31), "expired"),
    "never expires": (lambda i: token(i, exp=None), "when it expires"),
    "expires as a text": (lambda i: token(i, exp="2099-01-01"), "no time"),
    "expires is true": (lambda i: token(i, exp=True), "no time"),
    "expires before time began": (lambda i: token(i, exp=-1), "no time"),
    "expires after the last second": (lambda i: token(i, exp=10**60), "no time"),
    "expires at a number too large": (
        lambda i: signed(i, claims_text(i, exp=0).replace('"exp": 0', '"exp": 1e999')),
        "not a signed token",
    ),
    "expires at no number": (
        lambda i: signed(i, claims_text(i, exp=0).replace('"exp": 0', '"exp": NaN')),
        "not a signed token",
    ),
    "expires as an object": (lambda i: token(i, exp={"$date": NOW + 60}), "no time"),
    "begins as a text": (lambda i: token(i, nbf="soon"), "no time"),
    "issued in the future": (lambda i: token(i, iat=NOW + 31), "in the future"),
    "issued as a list": (lambda i: token(i, iat=[NOW]), "no time"),
    "not yet valid": (lambda i: token(i, nbf=NOW + 31), "not valid yet"),
    "other audience": (lambda i: token(i, aud="other"), "audience"),
    "audience that contains ours": (lambda i: token(i, aud="tachograph-admin"), "audience"),
    "no audience": (lambda i: token(i, aud=None), "audience"),
    "audience as an object": (lambda i: token(i, aud={"tachograph": 1}), "audience"),
    "audience with a number in it": (lambda i: token(i, aud=["tachograph", 7]), "audience"),
    "audience without an end": (lambda i: token(i, aud=["tachograph"] * (MAX_AUDIENCES + 1)), "audience"),
    "audience in capitals": (lambda i: token(i, aud="TACHOGRAPH"), "audience"),
    "other issuer": (lambda i: token(i, iss="https://evil.test"), "issuer"),
    "issuer with a slash more": (lambda i: token(i, iss=f"{i.url}/"), "issuer"),
    "issuer as a list": (lambda i: token(i, iss=[i.url]), "issuer"),
    "unknown key id": (lambda i: token(i, header={"kid": "nobody"}), "does not publish"),
    "no key id among several keys": (lambda i: token(i, header={"kid": None}), "does not publish"),
    "key id as a number": (lambda i: _with_header(token(i), kid=7), "key id"),
    "critical extension": (lambda i: _with_header(token(i), crit=["b64"], b64=False), "demands"),
    "critical extension of theirs": (lambda i: signed(i, crit=[]), "demands"),
    "payload that is not encoded": (lambda i: signed(i, b64=False), "demands"),
    "compressed": (lambda i: signed(i, zip="DEF"), "demands"),
    "encrypted, its header says": (lambda i: signed(i, enc="A256GCM"), "demands"),
    "token within a token": (lambda i: signed(i, cty="JWT"), "another token"),
    "type of a logout token": (lambda i: signed(i, typ="logout+jwt"), "another purpose"),
    "type of a proof of possession": (lambda i: signed(i, typ="dpop+jwt"), "another purpose"),
    "type as a list": (lambda i: signed(i, typ=["JWT"]), "another purpose"),
    "logout token without a type": (
        lambda i: token(i, events={"http://schemas.openid.net/event/backchannel-logout": {}}),
        "of an event",
    ),
    "bound to a key of somebody's": (lambda i: token(i, cnf={"jkt": "x"}), "bound to a key"),
    "keys at an address in the header": (
        lambda i: token(i, FOREIGN, header={"jku": f"{i.url}/evil", "kid": "evil"}),
        "does not publish",
    ),
    "certificate at an address in the header": (
        lambda i: token(i, FOREIGN, header={"x5u": f"{i.url}/evil"}),
        "signature",
    ),
    "certificate in the header": (lambda i: token(i, FOREIGN, header={"x5c": ["MIIB"]}), "signature"),
    "key id that is a path": (lambda i: token(i, header={"kid": "../../dev/null"}), "does not publish"),
    "key id as an object": (lambda i: _with_header(token(i), kid={"a": 1}), "key id"),
    "two issuers in the claims": (
        lambda i: signed(i, claims_text(i).replace('{"iss"', '{"iss": "https://evil.test", "iss"')),
        "not a signed token",
    ),
    "two subjects, one escaped": (
        lambda i: signed(i, claims_text(i).replace('"sub"', '"\\u0073ub": "root", "sub"')),
        "not a signed token",
    ),
    "two expiries, deep down": (
        lambda i: signed(i, claims_text(i).replace('"roles"', '"roles": ["root"], "roles"')),
        "not a signed token",
    ),
    "two algorithms": (
        lambda i: signed(i, header='{"alg": "none", "alg": "RS256", "kid": "rsa-1"}'),
        "not a signed token",
    ),
    "claims behind the claims": (lambda i: signed(i, claims_text(i) + "{}"), "not a signed token"),
    "claims without an end": (lambda i: signed(i, '{"a":' + "[" * 3000), "not a signed token"),
    "claims deeper than the bound": (lambda i: token(i, deep=_nested(20)), "not a signed token"),
    "claims not in UTF-8": (lambda i: signed(i, claims_text(i).encode() + b"\xff"), "not a signed token"),
    "padding": (lambda i: token(i) + "==", "not a signed token"),
    "the other base64": (
        lambda i: token(i, odd="?????").replace("-", "+").replace("_", "/"),  # has a `_` wherever it stands
        "not a signed token",
    ),
    "a line break inside": (lambda i: token(i).replace(".", ".\n", 1), "not a signed token"),
    "blanks around": (lambda i: f" {token(i)}", "not a signed token"),
    "unused bits in the signature": (lambda i: _loosened(token(i)), "not a signed token"),
    "payload apart": (lambda i: "..".join(token(i).split(".")[::2]), "not a signed token"),
    "JSON serialization": (lambda i: _as_json(token(i)), "not a signed token"),
    "two signatures": (lambda i: f"{token(i)}.{token(i).rsplit('.', 1)[1]}", "not a signed token"),
    "required claim is missing": (lambda i: token(i, env=None), "requires"),
    "required claim differs": (lambda i: token(i, env="production"), "requires"),
    "required claim in capitals": (lambda i: token(i, env="PROD"), "requires"),
    "required claim as an object": (lambda i: token(i, env={"prod": "prod"}), "requires"),
    "groups as an object": (lambda i: token(i, org={"roles": {"ops": True}}), "groups"),
    "groups with a number in it": (lambda i: token(i, org={"roles": ["ops", 7]}), "no usable claim"),
    "groups without an end": (lambda i: token(i, org={"roles": ["g"] * (MAX_GROUPS + 1)}), "groups"),
    "group with a line break": (lambda i: token(i, org={"roles": ["ops\nadmin"]}), "no usable claim"),
    "actor that is a text": (lambda i: token(i, act="root"), "chain of actors"),
    "actor without a name": (lambda i: token(i, act={"client": "x"}), "act.sub"),
    "actors without an end": (lambda i: token(i, act=_chain(MAX_ACTORS + 1)), "longer than"),
    "actor of no issuer": (lambda i: token(i, act={"sub": "a", "iss": ["x"]}), "unusable issuer"),
    "subject with a NUL": (lambda i: token(i, sub="root\0"), "claim 'sub'"),
    "subject with blanks": (lambda i: token(i, sub=" root"), "claim 'sub'"),
    "subject of half a character": (lambda i: signed(i, claims_text(i, sub="\ud800")), "not a signed token"),
    "subject that turns the text around": (lambda i: token(i, sub="a\u202eb"), "claim 'sub'"),
    "empty subject": (lambda i: token(i, sub=""), "claim 'sub'"),
    "workload of no domain": (lambda i: token(i, sub="spiffe:///billing"), "SPIFFE"),
    "workload that climbs": (lambda i: token(i, sub="spiffe://acme.test/a/../admin"), "SPIFFE"),
    "workload in capitals": (lambda i: token(i, sub="SPIFFE://acme.test/admin"), "SPIFFE"),
    "no subject": (lambda i: token(i, sub=None), "claim 'sub'"),
    "subject as a list": (lambda i: token(i, sub=["root"]), "claim 'sub'"),
    "endless subject": (lambda i: token(i, sub="x" * 257), "claim 'sub'"),
    "oversized": (lambda i: token(i, padding="x" * MAX_TOKEN_BYTES), "longer than"),
    "not a token": (lambda _: "sk-something-else-entirely", "not a signed token"),
    "five parts, encrypted": (lambda i: token(i) + ".AAAA.AAAA", "not a signed token"),
    "claims are a list": (lambda i: f"{encoded({'alg': 'RS256'})}.{encoded([1])}.AAAA", "not a signed token"),
    "not base64": (lambda _: "é.é.é", "not a signed token"),
    "empty parts": (lambda _: "..", "not a signed token"),
}


def raw(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_text(issuer: Issuer, **changes: Any) -> str:
    return json.dumps(claims(issuer, **changes))


def signed(issuer: Issuer, body: str | bytes = "", header: str = "", **changes: Any) -> str:
    """A good signature over whatever stands in the claims' and the header's place."""
    head = header or json.dumps({"alg": "RS256", "kid": "rsa-1"} | changes)
    text = f"{raw(head)}.{raw(body or claims_text(issuer))}"
    return f"{text}.{raw(RSA.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _nested(levels: int) -> dict[str, Any]:
    return {"a": _nested(levels - 1)} if levels else {}


def _chain(length: int) -> dict[str, Any]:
    return {"sub": f"actor-{length}"} | ({"act": _chain(length - 1)} if length > 1 else {})


def _loosened(text: str) -> str:
    """The same signature to a decoder that does not look at the bits it needs not."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) + 1]


def _as_json(text: str) -> str:
    protected, payload, signature = text.split(".")
    return json.dumps({"payload": payload, "protected": protected, "signature": signature})


def _hmac_signed(value: dict[str, Any], secret: bytes) -> str:
    signed = f"{encoded({'alg': 'HS256', 'kid': 'rsa-1'})}.{encoded(value)}"
    mac = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _with_header(text: str, **changes: Any) -> str:
    head, body, signature = text.split(".")
    value = json.loads(base64.urlsafe_b64decode(head + "==")) | changes
    return f"{encoded(value)}.{body}.{signature}"


def _with_claims(text: str, value: dict[str, Any]) -> str:
    head, _, signature = text.split(".")
    return f"{head}.{encoded(value)}.{signature}"


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused(issuer: Issuer, name: str) -> None:
    """Every way of not being a good token ends in 401, the second time as well."""
    make, reason = FORGED[name]
    world = World(issuer)
    forged = make(issuer)
    await world.refuses(forged, reason)
    await world.refuses(forged, reason)


def test_the_table_of_forged_tokens_is_long_enough() -> None:
    """At least sixty ways to be wrong, each named once."""
    assert len(FORGED) >= 60


async def test_keys_are_fetched_from_nowhere_else(issuer: Issuer) -> None:
    """Addresses of keys in a token's header are not asked."""
    world = World(issuer)
    for name in ("jku", "x5u"):
        header = {name: f"{issuer.url}/evil", "kid": "evil"}
        await world.refuses(token(issuer, FOREIGN, header=header), "does not publish")
    assert set(issuer.asked) == {"/.well-known/openid-configuration", "/keys"}


async def test_several_issuers_speak_for_themselves_only(issuer: Issuer) -> None:
    """A key of one issuer proves nothing about another's, though both are configured."""
    other = OidcIssuer(issuer="https://other.test", audience="tachograph", jwks_url=f"{issuer.url}/other")
    mine = OidcIssuer(issuer=issuer.url, audience="tachograph", principal_prefix="corp:")
    issuer.answer = lambda path: (
        200,
        json.dumps(
            {"keys": [(ROTATED if path == "/other" else RSA).as_dict(private=False)]}
            if path != "/.well-known/openid-configuration"
            else {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
        ).encode(),
    )
    clock = Clock()
    verifier = TokenVerifier(
        [mine, other],
        lambda _: httpx.AsyncClient(timeout=SECONDS),
        now=lambda: clock.wall,
        monotonic=lambda: 0.0,
    )
    assert (await verifier.verify(token(issuer))).principal.id == "corp:agent-7"
    theirs = await verifier.verify(token(issuer, ROTATED, iss="https://other.test"))
    assert (theirs.principal.id, theirs.principal.issuer) == ("agent-7", "https://other.test")
    for forged in (token(issuer, ROTATED), token(issuer, RSA, iss="https://other.test")):
        with pytest.raises(Unproven):
            await verifier.verify(forged)
    await verifier.close()


async def test_a_private_or_weak_or_encryption_key_is_never_used(issuer: Issuer) -> None:
    """Shared secrets, RSA below 2048 bits and keys for encryption are passed over in the issuer's list."""
    secret = OctKey.generate_key(256, {"kid": "oct"})
    encryption = RSA.as_dict(private=False) | {"kid": "enc", "use": "enc"}
    issuer.keys = [secret.as_dict(private=True), encryption, {"kty": "new"}, {"kty": "RSA"}, 7]  # type: ignore[list-item]
    world = World(issuer)
    await world.refuses(token(issuer, RSA, header={"kid": "enc"}), "does not publish")
    await world.refuses(token(issuer, RSA, header={"kid": "oct"}), "does not publish")


async def test_a_token_is_verified_once_and_expires_all_the_same(issuer: Issuer) -> None:
    """The issuer is asked once; a remembered token is refused from the second of its expiry on."""
    world = World(issuer)
    text = token(issuer, exp=NOW + 100)
    for _ in range(5):
        await world.verifier.verify(text)
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    assert world.verifier.remembered(text) is not None
    world.clock.pass_by(129)
    await world.verifier.verify(text)
    world.clock.pass_by(1)
    await world.refuses(text, "expired")


async def test_a_withdrawn_key_is_out_of_force_within_its_bound(issuer: Issuer) -> None:
    """Neither remembered tokens nor remembered keys outlive their bounds while the issuer answers."""
    world = World(issuer)
    text = token(issuer, exp=NOW + 10_000)
    await world.verifier.verify(text)
    issuer.publish(ROTATED)
    world.clock.pass_by(299)
    await world.verifier.verify(token(issuer, exp=NOW + 20_000))  # with a key that was known a moment ago
    world.clock.pass_by(1)
    await world.refuses(token(issuer, exp=NOW + 20_000), "does not publish")
    await world.refuses(text, "does not publish")


async def test_a_new_key_is_fetched_when_it_is_first_seen(issuer: Issuer) -> None:
    """Rotation needs no restart: an unknown key id asks the issuer again."""
    world = World(issuer)
    await world.verifier.verify(token(issuer))
    issuer.publish(RSA, ROTATED)
    assert (await world.verifier.verify(token(issuer, ROTATED))).principal.id == "agent-7"


async def test_unknown_key_ids_cannot_make_us_hammer_the_issuer(issuer: Issuer) -> None:
    """However many forged key ids come, the issuer is asked once in a named time."""
    world = World(issuer)
    await world.verifier.verify(token(issuer))
    asked = len(issuer.asked)
    for number in range(20):
        await world.refuses(token(issuer, header={"kid": f"forged-{number}"}), "does not publish")
    assert issuer.asked[asked:].count("/keys") <= ASK_BURST
    world.clock.pass_by(ASK_SECONDS)
    asked = len(issuer.asked)
    for number in range(20):
        await world.refuses(token(issuer, header={"kid": f"forged-{number}"}), "does not publish")
    assert issuer.asked[asked:].count("/keys") == 1


async def test_an_issuer_that_is_away_is_survived_for_a_day(issuer: Issuer) -> None:
    """Known keys stay in force while the issuer fails, up to a bound."""
    world = World(issuer)
    await world.verifier.verify(token(issuer))
    issuer.answer = lambda _: (503, b"")
    world.clock.pass_by(301)
    assert await world.verifier.verify(token(issuer, exp=NOW + 10_000))
    world.clock.pass_by(STALE_SECONDS)
    await world.refuses(token(issuer, exp=NOW + 1_000_000), "cannot be asked")


ANSWERS: dict[str, Callable[[Issuer], Callable[[str], tuple[int, bytes]]]] = {
    "another issuer's document": lambda i: lambda _: (
        200, json.dumps({"issuer": "https://evil.test", "jwks_uri": f"{i.url}/keys"}).encode()
    ),
    "keys over plain HTTP elsewhere": lambda i: lambda _: (
        200, json.dumps({"issuer": i.url, "jwks_uri": "http://keys.test/keys"}).encode()
    ),
    "keys in a file": lambda i: lambda _: (
        200, json.dumps({"issuer": i.url, "jwks_uri": "file:///etc/passwd"}).encode()
    ),
    "no keys": lambda i: lambda _: (200, json.dumps({"issuer": i.url}).encode()),
    "not JSON": lambda _: lambda _: (200, b"<html>"),
    "a list": lambda _: lambda _: (200, b"[]"),
    "too much": lambda _: lambda _: (200, b" " * (600 * 1024)),
    "the same name twice": lambda i: lambda _: (
        200, json.dumps({"issuer": i.url}).encode()[:-1] + b', "jwks_uri": "", "jwks_uri": ""}'
    ),
    "a redirect": lambda _: lambda _: (302, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_issuer_that_answers_nonsense_gives_no_keys(issuer: Issuer, name: str) -> None:
    """Nothing but a good document over a safe way makes keys; the agent gets a plain reason."""
    issuer.answer = ANSWERS[name](issuer)
    await World(issuer).refuses(token(issuer), "cannot be asked")


async def test_a_configured_address_of_keys_needs_no_discovery(issuer: Issuer) -> None:
    """With `jwks_url` only that is asked."""
    world = World(issuer, jwks_url=f"{issuer.url}/keys")
    await world.verifier.verify(token(issuer))
    assert issuer.asked == ["/keys"]


async def test_another_claim_may_name_the_principal(issuer: Issuer) -> None:
    """`principal_claim` says which."""
    world = World(issuer, principal_claim="email")
    proof = await world.verifier.verify(token(issuer, email="bot@corp.test"))
    assert proof.principal.id == "bot@corp.test"


async def test_memory_for_tokens_is_bounded(issuer: Issuer) -> None:
    """Remembered tokens are counted, and the oldest goes first."""
    world = World(issuer)
    good = await world.verifier.verify(token(issuer))
    assert len(world.verifier._known) == 1
    filler = next(iter(world.verifier._known.values()))
    world.verifier._known.update({str(number).encode(): filler for number in range(MAX_REMEMBERED)})
    assert await world.verifier.verify(token(issuer, jti="1")) == good
    assert len(world.verifier._known) == MAX_REMEMBERED


NEVER = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))


@given(st.text(max_size=300))
async def test_arbitrary_text_is_refused(text: str) -> None:
    """Nothing that is not a token makes the verifier raise anything but a refusal."""
    settings = OidcIssuer(issuer="https://issuer.test", audience="a")
    verifier = TokenVerifier([settings], lambda _: NEVER, now=lambda: 0.0, monotonic=lambda: 0.0)
    assert not verifier.claims_issuer(text)
    with pytest.raises(Unproven):
        await verifier.verify(text)
