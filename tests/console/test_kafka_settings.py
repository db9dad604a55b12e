"""How Kafka is reached: the operator's settings, without those that promises hang on."""

from pathlib import Path

import pytest

from tachograph.console.errors import OperatorError
from tachograph.console.kafka_settings import client_settings, read_key, read_secret
from tachograph.schemas.config import Kafka
from tachograph.schemas.secret_source import PlainSource


def test_settings_are_passed_on_but_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`acks` and `debug` are not the operator's here; the password comes from its place."""
    monkeypatch.setenv("PASSWORD", "s3cret")
    kafka = Kafka(client={"acks": "0", "debug": "all", "sasl.username": "u"}, password={"env": "PASSWORD"})
    told = client_settings(kafka, base=tmp_path)
    assert (told["sasl.username"], told["sasl.password"]) == ("u", "s3cret")
    assert not {"acks", "debug"} & told.keys()


def test_what_cannot_be_read_is_the_operators(tmp_path: Path) -> None:
    """Named by its place."""
    with pytest.raises(OperatorError, match="NONE"):
        read_secret(PlainSource(env="NONE"), base=tmp_path)
    with pytest.raises(OperatorError, match="nokey"):
        read_key(tmp_path / "nokey")
