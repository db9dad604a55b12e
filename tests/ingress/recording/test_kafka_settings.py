"""Which settings the operator has a say in, and which promises hang on."""

import logging
from pathlib import Path

import pytest

from tachograph.ingress.errors import CredentialMissing
from tachograph.ingress.recording.kafka_settings import REPEAT_SECONDS, Sparse, producer_settings
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


def test_a_broker_that_is_away_does_not_fill_the_log() -> None:
    """The client's message of one kind is let through once in a named time, another kind at once."""
    sparse = Sparse()

    def passes(text: str, at: float) -> bool:
        record = logging.LogRecord("kafka", logging.ERROR, "", 0, text, None, None)
        record.created = at
        return sparse.filter(record)

    assert passes("FAIL connect refused (after 0ms)", 1000)
    assert not passes("FAIL connect refused (after 3ms)", 1001)
    assert passes("GETPID failed", 1001)
    assert passes("FAIL connect refused (after 0ms)", 1000 + REPEAT_SECONDS)
    assert passes("FAIL connect refused (after 0ms)", 500)  # the clock was set back


def test_every_producer_shares_one_filter() -> None:
    """However many producers are made, a message is looked at once."""
    loggers = [producer_settings(Kafka(), base=Path())["logger"] for _ in range(3)]
    assert isinstance(loggers[0], logging.Logger)
    assert len([item for item in loggers[0].filters if isinstance(item, Sparse)]) == 1
