"""How the room logs in."""

from pathlib import Path

import pytest

from tachograph.schemas.config import Kafka
from tachograph.schemas.connection import SecretSource
from tachograph.sinks.access import kafka_client, read_secret
from tachograph.sinks.errors import SecretUnreadable


def test_a_secret_comes_from_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it stands there."""
    monkeypatch.setenv("TACHO_TEST_SECRET", "s3cret ")
    assert read_secret(SecretSource(env="TACHO_TEST_SECRET"), base=tmp_path) == "s3cret "


def test_a_secret_comes_from_a_file_below_base(tmp_path: Path) -> None:
    """Without the line feed that editors add."""
    (tmp_path / "password").write_text("s3cret\n")
    assert read_secret(SecretSource(file="password"), base=tmp_path) == "s3cret"


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff"])
def test_an_unreadable_secret_names_the_place_only(tmp_path: Path, content: str | bytes | None) -> None:
    """The error says where it was looked for."""
    if content is not None:
        (tmp_path / "password").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SecretUnreadable, match="password"):
        read_secret(SecretSource(file="password"), base=tmp_path)
    with pytest.raises(SecretUnreadable, match="TACHO_NOT_SET"):
        read_secret(SecretSource(env="TACHO_NOT_SET"), base=tmp_path)


def test_kafka_settings_take_the_password_from_its_source(tmp_path: Path) -> None:
    """`client` passes through; the secret joins as `sasl.password`."""
    (tmp_path / "password").write_text("s3cret")
    kafka = Kafka(
        bootstrap_servers="b:1",
        client={"security.protocol": "SASL_SSL"},
        password=SecretSource(file="password"),
    )
    assert kafka_client(kafka, base=tmp_path) == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SASL_SSL",
        "sasl.password": "s3cret",
    }
    assert "sasl.password" not in kafka_client(Kafka(), base=tmp_path)
