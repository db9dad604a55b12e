"""A connection says where it leads and which credential goes there; nonsense is refused at the door."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tachograph.schemas.connection import Connection, Credential, SecretSource, UpstreamTls
from tachograph.schemas.event import Header, Protocol


def connection(**fields: Any) -> Connection:
    return Connection.model_validate(
        {"name": "crm", "protocol": "http", "upstream": "https://crm.example"} | fields
    )


@pytest.mark.parametrize(
    ("upstream", "kept"),
    [
        ("https://h", "https://h"),
        ("http://h:81/", "http://h:81"),
        ("https://h/prefix/", "https://h/prefix"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
    ],
)
def test_an_upstream_is_an_origin_and_a_prefix(upstream: str, kept: str) -> None:
    """A slash at the end is not part of it."""
    assert connection(upstream=upstream).upstream == kept


@pytest.mark.parametrize(
    "upstream",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "https:///x",
        "http://user:password@h",
        "http://user@h",
        "http://h?key=value",
        "http://h#part",
        "http://h:0",
        "http://h:99999",
        "http://h:x",
    ],
)
def test_another_upstream_is_refused(upstream: str) -> None:
    """Above all one that carries a credential; the refusal does not repeat it."""
    with pytest.raises(ValidationError) as caught:
        connection(upstream=upstream)
    messages = " ".join(item["msg"] for item in caught.value.errors(include_input=False))
    assert "password" not in messages


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a-", "a.b", "a/b", "a" * 64, "ä"])
def test_a_name_is_a_label(name: str) -> None:
    """It stands in a path and in every event."""
    with pytest.raises(ValidationError):
        connection(name=name)


@given(st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_every_connection_s_name_fits_a_header(name: str) -> None:
    """No connection can be registered whose records could not be written."""
    pattern = Header.model_json_schema()["properties"]["connection"]["anyOf"][0]["pattern"]
    assert connection(name=name).name == name
    assert re.fullmatch(pattern, name)


@pytest.mark.parametrize(
    "source", [{}, {"env": "A", "file": "b"}, {"env": "not a name"}, {"env": ""}, {"text": "x"}]
)
def test_a_secret_has_exactly_one_source(source: dict[str, str]) -> None:
    """A variable or a file, never the value itself."""
    with pytest.raises(ValidationError):
        SecretSource.model_validate(source)


@pytest.mark.parametrize("kind", ["header", "query"])
def test_a_credential_with_a_place_needs_its_name(kind: str) -> None:
    """A header or a parameter has to be called something."""
    with pytest.raises(ValidationError, match="needs a name"):
        Credential.model_validate({"type": kind, "source": {"env": "A"}})
    named = Credential.model_validate({"type": kind, "name": "X-Key", "source": {"env": "A"}})
    assert named.name == "X-Key"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "x" * 65])
def test_a_header_name_is_a_token(name: str) -> None:
    """Nothing that could end a header line."""
    with pytest.raises(ValidationError):
        Credential.model_validate({"type": "header", "name": name, "source": {"env": "A"}})


def test_a_client_certificate_needs_its_key() -> None:
    """And the other way round."""
    for half in ({"client_cert_file": "a"}, {"client_key_file": "a"}):
        with pytest.raises(ValidationError, match="go together"):
            UpstreamTls.model_validate(half)
    assert UpstreamTls(client_cert_file="a", client_key_file="b").client_key_file == "b"
    identity = SecretSource(store="gateway")
    with pytest.raises(ValidationError, match="not both"):
        UpstreamTls(client_cert_file="a", client_key_file="b", client_identity=identity)


@pytest.mark.parametrize("field", ["connect", "response", "read", "write"])
@pytest.mark.parametrize("value", [0, -1, 86_401, "soon", float("inf"), float("nan")])
def test_timeouts_are_bounded(field: str, value: Any) -> None:
    """No wait without an end, and none that is over at once."""
    with pytest.raises(ValidationError):
        connection(timeouts={field: value})


def test_what_is_not_known_is_refused() -> None:
    """A typo is no setting."""
    with pytest.raises(ValidationError):
        connection(upstraem="x")
    with pytest.raises(ValidationError):
        connection(protocol="ftp")


def test_a_connection_comes_back_as_it_was() -> None:
    """Through JSON, with all it holds."""
    full = connection(
        hosts=["crm.local"],
        credential={"type": "header", "name": "X-Key", "source": {"file": "key"}},
        masking={"json_keys": ["iban"]},
        allow=["builder"],
        labels={"team": "a"},
    )
    assert Connection.model_validate_json(full.model_dump_json()) == full
    assert full.protocol is Protocol.HTTP
