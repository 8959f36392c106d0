"""The spot price model: one price for every unit, which dated quotes replace hour by hour."""

from billing.pricing.terms import Portion, Terms

HAS_TIERS = False


def portions(terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """All of the quantity at the price of its hour, which rating has put into the terms."""
    return (Portion("spot", quantity, quantity, terms.unit_price, terms.unit_quantity),)
