"""The configuration file, read again once it has changed and stands still."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachograph.ingress.errors import RegistryUnusable
from tachograph.ingress.registry import own_file
from tachograph.ingress.registry.own_file import OwnFile
from tachograph.schemas.document import load_configuration
from tachograph.schemas.registry import Registry

TEXT = "connections: [{{name: {name}, protocol: http, upstream: 'http://x'}}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tacho.yaml"
    path.write_text(TEXT.format(name="one"))
    return path


def opened(file: Path) -> OwnFile:
    return OwnFile(file, load_configuration(file.read_text(), file=str(file)))


def settled(own: OwnFile) -> Registry | None:
    """The second look finds what the first one saw."""
    assert own.look() is None
    return own.look()


def names(registry: Registry | None) -> list[str]:
    assert registry is not None
    return [one.name for one in registry.connections]


def test_a_change_is_told_once_it_stands_still(file: Path) -> None:
    """Also what was changed between the start and the first look; then nothing until the next change."""
    own = opened(file)
    file.write_text(TEXT.format(name="two"))
    assert names(settled(own)) == ["two"]
    assert own.look() is None
    file.write_text(TEXT.format(name="three"))
    assert names(settled(own)) == ["three"]


def test_it_can_be_read_at_once(file: Path) -> None:
    """As it is at that moment, which is no look: what follows is told as ever."""
    own = opened(file)
    file.write_text(TEXT.format(name="two"))
    assert names(own.now()) == ["two"]
    assert names(settled(own)) == ["two"]
    file.write_text("connections: [")
    with pytest.raises(RegistryUnusable):
        own.now()


def test_what_is_still_being_written_is_not_taken(file: Path) -> None:
    """Each look finds another length; the last one counts."""
    own = opened(file)
    settled(own)
    for end in range(10, 60, 10):
        file.write_text(TEXT.format(name="two")[:end])
        assert own.look() is None
    file.write_text(TEXT.format(name="two"))
    assert names(settled(own)) == ["two"]


def test_what_changes_while_it_is_read_is_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two policy files nobody gets one from before and one from after."""
    own = opened(file)
    read = own_file.own_registry

    def slow(*args: object, **words: object) -> object:
        found = read(*args, **words)  # type: ignore[arg-type]
        file.write_text(TEXT.format(name="later"))
        return found

    monkeypatch.setattr(own_file, "own_registry", slow)
    assert settled(own) is None
    monkeypatch.undo()
    assert names(own.look() or own.look()) == ["later"]


def test_the_files_that_it_names_are_followed_too(file: Path) -> None:
    """From the look that finds their names; one that is missing is refused until it is there."""
    own = opened(file)
    settled(own)
    file.write_text("policy: {files: [p.cedar]}\n")
    with pytest.raises(RegistryUnusable, match=r"p\.cedar"):
        settled(own)
    (file.parent / "p.cedar").write_text("one")
    for text in ("one", "another"):
        (file.parent / "p.cedar").write_text(text)
        found = settled(own)
        assert found is not None
        assert found.policies[0].text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("connections: [", "tacho.yaml"),
        ("connectoins: []\n", "connectoins"),
        ("masking: {rules: [gone.toml]}\n", "masking.rules"),
        ("policy: {files: [gone.cedar]}\n", "gone.cedar"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_once(file: Path, text: str | None, why: str) -> None:
    """Then there is silence until something changes."""
    own = opened(file)
    settled(own)
    file.unlink() if text is None else file.write_text(text)
    said = []
    for _ in range(8):
        try:
            assert own.look() is None
        except RegistryUnusable as error:
            said.append(error.detail)
    assert 1 <= len(said) <= 2  # once more where it names other files than before
    assert all(why in detail for detail in said)
