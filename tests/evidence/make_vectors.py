"""Writes the test vectors: `python tests/evidence/make_vectors.py`. The same bytes on every run.

`vectors/<name>.tacho` is a bundle; `vectors/expected.json` has, by name, the trust policy to judge it by, the
verdict and the exit code that every verifier must give.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from attacks import Vector, vectors
from contradictions import contradiction_vectors
from deletions import deletion_vectors
from forms import form_vectors
from heartbeats import heartbeat_vectors
from leftovers import leftover_vectors
from names import name_vectors
from readings import reading_vectors
from timestamps import timestamp_vectors

from tachograph.forensics.verdict import Verdict

FOLDER = Path(__file__).parent / "vectors"
CODES = {item.word: item.code for item in Verdict}


def all_vectors() -> Iterator[Vector]:
    """Of every part of the format; names are unique."""
    yield from vectors()
    yield from contradiction_vectors()
    yield from deletion_vectors()
    yield from form_vectors()
    yield from heartbeat_vectors()
    yield from leftover_vectors()
    yield from name_vectors()
    yield from reading_vectors()
    yield from timestamp_vectors()


def expected(found: list[Vector]) -> str:
    """The table of what must come out."""
    table = {
        item.name: {"verdict": item.verdict, "exit_code": CODES[item.verdict], "policy": item.policy}
        for item in found
    }
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    found = list(all_vectors())
    assert len({item.name for item in found}) == len(found)
    for item in found:
        (FOLDER / f"{item.name}.tacho").write_bytes(item.data)
    (FOLDER / "expected.json").write_text(expected(found))


if __name__ == "__main__":
    main()
