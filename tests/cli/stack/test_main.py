"""__main__.py: the engines in the foreground, with exit codes that a script can use."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph.cli.stack import __main__ as command
from tachograph.cli.stack import processes, state

WAIT = 60.0
FREE_PORTS = ["--kafka-port", "0", "--controller-port", "0", "--no-with-opensearch"]


def test_every_setting_has_an_option(tmp_path: Path) -> None:
    """Folders, ports, heaps and switches."""
    arguments = [
        "--home",
        str(tmp_path),
        "--kafka-port",
        "1",
        "--opensearch-heap-mb",
        "256",
        "--no-with-kafka",
    ]
    found = vars(command.parser().parse_args(arguments))
    assert (found["home"], found["kafka_port"], found["opensearch_heap_mb"]) == (tmp_path, 1, 256)
    assert (found["with_kafka"], found["with_opensearch"]) == (False, True)


def test_a_wrong_number_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what was expected."""
    assert command.main(["--kafka-port", "70000"]) == 2
    assert "expected a port" in capsys.readouterr().err


def test_a_taken_port_ends_with_3(tmp_path: Path) -> None:
    """A part that is needed is down; the message goes to standard error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        arguments = [sys.executable, "-m", command.__name__, "--home", str(tmp_path), "--kafka-port", port]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"needs port {port}" in done.stderr


@pytest.mark.engines
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_engine_outlives_the_command(home: Path, number: signal.Signals) -> None:
    """Asked to end it ends with 0; killed outright, the kernel ends its engine."""
    arguments = [sys.executable, "-m", command.__name__, "--home", str(home), *FREE_PORTS]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        word, _, endpoints = parent.stdout.readline().partition(" ")
        assert word == "ready"
        assert json.loads(endpoints)["bootstrap_servers"].startswith("127.0.0.1:")
        recorded = state.read(home)
        assert recorded is not None
        engine = recorded.engines[0].process
        assert processes.alive(engine)
        parent.send_signal(number)
        assert parent.wait(WAIT) == (-number if number is signal.SIGKILL else 0)
    assert processes.wait_until(lambda: not processes.alive(engine), WAIT)
