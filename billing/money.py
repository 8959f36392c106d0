"""The one rounding rule. Amounts before it are exact fractions, after it Decimals of whole fen."""

from decimal import Decimal
from fractions import Fraction

# The centre's own currency: its books, the city's vouchers and fapiao are in it.
CURRENCY = "CNY"
# What tenants can be billed in. All have hundredths, to which amounts are rounded.
CURRENCIES = (CURRENCY, "EUR", "GBP", "HKD", "SGD", "USD")
FEN = Decimal("0.01")


def round_to_fen(amount: Fraction) -> Decimal:
    """Round half up to the fen, away from zero for corrections; done once, on an invoice line."""
    fen = abs(amount) * 100
    whole = (2 * fen.numerator + fen.denominator) // (2 * fen.denominator)
    return (Decimal(whole) * FEN).copy_sign(Decimal(amount.numerator or 1))


def tax_on(net: Decimal, rate: Decimal) -> Decimal:
    """The tax on one line's rounded net, itself rounded to the fen."""
    return round_to_fen(Fraction(net) * Fraction(rate))


def is_whole_fen(amount: Decimal) -> bool:
    """Whether an amount is a number without parts of a fen."""
    return amount.is_finite() and amount == amount.quantize(FEN)
