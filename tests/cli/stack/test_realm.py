"""realm.py: what a realm is made of. A real server takes it in `tests/end_to_end/test_keycloak.py`."""

from tachograph.cli.stack.realm import AUDIENCE, Person, browser, device, realm, saml, service


def test_a_realm_names_every_group_once() -> None:
    """Those of people and of services; a service's account is in its groups."""
    made = realm(
        "r",
        clients=[service("agent", "s")],
        people=[Person("ada", "p", ("ops", "dev")), Person("bob", "p", ("dev",))],
        services={"agent": ("bots",)},
    )
    assert made["groups"] == [{"name": "bots"}, {"name": "dev"}, {"name": "ops"}]
    users = {user["username"]: user["groups"] for user in made["users"]}
    assert users == {"ada": ["ops", "dev"], "bob": ["dev"], "service-account-agent": ["bots"]}


def test_every_client_gets_audience_and_groups() -> None:
    """And of the ways to log in only its own."""
    clients = [service("a", "s"), device("b"), browser("c", "s", "https://console.test/back")]
    for client in clients:
        mappers = {item["protocolMapper"]: item["config"] for item in client["protocolMappers"]}
        assert mappers["oidc-audience-mapper"]["included.custom.audience"] == AUDIENCE
        assert mappers["oidc-group-membership-mapper"]["claim.name"] == "groups"
    assert [client["standardFlowEnabled"] for client in clients] == [False, False, True]
    assert [client["publicClient"] for client in clients] == [False, True, False]


def test_a_saml_client_is_answered_at_its_own_address_only() -> None:
    """Signed as a whole and, unless told otherwise, the assertion too; its groups by their names."""
    whole = saml("https://console.test/metadata", "https://console.test/back", sign_assertion=False)
    assert (whole["protocol"], whole["redirectUris"]) == ("saml", ["https://console.test/back"])
    told = [each["attributes"]["saml.assertion.signature"] for each in (whole, saml("a", "b"))]
    assert told == ["false", "true"]
    assert whole["protocolMappers"][0]["config"]["full.path"] == "false"
