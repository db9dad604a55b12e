"""resolve.py: closures become locked files."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from tachograph.cli.stack import resolve
from tachograph.cli.stack.lock import Jar


@dataclass(frozen=True)
class Artifact:
    """A resolved file, as the resolver hands it over."""

    file: Path
    groupId: str  # noqa: N815 - the resolver's name
    artifactId: str  # noqa: N815 - the resolver's name
    version: str
    packaging: str = "jar"

    def resolve(self) -> Path:
        return self.file


class Context:
    """A resolver that knows its answers."""

    def __init__(self, answers: dict[str, list[SimpleNamespace]]) -> None:
        self.resolver = self
        self._answers = answers

    def create_dependency(self, coordinate: str) -> str:
        return coordinate

    def resolve(self, coordinates: list[str]) -> tuple[list[SimpleNamespace], list[SimpleNamespace]]:
        (coordinate,) = coordinates
        return self._answers[coordinate][:1], self._answers[coordinate][1:]


def dependency(file: Path, name: str, version: str, scope: str = "compile") -> SimpleNamespace:
    artifact = Artifact(file, "g", name, version)
    return SimpleNamespace(groupId="g", artifactId=name, scope=scope, artifact=artifact)


def test_the_first_root_decides_a_version(tmp_path: Path) -> None:
    """What the engine asks for is not shifted by an addition, and test dependencies stay out."""
    file = tmp_path / "x.jar"
    file.write_bytes(b"jar")
    context = Context(
        {
            "engine": [dependency(file, "engine", "1"), dependency(file, "shared", "1")],
            "addition": [
                dependency(file, "addition", "1"),
                dependency(file, "shared", "2"),
                dependency(file, "junit", "1", "test"),
            ],
        }
    )
    jars = resolve._closure(context, ("engine", "addition"))
    chosen = {jar.artifact: jar.version for jar in jars}
    assert chosen == {"engine": "1", "shared": "1", "addition": "1"}
    assert {jar.size for jar in jars} == {3}


def test_a_module_does_not_repeat_the_library() -> None:
    """A jar that lib/ holds, in whatever version, is taken out of a module."""
    held = Jar("g", "shared", "jar", "2", "0" * 64, 1)
    own = Jar("g", "own", "jar", "1", "0" * 64, 1)
    assert resolve._without((held, own), {("g", "shared")}) == (own,)
