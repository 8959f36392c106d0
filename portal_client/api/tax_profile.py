"""Tax profile.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portal_client.calls import Call, body_of, path
from portal_client.transport import Transport

FapiaoKind = Literal["digital_ordinary", "digital_special"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxProfile:
    """``TaxProfileOut`` of the API."""

    buyer_name: str
    # digital_ordinary or digital_special.
    kind: str
    # A unified social credit code, or empty.
    tax_number: str
    address_phone: str
    bank_account: str
    # What fapiao stand for, as the centre said: on_consumption or on_topup.
    basis: str
    updated_at: datetime


class TaxProfileApi:
    """The operations of ``/api/v1/tax-profile``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> TaxProfile:
        """Show the tax profile; there is none before it is first said.

        Scope: billing:fapiao:read.
        """
        return self._transport.answer(TaxProfile, Call("GET", path("tax-profile")))

    def replace(
        self,
        *,
        buyer_name: str,
        kind: FapiaoKind,
        tax_number: str | None = None,
        address_phone: str | None = None,
        bank_account: str | None = None,
    ) -> TaxProfile:
        """Say the tax profile anew, all of it; fapiao already asked for keep what they say.

        ``tax_number``: A unified social credit code; a special VAT fapiao needs it.

        Scope: billing:fapiao:request.
        """
        return self._transport.answer(
            TaxProfile,
            Call(
                "PUT",
                path("tax-profile"),
                body=body_of(
                    {"buyer_name": buyer_name, "kind": kind},
                    {
                        "tax_number": tax_number,
                        "address_phone": address_phone,
                        "bank_account": bank_account,
                    },
                ),
                has_body=True,
            ),
        )
