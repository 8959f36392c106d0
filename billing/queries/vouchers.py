"""Voucher schemes and applications, for tenants who ask and operators who decide."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from billing.models import ApplicationState, VoucherApplication, VoucherScheme
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require


def open_schemes(*, actor: Actor, tenant_id: UUID, now: datetime) -> tuple[VoucherScheme, ...]:
    """The schemes a tenant may apply to now, by code. Raises: PermissionRefused."""
    require(actor, Permission.WALLET_READ, tenant_id)
    rows = VoucherScheme.objects.filter(
        Q(applications_from=None) | Q(applications_from__lte=now),
        Q(applications_until=None) | Q(applications_until__gt=now),
        Q(valid_until=None) | Q(valid_until__gt=now),
        is_open=True,
    )
    return tuple(rows.order_by("code"))


def all_schemes(*, actor: Actor) -> tuple[VoucherScheme, ...]:
    """Every scheme, by code; there are few. Raises: PermissionRefused."""
    require(actor, Permission.SETTLEMENT_READ)
    return tuple(VoucherScheme.objects.order_by("code"))


def scheme_of_code(*, actor: Actor, code: str) -> VoucherScheme:
    """Raises: PermissionRefused, NotFound."""
    require(actor, Permission.SETTLEMENT_READ)
    scheme = VoucherScheme.objects.filter(code=code).first()
    if scheme is None:
        raise NotFound
    return scheme


def applications(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[VoucherApplication]:
    """A tenant's applications, newest first. Raises: PermissionRefused, InvalidInput."""
    require(actor, Permission.WALLET_READ, tenant_id)
    rows = VoucherApplication.objects.filter(tenant_id=tenant_id).select_related("scheme")
    return newest_first(rows, cursor=cursor, limit=limit)


def waiting_applications(
    *, actor: Actor, cursor: str | None = None, limit: int = 50
) -> Page[VoucherApplication]:
    """What waits for a decision, of every tenant. Raises: PermissionRefused, InvalidInput."""
    require(actor, Permission.VOUCHER_REVIEW)
    waiting = (ApplicationState.SUBMITTED, ApplicationState.REVIEWED)
    rows = VoucherApplication.objects.filter(state__in=waiting)
    return newest_first(rows.select_related("scheme", "tenant"), cursor=cursor, limit=limit)


def application_tenant(*, actor: Actor, application_id: UUID) -> UUID:
    """Whose application this is. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.VOUCHER_REVIEW)
    row = VoucherApplication.objects.filter(pk=application_id).first()
    if row is None:
        raise NotFound
    return row.tenant_id
