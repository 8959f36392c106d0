"""Clear up after a supervisor that was killed outright: ``watch.py INSTANCE``.

Standard input is a pipe whose other end only the supervisor holds. It never writes: the end of
the pipe means that the supervisor is gone, for whatever reason, on every system.
"""

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from portal.embedded.leftovers import end_instance

PATIENCE_SECONDS = 8


def watch(instance: str) -> None:
    """Wait for the supervisor's end and end what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    end_instance(instance, patience_seconds=PATIENCE_SECONDS)


if __name__ == "__main__":
    watch(sys.argv[1])
