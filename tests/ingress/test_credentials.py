"""The target's credential goes in, the agent's stays out, and neither shows anywhere."""

import base64
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tachograph.credentials.keeper import LOOK_SECONDS
from tachograph.credentials.opening import keeper_of
from tachograph.ingress.credentials import CONCEALED, CredentialStore
from tachograph.ingress.errors import CredentialMissing
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection

SECRET = "s3cret&+/"
AGENTS = (("Authorization", "Bearer theirs"), ("X-Api-Key", "theirs"), ("api-key", "theirs"))
KEPT = (("Accept", "*/*"), ("Cookie", "a=b"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def connection(**credential: Any) -> Connection:
    value: dict[str, Any] = {"name": "c", "protocol": "http", "upstream": "http://u"}
    if credential:
        value["credential"] = {"source": {"env": "KEY"}} | credential
    return Connection.model_validate(value)


def store(item: Connection, **changes: Any) -> CredentialStore:
    settings: dict[str, Any] = {"base": Path(), "environ": {"KEY": SECRET}} | changes
    return CredentialStore([item], keeper_of(Configuration(connections=(item,)), **settings))


def injecting(made: CredentialStore, item: Connection, target: str, headers: Any) -> Any:
    return made.inject(item, target, headers, made.take(item))


@pytest.mark.parametrize(
    ("credential", "field"),
    [
        ({"type": "bearer"}, ("authorization", f"Bearer {SECRET}")),
        ({"type": "basic"}, ("authorization", f"Basic {base64.b64encode(SECRET.encode()).decode()}")),
        ({"type": "header", "name": "X-Key"}, ("X-Key", SECRET)),
        ({"type": "header", "name": "x-api-key"}, ("x-api-key", SECRET)),
    ],
    ids=["bearer", "basic", "header", "x-api-key"],
)
def test_the_real_credential_replaces_the_agents(credential: dict[str, str], field: tuple[str, str]) -> None:
    """Exactly one credential is sent, in its place; other headers stay as they came."""
    item = connection(**credential)
    headers = (KEPT[0], *AGENTS, ("x-KEY", "from the agent") if field[0] == "X-Key" else AGENTS[0], KEPT[1])
    assert injecting(store(item), item, "/a?b", headers) == ("/a?b", (*KEPT, field))


def test_no_second_spelling_keeps_the_agents_own() -> None:
    """A target behind CGI or WSGI reads an underscore as a dash, and might take the agent's for ours."""
    item = connection(type="header", name="x-target-key")
    theirs = (("X_Target_Key", "theirs"), ("Authorization", "theirs"), ("X_API_Key", "theirs"), ("X_Y", "1"))
    _, headers = injecting(store(item), item, "/a", theirs)
    assert [name for name, _ in headers] == ["X_Y", "x-target-key"]
    assert "theirs" not in str(headers)


@pytest.mark.parametrize(
    ("target", "injected"),
    [
        ("/a", "/a?key=s3cret%26%2B%2F"),
        ("/a?", "/a?&key=s3cret%26%2B%2F"),
        ("/a?x=1&y=%2f", "/a?x=1&y=%2f&key=s3cret%26%2B%2F"),
        ("/a?key=theirs&x=1&key", "/a?x=1&key=s3cret%26%2B%2F"),
        ("/a?keys=1", "/a?keys=1&key=s3cret%26%2B%2F"),
        ("/a?%6bey=theirs&k%65y&x=1", "/a?x=1&key=s3cret%26%2B%2F"),
    ],
)
def test_a_query_credential_replaces_its_parameter(target: str, injected: str) -> None:
    """Every other byte of the target stays as it came."""
    item = connection(type="query", name="key")
    assert injecting(store(item), item, target, KEPT) == (injected, KEPT)


@given(st.text(st.characters(codec="ascii", exclude_characters="?#&= \r\n\0"), max_size=30))
def test_a_target_without_query_keeps_its_path(path: str) -> None:
    """Whatever the path holds, it is sent as it came."""
    item = connection(type="query", name="key")
    assert injecting(store(item), item, f"/{path}", ())[0] == f"/{path}?key=s3cret%26%2B%2F"


def test_without_a_credential_nothing_changes() -> None:
    """The agent's own headers are then for the target."""
    item = connection()
    assert injecting(store(item), item, "/a", AGENTS) == ("/a", AGENTS)


def test_a_missing_credential_concerns_its_connection_only() -> None:
    """The agent learns which connection, the log once why, and `check` lists it for readiness."""
    structlog.reset_defaults()
    item = connection(type="bearer")
    empty = store(item, environ={})
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(CredentialMissing, match="connection c cannot be read") as refusal:
                injecting(empty, item, "/", ())
            assert "KEY" not in refusal.value.detail
    assert [entry["reason"] for entry in logs] == ["environment variable KEY is not set"]
    assert empty.check() == ("connection c: environment variable KEY is not set",)
    assert store(item).check() == ()


def test_a_rotated_file_counts_and_its_old_value_stays_concealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to the request before the rotation may still repeat it."""
    path = tmp_path / "key"
    path.write_text("first-value")
    path.chmod(0o600)
    item = connection(type="bearer", source={"file": "key"})
    held = store(item, base=tmp_path)
    clock = Clock()
    monkeypatch.setattr(held._keeper, "_monotonic", clock)

    def sent() -> str:
        return injecting(held, item, "/", ())[1][0][1]

    assert sent() == "Bearer first-value"
    path.write_text("second-value")
    clock.now += LOOK_SECONDS
    assert sent() == "Bearer second-value"
    answered = (("X-Debug", "first-value, then second-value"),)
    assert held.conceal(item, answered) == (("X-Debug", f"{CONCEALED}, then {CONCEALED}"),)


def test_a_client_certificate_comes_from_the_same_places(tmp_path: Path) -> None:
    """A missing one is told of like any credential, and is a refusal where it is wanted."""
    item = Connection.model_validate(
        {
            "name": "c",
            "protocol": "http",
            "upstream": "https://u",
            "tls": {"client_identity": {"file": "identity"}},
        }
    )
    made = store(item, base=tmp_path)
    assert made.check() == (f"connection c: file {tmp_path / 'identity'}: No such file or directory",)
    identity = made.identity(item)
    assert identity is not None
    with pytest.raises(CredentialMissing, match="credential of the connection c cannot be read"):
        identity()
    path = tmp_path / "identity"
    path.touch(0o600)
    path.write_text("-----BEGIN X-----\na\n-----END X-----\n")
    assert store(item, base=tmp_path).identity(item)() == path.read_text().strip()  # type: ignore[misc]
    assert made.identity(connection()) is None


@pytest.mark.parametrize(
    ("kind", "spelled"),
    [
        ({"type": "bearer"}, ("user:pass-word",)),
        ({"type": "header", "name": "X-Key"}, ("user:pass-word",)),
        ({"type": "query", "name": "key"}, ("user:pass-word",)),
        ({"type": "basic"}, ("user:pass-word", "pass-word")),
        ({}, ()),
    ],
)
def test_what_must_not_show_is_told_before_it_is_injected(kind: Any, spelled: tuple[str, ...]) -> None:
    """The secret as it is, and of Basic credentials the password alone."""
    item = connection(**kind)
    assert store(item, environ={"KEY": "user:pass-word"}).take(item).spelled == spelled


def test_what_was_taken_is_what_is_injected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation between the record and the forwarding changes neither: the record names what was sent."""
    path = tmp_path / "key"
    path.write_text("first-value")
    path.chmod(0o600)
    item = connection(type="bearer", source={"file": "key"})
    held, clock = store(item, base=tmp_path), Clock()
    monkeypatch.setattr(held._keeper, "_monotonic", clock)
    taken = held.take(item)
    path.write_text("second-value")
    clock.now += LOOK_SECONDS
    assert held.inject(item, "/", (), taken)[1][0][1] == "Bearer first-value"
    assert held.take(item).spelled == ("second-value",)


def test_pem_is_no_header(tmp_path: Path) -> None:
    """Its second line would be a header of its own."""
    (tmp_path / "key").write_text("-----BEGIN X-----\nx: y\n")
    (tmp_path / "key").chmod(0o600)
    item = connection(type="bearer", source={"file": "key"})
    with pytest.raises(CredentialMissing, match="is not one line"):
        injecting(store(item, base=tmp_path), item, "/", ())


def test_no_repr_shows_a_value() -> None:
    """Neither the store nor what it holds."""
    item = connection(type="bearer")
    held = store(item)
    injecting(held, item, "/", ())
    assert SECRET not in repr(held) + repr(held._keeper) + repr(held.take(item))


@pytest.mark.parametrize(
    "shown",
    ["/n?key={}&a=b", "Bearer {}", "{}"],
    ids=["query", "bearer", "alone"],
)
@pytest.mark.parametrize("written", [SECRET, "s3cret%26%2B%2F", "s3cret%26%2b/", "%733cret&+/"])
def test_what_a_target_repeats_is_concealed(shown: str, written: str) -> None:
    """An answer's fields are rid of the credential in each of its percent-encodings, and of nothing else."""
    item = connection(type="query", name="key")
    made = store(item)
    injecting(made, item, "/", ())
    headers = (("Location", shown.format(written)), KEPT[1])
    assert made.conceal(item, headers) == (("Location", shown.format(CONCEALED)), KEPT[1])


def test_a_basic_credential_is_concealed_as_it_was_sent() -> None:
    """What a target repeats of a Basic credential is its base64."""
    item = connection(type="basic")
    made = store(item)
    ((name, value),) = injecting(made, item, "/", ())[1]
    assert made.conceal(item, ((name, value),)) == ((name, f"Basic {CONCEALED}"),)


def test_a_password_is_concealed_without_its_user() -> None:
    """A target that has taken the credential apart repeats either part."""
    item = connection(type="basic")
    made = store(item, environ={"KEY": "user:pass-word"})
    injecting(made, item, "/", ())
    assert made.conceal(item, (("X", "pass-word of user"),)) == (("X", f"{CONCEALED} of user"),)


def test_a_body_is_concealed_where_the_connection_wants_it() -> None:
    """It asks for bodies as they are; one that is encoded all the same passes."""
    wants = connection(type="bearer").model_copy(update={"conceal_body": True})
    made = store(wants)
    sent = injecting(made, wants, "/", (("Accept-Encoding", "gzip"), KEPT[0]))[1]
    assert [value for name, value in sent if name.lower() == "accept-encoding"] == ["identity"]
    body = made.conceal_body(wants, (("Content-Type", "text/plain"), ("Content-Encoding", "identity")))
    assert body is not None
    assert body.feed(f"is {SECRET} it?".encode(), end=True) == f"is {'*' * len(SECRET)} it?".encode()
    assert made.conceal_body(wants, (("content-encoding", "gzip"),)) is None
    for plain in (connection(type="bearer"), connection().model_copy(update={"conceal_body": True})):
        assert store(plain).conceal_body(plain, ()) is None


def test_nothing_to_conceal_changes_nothing() -> None:
    """Without a credential, or with one so short that innocent words hold it, fields stay the same."""
    plain, item = connection(), connection(type="bearer")
    headers = (("Location", "/short"),)
    made = store(item, environ={"KEY": "short"})
    injecting(made, item, "/", ())
    assert made.conceal(item, headers) is headers
    assert made.conceal(plain, headers) is headers
