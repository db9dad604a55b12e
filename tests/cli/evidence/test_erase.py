"""`tacho erase`, with real engines, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

import pytest
from deletion_world import DeletionWorld, run, tale, talk
from world import DAY

from tachograph.cli.errors import Refused
from tachograph.cli.evidence.erase import refuse_gateways
from tachograph.cli.evidence.store import Store


@dataclass
class Owners(Store):
    """Knows of each subject whether it is a gateway's."""

    gateway: str

    def is_gateways(self, subject: str) -> bool:
        return subject == self.gateway


@pytest.mark.parametrize("subject", ["gateway", str(uuid.UUID(int=1))])
def test_what_gateways_keep_of_themselves_is_refused(subject: str) -> None:
    """As a principal and as a session; the answer names the command that may delete it in its time."""
    refuse_gateways(Owners(subject), "alice")
    with pytest.raises(Refused, match=f"{subject}: .* `tacho retention` deletes them"):
        refuse_gateways(Owners(subject), subject)


def erase(deletion: DeletionWorld, *arguments: str) -> tuple[int, dict[str, object]]:
    done = run("erase", *arguments, "--json", "--config", deletion.file)
    assert done.stdout, done.output
    return done.exit_code, json.loads(done.stdout)


def test_nothing_goes_that_is_not_asked_for(deletion: DeletionWorld) -> None:
    """The rest stays complete; a dry run and a no delete nothing; who is unknown is said, and what went."""
    session, other = uuid.uuid4(), uuid.uuid4()
    docs, rest = tale(session), talk(other)
    deletion.publish([*docs, *rest])
    code, done = erase(deletion, str(session), "--dry-run")
    assert (code, done["records"], done["documents"]) == (0, 5, 5)
    assert run("erase", str(session), "--config", deletion.file).exit_code == 1  # no answer is a no
    assert len(deletion.there(docs)) == 5
    for nobody in ("nobody", str(uuid.uuid4()), str(session)[:8]):
        assert isinstance(run("erase", nobody, "--yes", "--config", deletion.file).exception, Exception)
    assert erase(deletion, str(session), "--yes", "--reason", "request 17")[1]["documents"] == 5
    assert deletion.verdict(other)["verdict"] == "complete"
    shown = run("show", str(session), "--config", deletion.file)
    assert shown.stdout.startswith("ERASED: 5 records, by "), shown.output
    assert "(tacho erase: a session; reason: request 17)" in shown.stdout
    assert "ERASED" not in run("show", str(other), "--config", deletion.file).stdout


@pytest.mark.engines
def test_what_is_deleted_behind_its_back_stays_missing(deletion: DeletionWorld) -> None:
    """A deletion names no document that is gone already or altered, so it does not make that lawful."""
    session = uuid.uuid4()
    docs = tale(session)
    deletion.publish(docs)
    place = f"/{deletion.prefix}-events-{DAY}/_doc"
    deletion.cluster.call("DELETE", f"{place}/{docs[1].uid}", params={"refresh": "true"})
    deletion.cluster.call("PUT", f"{place}/{docs[2].uid}", b'{"x":1}', params={"refresh": "true"},
                          headers={"content-type": "application/json"})  # fmt: skip
    assert deletion.verdict(session)["verdict"] == "record-altered"
    code, done = erase(deletion, str(session), "--yes")
    assert (code, done["records"], done["missing"], done["altered"]) == (31, 3, 1, [docs[2].uid])
    assert deletion.there(docs) == set()
    report = deletion.verdict(session)
    assert (report["verdict"], report["states"]["ERASED"], report["states"]["MISSING"]) == (
        "document-missing", 3, 2
    )  # fmt: skip
    gone = {item["uid"] for item in report["records"] if item["state"] == "MISSING"}
    assert gone == {docs[1].uid, docs[2].uid}
    assert erase(deletion, str(session), "--yes")[0] == 53


@pytest.mark.engines
def test_what_came_back_is_found_and_goes_again(deletion: DeletionWorld) -> None:
    """As by a sink whose offsets were reset: `--verify` knows from the statements what may not be there."""
    session = uuid.uuid4()
    docs = tale(session)
    deletion.publish(docs)
    erase(deletion, str(session), "--yes")
    path = f"/{deletion.prefix}-events-{DAY}/_create/{docs[2].uid}"
    deletion.cluster.call("PUT", path, docs[2].value, params={"refresh": "true"})
    code, found = erase(deletion, "--verify", "--dry-run")
    assert (code, found["documents"]) == (0, 1)
    assert erase(deletion, "--verify")[1]["documents"] == 1
    assert deletion.there(docs) == set()
    assert erase(deletion, "--verify")[1]["documents"] == 0


@pytest.mark.engines
def test_a_session_that_is_being_recorded_is_refused(deletion: DeletionWorld) -> None:
    """Its data key is still in use; once it was quiet for an hour, it may go."""
    session = uuid.uuid4()
    fresh = [doc.edited(lambda value: value.update(time=int(time.time() * 1000)))
             for doc in tale(session, closed=False)]  # fmt: skip
    deletion.publish(fresh)
    done = run("erase", str(session), "--yes", "--config", deletion.file)
    assert "still being recorded" in str(done.exception)
    assert len(deletion.there(fresh)) == 4


@pytest.mark.engines
def test_shredding_takes_the_raw_records_alone(deletion: DeletionWorld) -> None:
    """The documents stay and verify; a second time there is nothing left; an open session is refused."""
    session, other = uuid.uuid4(), uuid.uuid4()
    docs, recording = tale(session), [doc.edited(_now) for doc in tale(other, closed=False)]
    deletion.publish([*docs, *recording])
    shred = ("keys", "shred", "--config", deletion.file)
    assert run(*shred, str(session)).exit_code == 1  # no answer is a no
    assert deletion.keys(session) == [True]
    assert run(*shred, str(session), "--yes").exit_code == 0
    assert (deletion.keys(session), len(deletion.there(docs))) == ([True, False], 5)
    assert deletion.verdict(session)["verdict"] == "complete"
    for name, why in ((session, "no data keys"), (other, "still being recorded")):
        refused = run(*shred, str(name), "--yes").exception
        assert isinstance(refused, Refused)
        assert why in str(refused)
    assert deletion.keys(other) == [True]


def _now(value: dict[str, object]) -> None:
    value["time"] = int(time.time() * 1000)
