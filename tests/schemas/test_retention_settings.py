"""How long documents stay, and that nothing can come back from the topic."""

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Configuration
from tachograph.schemas.retention_settings import Retention


def test_nothing_is_deleted_by_default() -> None:
    """For ever, until somebody says otherwise."""
    assert Configuration().retention == Retention(events_days=None, messages_days=None)


@pytest.mark.parametrize("name", ["events_days", "messages_days"])
def test_it_outlives_the_topic(name: str) -> None:
    """Else a sink that reads the topic again would bring back what was deleted."""
    topic = {"masked_retention_hours": 48}
    assert Configuration(kafka=topic, retention={name: 3})
    with pytest.raises(ValidationError, match="masked_retention_hours"):
        Configuration(kafka=topic, retention={name: 2})
    with pytest.raises(ValidationError):
        Retention(**{name: 0})
