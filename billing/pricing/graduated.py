"""The graduated price model: each unit costs the price of the tier it falls into."""

from billing.pricing.terms import Portion, Terms, fee_portion

HAS_TIERS = True


def portions(terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """One portion for each tier that was entered, its fee before it."""
    found: list[Portion] = []
    start = 0
    for number, tier in enumerate(terms.tiers, start=1):
        if quantity <= start:
            break
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        inside = end - start
        found.extend(fee_portion(number, tier))
        found.append(
            Portion(f"tier:{number}", inside, inside, tier.unit_price, terms.unit_quantity)
        )
        start = end
    return tuple(found)
