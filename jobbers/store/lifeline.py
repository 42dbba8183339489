"""Processes that end with the one that started them, even one killed with ``kill -9`` (on Linux)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# Run by the new process before it becomes the command: asks the kernel to end it with its parent. A preexec_fn
# could ask too, but it runs Python between fork and exec, where a lock held by another thread is a deadlock.
# The parent may have died before the request was made, and then no signal comes: so it looks once more.
_END_WITH_PARENT = """
import ctypes, os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM)) != 0:
    sys.exit("prctl(PR_SET_PDEATHSIG) failed: " + os.strerror(ctypes.get_errno()))
if os.getppid() != parent:
    sys.exit("the parent is gone already")
os.execvp(command[0], command)
"""


def tied(command: Sequence[str]) -> list[str]:
    """The same command, which is told to end (SIGTERM) when its parent has gone. Elsewhere than on Linux it is not told.

    The kernel counts a parent as gone when the *thread* that forked ends: start it from one that lives as long as that.
    """
    # A frozen application's sys.executable is the application itself, and cannot run those few lines.
    if sys.platform != "linux" or not sys.executable or getattr(sys, "frozen", False):
        return [*command]
    return [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, str(os.getpid()), *command]
