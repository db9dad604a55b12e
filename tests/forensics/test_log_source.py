"""The seal log from Kafka; tests/cli/evidence reads a whole one from real engines."""

import pytest

from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.log_source import LogSource
from tachograph.schemas.topics import Topics


def test_a_kafka_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of a part that is down, and not for ever."""
    monkeypatch.setattr("tachograph.forensics.log_source.ASK_SECONDS", 0.2)
    source = LogSource({"bootstrap.servers": "127.0.0.1:1"}, Topics("none"))
    with pytest.raises(LogUnreachable) as error:
        source.partitions()
    source.close()
    assert error.value.exit_code == 3
