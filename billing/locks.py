"""The account lock: everything that takes a tenant's money queues on its one row."""

from uuid import UUID

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _

from billing.models import Account
from common.errors import DomainError


class AccountBusy(DomainError):
    """Somebody else has been moving this tenant's money for longer than we wait."""

    code = "account_busy"
    status = 503
    retryable = True
    message = _("The account is busy. Try again in a moment.")


def open_account(tenant_id: UUID) -> None:
    """Make the tenant's account where there is none yet; two openers make one."""
    if not Account.objects.filter(tenant_id=tenant_id).exists():
        Account.objects.bulk_create([Account(tenant_id=tenant_id)], ignore_conflicts=True)


def lock_account(tenant_id: UUID) -> Account:
    """Lock the tenant's account until the transaction ends, opening it first if need be.

    Locks: first in the order account, pool, reservation.
    Raises: AccountBusy after three seconds.
    """
    open_account(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
    try:
        return Account.objects.select_for_update(of=("self",)).get(tenant_id=tenant_id)
    except OperationalError as error:
        raise AccountBusy from error
