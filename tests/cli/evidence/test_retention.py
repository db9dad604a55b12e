"""`tacho retention`, with real engines, the real sealing worker and the real sink."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from deletion_world import OLD_DAY, DeletionWorld, old, run, talk
from world import DAY

from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence.retention import expired_before


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


def test_a_day_stays_for_so_many_whole_days() -> None:
    """What is of the last second of a day is kept as long as what is of its first, and longer."""
    assert expired_before(datetime(2026, 3, 31, 23, 59, tzinfo=UTC), 30) == "2026.03.01"
    assert expired_before(datetime(2026, 3, 31, 0, 0, tzinfo=UTC), 30) == "2026.03.01"


def test_without_a_policy_nothing_is_deleted(tmp_path: Path) -> None:
    """Said at once, and no engine is asked."""
    file = tmp_path / "tacho.yaml"
    file.write_text(yaml.safe_dump({"version": 1}))
    done = run("retention", "--config", file)
    assert isinstance(done.exception, WrongUse)
