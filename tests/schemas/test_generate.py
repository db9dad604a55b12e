"""The JSON Schemas that are committed are those of the models."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tachograph.schemas.generate import FOLDER, differences, generated, main, write


def test_the_committed_schemas_are_up_to_date() -> None:
    """If this fails: `python -m tachograph.schemas.generate`."""
    assert differences(FOLDER) == ()
    assert main(["--check"]) == 0


def test_every_schema_is_one() -> None:
    """JSON Schema 2020-12, named and titled."""
    assert len(generated()) == 4
    for name, text in generated().items():
        schema = json.loads(text)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:tachograph:schema:{name.removesuffix('.schema.json')}"


def test_stale_missing_and_left_over_files_are_found_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` names each of them and writes nothing; without it the folder is right afterwards."""
    folder = tmp_path / "json"
    write(folder)
    (folder / "header.schema.json").write_text("{}")
    (folder / "payload-meta.schema.json").unlink()
    (folder / "old.schema.json").write_text("{}")
    stale = ("header.schema.json", "old.schema.json", "payload-meta.schema.json")
    assert differences(folder) == stale
    assert main(["--check"], folder) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == list(stale)
    assert differences(folder) == stale
    assert main([], folder) == 0
    assert differences(folder) == ()


def test_wrong_use_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and one line."""
    assert main(["--chekc"]) == 2
    assert capsys.readouterr().err.startswith("usage:")
