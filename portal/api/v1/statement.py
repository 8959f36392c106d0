"""The account statement: where the balance stood, what moved it, where it stands."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from billing.queries.account_statement import account_statement
from common.period import Period, month_of
from common.zone import centre_zone
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Instant, Money, Strict
from tenants.permissions import Permission

DAY = timedelta(days=1)
# As long as the console's: a year with some weeks on either side.
LONGEST = timedelta(days=400)
# Within what instants and the database can say.
YEARS = range(2000, 9000)


class StatementQuery(Strict):
    first_day = serializers.DateField(
        required=False,
        help_text=_("By the centre's calendar; the first of the present month by default."),
    )
    last_day = serializers.DateField(
        required=False, help_text=_("At most 400 days later; the present month's by default.")
    )


# Output serializers are generic over models this layer must not import.
class StatementEntryOut(serializers.Serializer):  # type: ignore[type-arg]
    booked_at = Instant(source="at")
    kind = serializers.CharField()
    reference = serializers.CharField()
    amount = Money(help_text=_("What it moved the balance by: charged is below zero."))
    paid = Money(help_text=_("What the wallet paid of an invoice; it moves nothing."))
    balance = Money(help_text=_("Afterwards."))


class StatementOut(serializers.Serializer):  # type: ignore[type-arg]
    starts_at = Instant(source="start")
    ends_at = Instant(source="end")
    currency = serializers.CharField()
    opening = Money()
    closing = Money(help_text=_("The opening balance and every amount."))
    invoiced = Money()
    credited = Money(help_text=_("By credit notes."))
    topped_up = Money()
    paid = Money(help_text=_("From the wallet, of invoices."))
    other = Money()
    entries = StatementEntryOut(many=True)


class Statement(Endpoint):
    """A period of the tenant's account."""

    @says(_("Show what moved the balance in some days, with the balance before and after."))
    @reads(Permission.WALLET_READ, StatementOut, query=StatementQuery)
    def get(self, call: Call) -> object:
        return account_statement(
            actor=call.actor, tenant_id=call.tenant_id, period=_period(call.query, call.now)
        )


# Validated input is as various as the serializer that made it.
def _period(asked: Any, now: datetime) -> Period:
    """From the first day's beginning to the last day's end. Raises: ValidationError."""
    zone = centre_zone()
    month = month_of(now, settings.CENTRE_TIME_ZONE)
    first: date = asked.get("first_day", month.start.astimezone(zone).date())
    last: date = asked.get("last_day", (month.end - DAY).astimezone(zone).date())
    if not timedelta(0) <= last - first <= LONGEST or first.year not in YEARS:
        detail = ErrorDetail(
            str(_("The last day follows the first, within 400 days.")), code="period_refused"
        )
        raise serializers.ValidationError({"last_day": [detail]})
    return Period(datetime.combine(first, time(), zone), datetime.combine(last + DAY, time(), zone))
