"""The lock file: which files make up the engines, by coordinate, SHA-256 and size.

`python -m tachograph.cli.stack.lock --write` resolves the coordinates of `versions.py` and writes it anew.
"""

import argparse
import hashlib
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from tachograph.cli.stack.errors import LockUnreadable

LOCK_FILE: Final = Path(__file__).with_name("engines.lock")
_HEADER: Final = (
    "# Written by `python -m tachograph.cli.stack.lock --write`; versions come from versions.py.\n"
)
_SHA256_HEX: Final = 64


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a Maven repository, and what it must hash to."""

    group: str
    artifact: str
    packaging: str
    version: str
    sha256: str
    size: int  # bytes

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.packaging}:{self.version}"

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.{self.packaging}"

    @property
    def path(self) -> PurePosixPath:
        """Where the file lies in every Maven repository, relative to its base."""
        return PurePosixPath(*self.group.split("."), self.artifact, self.version, self.name)


Lock = Mapping[str, tuple[Jar, ...]]  # folder below the engine's home -> its files


def read(path: Path = LOCK_FILE) -> Lock:
    """Read the lock file; anything not understood is a LockUnreadable, never a default."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LockUnreadable(path, str(error)) from error


def parse(text: str) -> Lock:
    """Parse a lock file; raises ValueError with the line that is not understood."""
    tables = tomllib.loads(text)
    return {folder: tuple(_jar(entry) for entry in entries) for folder, entries in tables.items()}


def render(lock: Lock) -> str:
    """The text of a lock file: folders in given order, files sorted, one a line."""
    tables = []
    for folder, jars in lock.items():
        rows = sorted(f'    ["{jar.coordinate}", "{jar.sha256}", {jar.size}],\n' for jar in jars)
        tables.append(f'"{folder}" = [\n{"".join(rows)}]\n')
    return _HEADER + "".join(tables)


def _jar(entry: object) -> Jar:
    match entry:
        case [str(coordinate), str(digest), int(size)] if _is_sha256(digest) and coordinate.count(":") == 3:
            group, artifact, packaging, version = coordinate.split(":")
            jar = Jar(group, artifact, packaging, version, digest, size)
            if (
                all(_is_plain(part) for part in (*group.split("."), artifact, packaging, version))
                and size >= 0
            ):
                return jar
    raise ValueError(f"expected [coordinate, sha256, size], found {entry!r}")


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_HEX and set(text) <= set("0123456789abcdef")


def _is_plain(part: str) -> bool:
    # A coordinate becomes a path: no separators, no "..", nothing hidden.
    return bool(part) and part[0] != "." and set(part).isdisjoint('/\\"\n\0')


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tachograph.cli.stack.lock", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="resolve the coordinates and write the lock file"
    )
    if not parser.parse_args(argv).write:
        parser.print_help()
        return 2
    from tachograph.cli.stack.resolve import resolve

    lock = resolve()
    LOCK_FILE.write_text(render(lock), encoding="utf-8")
    sys.stdout.write(f"{LOCK_FILE}: {sum(map(len, lock.values()))} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
