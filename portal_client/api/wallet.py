"""Wallet.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """``MovementOut`` of the API."""

    id: UUID
    # What moved it, such as top_up, invoice, settlement or credit_note.
    kind: str
    # The invoice, note or payment it is of.
    reference: str
    booked_at: datetime
    # Into the wallet; below zero out of it.
    wallet: Decimal
    # Owed in addition; below zero less.
    receivable: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """``WalletOut`` of the API."""

    currency: str
    # Paid in, less what is owed on invoices.
    balance: Decimal
    credit_limit: Decimal
    # Set aside for reservations and work.
    held: Decimal
    # Used and not yet invoiced, with tax.
    unbilled: Decimal
    # What a new promise may take.
    available: Decimal


class WalletApi:
    """The operations of ``/api/v1/wallet``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Wallet:
        """Show how the tenant stands.

        Scope: billing:wallet:read.
        """
        return self._transport.answer(Wallet, Call("GET", path("wallet")))

    def list_movements(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> Pages[Movement]:
        """List the movements of the wallet and of what is owed, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:wallet:read.
        """
        return self._transport.pages(
            Movement, Call("GET", path("wallet", "movements"), query={"limit": limit}), cursor
        )
