"""`tacho verify`: what a killed gateway left is cut; and with `--live`, on a site under load, clean, and
then exactly what somebody did behind its back."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner, Result

from tachograph.cli.main import app
from tachograph.sinks.client import Cluster

pytestmark = pytest.mark.engines

SESSIONS = 4
TURNS = 3
SECOND_VERIFIER = Path(__file__).parents[2] / "docs" / "spec" / "verifier.py"
SECOND_VERIFIER_SECONDS = 60.0


@pytest.fixture(scope="module")
def site(
    stack: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    ingress = {"listen": {"port": 0}, "workers": 2, "idle_timeout": 600}  # an agent waits for a heartbeat
    settings = {"sealing": {"checkpoint_seconds": 1}, "ingress": ingress}
    with open_site(tmp_path_factory.mktemp("audit"), stack, settings) as opened:
        yield opened


@contextmanager
def load(site: Any) -> Iterator[None]:
    """One agent that asks without a pause."""
    over = threading.Event()

    def work() -> None:
        session = str(uuid.uuid4())
        while not over.is_set():
            _ask(site, session, "load")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ask(site: Any, session: str, what: str) -> None:
    head = f"X-Tacho-Session: {session}\r\nContent-Type: application/json\r\n"
    site.ask(f"/c/api/{what}", body=orjson.dumps({"question": what}), head=head)


def _run(site: Any, *arguments: str | Path) -> Result:
    """One command, with the site's configuration."""
    return CliRunner().invoke(app, [*map(str, arguments), "--config", str(site.folder / "tacho.yaml")])


def _audit(site: Any) -> dict[str, Any]:
    done = _run(site, "verify", "--live", "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == report["exit_code"], done.output
    return report


def _told(site: Any) -> dict[str, list[dict[str, Any]]]:
    """By path, the documents of requests and responses."""
    found: dict[str, list[dict[str, Any]]] = {}
    for document in site.documents():
        tacho = document["unmapped"]["tacho"]
        if tacho["type"] == "request":
            found.setdefault(document["http_request"]["url"]["path"].rpartition("/")[2], []).append(tacho)
    return found


def test_what_a_killed_gateway_left_is_cut_and_not_open(site: Any, tmp_path: Path) -> None:
    """SIGKILL with a session open: the next boot says that it is over, both verifiers that it is cut."""
    with site.agent() as agent:  # one connection, so one worker, and one strand
        _say(agent, site.key, "counted")
        session = site.told("/counted")[0]["unmapped"]["tacho"]["session"]
        site.eventually(lambda: session in _said_open(site))
        boot = _said_open(site)[session]
        left = site.folder / site.config.ingress.spool.path / boot
        assert left.is_dir()
        _say(agent, site.key, "spooled")  # its request was on the disk before it was forwarded
        site.crash("ingress")
    _ask(site, str(uuid.uuid4()), "after")
    site.told("/after")
    site.eventually(lambda: any("POST /spooled" in one["message"] for one in _of(site, session)))
    site.eventually(lambda: boot in _said_over(site))
    site.eventually(lambda: not left.exists())  # all of it is in Kafka
    site.eventually(lambda: _audit(site)["unaudited_share"] == 0)

    bundle, trust = tmp_path / "cut.tacho", tmp_path / "trust.yaml"
    assert _run(site, "export", session, "-o", bundle).exit_code == 0
    trust.write_text(_run(site, "trust").stdout)
    done = CliRunner().invoke(app, ["verify", str(bundle), "--trust", str(trust), "--json"])
    report = json.loads(done.stdout)
    assert (report["verdict"], report["exit_code"], done.exit_code) == ("session-cut", 58, 58), report
    assert list(report["findings"]) == ["session-cut"], report
    said = "session-cut: " + ", ".join(f"{count} {state}" for state, count in report["states"].items())
    assert _second_opinion(bundle, trust) == (58, said)
    assert report["states"]["MISSING"] == 0
    assert _audit(site)["verdict"] == "clean"
    refused = _run(site, "erase", "gateway", "--yes").exception
    assert "tacho retention" in str(refused)


def _say(agent: socket.socket, key: str, what: str) -> None:
    """One request of a session that stays as it is, on a connection that stays, until it is answered."""
    head = (
        f"POST /c/api/{what} HTTP/1.1\r\nHost: gateway\r\nX-Tacho-Key: {key}\r\nX-Tacho-Session: killed\r\n"
    )
    agent.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n{}"):
        data = agent.recv(1 << 16)
        assert data, answer
        answer += data
    assert answer.startswith(b"HTTP/1.1 200 ")


def _of(site: Any, session: str) -> list[dict[str, Any]]:
    """The documents of one session."""
    return [one for one in site.documents() if one["unmapped"]["tacho"]["session"] == session]


def _said_open(site: Any) -> dict[str, str]:
    """The boot that said in a heartbeat of a session that it is open, by that session."""
    beats = [one["unmapped"]["tacho"].get("heartbeat") for one in site.documents()]
    return {
        strand["session"]: beat["boot"]
        for beat in beats
        if beat
        for strand in beat["strands"]
        if strand["open"]
    }


def _said_over(site: Any) -> set[str]:
    """The boots of which a certificate says that they are over."""
    told = [one["unmapped"]["tacho"].get("boot") for one in site.documents()]
    return {over for boot in told if boot for over in boot.get("ended") or ()}


def _second_opinion(bundle: Path, trust: Path) -> tuple[int, str]:
    """The exit code and the line of the verifier that was written from the specification alone."""
    policy = trust.with_suffix(".json")
    policy.write_text(json.dumps(yaml.safe_load(trust.read_text())))
    done = subprocess.run(
        [sys.executable, SECOND_VERIFIER, bundle, policy],
        capture_output=True,
        text=True,
        timeout=SECOND_VERIFIER_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.strip() or done.stderr


def test_it_names_what_was_done_behind_its_back_and_nothing_else(site: Any) -> None:
    """Clean under load; then one document edited, one deleted, one session dropped: three findings."""
    names = [f"s{number}" for number in range(SESSIONS)]
    for name in names:
        session = str(uuid.uuid4())
        for _ in range(TURNS):
            _ask(site, session, name)
    site.eventually(lambda: _pairs(site, names) == [2] * SESSIONS * TURNS)
    with load(site):
        site.eventually(lambda: _audit(site)["audited"] > SESSIONS * TURNS * 2)
        clean = _audit(site)
        assert (clean["verdict"], clean["findings"], clean["gaps"]) == ("clean", {}, 0), clean["details"]
        assert 0 <= clean["unaudited_share"] < 1
        told = _told(site)
        edited, deleted, dropped = told["s0"][1], told["s1"][1], told["s2"][0]["session"]
        _tamper(site, edited["uid"], deleted["uid"], dropped)
        site.eventually(lambda: len(_audit(site)["details"]) >= 3)
        report = _audit(site)
    found = {item["verdict"]: item["where"] for item in report["details"]}
    assert len(report["details"]) == len(found) == 3, report["details"]
    assert edited["uid"] in found["record-altered"]
    assert deleted["uid"] in found["document-missing"]
    assert found["session-missing"] == f"session {dropped}"
    assert report["exit_code"] == 31


def _pairs(site: Any, names: list[str]) -> list[int]:
    """How many documents each exchange has that one of these names."""
    said = [f"POST /{name}" for name in names]
    return [
        len(pair)
        for pair in site.exchanges().values()
        if any(item in one["message"] for one in pair for item in said)
    ]


def _tamper(site: Any, edited: str, deleted: str, dropped: str) -> None:
    cluster = Cluster(site.config.opensearch, base=site.folder)
    everything = f"/{site.prefix}-events-*,{site.prefix}-messages-*"

    def place(uid: str) -> tuple[str, dict[str, Any]]:
        query = {"query": {"term": {"metadata.uid": uid}}}
        answer = orjson.loads(cluster.call("POST", f"{everything}/_search", orjson.dumps(query)))
        hit = answer["hits"]["hits"][0]
        return f"/{hit['_index']}/_doc/{uid}", hit["_source"]

    path, document = place(edited)
    cluster.put(path, document | {"message": "nothing happened"})
    cluster.call("DELETE", place(deleted)[0])
    query = {"query": {"term": {"unmapped.tacho.session": dropped}}}
    params = {"refresh": "true", "conflicts": "proceed"}
    gone = orjson.loads(
        cluster.call("POST", f"{everything}/_delete_by_query", orjson.dumps(query), params=params)
    )
    assert gone["deleted"] >= TURNS * 2
    cluster.close()
