"""Logins at a real Keycloak, and what the gateway makes of them: who it is, in which groups, for how long."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tachograph.cli.stack.realm import AUDIENCE, Person, Realm, browser, device, realm, service
from tachograph.identity import code_flow
from tachograph.identity.documents import issuer_client
from tachograph.identity.grants import discover
from tachograph.identity.oidc import TokenVerifier
from tachograph.schemas.config import OidcIssuer

SECONDS = 60.0
KEYS_SECONDS = 2
"""A withdrawn key is out of force after so long."""
ADA = Person("ada", secrets.token_urlsafe(12), ("ops",))
SECRETS = {name: secrets.token_urlsafe(12) for name in ("agent", "guest", "console")}
BACK = "http://127.0.0.1/back"
POLICY = """
@id("ops-may-read")
permit (principal in Group::"ops", action, resource) when { context.method == "GET" };

@id("no-deletes")
@reason("nobody deletes here")
forbid (principal, action, resource) when { context.method == "DELETE" };
"""


@pytest.fixture(scope="module")
def realm_(keycloak: Any) -> Iterator[Realm]:
    """Ada and an agent in `ops`, a guest elsewhere, a command line and a console."""
    made = realm(
        f"t{secrets.token_hex(4)}",
        clients=[
            service("agent", SECRETS["agent"]),
            service("guest", SECRETS["guest"]),
            device("cli"),
            browser("console", SECRETS["console"], BACK),
        ],
        people=[ADA],
        services={"agent": ("ops",), "guest": ("guests",)},
    )
    with Realm(keycloak.url, keycloak.password, made) as there:
        yield there


@pytest.fixture(scope="module")
def settings(realm_: Realm) -> dict[str, Any]:
    return {
        "issuer": realm_.issuer,
        "audience": AUDIENCE,
        "algorithms": ["RS256"],
        "keys_seconds": KEYS_SECONDS,
        "principal_claim": "preferred_username",
        "groups_claim": "groups",
        "require": {"typ": "Bearer"},
        "cli_client_id": "cli",
    }


@pytest.fixture(scope="module")
def gateway(
    stack: Any,
    settings: dict[str, Any],
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A site whose agents are known to Keycloak, and whose policies know Keycloak's groups."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "policy.cedar").write_text(POLICY)
    more = {"identity": {"oidc": [settings]}, "policy": {"files": ["policy.cedar"]}}
    with open_site(folder, stack, more) as site:
        yield site


def ask(site: Any, token: str, *, method: str = "GET", path: str = "x") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, f"{site.url}/c/api/{path}", headers=headers, timeout=SECONDS)


def test_a_services_token_is_its_identity_on_record(gateway: Any, realm_: Realm) -> None:
    """Client credentials: let in, and in the documents by its name and issuer, never by its token."""
    path, token = f"seen-{secrets.token_hex(4)}", realm_.token("agent", SECRETS["agent"])
    assert ask(gateway, token, path=path).status_code == 200
    for document in gateway.told(path):
        principal = document["unmapped"]["tacho"]["principal"]
        assert (principal["id"], principal["kind"], principal["issuer"]) == (
            "service-account-agent",
            "oidc",
            realm_.issuer,
        )
        assert token.split(".")[2] not in repr(document)


def test_groups_decide(gateway: Any, realm_: Realm) -> None:
    """A member of the group may, a stranger to it may not, and a forbid holds for both, with its reason."""
    agent, guest = (realm_.token(name, SECRETS[name]) for name in ("agent", "guest"))
    assert ask(gateway, agent).status_code == 200
    assert ask(gateway, guest).status_code == 403
    denied = ask(gateway, agent, method="DELETE")
    assert denied.status_code == 403
    assert "no-deletes" in denied.text
    assert "nobody deletes here" in denied.text


def test_what_keycloak_signs_for_other_purposes_is_no_identity(gateway: Any, realm_: Realm) -> None:
    """A token whose payload was altered, one without its signature, and one of another realm."""
    token = realm_.token("agent", SECRETS["agent"])
    head, _, signature = token.split(".")
    other = realm_.token("guest", SECRETS["guest"]).split(".")[1]
    for forged in (f"{head}.{other}.{signature}", token.rpartition(".")[0] + "."):
        assert ask(gateway, forged).status_code == 401


def test_keys_rotate_in_mid_traffic(gateway: Any, realm_: Realm) -> None:
    """No good token is refused while keys change; tokens of a withdrawn key are, within the bound."""
    ((old_kid, old_provider),) = realm_.signing_keys().items()
    old = realm_.token("agent", SECRETS["agent"])
    statuses: list[int] = []
    over = threading.Event()

    def traffic() -> None:
        with httpx.Client(timeout=SECONDS) as client:
            while not over.is_set():
                token = realm_.token("agent", SECRETS["agent"])
                answer = client.get(f"{gateway.url}/c/api/x", headers={"authorization": f"Bearer {token}"})
                statuses.append(answer.status_code)

    threads = [threading.Thread(target=traffic) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        _until(lambda: len(statuses) > 10)
        realm_.add_key(200)
        before = len(statuses)
        _until(lambda: len(statuses) > before + 20)
        assert ask(gateway, old).status_code == 200  # still published, so still good
        realm_.remove_key(old_provider)
        withdrawn = time.monotonic()
        _until(lambda: ask(gateway, old).status_code == 401, seconds=KEYS_SECONDS + 10)
        assert time.monotonic() - withdrawn < KEYS_SECONDS + 5
    finally:
        over.set()
        for thread in threads:
            thread.join(SECONDS)
    assert set(statuses) == {200}
    assert old_kid not in realm_.signing_keys()


def test_a_person_logs_in_on_the_command_line(
    gateway: Any, tmp_path: Path, realm_: Realm, person: httpx.Client
) -> None:
    """The device grant for real: code shown, form filled in elsewhere, token kept, renewed, used, revoked."""
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "400", "NO_COLOR": "1"}

    def tacho(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tachograph.cli.main", *arguments]
        config = ["--config", str(gateway.folder / "tacho.yaml")]
        return subprocess.Popen(
            [*command, *config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    login = tacho("login")
    assert login.stderr is not None
    address = next(found[0] for line in login.stderr if (found := re.search(r"http://\S+", line)))
    person.follow_redirects = True
    assert _submit(person, _log_in(person, address), {"accept": "Yes"}).status_code == 200
    told, said = login.communicate(timeout=SECONDS)
    assert (login.returncode, told) == (0, f"ada ({realm_.issuer})\ngroups: ops\n"), said
    token = tacho("token").communicate(timeout=SECONDS)[0].strip()
    assert ask(gateway, token).status_code == 200
    assert "Logged out." in tacho("logout").communicate(timeout=SECONDS)[1]
    whoami = tacho("whoami")
    assert "tacho login" in whoami.communicate(timeout=SECONDS)[1]
    assert whoami.returncode == 1


@pytest.fixture
def person() -> Iterator[httpx.Client]:
    """A browser, to which this machine is as good as HTTPS: it sends secure cookies back."""
    held: dict[str, str] = {}

    def keep(response: httpx.Response) -> None:
        pairs = (line.partition(";")[0].partition("=") for line in response.headers.get_list("set-cookie"))
        held.update({name: value for name, _, value in pairs})

    def show(request: httpx.Request) -> None:
        request.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in held.items() if value)

    with httpx.Client(timeout=SECONDS, event_hooks={"request": [show], "response": [keep]}) as made:
        yield made


async def test_a_person_logs_in_with_a_browser(
    settings: dict[str, Any], realm_: Realm, person: httpx.Client
) -> None:
    """The authorization code flow for real: state, challenge, nonce, and groups in the ID token."""
    issuer = OidcIssuer.model_validate(settings | {"require": {"typ": "ID"}})
    ours = code_flow.Registration("console", BACK, client_secret=SECRETS["console"])
    async with issuer_client(None) as client:
        provider = await discover(client, issuer.issuer)
        attempt = code_flow.begin(provider, ours, randomness=os.urandom)
        answer = _log_in(person, attempt.url)
        assert answer.headers["location"].startswith(BACK)
        query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        tokens = await code_flow.finish(client, provider, ours, attempt=attempt, query=query, now=time.time())
    verifier = TokenVerifier(
        [code_flow.for_logins(issuer, "console")],
        lambda _: issuer_client(None),
        now=time.time,
        monotonic=time.monotonic,
    )
    proof = await code_flow.identify(verifier, tokens, attempt=attempt, client_id="console")
    await verifier.close()
    assert (proof.principal.id, proof.groups) == ("ada", {"ops"})


def _log_in(person: httpx.Client, address: str) -> httpx.Response:
    return _submit(person, person.get(address), {"username": ADA.name, "password": ADA.password})


def _submit(person: httpx.Client, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
    """Fill in the page's form, hidden fields included."""
    form = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    assert form is not None, page.text
    hidden = {}
    for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', page.text):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name is not None:
            hidden[name[1]] = unescape(value[1]) if value else ""
    return person.post(urljoin(str(page.url), unescape(form[1])), data=hidden | fields)


def _until(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
