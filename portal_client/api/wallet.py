"""Wallet.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from decimal import Decimal

from portal_client.calls import Call, path
from portal_client.transport import Transport


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
