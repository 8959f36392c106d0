"""What keeps a contract or one of its terms from being agreed, field by field."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from billing import meters
from billing.models import Contract, TaxRate, TermInterval, TermKind
from billing.pricing import MODELS, Terms, terms_faults
from common.errors import FieldError
from common.period import floor_hour

if TYPE_CHECKING:
    from billing.commands.contracts import TermLine

MOST_PERCENT = Decimal(100)
LARGEST_AMOUNT = Decimal(10) ** 15


def period_faults(starts_at: datetime, ends_at: datetime) -> list[FieldError]:
    """What is wrong with a period by itself: whole hours, and the end after the start."""
    errors = []
    for name, at in (("starts_at", starts_at), ("ends_at", ends_at)):
        if at != floor_hour(at):
            errors.append(FieldError(f"/{name}", "not_whole_hour", _("Give a whole hour.")))
    if ends_at <= starts_at:
        errors.append(FieldError("/ends_at", "order", _("The end is after the start.")))
    return errors


def term_faults(contract: Contract, term: "TermLine") -> list[FieldError]:
    """Why a term cannot stand in a contract; empty where it can."""
    errors = period_faults(term.starts_at, term.ends_at)
    if term.starts_at < contract.starts_at or term.ends_at > contract.ends_at:
        errors.append(FieldError("/starts_at", "outside", _("A term lies within its contract.")))
    if term.kind in (TermKind.DISCOUNT, TermKind.PRICE):
        errors.extend(_subject_faults(term))
        errors.extend(
            _discount_faults(term) if term.kind == TermKind.DISCOUNT else _price_faults(term)
        )
    elif term.kind in (TermKind.MINIMUM, TermKind.COMMITMENT):
        errors.extend(_amount_faults(term))
    else:
        errors.append(FieldError("/kind", "kind", _("There is no such kind of term.")))
    return errors


def _subject_faults(term: "TermLine") -> list[FieldError]:
    known = meters.declared().get(term.meter)
    if term.meter and known is None:
        return [FieldError("/meter", "meter", _("There is no such meter."))]
    if term.match and (known is None or not set(term.match) <= set(known.dimensions)):
        return [FieldError("/match", "match", _("The meter has no such property."))]
    return []


def _discount_faults(term: "TermLine") -> list[FieldError]:
    percent = term.discount_percent
    if percent is None or not percent.is_finite() or not 0 < percent <= MOST_PERCENT:
        text = _("A discount is more than 0 and at most 100 per cent.")
        return [FieldError("/discount_percent", "percent", text)]
    return []


def _price_faults(term: "TermLine") -> list[FieldError]:
    if not term.sku and not term.meter:
        text = _("A fixed price is for a SKU or a meter.")
        return [FieldError("/sku", "subject", text)]
    if term.model not in MODELS or term.model == "spot":
        return [FieldError("/model", "model", _("There is no such price model."))]
    if term.unit_price is None or term.unit_quantity is None:
        return [FieldError("/unit_price", "amount", _("A price is zero or more, per unit."))]
    terms = Terms(term.unit_price, term.unit_quantity, term.tiers)
    return [
        FieldError(f"/{name}", code, sentence)
        for name, code, sentence in terms_faults(term.model, terms)
    ]


def _amount_faults(term: "TermLine") -> list[FieldError]:
    amount = term.amount
    errors = []
    if amount is None or not amount.is_finite() or not 0 < amount < LARGEST_AMOUNT:
        errors.append(FieldError("/amount", "amount", _("An agreed amount is more than zero.")))
    if term.interval not in TermInterval.values or (
        term.kind == TermKind.MINIMUM and term.interval != TermInterval.MONTH
    ):
        text = _("A minimum is for each month; committed spend is for each month or all of it.")
        errors.append(FieldError("/interval", "interval", text))
    if not TaxRate.objects.filter(tax_code=term.tax_code).exists():
        errors.append(FieldError("/tax_code", "tax_code", _("There is no such tax code.")))
    return errors
