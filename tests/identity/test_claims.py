"""Who the claims of a verified token say that it is. Refusals are in `test_oidc.py`'s table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.claims import claim_at, prove
from tachograph.identity.errors import Unproven
from tachograph.identity.proof import Proof
from tachograph.schemas.config import OidcIssuer

NOW = 1_900_000_000
ISSUER = "https://issuer.test"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.sampled_from(["aud", "exp", "nbf", "iat", "sub", "act", "groups", "cnf", "events", "env"])


def proved(settings: dict[str, Any] | None = None, **changes: Any) -> Proof:
    issuer = OidcIssuer.model_validate({"issuer": ISSUER, "audience": "a"} | (settings or {}))
    claims = {"iss": ISSUER, "aud": "a", "sub": "bot", "exp": NOW + 60} | changes
    return prove(claims, issuer, now=NOW)


@pytest.mark.parametrize(
    ("path", "claims", "groups"),
    [
        ("groups", {"groups": ["a", "b"]}, {"a", "b"}),
        ("groups", {"groups": "Domain Users"}, {"Domain Users"}),
        ("groups", {"groups": []}, set()),
        ("groups", {}, set()),
        ("scope", {"scope": "read write"}, {"read", "write"}),
        ("realm_access.roles", {"realm_access": {"roles": ["ops"]}}, {"ops"}),
        ("resource_access.tacho.roles", {"resource_access": {"tacho": {"roles": ["x"]}}}, {"x"}),
        ("https://acme.test/groups", {"https://acme.test/groups": ["url"]}, {"url"}),
        ("a.b.c", {"a": {"b": "deep enough"}}, set()),
    ],
)
def test_groups_stand_where_the_issuer_puts_them(path: str, claims: dict[str, Any], groups: set[str]) -> None:
    """A list or a text, at the top or inside, under a name that may itself have dots."""
    assert proved({"groups_claim": path}, **claims).groups == groups


def test_prefixes_keep_issuers_apart() -> None:
    """Names and groups say where they come from."""
    settings = {"groups_claim": "groups", "principal_prefix": "gh:", "groups_prefix": "gh/"}
    proof = proved(settings, groups=["ops"])
    assert (proof.principal.id, proof.groups) == ("gh:bot", {"gh/ops"})
    chain = {"sub": "helper", "act": {"sub": "tool", "iss": "https://other.test"}}
    assert proved(settings, act=chain).principal.actors == ("gh:helper", "https://other.test#tool")
    with pytest.raises(Unproven, match="longer than"):
        proved(settings, sub="x" * 256)


@pytest.mark.parametrize(
    ("act", "actors"),
    [
        (None, ()),
        ({"sub": "agent"}, ("agent",)),
        ({"sub": "tool", "act": {"sub": "agent"}}, ("tool", "agent")),
        ({"sub": "agent", "iss": ISSUER}, ("agent",)),
        ({"sub": "agent", "iss": "https://other.test"}, ("https://other.test#agent",)),
        ({"sub": "spiffe://acme.test/agent", "client_id": "x"}, ("spiffe://acme.test/agent",)),
    ],
)
def test_actors_are_kept_nearest_first(act: object, actors: tuple[str, ...]) -> None:
    """RFC 8693: the outermost `act` acts now; those within it acted before."""
    changes = {} if act is None else {"act": act}
    assert proved(**changes).principal.actors == actors


RULES = {"require": {"repository": "acme/*", "environment": ["prod", "stage"], "verified": True, "run.no": 7}}
GOOD = {"repository": "acme/app", "environment": ["dev", "prod"], "verified": True, "run": {"no": 7}}


def test_a_workloads_claims_meet_the_rules() -> None:
    """Every rule by one of its patterns; of a list in the token one element is enough."""
    assert proved(RULES, **GOOD).principal.id == "bot"


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "evil/acme/app"},
        {"repository": None},
        {"environment": ["dev"]},
        {"environment": []},
        {"verified": False},
        {"verified": "yes"},
        {"verified": 1},
        {"run": {"no": 8}},
        {"run": 7},
    ],
)
def test_one_rule_that_is_not_met_is_enough(changes: dict[str, Any]) -> None:
    """All rules count."""
    with pytest.raises(Unproven, match="requires"):
        proved(RULES, **(GOOD | changes))


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"exp": NOW - 29}, True),
        ({"exp": NOW - 30}, False),
        ({"nbf": NOW + 30}, True),
        ({"nbf": NOW + 31}, False),
        ({"iat": NOW + 30}, True),
        ({"iat": NOW + 31}, False),
        ({"exp": NOW + 0.5}, True),
        ({"iat": 0}, True),
    ],
)
def test_clocks_may_differ_by_the_leeway(changes: dict[str, Any], *, good: bool) -> None:
    """Thirty seconds, to the second, for every time in a token."""
    try:
        assert proved(**changes).expires == changes.get("exp", NOW + 60) + 30
    except Unproven:
        assert not good
    else:
        assert good


def test_a_claim_is_found_by_name_before_path() -> None:
    """A name with dots is a name."""
    assert claim_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert claim_at({"a": {"b": 2}}, "a.b") == 2
    assert claim_at({"a": []}, "a.b") is None


@given(st.dictionaries(CLAIMS, JSON, max_size=5))
def test_any_claims_are_somebody_or_refused(changes: dict[str, Any]) -> None:
    """Nothing but a refusal comes out, whatever a good key has signed."""
    try:
        proof = proved({"groups_claim": "groups", "require": {"env": "*"}}, **changes)
    except Unproven:
        return
    assert proof.principal.id == changes.get("sub", "bot")
