"""A SAML login at a real Keycloak: its form, its signature, and whom that makes of the person behind them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import html

from tachograph.cli.stack.realm import Person, Realm, realm, saml
from tachograph.console.serve import opened
from tachograph.identity.documents import issuer_client
from tachograph.identity.errors import LoginRefused, Unproven
from tachograph.identity.saml import provider_metadata
from tachograph.identity.saml.service_provider import ServiceProvider, ourselves
from tachograph.schemas.config import Configuration
from tachograph.schemas.event import PrincipalKind
from tachograph.schemas.identity_settings import SamlProvider

SECONDS = 120.0
ADA = Person("ada", secrets.token_urlsafe(12), ("reviewers", "ops"))
CONSOLE = "http://127.0.0.1:8090"
METADATA_SECONDS = 1


def rules(realm_: Realm, name: str, **changes: Any) -> SamlProvider:
    return SamlProvider(
        name=name,
        idp_metadata=f"{realm_.issuer}/protocol/saml/descriptor",
        idp_entity_id=realm_.issuer,
        groups_attribute="groups",
        metadata_seconds=METADATA_SECONDS,
        **changes,
    )


@pytest.fixture(scope="module")
def realm_(keycloak: Any) -> Iterator[Realm]:
    """Ada, and two consoles: for one Keycloak signs assertions too, for the other responses only."""
    clients = [
        saml(
            f"{CONSOLE}/login/{name}/metadata", f"{CONSOLE}/login/{name}/back", sign_assertion=name == "both"
        )
        for name in ("both", "whole")
    ]
    made = realm(f"s{secrets.token_hex(4)}", clients=clients, people=[ADA], services={})
    with Realm(keycloak.url, keycloak.password, made) as there:
        yield there


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with issuer_client(None) as made:
        yield made


def provider(told: SamlProvider, client: httpx.AsyncClient) -> ServiceProvider:
    return ServiceProvider(told, ourselves(told, CONSOLE), client, base=Path())


class Browser:
    """Fills in the forms that it is shown; keeps cookies as browsers do for this very machine."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}
        self._client = httpx.Client(timeout=SECONDS)

    def log_in(self, address: str, person: Person) -> tuple[str, dict[str, str]]:
        """Where the answer is to be posted, and what: the last page is a form that a script would send."""
        page = self._ask("GET", address)
        form = self._form(page)
        form.fields["username"], form.fields["password"] = person.name, person.password
        last = self._form(self._ask("POST", form.action, data=dict(form.form_values())))
        return last.action, dict(last.form_values())

    def close(self) -> None:
        self._client.close()

    def _form(self, page: httpx.Response) -> Any:
        assert page.status_code == 200, page.text
        (form,) = html.fromstring(page.content, base_url=str(page.url)).forms
        return form

    def _ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        for _ in range(8):
            held = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            page = self._client.request(method, url, headers={"cookie": held}, **more)
            for line in page.headers.get_list("set-cookie"):
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value
            if not page.is_redirect:
                return page
            method, url, more = "GET", str(page.next_request.url), {}  # type: ignore[union-attr]
        raise AssertionError("redirected without an end")


@pytest.fixture
def browser() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["both", "whole"])
async def test_a_person_logs_in(
    realm_: Realm, client: httpx.AsyncClient, browser: Browser, name: str
) -> None:
    """From the redirect to the posted answer: a principal of the realm, in its groups, for a while."""
    console = provider(rules(realm_, name), client)
    attempt = await console.begin()
    where, form = browser.log_in(attempt.url, ADA)
    assert where == f"{CONSOLE}/login/{name}/back"
    proof = await console.finish(attempt, form)
    principal = proof.principal
    assert (principal.id, principal.kind, principal.issuer) == (
        "ada@example.test",
        PrincipalKind.SAML,
        realm_.issuer,
    )
    assert proof.groups == {"reviewers", "ops"}
    assert proof.expires < float("inf")


async def test_an_answer_that_was_altered_or_used_is_refused(
    realm_: Realm, client: httpx.AsyncClient, browser: Browser
) -> None:
    """Another group in it, and the very same one again."""
    console = provider(rules(realm_, "both"), client)
    attempt = await console.begin()
    _, form = browser.log_in(attempt.url, ADA)
    text = base64.b64decode(form["SAMLResponse"]).decode()
    assert ">ops<" in text
    altered = base64.b64encode(text.replace(">ops<", ">admins<").encode()).decode()
    with pytest.raises(Unproven, match="does not verify"):
        await console.finish(attempt, form | {"SAMLResponse": altered})
    with pytest.raises(LoginRefused, match="answered before"):
        await console.finish(attempt, form)


async def test_an_answer_to_another_console_is_refused(
    realm_: Realm, client: httpx.AsyncClient, browser: Browser
) -> None:
    """Keycloak signed it, and for somebody else."""
    theirs, ours = (provider(rules(realm_, name), client) for name in ("both", "whole"))
    attempt = await theirs.begin()
    _, form = browser.log_in(attempt.url, ADA)
    mine = await ours.begin()
    with pytest.raises(Unproven, match="another address"):
        await ours.finish(mine, form | {"RelayState": mine.relay_state})


async def test_a_response_alone_may_be_too_little(
    realm_: Realm, client: httpx.AsyncClient, browser: Browser
) -> None:
    """Where the operator wants the assertion itself signed, Keycloak's default is refused with the reason."""
    console = provider(rules(realm_, "whole", assertion_signed=True), client)
    attempt = await console.begin()
    _, form = browser.log_in(attempt.url, ADA)
    with pytest.raises(Unproven, match="assertion is not signed"):
        await console.finish(attempt, form)


async def test_a_person_logs_in_to_the_console(realm_: Realm, browser: Browser, tmp_path: Path) -> None:
    """Through its own pages, wired as in service, from the button to a page with the person's name."""
    key = tmp_path / "approvals"
    key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    key.chmod(0o600)
    config = Configuration.model_validate(
        {
            "console": {},
            "identity": {"saml": [rules(realm_, "both").model_dump()]},
            "keys": {"approvals_file": str(key)},
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},  # nobody is there, and logins do not need it
        }
    )
    async with opened(config, base=tmp_path, url=CONSOLE) as console:
        transport = httpx.ASGITransport(console.app)
        async with httpx.AsyncClient(transport=transport, base_url=CONSOLE) as pages:
            left = await pages.get("/login/both?next=/history")
            where, form = browser.log_in(left.headers["location"], ADA)
            taken = await pages.post(where, data=form, headers={"origin": "null"})
            landed = await pages.get(taken.headers["location"])
            assert (landed.status_code, landed.headers["location"]) == (303, "/history")
            assert "ada@example.test" in (await pages.get("/history")).text


async def test_keycloak_rotates_its_key_between_request_and_answer(
    realm_: Realm, client: httpx.AsyncClient, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new certificate is fetched when it first signs; the old key's answer ends with its withdrawal."""
    monkeypatch.setattr(provider_metadata, "ASK_SECONDS", 0.0)
    console = provider(rules(realm_, "both").model_copy(update={"metadata_seconds": 3600}), client)
    old = await console.begin()
    _, before = browser.log_in(old.url, ADA)
    ((_, old_key),) = realm_.signing_keys().items()
    attempt = await console.begin()
    realm_.add_key(priority=200)
    realm_.remove_key(old_key)
    fresh = Browser()
    _, form = fresh.log_in(attempt.url, ADA)
    fresh.close()
    assert (await console.finish(attempt, form)).principal.id == "ada@example.test"
    with pytest.raises(Unproven, match="does not verify"):
        await console.finish(old, before)
