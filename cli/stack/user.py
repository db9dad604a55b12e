"""Who the engines run as: this user, or an unprivileged one when this user is root.

OpenSearch refuses root, and no engine needs it. An unprivileged engine must be able to reach its files, which
is impossible below a private folder such as /root; `reachable` tells.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NOBODY_ID: Final = 65534


@dataclass(frozen=True, slots=True)
class EngineUser:
    """The unprivileged user and group of the engines."""

    uid: int
    gid: int


def engine_user(effective_uid: int) -> EngineUser | None:
    """`nobody` when we are root, None when the engines run as ourselves."""
    if effective_uid != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return EngineUser(_NOBODY_ID, _NOBODY_ID)
    return EngineUser(entry.pw_uid, entry.pw_gid)


def reachable(path: Path, user: EngineUser | None) -> bool:
    """Whether `user` may enter every folder above `path`, judged by the mode bits; `path` need not exist."""
    if user is None:
        return True
    return all(may_enter(folder.stat(), user) for folder in path.resolve().parents if folder.exists())


def may_enter(status: os.stat_result, user: EngineUser) -> bool:
    """Whether a folder's mode bits let `user` pass through it."""
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def give(folder: Path, user: EngineUser) -> None:
    """Make `user` the owner of a folder with all it holds; links are not followed."""
    for path in _tree(folder):
        status = path.lstat()
        if (status.st_uid, status.st_gid) != (user.uid, user.gid):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def let_read(folder: Path) -> None:
    """Let everybody read a folder with all it holds, whatever the umask was when it was made."""
    for path in _tree(folder):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and mode & stat.S_IXUSR):
            path.chmod(0o755)
        elif stat.S_ISREG(mode):
            path.chmod(0o644)


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))
