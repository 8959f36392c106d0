"""Ends what a Slurm laboratory leaves behind, also when its owner was killed.

Run as a program with the path of the laboratory's slurm.conf: it waits until its input closes,
which the death of the owner does too, and then ends every process that carries that path as
SLURM_CONF in its environment: daemons, job steps, and the jobs themselves.
"""

import os
import signal
import sys
import time
from pathlib import Path

PATIENCE_SECONDS = 20


def strays(conf_path: str) -> list[int]:
    """Processes of the laboratory, by their environment."""
    mark = f"SLURM_CONF={conf_path}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if mark in environment and state != "Z" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def reap(conf_path: str) -> None:
    """Kill them until none is left; a job step may start a last process meanwhile."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while (left := strays(conf_path)) and time.monotonic() < limit:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


if __name__ == "__main__":
    sys.stdin.read()
    reap(sys.argv[1])
