"""Voucher applications.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """``ApplicationOut`` of the API."""

    id: UUID
    scheme: str
    state: str
    contract: str
    amount: Decimal
    granted_amount: Decimal | None
    evidence: Mapping[str, str]
    reason: str
    created_at: datetime


class VoucherApplicationsApi:
    """The operations of ``/api/v1/voucher-applications``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Application]:
        """List the applications, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:wallet:read.
        """
        return self._transport.pages(
            Application, Call("GET", path("voucher-applications"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        scheme: str,
        amount: Decimal,
        contract: str | None = None,
        unrelated: bool | None = None,
        evidence: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Application:
        """Apply for a voucher; a scheme without a review grants it at once.

        ``amount``: Money with tax, in whole fen.
        ``unrelated``: That the organisation is not related to the centre.
        ``evidence``: For each kind the scheme asks for, the document's reference.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:voucher:apply.
        """
        return self._transport.answer(
            Application,
            Call(
                "POST",
                path("voucher-applications"),
                body=body_of(
                    {"scheme": scheme, "amount": amount},
                    {"contract": contract, "unrelated": unrelated, "evidence": evidence},
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )
