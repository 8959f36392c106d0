"""Start a program that ends when its parent does: ``launch.py PARENT SIGNAL program ...``.

The kernel delivers the signal even when the parent was killed outright. Only Linux knows this;
elsewhere the watcher alone clears up. Run as a script, with the standard library only, and
replaced by the program, so it costs no memory.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def launch(parent: int, signal_number: int, program: list[str]) -> None:
    """Replace this process by the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # the parent died before the kernel was told to watch it
    os.execvp(program[0], program)


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
