"""`tacho login` against an issuer over HTTP; `tests/end_to_end/test_keycloak.py` has a real one."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey
from typer.testing import CliRunner, Result

from tachograph.cli import login
from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.main import app
from tachograph.cli.token_file import TokenFile

KEY = ECKey.generate_key("P-256", {"kid": "k"})


@dataclass
class Issuer:
    """A server with a device endpoint, whose person says yes at the second question unless told otherwise."""

    url: str = ""
    audience: str = "tachograph"
    lives: int = 600
    answers: list[str] = field(default_factory=lambda: ["authorization_pending", ""])
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    made: int = 0

    def serve(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.forms.append((path, form))
        match path:
            case "/.well-known/openid-configuration":
                names = ("jwks_uri", "token_endpoint", "device_authorization_endpoint", "revocation_endpoint")
                return 200, {"issuer": self.url} | {name: f"{self.url}/{name}" for name in names}
            case "/jwks_uri":
                return 200, {"keys": [KEY.as_dict(private=False)]}
            case "/device_authorization_endpoint":
                shown = {"user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/activate"}
                return 200, shown | {"device_code": "d", "expires_in": 60, "interval": 1}
            case "/token_endpoint":
                error = self.answers.pop(0) if self.answers else ""
                return (400, {"error": error}) if error else (200, self.tokens())
        return 200, {}

    def tokens(self) -> dict[str, Any]:
        self.made += 1
        claims = {
            "iss": self.url,
            "aud": self.audience,
            "sub": "ada",
            "exp": time.time() + 600,
            "n": self.made,
        }
        access = jwt.encode({"alg": "ES256", "kid": "k"}, claims | {"groups": ["ops"]}, KEY)
        refresh = f"refresh-{self.made}"
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lives,
            "refresh_token": refresh,
        }


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(text).items()})

        def _answer(self, form: dict[str, str]) -> None:
            status, document = made.serve(self.path, form)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def tacho(issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command with a configuration that knows the issuer, without waiting for anybody."""

    async def at_once(_: float) -> None:
        pass

    monkeypatch.setattr(login, "_pause", at_once)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings = {
        "issuer": issuer.url,
        "audience": "tachograph",
        "groups_claim": "groups",
        "cli_client_id": "cli",
    }
    file = tmp_path / "tacho.yaml"
    file.write_text(yaml.safe_dump({"identity": {"oidc": [settings]}}))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(file)])

    return run


def stored(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "config" / "tachograph" / "token.json")


def test_a_person_logs_in(issuer: Issuer, tacho: Any, tmp_path: Path) -> None:
    """Address and code are shown, the token is kept, and it is checked as the gateway checks it."""
    done = tacho("login")
    assert done.exit_code == 0, done.output
    assert "/activate" in done.stderr
    assert "ABCD-EFGH" in done.stderr
    assert done.stdout == f"ada ({issuer.url})\ngroups: ops\n"
    assert stored(tmp_path).path.stat().st_mode & 0o777 == 0o600
    assert json.loads(tacho("whoami", "--json").stdout) == {
        "id": "ada",
        "issuer": issuer.url,
        "groups": ["ops"],
        "actors": [],
    }
    assert tacho("token").stdout.strip() == stored(tmp_path).read().access_token


def test_a_token_is_renewed_before_it_ends(issuer: Issuer, tacho: Any, tmp_path: Path) -> None:
    """With the refresh token that came last; the new ones are kept."""
    issuer.lives = 10
    tacho("login")
    issuer.lives = 600
    assert json.loads(tacho("token", "--json").stdout)["access_token"] == stored(tmp_path).read().access_token
    assert stored(tmp_path).read().refresh_token == "refresh-2"
    tacho("token")
    renewals = [form for path, form in issuer.forms if form.get("grant_type") == "refresh_token"]
    assert [form["refresh_token"] for form in renewals] == ["refresh-1"]


def test_a_logout_forgets_and_tells(issuer: Issuer, tacho: Any, tmp_path: Path) -> None:
    """The refresh token is revoked; afterwards nobody is logged in."""
    tacho("login")
    assert json.loads(tacho("logout", "--json").stdout) == {"revoked": True}
    assert ("/revocation_endpoint", "refresh-1") in [(path, form.get("token")) for path, form in issuer.forms]
    assert not stored(tmp_path).path.exists()
    for command in ("whoami", "token", "logout"):
        assert isinstance(tacho(command).exception, Refused)


def test_a_broken_login_can_be_left(tacho: Any, tmp_path: Path) -> None:
    """Whatever is in the file, a logout takes it away and says that nobody was told."""
    tacho("login")
    stored(tmp_path).path.write_text("{")
    assert json.loads(tacho("logout", "--json").stdout) == {"revoked": False}
    assert not stored(tmp_path).path.exists()


@pytest.mark.parametrize("word", ["access_denied", "expired_token", "invalid_client"])
def test_a_no_is_a_no(issuer: Issuer, tacho: Any, tmp_path: Path, word: str) -> None:
    """Nothing is kept, and the message says how to begin again."""
    issuer.answers = [word]
    done = tacho("login")
    assert isinstance(done.exception, Refused)
    assert "tacho login" in str(done.exception)
    assert not stored(tmp_path).path.exists()


def test_a_token_for_somebody_else_is_told(issuer: Issuer, tacho: Any) -> None:
    """A login whose token the gateway would refuse says so at once, not at the first request."""
    issuer.audience = "another"
    assert "another audience" in str(tacho("login").exception)


def test_an_issuer_that_is_away_is_a_part_that_is_down(tacho: Any, tmp_path: Path) -> None:
    """Exit code 3."""
    text = (tmp_path / "tacho.yaml").read_text()
    (tmp_path / "tacho.yaml").write_text(text.replace("http://127.0.0.1:", "http://127.0.0.1:1/#"))
    assert isinstance(tacho("login").exception, PartDown)


def test_an_issuer_without_a_client_is_no_use(tacho: Any, tmp_path: Path) -> None:
    """It says which setting is missing; of several issuers one must be named."""
    text = (tmp_path / "tacho.yaml").read_text()
    one = yaml.safe_load(text)["identity"]["oidc"][0]
    other = one | {"issuer": "https://other.test"}
    for issuers, word in (([one | {"cli_client_id": None}], "cli_client_id"), ([one, other], "--issuer")):
        (tmp_path / "tacho.yaml").write_text(yaml.safe_dump({"identity": {"oidc": issuers}}))
        done = tacho("login")
        assert isinstance(done.exception, WrongUse)
        assert word in str(done.exception)
