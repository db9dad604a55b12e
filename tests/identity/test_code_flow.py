"""A login in a browser, from the URL it is sent to until we know who it is."""

import base64
import hashlib
import os
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tachograph.identity.code_flow import Attempt, Registration, begin, finish, for_logins, identify
from tachograph.identity.discovery import Provider
from tachograph.identity.errors import IssuerFailed, LoginRefused, Unproven
from tachograph.identity.grants import Tokens
from tachograph.identity.oidc import TokenVerifier
from tachograph.schemas.config import OidcIssuer

ISSUER = "https://issuer.test"
PROVIDER = Provider(
    ISSUER, f"{ISSUER}/keys", token_endpoint=f"{ISSUER}/token", authorization_endpoint=f"{ISSUER}/auth"
)
OURS = Registration("console", "https://console.test/back", client_secret="shh")
NOW = 1_900_000_000
KEY = ECKey.generate_key("P-256", {"kid": "k"})


def attempt() -> Attempt:
    return begin(PROVIDER, OURS, randomness=os.urandom)


def test_the_browser_is_sent_with_a_challenge() -> None:
    """State and nonce are fresh, the verifier stays with us, and no repr shows any of them."""
    one, other = attempt(), attempt()
    asked = dict(parse_qsl(urlsplit(one.url).query))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert (asked["state"], asked["nonce"], asked["response_type"]) == (one.state, one.nonce, "code")
    assert len({one.state, other.state, one.nonce, other.nonce, one.verifier, other.verifier}) == 6
    assert one.verifier not in one.url
    assert repr(one) == "Attempt()"
    assert "shh" not in repr(OURS)


async def test_the_code_is_redeemed_with_its_verifier() -> None:
    """Exactly what RFC 7636, 4.5 asks for."""
    forms: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        forms.append(parse_qs(request.content.decode()))
        return httpx.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": "i.d.t"})

    client, login = httpx.AsyncClient(transport=httpx.MockTransport(answer)), attempt()
    query = {"state": login.state, "code": "c0de", "iss": ISSUER}
    tokens = await finish(client, PROVIDER, OURS, attempt=login, query=query, now=NOW)
    assert tokens.id_token == "i.d.t"
    assert forms[0]["code_verifier"] == [login.verifier]
    assert (forms[0]["code"], forms[0]["client_secret"]) == (["c0de"], ["shh"])


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "forged"},
        {"state": ""},
        {"state": "\u00e9"},
        {"iss": "https://evil.test"},
        {"error": "access_denied"},
        {"code": ""},
        {"code": "x" * 4097},
    ],
)
async def test_an_answer_that_is_not_to_this_attempt_is_refused(changes: dict[str, str]) -> None:
    """Before the issuer is asked anything."""
    login = attempt()
    with pytest.raises(LoginRefused):
        await finish(
            httpx.AsyncClient(transport=httpx.MockTransport(lambda _: pytest.fail("asked"))),
            PROVIDER,
            OURS,
            attempt=login,
            query={"state": login.state, "code": "c0de"} | changes,
            now=NOW,
        )


def verifier(**rules: str) -> TokenVerifier:
    settings = OidcIssuer(
        issuer=ISSUER,
        audience="tachograph",
        jwks_url=f"{ISSUER}/k",
        groups_claim="groups",
        require={claim: (value,) for claim, value in rules.items()},
    )
    keys = {"keys": [KEY.as_dict(private=False)]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=keys))
    return TokenVerifier(
        [for_logins(settings, "console")],
        lambda _: httpx.AsyncClient(transport=transport),
        now=lambda: float(NOW),
        monotonic=lambda: 0.0,
    )


def id_token(login: Attempt, **changes: Any) -> Tokens:
    claims = {
        "iss": ISSUER,
        "aud": "console",
        "sub": "ada",
        "exp": NOW + 60,
        "nonce": login.nonce,
        "groups": ["ops"],
    }
    whole = {name: value for name, value in (claims | changes).items() if value is not None}
    return Tokens("access", NOW + 60, id_token=jwt.encode({"alg": "ES256", "kid": "k"}, whole, KEY))


async def test_the_id_token_says_who_it_is() -> None:
    """For the client's own audience, with the attempt's nonce."""
    login = attempt()
    proof = await identify(verifier(), id_token(login, azp="console"), attempt=login, client_id="console")
    assert (proof.principal.id, proof.groups) == ("ada", {"ops"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"nonce": "another"}, LoginRefused),
        ({"nonce": None}, LoginRefused),
        ({"nonce": 7}, LoginRefused),
        ({"azp": "evil"}, LoginRefused),
        ({"aud": "tachograph"}, Unproven),
        ({"exp": NOW - 60}, Unproven),
    ],
)
async def test_another_logins_id_token_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    """A token that was stolen from, or made for, somebody else."""
    login = attempt()
    with pytest.raises(error):
        await identify(verifier(), id_token(login, **changes), attempt=login, client_id="console")


async def test_the_issuers_rules_hold_for_logins_but_that_on_the_kind_of_token() -> None:
    """An ID token of Keycloak's says `typ: ID`, where the rule keeps ID tokens away from the gateway."""
    login = attempt()
    rules = verifier(typ="Bearer", org="acme")
    good = id_token(login, typ="ID", org="acme")
    assert (await identify(rules, good, attempt=login, client_id="console")).principal.id == "ada"
    with pytest.raises(Unproven, match="org"):
        await identify(rules, id_token(login, typ="ID"), attempt=login, client_id="console")


async def test_no_id_token_is_the_issuers_fault() -> None:
    """It says what to ask for."""
    with pytest.raises(IssuerFailed, match="openid"):
        await identify(verifier(), Tokens("a", NOW), attempt=attempt(), client_id="console")
