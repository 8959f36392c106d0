"""Kill a real process after any of its statements, and see what is left of what it did.

The process is a fork of this one, which has everything loaded, on a connection of its own. It dies
by SIGKILL: nothing is rolled back by it, nothing is closed, no handler runs. What may be died after
is every statement, every part of a COPY, and every commit.
"""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections

# A child that waits for a lock which nobody gives back dies of this, and the test fails.
LONGEST_LIFE_SECONDS = 60


def survives(act: Callable[[], object], fatal: int) -> bool:
    """Do something in a child that is killed after its ``fatal``-th step; False where it was.

    True where the act came to its end with fewer steps. What the act raises is raised here.
    """
    # A connection belongs to one process: the child must not inherit ours.
    connections.close_all()
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        os.close(heard)
        _live(act, fatal, said)
    os.close(said)
    with os.fdopen(heard) as pipe:
        trouble = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, trouble or f"the child ended with status {status}"
    return True


def _live(act: Callable[[], object], fatal: int, said: int) -> NoReturn:
    """The child's whole life; it never returns into the test that it is a copy of."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_LIFE_SECONDS)
    status = 1
    try:
        connection.ensure_connection()
        with _deadly(fatal):
            act()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent hears of it
        os.write(said, traceback.format_exc().encode())
    finally:
        os._exit(status)


@contextmanager
def _deadly(fatal: int) -> Iterator[None]:
    """Count what reaches the database, and die after the step that was chosen."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        step()
        return result

    wrapper_class = type(connections[DEFAULT_DB_ALIAS])
    commit, write = wrapper_class._commit, psycopg.Copy.write

    def committed(wrapper: Any) -> None:
        commit(wrapper)
        step()

    def copied(copy: Any, buffer: Any) -> None:
        write(copy, buffer)
        step()

    # These two go past Django's hook for statements.
    with (
        connection.execute_wrapper(executed),
        patch.object(wrapper_class, "_commit", committed),
        patch.object(psycopg.Copy, "write", copied),
    ):
        yield
