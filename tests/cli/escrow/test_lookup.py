"""Where a document and its escrow are found; the engines' side is in tests/end_to_end/test_escrow.py."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.escrow import lookup

VECTORS = Path(__file__).parents[2] / "evidence" / "vectors"
UID = "11111111-1111-5111-8111-111111111111"


class Store:
    """OpenSearch as far as it is asked."""

    everything = "all"

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = found

    def refresh(self) -> None: ...
    def close(self) -> None: ...

    def scan(self, index: str, query: Any) -> Any:
        assert (index, query) == ("all", {"term": {"metadata.uid": UID}})
        return ({"_source": one} for one in self.found)


def test_a_document_is_found_by_its_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that is not there nothing is proven."""
    monkeypatch.setattr(lookup.Documents, "open", lambda _: Store({"a": 1}))
    assert lookup.stored(None, UID) == {"a": 1}  # type: ignore[arg-type]
    monkeypatch.setattr(lookup.Documents, "open", lambda _: Store())
    with pytest.raises(Refused, match="no document"):
        lookup.stored(None, UID)  # type: ignore[arg-type]


def test_a_bundle_gives_its_document_and_its_verdict(tmp_path: Path) -> None:
    """Only to a policy that trusts its exporter."""
    bundle, trust = VECTORS / "good.tacho", tmp_path / "trust.json"
    trust.write_text(json.dumps(json.loads((VECTORS / "expected.json").read_text())["good"]["policy"]))
    uid = next(iter(_uids(bundle)))
    document, report = lookup.bundled(bundle, trust, uid)
    assert (document["unmapped"]["tacho"]["uid"], report.verdict.code) == (uid, 0)
    (tmp_path / "nobody.yaml").write_text("version: 1\nlogs: []\nexporters: []\n")
    with pytest.raises(Refused, match="exporter-unknown"):
        lookup.bundled(bundle, tmp_path / "nobody.yaml", uid)
    with pytest.raises(WrongUse, match="--trust"):
        lookup.bundled(bundle, None, UID)
    with pytest.raises(Refused, match="holds no document"):
        lookup.bundled(bundle, trust, UID)


@pytest.mark.parametrize(
    "odd",
    [
        *(b"\xff", b"1", b"[]", b"null", b'{"unmapped":null}', b'{"unmapped":[]}', b'{"unmapped":"x"}'),
        *(b'{"unmapped":{"tacho":null}}', b'{"unmapped":{"tacho":[]}}', b'{"unmapped":{"tacho":"x"}}'),
        b'{"unmapped":{"tacho":{"uid":["x"]}}}',
    ],
)
def test_what_is_no_document_is_passed_over(odd: bytes) -> None:
    """Though the uid that is looked for stands in its text: a bundle may hold anything."""
    assert lookup._document(odd)["unmapped"]["tacho"].get("uid") != UID


def _uids(bundle: Path) -> list[str]:
    with zipfile.ZipFile(bundle) as archive:
        names = [name for name in archive.namelist() if name.startswith("records/")]
        return [json.loads(archive.read(name))["unmapped"]["tacho"]["uid"] for name in names]
