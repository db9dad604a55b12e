"""What the servers counted."""

import json
from pathlib import Path

from tachograph.cli.demo.witness import Call, Exchange, read

LINE = {"server": "mcp", "method": "POST", "path": "/mcp", "status": 200}


def test_lines_become_a_count(tmp_path: Path) -> None:
    """Equal exchanges are counted, ids of tool calls collected."""
    file = tmp_path / "log"
    file.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE | {"tool_use_id": "t1"}) + "\n")
    seen = read(file)
    assert seen.exchanges[Exchange("mcp", "POST", "/mcp", 200)] == seen.count == 2
    assert seen.tool_use_ids == {"t1"}


def test_calls_that_never_arrived_are_known_by_their_outcome(tmp_path: Path) -> None:
    """The model was told what came of three, the MCP server has seen one of them, twice."""
    called = LINE | {"tool": "notify", "tool_use_id": "t1"}
    told = {"server": "model", "method": "POST", "path": "/v1/messages", "status": 200}
    file = tmp_path / "log"
    lines = (called, called, told | {"returned": ["t1", "t2"]}, told | {"returned": ["t2", "t3"]})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen = read(file)
    assert seen.calls == {Call("notify", "t1"): 2}
    assert seen.refused_calls == 2


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    """Half a line is no error."""
    file = tmp_path / "log"
    file.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE)[:10])
    assert read(file).count == 1


def test_no_file_yet_is_nothing_yet(tmp_path: Path) -> None:
    """The servers have not been asked."""
    assert read(tmp_path / "log").count == 0
