"""Price models: pure functions from a month's running total to exactly priced portions.

A new model is a module of its own with ``portions`` and ``HAS_TIERS``, and one row below. Figures
for each are in docs/algorithms/pricing.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from billing.pricing import flat, graduated, package, spot, volume
from billing.pricing.terms import Portion, Terms, Tier
from billing.pricing.validity import Fault, faults


@dataclass(frozen=True)
class PriceModel:
    """How a running total is cut into portions, and whether its terms have tiers.

    ``is_linear`` models cost the same however a total is split; all others count everything that
    a tenant uses of a price in a month together.
    """

    portions: Callable[[Terms, int], tuple[Portion, ...]]
    has_tiers: bool
    is_linear: bool = False


MODELS: Mapping[str, PriceModel] = {
    "flat": PriceModel(flat.portions, flat.HAS_TIERS, is_linear=True),
    "graduated": PriceModel(graduated.portions, graduated.HAS_TIERS),
    "volume": PriceModel(volume.portions, volume.HAS_TIERS),
    "package": PriceModel(package.portions, package.HAS_TIERS),
    "spot": PriceModel(spot.portions, spot.HAS_TIERS, is_linear=True),
}


def portions(model: str, terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """The priced portions of a cumulative quantity; nothing for nothing.

    A total below zero, which only a correction of an earlier month can leave, is the mirror of the
    same total above zero, so that giving back is worth what taking was.
    """
    if quantity == 0:
        return ()
    if quantity < 0:
        return tuple(_mirrored(part) for part in MODELS[model].portions(terms, -quantity))
    return MODELS[model].portions(terms, quantity)


def _mirrored(part: Portion) -> Portion:
    return replace(part, quantity=-part.quantity, priced_quantity=-part.priced_quantity)


def charge(model: str, terms: Terms, quantity: int) -> Fraction:
    """The exact net of a cumulative quantity."""
    return sum((part.net for part in portions(model, terms, quantity)), Fraction(0))


def delta(model: str, terms: Terms, *, before: int, after: int) -> Fraction:
    """The exact net of what came after ``before``, on a count that runs through the month.

    Rating the running total and taking off what was billed gives the same money however the
    usage was cut into invoices, also for models whose unit price depends on the total.
    """
    return charge(model, terms, after) - charge(model, terms, before)


def terms_faults(model: str, terms: Terms) -> tuple[Fault, ...]:
    """Why a price cannot have these terms, each as (field, code, sentence)."""
    known = MODELS.get(model)
    return () if known is None else faults(terms, has_tiers=known.has_tiers)


__all__ = [
    "MODELS",
    "Fault",
    "Portion",
    "PriceModel",
    "Terms",
    "Tier",
    "charge",
    "delta",
    "portions",
    "terms_faults",
]
