"""Which currency a tenant is billed in, and which ones tenants are billed in at all."""

from uuid import UUID

from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.models import Account, PriceVersion, VersionState
from billing.money import CURRENCIES, CURRENCY
from common.errors import DomainError


class CurrencyUnknown(DomainError):
    """Not one of the currencies that tenants are billed in."""

    code = "currency_unknown"
    status = 422
    message = _("Tenants are billed in one of %(known)s.")


def refuse_unknown(currency: str) -> None:
    """Raises: CurrencyUnknown."""
    if currency not in CURRENCIES:
        raise CurrencyUnknown(known=", ".join(CURRENCIES))


def own_currency() -> Coalesce:
    """The currency of the tenant a row belongs to, to annotate rows of any tenants with."""
    own = Account.objects.filter(tenant_id=OuterRef("tenant_id")).values("currency")[:1]
    return Coalesce(Subquery(own), Value(CURRENCY))


def billed_in(tenant_id: UUID) -> Coalesce:
    """The tenant's currency as part of another statement; the centre's before an account."""
    own = Account.objects.filter(tenant_id=tenant_id).values("currency")[:1]
    return Coalesce(Subquery(own), Value(CURRENCY))


def currency_of(tenant_id: UUID) -> str:
    """The currency of everything that is the tenant's money; one statement."""
    own = Account.objects.filter(tenant_id=tenant_id).values_list("currency", flat=True).first()
    return CURRENCY if own is None else own


def currencies_in_use() -> tuple[str, ...]:
    """The centre's currency and those of any account or published list; one statement.

    Needs operator scope: the accounts are every tenant's.
    """
    listed = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    found = set(
        Account.objects.order_by()
        .values_list("currency", flat=True)
        .union(listed.values_list("currency", flat=True))
    )
    return tuple(code for code in CURRENCIES if code == CURRENCY or code in found)
