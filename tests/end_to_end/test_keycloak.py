"""Logins at a real Keycloak, and what the gateway makes of them: who it is, in which groups, for how long."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tachograph.approvals.pen import Pen
from tachograph.cli.stack.realm import AUDIENCE, Person, Realm, browser, device, realm, service
from tachograph.console.serve import Opened, opened
from tachograph.identity import code_flow
from tachograph.identity.documents import issuer_client
from tachograph.identity.grants import discover
from tachograph.identity.oidc import TokenVerifier
from tachograph.schemas.approval import ApprovalKey, Need, Requested
from tachograph.schemas.config import Configuration, Kafka, OidcIssuer
from tachograph.schemas.event import Principal, PrincipalKind, Protocol

SECONDS = 120.0
KEYS_SECONDS = 2
"""A withdrawn key is out of force after so long."""
BUSY_SECONDS = 60.0
"""What a busy machine may add."""
ADA = Person("ada", secrets.token_urlsafe(12), ("ops",))
TOM = Person("tom", secrets.token_urlsafe(12), ("guests",))
SECRETS = {name: secrets.token_urlsafe(12) for name in ("agent", "guest", "console", "inbox")}
BACK = "http://127.0.0.1/back"
CONSOLE = "http://127.0.0.1:8090"
POLICY = """
@id("ops-may-read")
permit (principal in Group::"ops", action, resource) when { context.method == "GET" };

@id("no-deletes")
@reason("nobody deletes here")
forbid (principal, action, resource) when { context.method == "DELETE" };
"""


@pytest.fixture(scope="module")
def realm_(keycloak: Any) -> Iterator[Realm]:
    """Ada and an agent in `ops`, Tom and a guest elsewhere, a command line and two consoles."""
    made = realm(
        f"t{secrets.token_hex(4)}",
        clients=[
            service("agent", SECRETS["agent"]),
            service("guest", SECRETS["guest"]),
            device("cli"),
            browser("console", SECRETS["console"], BACK),
            browser("inbox", SECRETS["inbox"], f"{CONSOLE}/login/work/back"),
        ],
        people=[ADA, TOM],
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
        _until(lambda: ask(gateway, old).status_code == 401)
        assert time.monotonic() - withdrawn < KEYS_SECONDS + BUSY_SECONDS
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
    issuer = OidcIssuer.model_validate(settings)
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


class Inbox:
    """The console as it is in service, over a topic on which this test asks for approvals."""

    def __init__(self, running: Opened, pages: httpx.AsyncClient, pen: Pen) -> None:
        self.pages = pages
        self.desk = running.desk
        self._pen = pen

    async def asks(self, requester: Principal) -> str:
        """The address of a request that waits for `ops`, once the console knows of it."""
        event = Requested(
            approval=uuid.uuid4(),
            at=time.time_ns() // 1_000_000,
            exchange=uuid.uuid4(),
            session=uuid.uuid4(),
            record=uuid.uuid4(),
            connection="files",
            protocol=Protocol.HTTP,
            requester=requester,
            needs=(Need(group="ops", reason="deletes", policy="p1"),),
            request_digest=secrets.token_hex(32),
            scope_digest=secrets.token_hex(32),
            policy_digest=secrets.token_hex(32),
            wait_seconds=600,
            instance=uuid.uuid4(),
        )
        self._pen.write(event)
        deadline = time.monotonic() + SECONDS
        while self.desk.problem or not self.desk.book.find(event.approval):
            assert time.monotonic() < deadline, self.desk.problem or "it did not reach the console"
            await self.desk.changed(self.desk.version, seconds=1)
        return f"/approvals/{event.approval}"

    async def enter(self, person: httpx.Client, who: Person, page: str) -> httpx.Response:
        """From a page that asks for a login, through Keycloak's form, to the answer on coming back."""
        told = await self.pages.get(page)
        chooser = await self.pages.get(told.headers["location"])
        (door,) = re.findall(r'href="(/login/work[^"]*)"', chooser.text)
        left = await self.pages.get(unescape(door))
        assert "code_challenge_method=S256" in left.headers["location"]
        back = _log_in(person, left.headers["location"], who).headers["location"]
        assert back.startswith(f"{CONSOLE}/login/work/back?")
        return await self.pages.get(back)


@asynccontextmanager
async def _inbox(settings: dict[str, Any], kafka: Kafka, folder: Path) -> AsyncIterator[Inbox]:
    key = secrets.token_bytes(32)
    for name, data in (("approvals", base64.b64encode(key)), ("client", SECRETS["inbox"].encode())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(data)
    login = {"name": "work", "issuer": settings["issuer"], "client_id": "inbox"}
    config = Configuration.model_validate(
        {
            "console": {"logins": [login | {"client_secret": {"file": "client"}}]},
            "identity": {"oidc": [settings]},
            "keys": {"approvals_file": "approvals"},
            "kafka": kafka.model_dump(),
            "opensearch": {"url": "http://127.0.0.1:1"},  # nobody is there: what is not shown can be denied
        }
    )
    told: dict[str, object] = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
    pen = Pen(topic=kafka.topics.approvals, key=ApprovalKey(key), settings=told, give_up_seconds=SECONDS)
    async with opened(config, base=folder, url=CONSOLE) as running:
        transport = httpx.ASGITransport(running.app)
        async with httpx.AsyncClient(transport=transport, base_url=CONSOLE) as pages:
            yield Inbox(running, pages, pen)
    pen.close()


async def test_a_group_of_keycloak_decides_in_the_console(
    settings: dict[str, Any], realm_: Realm, kafka: Kafka, tmp_path: Path, person: httpx.Client
) -> None:
    """Ada of `ops` lands on the page that she wanted, and her word counts; not on what she asked for."""
    async with _inbox(settings, kafka, tmp_path) as inbox:
        place = await inbox.asks(Principal(id="bot", kind=PrincipalKind.API_KEY))
        hers = await inbox.asks(Principal(id="ada", kind=PrincipalKind.OIDC, issuer=realm_.issuer))
        landed = await inbox.enter(person, ADA, place)
        assert (landed.status_code, landed.headers["location"]) == (303, place)
        page = (await inbox.pages.get(place)).text
        assert "Approve once" not in page, "nobody approves what is not shown"
        fields = _hidden(page.partition('class="decide"')[2])
        form = {"content-type": "application/x-www-form-urlencoded", "origin": CONSOLE}
        denied = await inbox.pages.post(f"{place}/decision", data=fields | {"verdict": "deny"}, headers=form)
        assert denied.status_code == 303
        approval = inbox.desk.book.find(uuid.UUID(place.rpartition("/")[2]))
        assert approval is not None
        (said,) = (each.decided.reviewer for each in approval.decisions)
        assert (said.principal.id, said.principal.kind, said.principal.issuer) == (
            "ada",
            PrincipalKind.OIDC,
            realm_.issuer,
        )
        assert (said.groups, said.via) == (("ops",), "console")
        assert "You asked for this yourself" in (await inbox.pages.get(hers)).text


async def test_who_is_in_no_group_that_is_asked_sees_nothing_in_the_console(
    settings: dict[str, Any], realm_: Realm, kafka: Kafka, tmp_path: Path, person: httpx.Client
) -> None:
    """Tom is logged in, and there is nothing; an answer of Keycloak's is good once."""
    async with _inbox(settings, kafka, tmp_path) as inbox:
        place = await inbox.asks(Principal(id="bot", kind=PrincipalKind.API_KEY))
        landed = await inbox.enter(person, TOM, "/")
        assert (landed.status_code, landed.headers["location"]) == (303, "/")
        page = (await inbox.pages.get("/")).text
        assert "tom" in page
        assert "Nothing waits for you" in page
        assert (await inbox.pages.get(place)).status_code == 404
        assert (await inbox.pages.get(str(landed.request.url))).status_code == 403


def _log_in(person: httpx.Client, address: str, who: Person = ADA) -> httpx.Response:
    return _submit(person, person.get(address), {"username": who.name, "password": who.password})


def _submit(person: httpx.Client, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
    """Fill in the page's form, hidden fields included."""
    form = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    assert form is not None, page.text
    return person.post(urljoin(str(page.url), unescape(form[1])), data=_hidden(page.text) | fields)


def _hidden(page: str) -> dict[str, str]:
    hidden = {}
    for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name is not None:
            hidden[name[1]] = unescape(value[1]) if value else ""
    return hidden


def _until(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
