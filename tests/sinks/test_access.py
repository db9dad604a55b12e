"""How the room logs in."""

from pathlib import Path

import pytest

from tachograph.schemas.config import Kafka
from tachograph.schemas.connection import SecretSource
from tachograph.sinks.access import kafka_client, read_secret
from tachograph.sinks.errors import SecretUnreadable


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def test_a_secret_comes_from_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the white space around it, as everywhere else."""
    monkeypatch.setenv("TACHO_TEST_SECRET", "s3cret ")
    assert read_secret(SecretSource(env="TACHO_TEST_SECRET"), base=tmp_path) == "s3cret"


def test_a_secret_comes_from_a_file_below_base(tmp_path: Path) -> None:
    """Without the line feed that editors add."""
    write(tmp_path / "password", b"s3cret\n")
    assert read_secret(SecretSource(file="password"), base=tmp_path) == "s3cret"


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff"])
def test_an_unreadable_secret_names_the_place_only(tmp_path: Path, content: str | bytes | None) -> None:
    """The error says where it was looked for."""
    if content is not None:
        write(tmp_path / "password", content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SecretUnreadable, match="password"):
        read_secret(SecretSource(file="password"), base=tmp_path)
    with pytest.raises(SecretUnreadable, match="TACHO_NOT_SET"):
        read_secret(SecretSource(env="TACHO_NOT_SET"), base=tmp_path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """With the command that closes it."""
    write(tmp_path / "password", b"s3cret", 0o644)
    with pytest.raises(SecretUnreadable, match="chmod 600"):
        read_secret(SecretSource(file="password"), base=tmp_path)


def test_kafka_settings_take_the_password_from_its_source(tmp_path: Path) -> None:
    """`client` passes through; the secret joins as `sasl.password`."""
    write(tmp_path / "password", b"s3cret")
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
