"""A centre with pools, tenants and requests, and operators who are signed in to it."""

from datetime import datetime, timedelta

from django.test import Client

from common.clock import utc_now
from common.period import Period
from compute.commands.reservations import approve, hold, submit
from compute.models import Reservation
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import compute as made
from tests.factories.tenants import operator

ROLES = ("support", "capacity", "finance", "admin")
HOUR = timedelta(hours=1)
# Every page under /ops/ that lists or shows what the stage has.
PAGES = (
    "",
    "approvals/",
    "reservations/",
    "deployments/",
    "pools/",
    "pools/h20/",
    "nodes/",
    "nodes/wall/",
    "clusters/",
    "chips/",
    "chips/nvidia-h20/",
    "tenants/",
    "tenants/alice/",
    "tenants/alice/arrears/",
    "tenants/alice/usage/",
    "tenants/alice/usage/refused/",
    "tenants/alice/money-out/",
    "revenue/",
    "revenue/leakage/",
    "arrears/",
    "arrears/tiers/",
    "catalogue/",
    "prices/",
    "prices/new/",
    "prices/taxes/",
    "prices/spot/",
    "tenants/alice/contracts/",
    "invoices/",
    "jobs/",
    "audit/",
)


def signed_in(role: str) -> Client:
    """An operator's browser; a page that breaks raises in the test."""
    client = Client()
    client.force_login(operator(role))
    return client


def minute() -> datetime:
    return utc_now().replace(second=0, microsecond=0)


def requested(
    tenant: made.Tenant, *, pool: str = "h20", cards: int = 2, starts_in: timedelta = HOUR
) -> Reservation:
    """A reservation that waits for approval."""
    start = minute() + starts_in
    with tenant_scope(tenant.organisation.pk):
        held = hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code=pool,
            cards=cards,
            period=Period(start, start + 2 * HOUR),
            now=utc_now(),
        )
        return submit(actor=tenant.actor, reservation_id=held.pk, now=utc_now())


def confirmed(tenant: made.Tenant, **asked: object) -> Reservation:
    waiting = requested(tenant, **asked)  # type: ignore[arg-type]
    with operator_scope():
        return approve(actor=made.operator(), reservation_id=waiting.pk, now=utc_now())


def again(reservation: Reservation) -> Reservation:
    """The row as it is now."""
    with operator_scope():
        return Reservation.objects.get(pk=reservation.pk)
