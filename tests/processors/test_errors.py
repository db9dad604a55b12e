"""The room's errors: whose fault, and no payload in them."""

from tachograph.processors.errors import (
    BrokerFault,
    DeadLetterFlood,
    KeyMissing,
    OperatorError,
    Poisoned,
    ProcessorError,
)


def test_every_error_belongs_to_the_tree() -> None:
    """One `except ProcessorError` takes everything that this room raises on purpose."""
    for kind in (BrokerFault, DeadLetterFlood, KeyMissing, OperatorError, Poisoned):
        assert issubclass(kind, ProcessorError)


def test_a_missing_key_is_poison_with_its_reason() -> None:
    """A record whose key never comes is dead-lettered as `key-unavailable`."""
    error = KeyMissing("s/e")
    assert isinstance(error, Poisoned)
    assert error.reason == "key-unavailable"
    assert error.strand == "s/e"


def test_poison_shows_reason_and_detail() -> None:
    """The text of an error is what a log line and a dead letter say."""
    assert str(Poisoned("malformed", "cut short")) == "malformed: cut short"
    assert str(Poisoned("malformed")) == "malformed"
