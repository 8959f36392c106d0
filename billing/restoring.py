"""Where credits that paid for a line hear that it is credited; without them nothing goes back."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID


def restore_credits(
    *, tenant_id: UUID, invoice_line_id: UUID, amount: Decimal, now: datetime
) -> Decimal:
    """What goes back to vouchers and promotional credit of ``amount`` (gross) of a line."""
    return Decimal(0)
