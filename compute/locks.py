"""Locks on scarce things, in one order: account, tenant's allowance, pool, reservation.

Take a lock late, before the reading it protects; give cards back without one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from compute.models import Pool

GIVE_UP = "SET LOCAL lock_timeout = '3s'"


class PoolBusy(DomainError):
    """Others are taking from this pool right now; nothing was changed."""

    code = "pool_busy"
    status = 503
    retryable = True
    message = _("This pool is busy. Try again in a moment.")


def lock_pool(pool_id: int) -> Pool:
    """Lock one pool until the transaction ends.

    Raises: PoolBusy after three seconds.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(GIVE_UP)
        return Pool.objects.select_for_update(no_key=True).get(pk=pool_id)
    except OperationalError as error:
        raise PoolBusy from error


def lock_allowance(tenant_id: UUID) -> None:
    """Let one request of a tenant at a time count what the tenant already holds.

    Raises: PoolBusy after three seconds.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(GIVE_UP)
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"compute.allowance:{tenant_id}"],
            )
    except OperationalError as error:
        raise PoolBusy from error


@contextmanager
def cluster_turn(purpose: str, cluster_id: int) -> Iterator[bool]:
    """Whether it is this process's turn to do this with a cluster; a second one is told no.

    Locks: for the database session, not a transaction, because a scheduler is being waited for.
    PostgreSQL gives it back when the process dies.
    """
    name = f"compute.cluster:{cluster_id}:{purpose}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        row = cursor.fetchone()
    mine = bool(row and row[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
