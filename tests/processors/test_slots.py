"""Slots: one stable name for each process, free again when it ends."""

from pathlib import Path

import pytest

from tachograph.processors import slots
from tachograph.processors.errors import OperatorError
from tachograph.processors.slots import Slot


def test_processes_that_share_a_directory_get_different_names(tmp_path: Path) -> None:
    """Two members of a group never claim to be one."""
    first, second = Slot(tmp_path), Slot(tmp_path)
    assert first.instance_id != second.instance_id
    assert (first.number, second.number) == (0, 1)
    first.release()
    second.release()


def test_a_restart_takes_its_predecessors_name(tmp_path: Path) -> None:
    """So Kafka hands the partitions over without waiting for the session to time out."""
    before = Slot(tmp_path)
    name = before.instance_id
    before.release()
    after = Slot(tmp_path)
    assert after.instance_id == name
    after.release()


def test_other_directories_are_other_workers(tmp_path: Path) -> None:
    """Two installations on one machine do not take each other's place."""
    first, second = Slot(tmp_path / "a"), Slot(tmp_path / "b")
    assert first.instance_id != second.instance_id
    first.release()
    second.release()


def test_more_than_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to change."""
    monkeypatch.setattr(slots, "MAX_SLOTS", 1)
    only = Slot(tmp_path)
    with pytest.raises(OperatorError, match="data_dir"):
        Slot(tmp_path)
    only.release()
