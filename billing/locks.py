"""The account lock: everything that takes a tenant's money queues on its one row."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _
from psycopg.errors import LockNotAvailable

from billing.models import Account
from common.errors import DomainError


class AccountBusy(DomainError):
    """Somebody else has been moving this tenant's money for longer than we wait."""

    code = "account_busy"
    status = 503
    retryable = True
    message = _("The account is busy. Try again in a moment.")


@contextmanager
def busy_when_waiting() -> Iterator[None]:
    """Say AccountBusy where a lock was waited for in vain; the limit is set with the account's."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise AccountBusy from error
        raise


def open_account(tenant_id: UUID) -> None:
    """Make the tenant's account where there is none yet; two openers make one."""
    if not Account.objects.filter(tenant_id=tenant_id).exists():
        _make_account(tenant_id)


def lock_account(tenant_id: UUID) -> Account:
    """Lock the tenant's account until the transaction ends, opening it first if need be.

    Locks: first in the order account, pool, reservation.
    Raises: AccountBusy after three seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
    rows = Account.objects.select_for_update(of=("self",))
    with busy_when_waiting():
        account = rows.filter(tenant_id=tenant_id).first()
        if account is None:
            _make_account(tenant_id)
            account = rows.get(tenant_id=tenant_id)
    return account


def _make_account(tenant_id: UUID) -> None:
    Account.objects.bulk_create([Account(tenant_id=tenant_id)], ignore_conflicts=True)
