"""The volume price model: the whole quantity costs the price of the tier that its total reaches."""

from billing.pricing.terms import Portion, Terms, fee_portion

HAS_TIERS = True


def portions(terms: Terms, quantity: int) -> tuple[Portion, ...]:
    """One portion of everything, and the reached tier's fee.

    Entering the next tier prices all that came before anew: its key stays while its unit price
    changes, so the difference stands on the next invoice as a reversal and a new line.
    """
    for number, tier in enumerate(terms.tiers, start=1):
        if tier.up_to is None or quantity <= tier.up_to:
            whole = Portion("volume", quantity, quantity, tier.unit_price, terms.unit_quantity)
            return (*fee_portion(number, tier), whole)
    return ()
