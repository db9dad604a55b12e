"""config.py: what is asked for is possible."""

from dataclasses import replace
from pathlib import Path

import pytest

from tachograph.cli.stack.config import StackConfig


def test_the_environment_moves_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TACHO_HOME and TACHO_CACHE name them; without these they are ./.tacho and the user's cache."""
    monkeypatch.setenv("TACHO_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("TACHO_CACHE", str(tmp_path / "c"))
    assert (StackConfig().home, StackConfig().cache) == (tmp_path / "h", tmp_path / "c")
    monkeypatch.delenv("TACHO_HOME")
    monkeypatch.delenv("TACHO_CACHE")
    monkeypatch.chdir(tmp_path)
    assert StackConfig().home == tmp_path / ".tacho"
    assert StackConfig().cache == Path.home() / ".cache" / "tachograph"


@pytest.mark.parametrize("field", ["kafka_port", "controller_port", "opensearch_port", "transport_port"])
@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_refused(field: str, port: int) -> None:
    """The message names the field, what was expected and what came."""
    with pytest.raises(ValueError, match=f"{field}: expected a port from 0 to 65535, found {port}"):
        replace(StackConfig(), **{field: port})  # type: ignore[arg-type]  # a port field


def test_a_heap_too_small_to_start_is_refused() -> None:
    """Below 128 MB neither engine starts."""
    with pytest.raises(ValueError, match="opensearch_heap_mb: expected at least 128 MB, found 64"):
        StackConfig(opensearch_heap_mb=64)
