"""The only way to wake a worker."""

import logging
from functools import partial

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)


def after_commit(task_name: str, **ids: object) -> None:
    """Send a task by name once the surrounding transaction has committed.

    A nudge is a hint: the row it speaks of is the truth, and the sweeper finds the row when the
    nudge is lost. A broker that is down therefore costs a delay and never the request.
    """
    transaction.on_commit(partial(_send, task_name, ids), robust=True)


def _send(task_name: str, ids: dict[str, object]) -> None:
    try:
        current_app.send_task(task_name, kwargs={key: str(value) for key, value in ids.items()})
    except current_app.connection_for_write().recoverable_connection_errors as error:
        log.warning("nudge.lost", extra={"task": task_name, "reason": type(error).__name__})
