"""Serving an example: a free port, one ready line, a clean end."""

import json
import signal
import subprocess
import sys

import httpx
import pytest

from tachograph.examples.serving import options

WAIT = 30.0


@pytest.mark.parametrize("server", ["model_server", "mcp_server", "http_api"])
def test_an_example_server_says_where_it_is_and_ends_when_asked(server: str) -> None:
    """`ready {json}` names a URL that answers; SIGTERM ends the process without an error."""
    command = [sys.executable, "-m", f"tachograph.examples.{server}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, _, told = process.stdout.readline().partition(" ")
            assert word == "ready"
            answer = httpx.get(json.loads(told)["url"] + "/", timeout=WAIT, trust_env=False)
            assert answer.status_code in {200, 404}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) in {0, -signal.SIGTERM}


def test_the_port_is_free_choice_by_default() -> None:
    """Port 0 means that the system chooses."""
    assert options("x").parse_args([]).port == 0
