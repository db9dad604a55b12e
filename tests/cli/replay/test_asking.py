"""A test target is asked what was asked then, over real HTTP."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rich.console import Console

from tachograph.cli.errors import Interrupted, PartDown, WrongUse
from tachograph.cli.replay.asking import Target, ask_all
from tachograph.cli.replay.masking import Masking
from tachograph.cli.replay.report import Reporter
from tachograph.forensics.replay.against import Values
from tachograph.forensics.replay.recorded import Body, Exchange, Piece, Request, Response
from tachograph.processors.masking.masker import Masker
from tachograph.processors.masking.pseudonyms import PseudonymKey
from tachograph.processors.masking.ruleset import load

KEY = PseudonymKey.named(b"k" * 32)
JSON = (("Content-Type", "application/json"),)
MARKER = KEY.marker("PASSWORD", b"opensesame-99").decode()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, dict(self.headers.items()), body))  # type: ignore[attr-defined]
        answer = self.server.answer or body  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Mcp-Session-Id", "s-1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def target() -> Iterator[Any]:
    """A target that answers with what it was sent, or with `answer`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen, server.answer = [], b""  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def exchange(body: str, answer: str) -> Exchange:
    request = Request("u", "api", "http", "POST", "/x", "", JSON, Body(body))
    return Exchange(
        "e", request, Response("v", 200, JSON, Body(answer), (Piece(answer, 1),), 1, 1, "upstream")
    )


def asked(target: Any, *exchanges: Exchange, values: Values | None = None) -> tuple[dict[str, Any], str]:
    out = io.StringIO()
    masker = Masker(load(), KEY)
    told = ask_all(
        exchanges,
        Target(f"http://127.0.0.1:{target.server_address[1]}/base/", {"x-tacho-key": "key"}),
        values=values or Values(),
        masking=Masking(lambda _: masker, KEY, exchanges, clock=lambda: 0),
        report=Reporter(Console(file=out, color_system=None)),
        ignored=frozenset(),
    )
    return told, out.getvalue()


def test_an_answer_that_is_as_it_was_is_same(target: Any) -> None:
    """The values that the operator gave reach the target and no one else."""
    recorded = exchange(f'{{"password":"{MARKER}"}}', f'{{"password":"{MARKER}"}}')
    told, said = asked(target, recorded, recorded, values=Values({MARKER: "opensesame-99"}))
    assert (told["sent"], told["same"], told["differing"]) == (2, 2, [])
    assert [body for _, _, body in target.seen] == [b'{"password":"opensesame-99"}'] * 2
    path, headers, _ = target.seen[1]
    assert path == "/base/x"
    assert (headers["x-tacho-key"], headers["mcp-session-id"]) == ("key", "s-1")
    assert "opensesame" not in said + repr(told)


def test_a_different_answer_is_told_masked(target: Any) -> None:
    """What the target answers may be as secret as what it was asked."""
    target.answer = b'{"password":"another-secret-1"}'
    told, said = asked(target, exchange("{}", f'{{"password":"{MARKER}"}}'))
    (one,) = told["differing"]
    assert one["differences"][0].startswith("body.password: [PASSWORD:")
    assert "another-secret-1" not in said + repr(told)


def test_a_masked_value_without_a_value_is_not_sent(target: Any) -> None:
    """And it is said so."""
    told, said = asked(target, exchange(f'{{"password":"{MARKER}"}}', "{}"))
    assert target.seen == []
    assert told["skipped"] == [
        {"exchange": "e", "method": "POST", "path": "/x", "why": f"no value was given for {MARKER}"}
    ]
    assert "skipped" in said


def test_a_target_that_does_not_answer_ends_it(target: Any) -> None:
    """With where it was looked for."""
    target.server_address = ("127.0.0.1", 9)
    with pytest.raises(PartDown, match=r"127\.0\.0\.1:9"):
        asked(target, exchange("{}", "{}"))


@pytest.mark.parametrize("url", ["api", "ftp://x", "http://", "/x"])
def test_a_target_is_a_url(url: str) -> None:
    """Or the name of a connection, which was looked for before."""
    with pytest.raises(WrongUse, match="expected the URL"):
        Target(url)


def test_an_interruption_says_how_far_it_came(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered, what there is, and that the target may have seen one more."""
    recorded = exchange("{}", "{}")
    told = Reporter.same

    def enough(self: Reporter, request: Request) -> None:
        told(self, request)
        raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "same", enough)
    with pytest.raises(Interrupted, match="1 of 3 requests were sent and answered"):
        asked(target, recorded, recorded, recorded)
    assert len(target.seen) == 1
