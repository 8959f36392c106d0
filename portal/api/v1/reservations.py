"""Reservations: hold, submit, cancel, end."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from common.period import Period
from compute.commands.reservations import cancel, end_now, hold, submit
from compute.queries.listings import listed, reservation_listing, reservation_listings
from portal.api.endpoint import Call, Endpoint, posts, reads, says
from portal.api.fields import Instant, Money, Strict, Text, Whole, refuse_reversed
from tenants.permissions import Permission
from tenants.queries.projects import project_named


class ReservationIn(Strict):
    project = Text(max_length=40, help_text=_("The project's code."))
    pool = Text(max_length=60, help_text=_("The pool's code."))
    cards = Whole(min_value=1, max_value=1_000_000)
    starts_at = Instant(help_text=_("On a whole minute; this one at the earliest."))
    ends_at = Instant(help_text=_("On a whole minute."))

    def validate(self, attrs: Any) -> Any:
        refuse_reversed(attrs, "starts_at", "ends_at")
        return attrs


class Nothing(Strict):
    """A body without members."""


# Output serializers are generic over models this layer must not import.
class ReservationOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField(source="reservation.id")
    project = serializers.CharField(source="reservation.project.code")
    pool = serializers.CharField(source="reservation.pool.code")
    chip = serializers.CharField(source="reservation.pool.chip_id")
    cards = serializers.IntegerField(source="reservation.cards")
    starts_at = Instant(source="reservation.starts_at")
    ends_at = Instant(source="reservation.ends_at")
    state = serializers.CharField(source="reservation.state")
    hold_expires_at = Instant(source="reservation.hold_expires_at")
    net = Money(source="reservation.net")
    tax = Money(source="reservation.tax")
    gross = Money(source="reservation.gross")
    currency = serializers.CharField(source="reservation.currency")
    unit_price = Money(help_text=_("Of one card for an hour, net."))
    reason = serializers.CharField(source="reservation.reason")
    created_at = Instant(source="reservation.created_at")


class Reservations(Endpoint):
    """Rights to a number of cards of a pool for a period."""

    @says(_("List the reservations, newest first."))
    @reads(Permission.RESERVATION_READ, ReservationOut, page=True)
    def get(self, call: Call) -> object:
        return reservation_listings(actor=call.actor, **call.page)

    @says(_("Hold cards at a price for ten minutes; submit to keep them."))
    @posts(Permission.RESERVATION_CREATE, ReservationIn, ReservationOut)
    def post(self, call: Call) -> object:
        asked = call.body
        project = project_named(actor=call.actor, tenant_id=call.tenant_id, code=asked["project"])
        return listed(
            hold(
                actor=call.actor,
                project_id=project.pk,
                pool_code=asked["pool"],
                cards=asked["cards"],
                period=Period(asked["starts_at"], asked["ends_at"]),
                now=call.now,
            )
        )


class Reservation(Endpoint):
    """One reservation."""

    @says(_("Show one reservation."))
    @reads(Permission.RESERVATION_READ, ReservationOut)
    def get(self, call: Call, reservation_id: UUID) -> object:
        return reservation_listing(actor=call.actor, reservation_id=reservation_id)


class ReservationSubmit(Endpoint):
    """The step from held to awaiting approval."""

    @says(_("Ask for approval; the whole price is set aside."))
    @posts(Permission.RESERVATION_CREATE, Nothing, ReservationOut, status=200)
    def post(self, call: Call, reservation_id: UUID) -> object:
        return listed(submit(actor=call.actor, reservation_id=reservation_id, now=call.now))


class ReservationCancel(Endpoint):
    """Giving up what has not started."""

    @says(_("Give up a reservation that has not started; cards and money are free at once."))
    @posts(Permission.RESERVATION_CANCEL, Nothing, ReservationOut, status=200)
    def post(self, call: Call, reservation_id: UUID) -> object:
        return listed(cancel(actor=call.actor, reservation_id=reservation_id, now=call.now))


class ReservationEnd(Endpoint):
    """Ending what is active before its time."""

    @says(_("End an active reservation early; work in it is stopped."))
    @posts(Permission.RESERVATION_CANCEL, Nothing, ReservationOut, status=200)
    def post(self, call: Call, reservation_id: UUID) -> object:
        return listed(end_now(actor=call.actor, reservation_id=reservation_id, now=call.now))
