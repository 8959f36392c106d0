"""Price models: pure functions from a cumulative quantity to an exact net amount."""

from collections.abc import Callable, Mapping
from fractions import Fraction

from billing.pricing import flat
from billing.pricing.flat import Terms

MODELS: Mapping[str, Callable[[int, Terms], Fraction]] = {"flat": flat.charge}


def delta(model: str, terms: Terms, *, before: int, after: int) -> Fraction:
    """The exact net of what came after ``before``, on a count that runs through the month.

    Rating the running total and taking off what was billed gives the same money however the
    usage was cut into invoices, also for models whose unit price depends on the total.
    """
    charge = MODELS[model]
    return charge(after, terms) - charge(before, terms)


__all__ = ["MODELS", "Terms", "delta"]
