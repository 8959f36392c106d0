"""The package price model: whole packages are sold, and a started one is paid in full."""

from billing.pricing.terms import Portion, Terms

HAS_TIERS = False


def portions(terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """The quantity in as many packages of ``unit_quantity`` base units as it takes."""
    started = -(-quantity // terms.unit_quantity)
    return (
        Portion(
            "package",
            quantity,
            started * terms.unit_quantity,
            terms.unit_price,
            terms.unit_quantity,
        ),
    )
