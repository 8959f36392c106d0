"""A worker's application with one task of its own, and a short command that nudges it.

Run as ``celery -A tests.portal.probe worker`` and ``python -m tests.portal.probe FIRST COUNT``.
"""

import os
import sys
import threading
import time
from pathlib import Path

import django
from django.db import transaction

from common.nudge import after_commit
from portal.celery import app

TASK = "compute.probe"


@app.task(name=TASK)
def probe(*, number: str, **_: object) -> None:
    """Take a moment, then note the time in the file of this number.

    From ``PROBE_HOLDS_FROM`` on it only says that it was taken and never ends.
    """
    if int(number) >= int(os.environ.get("PROBE_HOLDS_FROM", sys.maxsize)):
        (Path(os.environ["PROBE_FOLDER"]).parent / f"held-{number}").touch()
        threading.Event().wait()
    threading.Event().wait(float(os.environ["PROBE_SECONDS"]))
    with (Path(os.environ["PROBE_FOLDER"]) / number).open("a") as note:
        note.write(f"{time.time()}\n")


def nudge(first: int, count: int) -> None:
    django.setup()
    with transaction.atomic():
        for number in range(first, first + count):
            after_commit(TASK, number=number)
    sys.stdout.write(f"{time.time()}\n")


if __name__ == "__main__":
    nudge(int(sys.argv[1]), int(sys.argv[2]))
