"""Fapiao.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class FapiaoLine:
    """``FapiaoLineOut`` of the API."""

    goods_code: str
    item: str
    unit: str
    quantity: Decimal
    price: Decimal
    net: Decimal
    tax_rate: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fapiao:
    """``FapiaoOut`` of the API."""

    id: UUID
    serial: str
    # Twenty digits once it is issued, else empty.
    number: str
    kind: str
    # blue, or red for one that takes another back.
    direction: str
    state: str
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    gross_words: str
    requested_at: datetime
    issued_at: datetime | None
    # The number of the fapiao that a red letter takes back.
    original_number: str
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FapiaoSheet:
    """``FapiaoSheetOut`` of the API."""

    id: UUID
    serial: str
    # Twenty digits once it is issued, else empty.
    number: str
    kind: str
    # blue, or red for one that takes another back.
    direction: str
    state: str
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    gross_words: str
    requested_at: datetime
    issued_at: datetime | None
    # The number of the fapiao that a red letter takes back.
    original_number: str
    failure: str
    buyer_name: str
    buyer_tax_number: str
    lines: tuple[FapiaoLine, ...]


class FapiaoApi:
    """The operations of ``/api/v1/fapiao``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Fapiao]:
        """List the fapiao, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:fapiao:read.
        """
        return self._transport.pages(
            Fapiao, Call("GET", path("fapiao"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        invoices: Sequence[UUID],
        remark: str | None = None,
        idempotency_key: str | None = None,
    ) -> Fapiao:
        """Ask for one fapiao over all that is left of some invoices.

        ``invoices``: Invoices, or top-ups where the tenant's fapiao stand for those.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:fapiao:request.
        """
        return self._transport.answer(
            Fapiao,
            Call(
                "POST",
                path("fapiao"),
                body=body_of({"invoices": invoices}, {"remark": remark}),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, fapiao_id: UUID | str) -> FapiaoSheet:
        """Show one fapiao with its lines.

        Scope: billing:fapiao:read.
        """
        return self._transport.answer(FapiaoSheet, Call("GET", path("fapiao", fapiao_id)))
