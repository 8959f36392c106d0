"""The only way to wake a worker."""

import logging
from functools import partial, update_wrapper

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)


def after_commit(task_name: str, **ids: object) -> None:
    """Send a task by name once the surrounding transaction has committed.

    A nudge is a hint: the row it speaks of is the truth, and the sweeper finds the row when the
    nudge is lost. A broker that is down therefore costs a delay and never the request.
    """
    # Django names a robust hook by its __qualname__ when it fails, which a bare partial lacks.
    hook = update_wrapper(partial(_send, task_name, ids), _send)
    transaction.on_commit(hook, robust=True)


def _send(task_name: str, ids: dict[str, object]) -> None:
    try:
        current_app.send_task(task_name, kwargs={key: str(value) for key, value in ids.items()})
    except current_app.connection_for_write().recoverable_connection_errors as error:
        log.warning("nudge.lost", extra={"task": task_name, "reason": type(error).__name__})
