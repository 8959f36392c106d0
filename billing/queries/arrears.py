"""How tenants stand with what they owe, for whoever has to obey it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from billing.arrears import (
    COVERED,
    OWING,
    ArrearsState,
    Deadlines,
    ResourceClass,
    refuses,
)
from billing.models import Account, ArrearsStanding
from billing.money import CURRENCY
from billing.queries.currencies import own_currency
from billing.queries.wallet import NOTHING as NO_MONEY
from billing.queries.wallet import Standing
from common.errors import DomainError
from common.zone import centre_zone
from tenants.permissions import Permission

S = ArrearsState
NOTHING: frozenset[ResourceClass] = frozenset()
RESOLUTION = _("Top up the wallet by the amount needed; it takes effect at once.")


@dataclass(frozen=True)
class Arrears:
    """A tenant's standing as others read it.

    Shape: ``must_freeze`` are the classes whose work must not run, ``released`` those that are
    given up; both follow the stored state and its deadlines. ``since`` is when the state began.
    """

    state: ArrearsState
    since: datetime | None = None
    episode: UUID | None = None
    owing_since: datetime | None = None
    deadlines: Deadlines | None = None
    checkpoint_minutes: int = 10
    amount_needed: Decimal = Decimal("0.00")
    daily_spend: Decimal = Decimal(0)
    days_left: Decimal | None = None
    exempt_until: datetime | None = None
    must_freeze: frozenset[ResourceClass] = NOTHING
    released: frozenset[ResourceClass] = NOTHING
    currency: str = CURRENCY

    @property
    def is_owing(self) -> bool:
        return self.state in OWING

    @property
    def may_create(self) -> bool:
        """Whether anything new may begin."""
        return not self.is_owing

    @property
    def deadline(self) -> datetime | None:
        """When the next harder thing happens; None where no deadline runs."""
        if self.deadlines is None or self.state == S.RELEASED:
            return None
        if self.state == S.GRACE:
            return self.deadlines.first_freeze_at
        return self.deadlines.last_release_at


# Two tables of one row per tenant, of which either may have none yet.
_BOTH = """
SELECT s.*, coalesce(a.currency, 'CNY') AS currency, a.wallet, a.receivable, a.held,
    a.credit_limit, a.unbilled
FROM (VALUES (%s::uuid)) AS t (tenant_id)
LEFT JOIN billing_account a ON a.tenant_id = t.tenant_id
LEFT JOIN billing_arrearsstanding s ON s.tenant_id = t.tenant_id
"""


def arrears_and_account(tenant_id: UUID, now: datetime) -> tuple[Arrears, Standing]:
    """How the tenant stands and what it may spend, in one statement: every page shows it."""
    (row,) = ArrearsStanding.objects.raw(_BOTH, [tenant_id])
    # The row carries an account's columns beside its own.
    account = cast("Account", row)
    money = NO_MONEY if account.wallet is None else Standing.of(account)
    before = Arrears(state=S.NORMAL, currency=money.currency)
    return (before if row.pk is None else as_arrears(row, now)), money


def standing_of(tenant_id: UUID, now: datetime) -> Arrears:
    """How the tenant stands; one statement. In order before its first assessment."""
    return arrears_and_account(tenant_id, now)[0]


def standings() -> QuerySet[ArrearsStanding]:
    """The rows that ``as_arrears`` reads: each with its tenant's currency."""
    return ArrearsStanding.objects.annotate(currency=own_currency())


def as_arrears(row: ArrearsStanding, now: datetime) -> Arrears:
    """The row of ``standings`` as others read it: which classes are frozen and given up by now."""
    deadlines = row.deadlines
    state = S(row.state)
    frozen = released = NOTHING
    if deadlines is not None and state in {S.RETENTION, S.RELEASED}:
        frozen = frozenset(kind for kind in ResourceClass if deadlines.freeze_at(kind) <= now)
        released = frozenset(kind for kind in ResourceClass if deadlines.release_at(kind) <= now)
    return Arrears(
        state=state,
        since=row.state_at,
        episode=row.episode,
        owing_since=row.owing_since,
        deadlines=deadlines,
        checkpoint_minutes=row.checkpoint_minutes,
        amount_needed=row.amount_needed,
        daily_spend=row.daily_spend,
        days_left=row.days_left,
        exempt_until=row.exempt_until,
        must_freeze=frozen,
        released=released & frozen,
        currency=row.currency,  # type: ignore[attr-defined]
    )


def frozen_tenants(now: datetime) -> Mapping[UUID, Arrears]:
    """Every tenant some of whose work must not run; needs the operators' scope."""
    rows = standings().filter(state__in=[S.RETENTION, S.RELEASED])
    read = {row.tenant_id: as_arrears(row, now) for row in rows.order_by("tenant_id")}
    return MappingProxyType({key: one for key, one in read.items() if one.must_freeze})


def carried_tenants(now: datetime) -> Sequence[UUID]:
    """Tenants without funds whose running work goes on all the same: in arrears, or exempt.

    Needs the operators' scope. What of theirs is frozen, ``frozen_tenants`` says.
    """
    owing = ArrearsStanding.objects.exclude(state__in=sorted(COVERED))
    exempt = ArrearsStanding.objects.filter(exempt_until__gt=now, amount_needed__gt=0)
    return list((owing | exempt).order_by("tenant_id").values_list("tenant_id", flat=True))


class ArrearsRefused(DomainError):
    """The tenant owes more than it has: nothing new begins until it has paid."""

    code = "arrears"
    status = 402
    message = _("The account is in arrears: %(needed)s %(currency)s are needed.")

    def __init__(self, arrears: Arrears) -> None:
        super().__init__(
            needed=arrears.amount_needed,
            currency=arrears.currency,
            deadline=_at_centre(arrears.deadline),
        )
        self.arrears = arrears

    @property
    def members(self) -> Mapping[str, object]:
        """For programs: which state, until when, how much, and what to do."""
        arrears = self.arrears
        return {
            "reason": "arrears",
            "state": arrears.state.value,
            "deadline": arrears.deadline.isoformat() if arrears.deadline else None,
            "amount_needed": str(arrears.amount_needed),
            "currency": arrears.currency,
            "resolution": str(
                _("Top up the wallet by the amount needed; it takes effect at once.")
            ),
        }


class InGrace(ArrearsRefused):
    code = "arrears_grace"
    message = _(
        "The account is in arrears: %(needed)s %(currency)s are needed. What runs keeps running "
        "until %(deadline)s, but nothing new can be started."
    )


class InRetention(ArrearsRefused):
    code = "arrears_retention"
    message = _(
        "The account is frozen for arrears: %(needed)s %(currency)s are needed. What was stopped "
        "is kept until %(deadline)s."
    )


class IsReleased(ArrearsRefused):
    code = "arrears_released"
    message = _(
        "The account stayed in arrears and its resources were given up: %(needed)s %(currency)s "
        "are needed before anything new can be started."
    )


REFUSALS: Mapping[ArrearsState, type[ArrearsRefused]] = {
    S.GRACE: InGrace,
    S.RETENTION: InRetention,
    S.RELEASED: IsReleased,
}


def refuse_in_arrears(tenant_id: UUID, permission: Permission, now: datetime) -> None:
    """Refuse what arrears stand in the way of; reads nothing for a permission they never do.

    Raises: InGrace, InRetention, IsReleased.
    """
    if not refuses(permission, S.RELEASED):
        return
    arrears = standing_of(tenant_id, now)
    if refuses(permission, arrears.state):
        raise REFUSALS[arrears.state](arrears)


def _at_centre(at: datetime | None) -> str:
    """An instant as the centre's clock shows it, with the zone's name."""
    if at is None:
        return ""
    zone = centre_zone()
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
