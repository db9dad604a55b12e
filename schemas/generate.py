"""Writes the JSON Schemas that other programs read, from the models that we run on.

`python -m tachograph.schemas.generate` rewrites `schemas/json/`; with `--check` it writes nothing and
exits 1 if a file is missing, stale or left over.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tachograph.schemas.config import Configuration
from tachograph.schemas.event import Header
from tachograph.schemas.masked import masked_event_adapter
from tachograph.schemas.payload import Meta

__all__ = ["FOLDER", "differences", "generated", "main", "write"]

FOLDER = Path(__file__).parent / "json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SUFFIX = ".schema.json"


def generated() -> Mapping[str, str]:
    """File name -> text of every schema."""
    schemas = {
        "header": (Header.model_json_schema(), "The clear header of every record"),
        "payload-meta": (TypeAdapter(Meta).json_schema(), "The facts that frame an encrypted payload"),
        "configuration": (Configuration.model_json_schema(), "The configuration file"),
        "masked-event": (masked_event_adapter.json_schema(), "One event of the masked topic (OCSF 1.9.0)"),
    }
    return {f"{name}{_SUFFIX}": _text(name, title, schema) for name, (schema, title) in schemas.items()}


def differences(folder: Path) -> tuple[str, ...]:
    """Names of the files that are missing, stale or left over in `folder`, sorted."""
    wanted = generated()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob(f"*{_SUFFIX}")}
    return tuple(
        sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    )


def write(folder: Path) -> None:
    """Bring `folder` up to date; files that no model stands behind any more are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = generated()
    for name in differences(folder):
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Exit code of the command: 0 good, 1 stale, 2 wrong use."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m tachograph.schemas.generate [--check]\n")
        return 2
    if not arguments:
        write(folder)
        return 0
    stale = differences(folder)
    for name in stale:
        sys.stderr.write(f"{name}: differs from its model; run python -m tachograph.schemas.generate\n")
    return 1 if stale else 0


def _text(name: str, title: str, schema: Mapping[str, Any]) -> str:
    head = {"$schema": _DIALECT, "$id": f"urn:tachograph:schema:{name}", "title": title}
    body = {key: value for key, value in schema.items() if key != "title"}
    return json.dumps(head | body, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
