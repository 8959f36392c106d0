"""Budgets: what may be spent in a month, how it stands, and what is stopped when it is reached."""

from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from appliances.commands.budgets import set_budget
from billing.commands.budgets import change_budget, remove_budget
from billing.queries.budgets import budget_page, budget_state, month_outlook
from billing.queries.currencies import currency_of
from common.period import month_of
from portal.api.endpoint import Call, Endpoint, deletes, posts, reads, says
from portal.api.fields import Identifier, Instant, Money, Strict
from tenants.permissions import Permission

SCOPES = ["tenant", "project", "key", "deployment"]
_AMOUNT = _("Net, in the account's currency, for each month of the centre's calendar.")
_STOPS = _("Whether new work and model calls are refused once the amount is spent.")
_RUNNING = _("Whether what runs on demand is stopped then as well; needs `stops`.")


class BudgetIn(Strict):
    scope = serializers.ChoiceField(choices=SCOPES, help_text=_("What the budget is of."))
    subject_id = Identifier(
        required=False,
        allow_null=True,
        default=None,
        help_text=_("The project, key or deployment; nothing for the whole organisation."),
    )
    amount = Money(help_text=_AMOUNT)
    stops = serializers.BooleanField(default=False, help_text=_STOPS)
    stops_running = serializers.BooleanField(default=False, help_text=_RUNNING)


class BudgetChangeIn(Strict):
    amount = Money(required=False, help_text=_AMOUNT)
    stops = serializers.BooleanField(required=False, help_text=_STOPS)
    stops_running = serializers.BooleanField(required=False, help_text=_RUNNING)


# Output serializers are generic over models this layer must not import.
class ForecastOut(serializers.Serializer):  # type: ignore[type-arg]
    low = Money()
    expected = Money(help_text=_("Spent so far, and the rest of the month at the usual pace."))
    high = Money()
    days = serializers.IntegerField(help_text=_("How many full days made the pace."))
    reaches_at = Instant(
        allow_null=True, help_text=_("When the amount is reached at that pace, in this month.")
    )


class BudgetOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=SCOPES)
    subject_id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    currency = serializers.CharField()
    amount = Money(help_text=_AMOUNT)
    stops = serializers.BooleanField(help_text=_STOPS)
    stops_running = serializers.BooleanField(help_text=_RUNNING)
    month_start = Instant()
    month_end = Instant()
    spent = Money(help_text=_("Net, a minute old at most."))
    held = Money(
        allow_null=True,
        help_text=_("Set aside with tax and not spent; of the whole organisation only."),
    )
    remaining = Money()
    percent = serializers.IntegerField(help_text=_("Rounded down; 100 and more is reached."))
    reached = serializers.BooleanField(source="is_reached")
    alerts = serializers.ListField(
        child=serializers.IntegerField(), help_text=_("Thresholds told of this month.")
    )
    refreshed_at = Instant(allow_null=True)
    forecast = ForecastOut(allow_null=True)


class OutlookDayOut(serializers.Serializer):  # type: ignore[type-arg]
    day = serializers.DateField(help_text=_("Of the centre's calendar."))
    net = Money()


class OrganisationForecastOut(serializers.Serializer):  # type: ignore[type-arg]
    month_start = Instant()
    month_end = Instant()
    currency = serializers.CharField()
    spent = Money(help_text=_("Net, a minute old at most."))
    awaited = serializers.BooleanField(
        source="is_awaited", help_text=_("Whether there was use that is not reckoned yet.")
    )
    days = OutlookDayOut(many=True)
    forecast = ForecastOut(allow_null=True, help_text=_("Null before the first full day of use."))


class OrganisationForecast(Endpoint):
    """The whole organisation's month, and what it may come to."""

    @says(_("Show the month day by day, and what it is likely to cost in the end."))
    @reads(Permission.BUDGET_READ, OrganisationForecastOut)
    def get(self, call: Call) -> object:
        found = month_outlook(actor=call.actor, tenant_id=call.tenant_id, now=call.now)
        month = month_of(call.now, settings.CENTRE_TIME_ZONE)
        return {
            "month_start": month.start,
            "month_end": month.end,
            "currency": currency_of(call.tenant_id),
            "spent": found.spent,
            "is_awaited": found.is_awaited,
            "days": [{"day": day, "net": net} for day, net in sorted(found.days.items())],
            "forecast": found.forecast,
        }


class Budgets(Endpoint):
    """Monthly budgets of the organisation, its projects, keys and deployments."""

    @says(_("List the budgets with how this month stands."))
    @reads(Permission.BUDGET_READ, BudgetOut, page=True)
    def get(self, call: Call) -> object:
        return budget_page(actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.page)

    @says(_("Set a budget; what the month has cost already counts."))
    @posts(Permission.BUDGET_MANAGE, BudgetIn, BudgetOut)
    def post(self, call: Call) -> object:
        made = set_budget(actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.body)
        return _shown(call, made.pk)


class Budget(Endpoint):
    """One budget."""

    @says(_("Show one budget."))
    @reads(Permission.BUDGET_READ, BudgetOut)
    def get(self, call: Call, budget_id: UUID) -> object:
        return _shown(call, budget_id)

    @says(_("Change what is given and leave the rest; a raised budget opens again at once."))
    @posts(Permission.BUDGET_MANAGE, BudgetChangeIn, BudgetOut, status=200)
    def post(self, call: Call, budget_id: UUID) -> object:
        change_budget(
            actor=call.actor,
            tenant_id=call.tenant_id,
            budget_id=budget_id,
            now=call.now,
            **call.body,
        )
        return _shown(call, budget_id)

    @says(_("Remove a budget: it stops and tells nothing any more."))
    @deletes(Permission.BUDGET_MANAGE)
    def delete(self, call: Call, budget_id: UUID) -> None:
        remove_budget(actor=call.actor, tenant_id=call.tenant_id, budget_id=budget_id, now=call.now)


def _shown(call: Call, budget_id: UUID) -> object:
    return budget_state(
        actor=call.actor, tenant_id=call.tenant_id, budget_id=budget_id, now=call.now
    )
