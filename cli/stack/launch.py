"""The last step before an engine: give up root, tie its life to its parent's, become Java.

Run as `python -I -S launch.py PARENT UID GID COMMAND...`; a file of its own because no code may run
between fork and exec in a process that has threads. UID -1 keeps the user. Imports the standard library only.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, uid, gid = (int(text) for text in arguments[:3])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid, which clears it. The kernel sends SIGKILL when the thread that started us is gone.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent ended before the engine began")
    os.umask(0o027)
    os.execv(arguments[3], arguments[3:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
