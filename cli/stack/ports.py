"""Loopback ports: choose a free one, or say who holds a taken one."""

import contextlib
import random
import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
REGISTERED: Final = range(20_000, 32_000)
"""Below Linux's ephemeral ports (32768 and up), from which outgoing connections take theirs."""
_RANDOM: Final = random.SystemRandom()
_LISTEN: Final = "0A"  # proc_net(5)


def choose(wanted: int, taken: set[int]) -> int:
    """`wanted`, or for 0 a port that is free now and not in `taken`, to which the choice is added."""
    port = wanted or _free(taken)
    taken.add(port)
    return port


def is_free(port: int) -> bool:
    """Whether a listener could be opened on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def holder(port: int, proc: Path = Path("/proc")) -> str | None:
    """`name (pid N)` of the listener, None when it cannot be seen (another user's)."""
    inodes = _listening(port, proc)
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or not ours to look at
            if any(_target(link) in inodes for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
    return None


def _target(descriptor: Path) -> str | None:
    try:
        return descriptor.readlink().name
    except OSError:
        return None  # closed meanwhile: the descriptor of this very listing always is


def _free(taken: set[int]) -> int:
    # Not one that the system would choose: until the engine listens, any outgoing connection could take it.
    for port in _RANDOM.sample(REGISTERED, len(REGISTERED)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no port between {REGISTERED.start} and {REGISTERED.stop} is free")


def _listening(port: int, proc: Path) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        path = proc / "net" / table
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found
