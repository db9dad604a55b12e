"""Who the engines run as: this user, or an unprivileged one when this user is root.

OpenSearch refuses root, and no engine needs it. An unprivileged engine must be able to reach its files, which is
impossible below a private folder such as /root; `reachable` tells.
"""

import os
import pwd
import stat
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
    return all(_may_enter(folder.stat(), user) for folder in path.resolve().parents if folder.exists())


def hand_over(path: Path, user: EngineUser | None) -> None:
    """Give a file, or a folder with all it holds, to `user`; free of charge when it has it already."""
    if user is None or path.stat().st_uid == user.uid:
        return
    for folder, _, files in os.walk(path):
        os.chown(folder, user.uid, user.gid)
        for name in files:
            os.chown(Path(folder, name), user.uid, user.gid, follow_symlinks=False)
    os.chown(path, user.uid, user.gid)


def _may_enter(status: os.stat_result, user: EngineUser) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
