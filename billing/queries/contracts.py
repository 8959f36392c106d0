"""What a tenant agreed: its contracts, their terms, and the prices these make."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.models import Contract, ContractTerm, TermKind
from billing.pricing import Terms
from billing.pricing.agreed import AgreedTerm
from billing.pricing.stored import tiers_of
from billing.trueup import SpendTerm
from common.errors import NotFound
from common.paging import Page, in_order
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class Agreements:
    """All agreed terms of one tenant that ever counted, as rating needs them."""

    rates: tuple[AgreedTerm, ...]
    spends: tuple[SpendTerm, ...]


NOTHING_AGREED = Agreements((), ())


def agreements(tenant_id: UUID) -> Agreements:
    """The terms of active and ended contracts with the hours they hold; one statement."""
    found = (
        ContractTerm.objects.filter(tenant_id=tenant_id, in_force__isnull=False)
        .exclude(in_force__isempty=True)
        .select_related("contract")
        .order_by("starts_at", "pk")
    )
    rates: list[AgreedTerm] = []
    spends: list[SpendTerm] = []
    for term in found:
        if term.kind in (TermKind.DISCOUNT, TermKind.PRICE):
            rates.append(agreed_rate(term))
        else:
            spends.append(agreed_spend(term))
    return Agreements(tuple(rates), tuple(spends))


def agreed_rate(term: ContractTerm) -> AgreedTerm:
    """A discount or a fixed price as rating needs it."""
    fixed = None
    if term.unit_price is not None and term.unit_quantity is not None:
        fixed = Terms(term.unit_price, term.unit_quantity, tiers_of(term.tiers))
    return AgreedTerm(
        id=term.pk,
        contract_number=term.contract.number,
        meter=term.meter,
        sku=term.sku,
        match=term.match,
        starts_at=term.in_force.lower,
        ends_at=term.in_force.upper,
        discount_percent=term.discount_percent,
        model=term.model,
        terms=fixed,
    )


def agreed_spend(term: ContractTerm) -> SpendTerm:
    """A minimum or a committed amount that is or was in force."""
    return SpendTerm(
        id=term.pk,
        contract_number=term.contract.number,
        kind=term.kind,
        interval=term.interval,
        amount=term.amount or Decimal(0),
        tax_code=term.tax_code,
        starts_at=term.in_force.lower,
        ends_at=term.in_force.upper,
        agreed_ends_at=term.ends_at,
    )


def open_from(tenant_id: UUID) -> datetime | None:
    """The first whole hour that no invoice of the tenant has closed; None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nullif(billing_open_from(%s), '-infinity')", [tenant_id])
        row: tuple[datetime | None] = cursor.fetchone()
    return row[0]


def contracts(*, actor: Actor, tenant_id: UUID) -> tuple[Contract, ...]:
    """A tenant's contracts with their terms, the latest first; two statements.

    Drafts are the centre's own business: tenants see what was agreed.
    Raises: PermissionRefused.
    """
    require(actor, Permission.CONTRACT_READ, tenant_id)
    found = Contract.objects.filter(tenant_id=tenant_id).prefetch_related("terms")
    if Permission.CONTRACT_MANAGE not in actor.permissions:
        found = found.exclude(state="draft")
    return tuple(found.order_by("-starts_at", "-pk"))


def contract(*, actor: Actor, tenant_id: UUID, contract_id: UUID) -> Contract:
    """Raises: PermissionRefused, NotFound."""
    wanted: Sequence[Contract] = [
        one for one in contracts(actor=actor, tenant_id=tenant_id) if one.pk == contract_id
    ]
    if not wanted:
        raise NotFound
    return wanted[0]


def contract_page(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[Contract]:
    """A tenant's contracts by number, a page at a time. Raises: PermissionRefused, InvalidInput."""
    rows = sorted(contracts(actor=actor, tenant_id=tenant_id), key=_number)
    return in_order(rows, _number, cursor=cursor, limit=limit)


def _number(contract: Contract) -> str:
    return contract.number
