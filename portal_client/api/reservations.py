"""Reservations.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """``ReservationOut`` of the API."""

    id: UUID
    project: str
    pool: str
    chip: str
    cards: int
    starts_at: datetime
    ends_at: datetime
    state: str
    hold_expires_at: datetime
    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    # Of one card for an hour, net.
    unit_price: Decimal
    reason: str
    created_at: datetime


class ReservationsApi:
    """The operations of ``/api/v1/reservations``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Reservation]:
        """List the reservations, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: compute:reservation:read.
        """
        return self._transport.pages(
            Reservation, Call("GET", path("reservations"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        project: str,
        pool: str,
        cards: int,
        starts_at: datetime,
        ends_at: datetime,
        idempotency_key: str | None = None,
    ) -> Reservation:
        """Hold cards at a price for ten minutes; submit to keep them.

        ``project``: The project's code.
        ``pool``: The pool's code.
        ``starts_at``: On a whole minute; this one at the earliest.
        ``ends_at``: On a whole minute.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: compute:reservation:create.
        """
        return self._transport.answer(
            Reservation,
            Call(
                "POST",
                path("reservations"),
                body=body_of(
                    {
                        "project": project,
                        "pool": pool,
                        "cards": cards,
                        "starts_at": starts_at,
                        "ends_at": ends_at,
                    },
                    {},
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, reservation_id: UUID | str) -> Reservation:
        """Show one reservation.

        Scope: compute:reservation:read.
        """
        return self._transport.answer(
            Reservation, Call("GET", path("reservations", reservation_id))
        )

    def cancel(
        self, reservation_id: UUID | str, *, idempotency_key: str | None = None
    ) -> Reservation:
        """Give up a reservation that has not started; cards and money are free at once.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: compute:reservation:cancel.
        """
        return self._transport.answer(
            Reservation,
            Call(
                "POST", path("reservations", reservation_id, "cancel"), key=key_for(idempotency_key)
            ),
        )

    def end(self, reservation_id: UUID | str, *, idempotency_key: str | None = None) -> Reservation:
        """End an active reservation early; work in it is stopped.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: compute:reservation:cancel.
        """
        return self._transport.answer(
            Reservation,
            Call("POST", path("reservations", reservation_id, "end"), key=key_for(idempotency_key)),
        )

    def submit(
        self, reservation_id: UUID | str, *, idempotency_key: str | None = None
    ) -> Reservation:
        """Ask for approval; the whole price is set aside.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: compute:reservation:create.
        """
        return self._transport.answer(
            Reservation,
            Call(
                "POST", path("reservations", reservation_id, "submit"), key=key_for(idempotency_key)
            ),
        )
