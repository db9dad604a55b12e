"""Which settings the operator has a say in, and which promises hang on."""

from pathlib import Path

import pytest

from tachograph.ingress.errors import CredentialMissing
from tachograph.ingress.kafka_settings import producer_settings
from tachograph.schemas.config import Kafka


def test_the_operators_settings_are_passed_through() -> None:
    """Security and tuning come from the configuration."""
    kafka = Kafka(client={"security.protocol": "SSL", "linger.ms": "5"})
    settings = producer_settings(kafka, base=Path())
    assert (settings["security.protocol"], settings["linger.ms"]) == ("SSL", "5")


def test_promises_are_not_for_sale() -> None:
    """Acknowledgement, idempotence and patience stay ours, and no debug output shows messages."""
    client = {"acks": "0", "enable.idempotence": "false", "message.timeout.ms": "1", "debug": "msg"}
    settings = producer_settings(Kafka(client=client), base=Path())
    kept = {name: settings[name] for name in client if name in settings}
    assert kept == {"acks": "all", "enable.idempotence": True, "message.timeout.ms": 0}


def test_the_password_comes_from_its_source(tmp_path: Path) -> None:
    """A private file, or a refusal that names it."""
    (tmp_path / "password").write_text("s3cret")
    (tmp_path / "password").chmod(0o600)
    kafka = Kafka.model_validate({"password": {"file": "password"}})
    assert producer_settings(kafka, base=tmp_path)["sasl.password"] == "s3cret"
    (tmp_path / "password").unlink()
    with pytest.raises(CredentialMissing, match="password: No such file"):
        producer_settings(kafka, base=tmp_path)
