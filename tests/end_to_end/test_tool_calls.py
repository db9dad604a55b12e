"""Tool calls reach the vendor's own client once they are decided, or as a refusal; after a crash too."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import anthropic
import pytest

pytestmark = pytest.mark.engines

SECONDS = 240.0
POLICIES = """
@id("talk") permit(principal, action == Action::"llm.message", resource);
@id("look")
permit(principal, action == Action::"llm.tool_use", resource)
when { context.tool like "lookup_*" };
@id("restart") @approval("ops") @reason("A restart drops what is queued")
permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "restart_service" };
"""
TOOLS = [
    {"name": name, "description": name, "input_schema": {"type": "object"}}
    for name in ("lookup_customer", "lookup_order", "restart_service")
]


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The example's model server, in a process of its own; its URL."""
    command = [sys.executable, "-m", "tachograph.examples.model_server", "--pace", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline().removeprefix("ready "))["url"]
        process.terminate()


@pytest.fixture(scope="module")
def gateway(
    stack: Any,
    model: str,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("tools")
    (folder / "policies.cedar").write_text(POLICIES)
    settings = {
        "policy": {"files": ["policies.cedar"]},
        "connections": [{"name": "model", "protocol": "llm", "upstream": model}],
    }
    with open_site(folder, stack, settings) as site:
        yield site


class Turn(threading.Thread):
    """One streamed turn of an agent; what it heard so far, and the whole message once there is one."""

    def __init__(self, site: Any, session: str, said: list[Any]) -> None:
        super().__init__(daemon=True)
        self.text = ""
        self.message: Any = None
        self.error: Exception | None = None
        self._client = anthropic.Anthropic(
            base_url=f"{site.url}/c/model",
            api_key=site.key,
            max_retries=0,
            timeout=SECONDS,
            default_headers={"x-tacho-session": session},
        )
        self._said = said
        self.start()

    def run(self) -> None:
        try:
            with (
                self._client,
                self._client.messages.stream(
                    model="example", max_tokens=500, tools=TOOLS, messages=self._said
                ) as stream,
            ):
                for text in stream.text_stream:
                    self.text += text
                self.message = stream.get_final_message()
        except Exception as error:  # noqa: BLE001  whatever a broken stream raises, the test looks at it
            self.error = error

    def done(self) -> Any:
        self.join(SECONDS)
        assert self.message is not None, self.error
        return self.message


def tacho(site: Any, *arguments: str) -> Any:
    """A command in a process of its own, as a reviewer."""
    command = [sys.executable, "-m", "tachograph.cli.main", *arguments, "--as", "ruth", "--group", "ops"]
    command += ["--config", str(site.folder / "tacho.yaml"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def waiting(site: Any) -> dict[str, Any]:
    """The one approval that waits, once its masked document is there."""
    found: list[Any] = []

    def there() -> bool:
        told = tacho(site, "approvals")
        found[:] = told if isinstance(told, list) else (told or {}).get("approvals", [])
        return len(found) == 1 and found[0]["shown"] is not None

    site.eventually(there)
    return dict(found[0])


def decisions(site: Any) -> list[dict[str, Any]]:
    return [
        told for document in site.documents() if (told := document["unmapped"]["tacho"])["type"] == "decision"
    ]


def ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_what_is_permitted_comes_at_once(gateway: Any) -> None:
    """Two calls in one answer, whole."""
    message = Turn(gateway, "free", ask("I was charged twice")).done()
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert message.stop_reason == "tool_use"


def test_a_held_call_is_approved_elsewhere_and_goes_on(gateway: Any) -> None:
    """The text is there while the call waits; reviewers see the tool and its arguments."""
    turn = Turn(gateway, "approved", ask("please restart the queue"))
    approval = waiting(gateway)
    gateway.eventually(lambda: turn.text == "I will try.")
    assert turn.is_alive()
    shown = approval["document"]["unmapped"]["tacho"]
    assert (shown["tool"], json.loads(shown["arguments_text"])) == ("restart_service", {"name": "queue"})
    assert tacho(gateway, "approve", approval["id"], "-m", "go on", "--yes") is not None
    message = turn.done()
    assert (message.content[1].name, message.content[1].input) == ("restart_service", {"name": "queue"})
    gateway.eventually(
        lambda: [told["decision"] for told in sorted(decisions(gateway), key=_when)] == ["hold", "allow"]
    )


def test_a_denied_call_is_read_by_the_agent_which_goes_on(gateway: Any) -> None:
    """As text, in the reviewer's words; its next turn is answered."""
    said = ask("please restart the queue")
    turn = Turn(gateway, "denied", said)
    approval = waiting(gateway)
    assert tacho(gateway, "deny", approval["id"], "-m", "use staging") is not None
    message = turn.done()
    assert [block.type for block in message.content] == ["text", "text"]
    assert "use staging" in message.content[1].text
    assert message.stop_reason == "end_turn"
    again = [*said, {"role": "assistant", "content": message.content}, *ask("and now?")]
    assert "may not restart" in Turn(gateway, "denied", again).done().content[0].text
    gateway.eventually(
        lambda: any("use staging" in str(told.get("replacement")) for told in decisions(gateway))
    )


def test_after_a_crash_nothing_was_released_and_the_retry_joins(gateway: Any) -> None:
    """The same question in the same session asks nobody a second time."""
    turn = Turn(gateway, "crashed", ask("please restart the queue"))
    approval = waiting(gateway)
    gateway.supervisor.kill("ingress")
    turn.join(SECONDS)
    assert turn.message is None

    def back() -> bool:
        gateway.supervisor.tick(now=time.monotonic())
        ready = gateway.supervisor.parts["ingress"].ready()
        gateway.url = str((ready or {}).get("ingress", ""))
        return gateway.supervisor.parts["ingress"].restarts > 0 and ready is not None

    gateway.eventually(back)
    retry = Turn(gateway, "crashed", ask("please restart the queue"))
    gateway.eventually(lambda: retry.text != "")
    assert waiting(gateway)["id"] == approval["id"]
    assert tacho(gateway, "approve", approval["id"], "--yes") is not None
    assert retry.done().content[1].name == "restart_service"


def _when(told: dict[str, Any]) -> str:
    return str(told["ts"])
