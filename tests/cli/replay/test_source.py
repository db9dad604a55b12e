"""Where a session to be replayed comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli.errors import BadEvidence, Refused, WrongUse
from tachograph.cli.replay import source
from tachograph.cli.replay.source import MAX_NAME, from_bundle, from_store, is_bundle
from tachograph.forensics.errors import NotReplayable

VECTORS = Path(__file__).parents[2] / "evidence" / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())
SESSION = "0a466fdf-3059-889d-bd58-3b7552c7edd6"


def request(uid: str = "r") -> dict[str, Any]:
    tacho = {"type": "request", "uid": uid, "exchange": uid, "connection": "api", "protocol": "http"}
    line = {"http_method": "GET", "url": {"path": "/x"}}
    return {"unmapped": {"tacho": tacho}, "http_request": line}


class Store:
    """OpenSearch as far as it is asked."""

    everything = "all"
    max_hits = 5

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = found

    def refresh(self) -> None: ...
    def close(self) -> None: ...

    def resolve(self, name: str) -> str:
        return SESSION

    def scan(self, index: str, query: Any) -> Any:
        assert query == {"term": {"unmapped.tacho.session": SESSION}}
        return ({"_source": one} for one in self.found)


def reading(monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any]) -> Any:
    monkeypatch.setattr(source.Documents, "open", lambda _: Store(*found))
    return from_store(None, "0a46")  # type: ignore[arg-type]


def test_a_session_is_read_from_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the beginning of its id."""
    found = reading(monkeypatch, request())
    assert (found.session, found.origin, len(found.exchanges)) == (SESSION, "OpenSearch", 1)


def test_a_session_that_is_not_read_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beyond the bound would look like nothing."""
    with pytest.raises(Refused, match="tacho export"):
        reading(monkeypatch, *(request(str(n)) for n in range(5)))


def test_a_session_without_requests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to be asked again."""
    with pytest.raises(Refused, match="no requests"):
        reading(monkeypatch)


def test_a_file_is_told_from_a_session(tmp_path: Path) -> None:
    """By its ending, or because it is there."""
    (tmp_path / "odd").touch()
    assert is_bundle("x.tacho")
    assert is_bundle(str(tmp_path / "odd"))
    assert not is_bundle(SESSION)


def test_a_bundle_needs_somebody_to_believe(tmp_path: Path) -> None:
    """And must be there."""
    with pytest.raises(WrongUse, match="--trust"):
        from_bundle(tmp_path / "x.tacho", None)
    with pytest.raises(WrongUse, match="cannot be read"):
        from_bundle(tmp_path / "x.tacho", tmp_path / "trust.yaml")


def test_a_bundle_of_an_unknown_exporter_is_refused(tmp_path: Path) -> None:
    """Anybody could have written what is in it."""
    bundle, trust = tmp_path / "x.tacho", tmp_path / "trust.yaml"
    bundle.write_bytes(b"PK no bundle")
    trust.write_text("version: 1\nlogs: []\nexporters: []\n")
    with pytest.raises(Refused, match="bundle-malformed"):
        from_bundle(bundle, trust)


def test_a_bundle_is_read_like_the_index(tmp_path: Path) -> None:
    """Where the policy trusts its exporter."""
    found = from_bundle(VECTORS / "good.tacho", trusting("good", tmp_path))
    assert found.origin.endswith("good.tacho (complete)")
    assert found.verdict == "complete"
    assert found.exchanges


def trusting(name: str, folder: Path) -> Path:
    """The policy of a vector, as a file."""
    file = folder / "trust.json"
    file.write_text(json.dumps(EXPECTED[name]["policy"]))
    return file


@pytest.mark.parametrize("name", ["reorder", "header-edited", "insert"])
def test_a_bundle_that_was_altered_is_replayed_only_by_who_says_so(name: str, tmp_path: Path) -> None:
    """It ends with the exit code of `tacho verify`; what is recorded of a replay anyway names the verdict."""
    bundle, trust = VECTORS / f"{name}.tacho", trusting(name, tmp_path)
    verdict = EXPECTED[name]["verdict"]
    with pytest.raises(BadEvidence, match=verdict) as refused:
        from_bundle(bundle, trust)
    assert refused.value.exit_code == EXPECTED[name]["exit_code"]
    assert from_bundle(bundle, trust, anyway=True).origin.endswith(f"({verdict}, replayed anyway)")


@pytest.mark.parametrize(
    "name", sorted(name for name in EXPECTED if EXPECTED[name]["exit_code"] in {4, 57, 58})
)
def test_what_was_lawfully_deleted_or_goes_on_still_is_replayed_unasked(name: str, tmp_path: Path) -> None:
    """All that is there is proven; what is not there is not on record."""
    try:
        found = from_bundle(VECTORS / f"{name}.tacho", trusting(name, tmp_path))
    except Refused as refused:
        assert "no requests on record" in str(refused)  # noqa: PT017  both are lawful ends
    else:
        assert found.verdict == EXPECTED[name]["verdict"]


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if EXPECTED[name]["exit_code"] >= 20))
def test_an_odd_bundle_is_replayed_or_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    """Whatever is in it, and whatever its verdict: never a traceback."""
    try:
        found = from_bundle(VECTORS / f"{name}.tacho", trusting(name, tmp_path), anyway=True)
    except (Refused, NotReplayable) as refused:
        assert str(refused)  # noqa: PT017  both are lawful ends
    else:
        assert found.exchanges


@pytest.mark.parametrize(
    "name", ["json-not-utf-8", "json-not-a-number", "message-that-is-none", "parent-is-a-list"]
)
def test_what_cannot_be_read_is_replayed_by_nobody(name: str, tmp_path: Path) -> None:
    """Not even anyway."""
    with pytest.raises(NotReplayable):
        from_bundle(VECTORS / f"{name}.tacho", trusting(name, tmp_path), anyway=True)


def test_what_is_recorded_of_a_bundle_is_bounded(tmp_path: Path) -> None:
    """However long its path, and whatever stands in it."""
    folder = tmp_path / ("long" * 50) / ("longer" * 30)
    folder.mkdir(parents=True)
    bundle = folder / "esc\x1b[2J.tacho"
    bundle.write_bytes((VECTORS / "good.tacho").read_bytes())
    origin = from_bundle(bundle, trusting("good", tmp_path)).origin
    assert len(origin) <= MAX_NAME + len(" (complete)")
    assert "\x1b" not in origin
