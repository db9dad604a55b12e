"""Facts: the words of the example world."""

import json
from pathlib import Path

import pytest

from tachograph.examples import facts


def test_there_is_a_harmless_word_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file the examples talk about placeholders."""
    monkeypatch.delenv("EXAMPLE_FACTS", raising=False)
    assert facts.load() == facts.DEFAULTS


def test_a_file_lays_its_words_over_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file names is replaced, the rest stays."""
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"card": "4111"}))
    monkeypatch.setenv("EXAMPLE_FACTS", str(file))
    assert facts.load()["card"] == "4111"
    assert facts.load()["jwt"] == facts.DEFAULTS["jwt"]
