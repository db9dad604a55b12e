"""One configuration for two Kafka clients."""

import ssl
from pathlib import Path

import faust
import pytest

from tachograph.processors.brokers import faust_settings, rdkafka_settings, secret_value
from tachograph.processors.errors import OperatorError
from tachograph.schemas.config import Kafka
from tachograph.schemas.connection import SecretSource


def test_plain_settings(tmp_path: Path) -> None:
    """Several servers, nothing secured."""
    kafka = Kafka(bootstrap_servers="a:1,b:2", client={"client.id": "x"})
    assert rdkafka_settings(kafka, base=tmp_path) == {"bootstrap.servers": "a:1,b:2", "client.id": "x"}
    assert faust_settings(kafka, base=tmp_path) == {
        "broker": "kafka://a:1;kafka://b:2",
        "broker_credentials": None,
    }


def test_passwords_reach_both_clients(tmp_path: Path) -> None:
    """SASL over TLS as configured, the password from its file."""
    (tmp_path / "pw").write_text("geheim\n")
    kafka = Kafka(
        client={
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "worker",
        },
        password=SecretSource(file="pw"),
    )
    assert rdkafka_settings(kafka, base=tmp_path)["sasl.password"] == "geheim"
    credentials = faust_settings(kafka, base=tmp_path)["broker_credentials"]
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password) == ("worker", "geheim")
    assert isinstance(credentials.ssl_context, ssl.SSLContext)


def test_tls_alone(tmp_path: Path) -> None:
    """A connection that must be encrypted is encrypted for Faust, too, and verifies."""
    credentials = faust_settings(Kafka(client={"security.protocol": "ssl"}), base=tmp_path)[
        "broker_credentials"
    ]
    assert isinstance(credentials, faust.SSLCredentials)
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED


def test_what_cannot_be_carried_over_is_refused(tmp_path: Path) -> None:
    """An authentication that Faust would not make is not silently left out."""
    kafka = Kafka(client={"security.protocol": "sasl_plaintext", "sasl.mechanism": "GSSAPI"})
    with pytest.raises(OperatorError, match="SCRAM-SHA-512"):
        faust_settings(kafka, base=tmp_path)


def test_a_secret_that_is_not_there_is_named_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable or the file."""
    monkeypatch.delenv("TACHO_NO_SUCH", raising=False)
    with pytest.raises(OperatorError, match="TACHO_NO_SUCH"):
        secret_value(SecretSource(env="TACHO_NO_SUCH"), base=tmp_path)
    with pytest.raises(OperatorError, match="nowhere"):
        secret_value(SecretSource(file="nowhere"), base=tmp_path)
    monkeypatch.setenv("TACHO_SUCH", "value")
    assert secret_value(SecretSource(env="TACHO_SUCH"), base=tmp_path) == "value"
