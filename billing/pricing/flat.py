"""The flat price model: every unit costs the same, however many there are."""

from billing.pricing.terms import Portion, Terms

HAS_TIERS = False


def portions(terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """All of the quantity at the one price."""
    return (Portion("flat", quantity, quantity, terms.unit_price, terms.unit_quantity),)
