"""Offers: cards for a length of time somewhere in a window, priced."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from common.period import Period
from compute.queries.offers import Label, Offer, OfferRequest, find_offers
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import (
    Instant,
    Money,
    QueryAmount,
    QueryWhole,
    Spoken,
    Strict,
    Text,
    refuse_reversed,
)
from tenants.permissions import Permission

SECONDS_PER_HOUR = 3600
KINDS = ("exact", "earliest", "cheapest", "alternative")
WHY: Mapping[Label, str | Promise] = {
    Label.EXACT: _("At the time you asked for."),
    Label.EARLIEST: _("The earliest that is free."),
    Label.CHEAPEST: _("The cheapest that is free."),
    Label.OTHER_CHIP: _("Another chip that fits."),
}


class OfferQuery(Strict):
    chip = Text(max_length=60, default=None, help_text=_("A chip model; none named means any."))
    petaflops = QueryAmount(
        default=None, help_text=_("Instead of cards: so many P, whatever the chip.")
    )
    cards = QueryWhole(min_value=1, max_value=1_000_000, default=1)
    hours = QueryWhole(min_value=1, max_value=24 * 366)
    window_starts_at = Instant()
    window_ends_at = Instant()
    centre = Text(max_length=60, default="", help_text=_("A centre; none named means all."))
    budget = QueryAmount(default=None, help_text=_("The most it may cost, with tax."))
    flexible = serializers.ChoiceField(
        choices=["true", "false"], default="true", help_text=_("Show other chips as well.")
    )

    def validate(self, attrs: Any) -> Any:
        refuse_reversed(attrs, "window_starts_at", "window_ends_at")
        return attrs


# Output serializers are generic over models this layer must not import.
class OfferOut(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.SerializerMethodField(
        help_text=_('"exact", "earliest", "cheapest" or "alternative".')
    )
    pool = serializers.CharField(source="pool_code")
    centre = serializers.CharField(source="centre_code")
    chip = serializers.CharField()
    cards = serializers.IntegerField()
    starts_at = Instant(source="period.start")
    ends_at = Instant(source="period.end")
    net = Money()
    tax = Money()
    gross = Money()
    currency = serializers.CharField()
    why = serializers.SerializerMethodField(help_text=_("Every reason why it is shown."))

    def get_kind(self, offer: Offer) -> str:
        first = offer.labels[0] if offer.labels else Label.OTHER_CHIP
        return "alternative" if first is Label.OTHER_CHIP else first.value

    def get_why(self, offer: Offer) -> str:
        reasons = [str(WHY[label]) for label in offer.labels]
        return " ".join(reasons) or str(_("Another pool that fits."))


class RefusedPoolOut(serializers.Serializer):  # type: ignore[type-arg]
    pool = serializers.CharField(source="pool_code")
    code = serializers.CharField()
    reason = Spoken(source="*")


class OffersOut(serializers.Serializer):  # type: ignore[type-arg]
    offers = OfferOut(many=True)
    refused = RefusedPoolOut(many=True)


class Offers(Endpoint):
    """A search for cards; nothing is held until a reservation is made."""

    @says(_("Find up to six offers, and say why each other pool lost."))
    @reads(Permission.POOL_READ, OffersOut, query=OfferQuery)
    def get(self, call: Call) -> object:
        asked = call.query
        request = OfferRequest(
            chip=asked["chip"],
            petaflops=asked["petaflops"],
            cards=asked["cards"],
            seconds=asked["hours"] * SECONDS_PER_HOUR,
            window=Period(asked["window_starts_at"], asked["window_ends_at"]),
            centres=(asked["centre"],) if asked["centre"] else (),
            budget=asked["budget"],
            flexible=asked["flexible"] == "true",
        )
        return find_offers(actor=call.actor, request=request, now=call.now)
