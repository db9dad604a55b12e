"""A candidate rule set over real raw records."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tachograph.cli.main import app
from tachograph.processors.backtest import backtest
from tachograph.schemas.document import load_configuration

pytestmark = pytest.mark.engines
RULES = '[[rules]]\nid = "ticket"\nregex = \'TICKET-[0-9]{6}\'\nkeywords = ["ticket"]\n'


def test_a_candidate_is_tried_on_the_raw_window(site: Any, tmp_path: Path) -> None:
    """What it would newly mask and leak, in whole bodies and chunk records; nothing outside counts."""
    path: Path = site.config()
    (path.parent / "now.toml").write_text(RULES.replace("TICKET", "PARCEL").replace("ticket", "parcel"))
    path.write_text(path.read_text() + "masking: {rules: [now.toml]}\n")
    candidate = tmp_path / "candidate.toml"
    candidate.write_text(RULES)
    strand = site.strand(clock_ns=1_795_000_000_000_000_000)
    site.publish_key(strand)
    of = strand.new_exchange()
    cut = strand.chunked([b'{"a":"TICK', b'ET-123456"}'], exchange=of)
    site.publish([strand.open(), *strand.exchange(b'{"a":"TICKET-000001 PARCEL-000002"}', b"{}"), *cut])
    config = load_configuration(path.read_text(), file=str(path))
    facts = backtest(config, base=path.parent, rules=(candidate,), since_s=3600).facts()
    assert facts["newly_masked"] == {"ticket": 2}
    assert facts["newly_leaked"] == {"parcel": 1}
    assert (facts["unreadable"], facts["records"]) == (0, 3)
    assert backtest(config, base=path.parent, rules=(candidate,), since_s=0).facts()["records"] == 0

    told = ["rules", "backtest", "--rules", str(candidate), "--since", "1h", "--config", str(path)]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 1, "a leak is no success"
    assert "parcel 1" in done.stdout
    assert "000002" not in done.stdout
