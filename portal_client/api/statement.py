"""Statement.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEntry:
    """``StatementEntryOut`` of the API."""

    booked_at: datetime
    kind: str
    reference: str
    # What it moved the balance by: charged is below zero.
    amount: Decimal
    # What the wallet paid of an invoice; it moves nothing.
    paid: Decimal
    # Afterwards.
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """``StatementOut`` of the API."""

    starts_at: datetime
    ends_at: datetime
    currency: str
    opening: Decimal
    # The opening balance and every amount.
    closing: Decimal
    invoiced: Decimal
    # By credit notes.
    credited: Decimal
    topped_up: Decimal
    # From the wallet, of invoices.
    paid: Decimal
    other: Decimal
    entries: tuple[StatementEntry, ...]


class StatementApi:
    """The operations of ``/api/v1/statement``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, *, first_day: date | None = None, last_day: date | None = None) -> Statement:
        """Show what moved the balance in some days, with the balance before and after.

        ``first_day``: By the centre's calendar; the first of the present month by default.
        ``last_day``: At most 400 days later; the present month's by default.

        Scope: billing:wallet:read.
        """
        return self._transport.answer(
            Statement,
            Call("GET", path("statement"), query={"first_day": first_day, "last_day": last_day}),
        )
