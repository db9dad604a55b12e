"""`tacho retention`, with real engines, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
import yaml
from deletion_world import KEEP_DAYS, OLD_DAY, DeletionWorld, conversation, old, run, talk
from heartbeats import GATEWAY, Boot, state
from world import DAY, Strand

from tachograph.cli.errors import WrongUse


@pytest.mark.engines
def test_retention_takes_whole_days_and_says_so(deletion: DeletionWorld) -> None:
    """What is of 1999 is EXPIRED with its daily index; what is younger stays."""
    session = uuid.uuid4()
    docs = old(talk(session, day=OLD_DAY))
    deletion.publish(talk(uuid.uuid4()))
    deletion.publish(docs, day=OLD_DAY)
    planned = run("retention", "--dry-run", "--json", "--config", deletion.file)
    assert json.loads(planned.stdout)["documents"] == 4
    assert len(deletion.there(docs, day=OLD_DAY)) == 4
    done = run("retention", "--json", "--config", deletion.file)
    told = json.loads(done.stdout)
    indices = [f"{deletion.prefix}-{family}-{OLD_DAY}" for family in ("events", "messages")]
    assert (told["documents"], told["records"], told["indices"]) == (4, 4, indices)
    assert deletion.store.days("events") == [DAY]
    assert deletion.keys(session) == [True, False]
    report = deletion.verdict(session)
    assert (report["verdict"], report["states"]["EXPIRED"]) == ("reduced", 4), report
    assert json.loads(run("retention", "--json", "--config", deletion.file).stdout)["documents"] == 0


@pytest.mark.engines
def test_heartbeats_stay_as_long_as_sessions_that_a_longer_rule_keeps(deletion: DeletionWorld) -> None:
    """Messages stay for a hundred years, so the heartbeats of their session do, and it verifies."""
    write, boot = Strand(session=uuid.uuid4(), epoch=uuid.uuid4()), Boot(boot=uuid.uuid4())
    told = [*conversation(write, day=OLD_DAY), write.close()]
    beats = [boot.opening(), boot.beat(state(write, is_open=False)), boot.beat()]
    docs = old([*told, *beats])
    deletion.publish(docs, day=OLD_DAY)
    longer = deletion.folder / "longer.yaml"
    value = yaml.safe_load(deletion.file.read_text())
    longer.write_text(
        yaml.safe_dump(value | {"retention": {"events_days": KEEP_DAYS, "messages_days": 36_500}})
    )
    done = json.loads(run("retention", "--json", "--config", longer).stdout)
    assert (done["documents"], done["indices"], done["unsealed"]) == (3, [], 0)
    kept = {doc.uid for doc in docs if doc.type == "message" or doc in old(beats)}
    assert deletion.there(docs, day=OLD_DAY) == kept
    report = deletion.verdict(write.session, gateways=[{"key": str(GATEWAY.key)}])
    assert (report["verdict"], report["states"]["EXPIRED"], report["states"]["PRESENT"]) == ("reduced", 3, 2)
    assert json.loads(run("retention", "--json", "--config", longer).stdout)["documents"] == 0
    assert json.loads(run("retention", "--json", "--config", deletion.file).stdout)["documents"] == 4
    assert deletion.there(docs, day=OLD_DAY) == set()


def test_without_a_policy_nothing_is_deleted(tmp_path: Path) -> None:
    """Said at once, and no engine is asked."""
    file = tmp_path / "tacho.yaml"
    file.write_text(yaml.safe_dump({"version": 1}))
    done = run("retention", "--config", file)
    assert isinstance(done.exception, WrongUse)
