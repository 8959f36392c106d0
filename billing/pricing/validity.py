"""Which terms a price model can work with."""

from collections.abc import Iterator
from decimal import Decimal, localcontext

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.pricing.terms import Terms, Tier

# What the columns can hold: fifteen places before the point and fifteen after it.
LARGEST = Decimal(10) ** 15
SMALLEST = Decimal(1).scaleb(-15)
DIGITS = 60
MOST_UNITS = 10**15
MOST_TIERS = 50
Fault = tuple[str, str, str | Promise]


def faults(terms: Terms, *, has_tiers: bool) -> tuple[Fault, ...]:
    """What is wrong with the terms, each as (field, code, sentence); empty where nothing is."""
    found: list[Fault] = []
    if not _is_amount(terms.unit_price) or not 0 < terms.unit_quantity <= MOST_UNITS:
        found.append(("unit_price", "amount", _("A price is zero or more, per unit.")))
    if terms.tiers and not has_tiers:
        found.append(("tiers", "no_tiers", _("This price model has no tiers.")))
    if has_tiers:
        found.extend(_tier_faults(terms.tiers))
    return tuple(found)


def _tier_faults(tiers: tuple[Tier, ...]) -> Iterator[Fault]:
    if not tiers or len(tiers) > MOST_TIERS:
        yield "tiers", "tiers", _("This price model has between one tier and fifty.")
        return
    if tiers[-1].up_to is not None:
        yield "tiers", "last_tier_closed", _("The last tier has no upper end.")
    start = 0
    for number, tier in enumerate(tiers):
        where = f"tiers/{number}"
        if tier.up_to is None:
            if number + 1 < len(tiers):
                yield where, "open_tier", _("Only the last tier has no upper end.")
        elif not start < tier.up_to <= MOST_UNITS:
            yield where, "not_ascending", _("Each tier ends after the one before it.")
        else:
            start = tier.up_to
        if not _is_amount(tier.unit_price) or not _is_amount(tier.fee):
            yield where, "amount", _("A price is zero or more, per unit.")


def _is_amount(value: Decimal) -> bool:
    if not value.is_finite() or not 0 <= value < LARGEST:
        return False
    with localcontext(prec=DIGITS):
        return value == value.quantize(SMALLEST)
