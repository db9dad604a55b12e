"""The settings page says what the models say, and its example is a configuration that we take."""

from __future__ import annotations

from pathlib import Path

from tachograph.schemas.document import configuration_schema, load_configuration
from tachograph.schemas.reference import BEGIN, END, reference, splice

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_models_say() -> None:
    """`docs/configuration.md` is up to date; `make docs` writes it anew."""
    page = PAGE.read_text()
    assert splice(page, reference()) == page


def test_every_setting_is_explained() -> None:
    """No key of the configuration file stands in the reference without a word about it."""
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_model_is_listed() -> None:
    """A mapping that the schema knows has a table of its own."""
    text = reference()
    for name, model in configuration_schema()["$defs"].items():
        if "properties" in model:
            assert model["description"].split(".")[0].split("\n")[0].replace("|", "\\|")[:40] in text, name


def test_the_example_is_taken() -> None:
    """The example at the top of the page loads."""
    example = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    names = [item.name for item in load_configuration(example, file="docs").connections]
    assert names == ["anthropic", "tickets", "billing"]


def test_splice_replaces_only_between_the_markers() -> None:
    """What people wrote around the table stays."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert splice(page, "new") == f"before\n{BEGIN}\n\nnew\n{END}\nafter\n"
