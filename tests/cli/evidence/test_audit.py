"""The command `tacho verify --live`: how it is asked, and how it answers a person."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from deletion_world import DeletionWorld, tale
from deletion_world import run as tacho
from typer.testing import CliRunner, Result
from world import DAY, Doc, Strand

from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence import audit as module
from tachograph.cli.main import app
from tachograph.forensics.live.report import LiveReport, Unaudited
from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.report import State


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *(str(item) for item in arguments)])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--live", "--since", "1"),
        ("--live", "--since", "0h"),
        ("--live", "--session", "3f2a"),
        ("--live", "x.tacho"),
        ("x.tacho",),
        (),
        ("x.tacho", "--trust", "trust.yaml", "--since", "1h"),
    ],
)
def test_what_it_cannot_do_is_wrong_use(arguments: tuple[str, ...]) -> None:
    """Before any engine is asked."""
    assert isinstance(run(*arguments).exception, WrongUse)


def test_a_person_is_told_what_is_wrong_and_what_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain text in a pipe; the exit code is the gravest finding's."""
    report = LiveReport(
        sealed=[("log/0", 7, "2026-11-23T06:00:00Z")], uncounted="sealing is behind", seconds=2
    )
    report.states[State.PRESENT], report.unaudited[Unaudited.UNMASKED] = 96, 4
    for number in range(30):
        report.findings.add(Verdict.DOCUMENT_MISSING, f"record {number}", "gone")
    monkeypatch.setattr(module.settings, "load", lambda _: None)
    asked: list[float] = []
    monkeypatch.setattr(module, "_audited", lambda *given: asked.append(given[2]) or report)
    done = run("--live", "--since", "24h")
    assert done.exit_code == 53
    for line in (
        "document-missing: 30 findings",
        "unaudited: 4 records, 4.00% of all",
        "and 10 more",
        "48 rec",
    ):
        assert line in done.stdout
    assert "\x1b" not in done.output
    assert asked[0] > 1.7e9
    assert '"unmasked": 4' in run("--live", "--json").stdout
    assert asked[1] == 0


def _forge(deletion: DeletionWorld, like: Doc) -> None:
    """Documents of the same session and of no possible time; one with an id that takes an escape."""
    index = f"/{deletion.prefix}-events-{DAY}"
    times: list[dict[str, object]] = [{"time": 4_102_444_800_000}, {"time": -1}, {"time": "2026"}, {}]
    for number, at in enumerate(times):
        value = {name: item for name, item in json.loads(like.value).items() if name != "time"} | at
        body = json.dumps(value).encode()
        deletion.cluster.call("PUT", f"{index}/_create/%22{number}", body, params={"refresh": "true"})


@pytest.mark.engines
def test_what_was_erased_is_counted_and_what_was_deleted_is_named(deletion: DeletionWorld) -> None:
    """The statement is sealed and signed; a document that goes without one is missing; added, unsealed.
    One with a value that its field cannot hold is read like any, by the sink and by audits."""
    session = uuid.uuid4()
    docs = tale(session)
    deletion.publish(docs)
    assert tacho("erase", str(session), "--yes", "--config", deletion.file).exit_code == 0
    again = tale(other := uuid.uuid4())
    odd = again[1].edited(lambda value: value["unmapped"]["tacho"].update(rpc_error={"code": True}))
    again[1] = odd
    deletion.publish([*again, odd])  # the second is a conflict; what comes behind it is stored all the same
    deletion.publish(tale(uuid.uuid4()))
    index = f"/{deletion.prefix}-events-{DAY}"
    deletion.cluster.call("DELETE", f"{index}/_doc/{again[2].uid}")
    extra = Strand(session=other, epoch=uuid.uuid4()).record("session.open")
    deletion.cluster.call("PUT", f"{index}/_create/{extra.uid}", extra.value, params={"refresh": "true"})
    _forge(deletion, extra)
    named = {"document-missing": 1, "record-unsealed": 5}
    for whose, findings, erased in ((session, {}, 5), (other, named, 0)):
        done = run("--live", "--session", str(whose), "--json", "--config", deletion.file)
        report = json.loads(done.stdout)
        assert (report["findings"], report["states"]["ERASED"]) == (findings, erased), report
        assert done.exit_code == report["exit_code"]
    bundle = deletion.folder / "forged.tacho"
    done = tacho("export", str(other), "-o", bundle, "--config", deletion.file)
    assert done.exit_code == 0, done.output


def test_nothing_that_is_stored_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor can it begin a line of the report: a stored document may have a key of any name."""
    odd = "\x1b[2J\nclean: nothing is wrong"
    report = LiveReport(sealed=[(odd, 1, odd)])
    report.findings.add(Verdict.RECORD_ALTERED, odd, odd)
    module._show(report)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not any(line.startswith("clean") for line in out.splitlines())
