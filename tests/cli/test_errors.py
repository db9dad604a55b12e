"""Errors of the command line: each kind has its exit code and says what to do."""

from pathlib import Path

from tachograph.cli.errors import (
    CliError,
    Interrupted,
    NoConfiguration,
    PartDied,
    PartDown,
    Refused,
    WrongUse,
)


def test_exit_codes_are_the_contract() -> None:
    """1 refused, 2 wrong use, 3 a part is down, 130 interrupted."""
    assert Interrupted("x").exit_code == 130
    assert (Refused("x").exit_code, WrongUse("x").exit_code, PartDown("x").exit_code) == (1, 2, 3)
    assert issubclass(PartDied, PartDown)
    assert issubclass(NoConfiguration, CliError)


def test_a_missing_configuration_says_where_it_was_looked_for() -> None:
    """Both places and both ways out stand in the message."""
    text = str(NoConfiguration((Path("/a/tacho.yaml"), Path("/b/tacho.yaml"))))
    assert all(word in text for word in ("/a/tacho.yaml", "/b/tacho.yaml", "tacho up", "--config"))


def test_a_dead_part_shows_the_end_of_its_log() -> None:
    """The reason is usually the last line."""
    text = str(PartDied("sink", "exit code 1", Path("/log"), ("first", "last")))
    assert text.endswith("    last")
    assert "/log" in text
