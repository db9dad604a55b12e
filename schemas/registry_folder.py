"""A registry from a folder of files, or every problem in it by file, line and key. Pure: texts come in.

connections/*.yaml   one connection each, or `connections:` with a list of them
policies/*.cedar     Cedar sources
masking/*.yaml       `headers`, `query`, `json_keys`: all files together
masking/*.toml       rules in the gitleaks layout, in the order of the files' names
registry.yaml        `contact`; may be missing

Any other file is a mistake, and said: a policy that is left out because of its name would be another policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tachograph.schemas.connection import Connection
from tachograph.schemas.document import load_model
from tachograph.schemas.errors import ConfigurationError, ConfigurationProblem
from tachograph.schemas.policy_settings import Contact
from tachograph.schemas.registry import MaskingRules, Registry, TextFile

__all__ = ["FOLDERS", "MAX_FILES", "REGISTRY_FILE", "load_folder"]

REGISTRY_FILE = "registry.yaml"
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "connections": (".yaml", ".yml"),
    "policies": (".cedar",),
    "masking": (".yaml", ".yml", ".toml"),
}
"""Which endings are read in which folder."""
MAX_FILES = 2_000
M = TypeVar("M", bound=BaseModel)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Connections(_File):
    connections: Annotated[tuple[Connection, ...], Field(min_length=1)]


class _Fields(_File):
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    json_keys: tuple[str, ...] = ()


class _Head(_File):
    version: Literal[1] = 1
    contact: Contact = ""


class _Reading:
    """The files so far, and all that is wrong with them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.problems: list[ConfigurationProblem] = []

    def model(self, file: str, model: type[M]) -> M | None:
        try:
            return load_model(self.files[file], model, file=file)
        except ConfigurationError as error:
            self.problems.extend(error.problems)
            return None

    def of(self, folder: str, *endings: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(f"{folder}/") and name.endswith(endings))


def load_folder(files: Mapping[str, str]) -> Registry:
    """`files` by their path in the folder, with `/`. Raises `ConfigurationError` with all problems."""
    reading = _Reading(files)
    reading.problems.extend(_strangers(files))
    connections = tuple(_connections(reading))
    fields = [
        found
        for file in reading.of("masking", ".yaml", ".yml")
        if (found := reading.model(file, _Fields)) is not None
    ]
    head = reading.model(REGISTRY_FILE, _Head) if REGISTRY_FILE in files else _Head()
    if reading.problems or head is None:
        raise ConfigurationError(tuple(reading.problems))
    masking = MaskingRules(
        headers=tuple(name for one in fields for name in one.headers),
        query=tuple(name for one in fields for name in one.query),
        json_keys=tuple(name for one in fields for name in one.json_keys),
        rules=_texts(reading, "masking", ".toml"),
    )
    try:
        return Registry(
            connections=connections,
            policies=_texts(reading, "policies", ".cedar"),
            contact=head.contact,
            masking=masking,
        )
    except ValidationError as error:
        raise ConfigurationError(tuple(_together(error))) from None


def _strangers(files: Mapping[str, str]) -> Iterator[ConfigurationProblem]:
    if len(files) > MAX_FILES:
        yield ConfigurationProblem(".", 0, "", f"expected at most {MAX_FILES} files, got {len(files)}")
    for name in sorted(files):
        path = PurePosixPath(name)
        if name != REGISTRY_FILE and path.suffix not in FOLDERS.get(str(path.parent), ()):
            wanted = ", ".join(f"{folder}/*{ending}" for folder, all_ in FOLDERS.items() for ending in all_)
            yield ConfigurationProblem(name, 0, "", f"expected {REGISTRY_FILE}, {wanted}")


def _connections(reading: _Reading) -> Iterator[Connection]:
    for file in reading.of("connections", ".yaml", ".yml"):
        # A file with a list begins with its only key; anything else is one connection.
        several = any(line.startswith("connections:") for line in reading.files[file].splitlines())
        if several:
            found = reading.model(file, _Connections)
            yield from found.connections if found is not None else ()
        elif (one := reading.model(file, Connection)) is not None:
            yield one


def _texts(reading: _Reading, folder: str, ending: str) -> tuple[TextFile, ...]:
    return tuple(TextFile(file=file, text=reading.files[file]) for file in reading.of(folder, ending))


def _together(error: ValidationError) -> Iterator[ConfigurationProblem]:
    for item in error.errors(include_input=False, include_url=False):
        yield ConfigurationProblem(".", 0, "", item["msg"].removeprefix("Value error, "))
