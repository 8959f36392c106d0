"""Costs of a month by day and group: what the console's explorer shows, for programs."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer

from portal.api.endpoint import Call, Download, Endpoint, downloads, reads, says
from portal.api.fields import Amount, Instant, Money, Strict, Text
from portal.api.v1.invoices import CSV, CsvRenderer
from portal.cost_names import GROUPINGS
from portal.costs import DayCosts, Group, Sheet, asked_for, cost_csv, cost_sheet, group_name
from tenants.permissions import Permission


class CostsQuery(Strict):
    month = Text(
        max_length=7,
        default="",
        help_text=_(
            'A month of the centre\'s calendar, such as "2026-11"; the present one without.'
        ),
    )
    group_by = serializers.ChoiceField(choices=list(GROUPINGS), default="sku")
    project = Text(
        max_length=40, default="", help_text=_('A project\'s code; "-" for use without a project.')
    )
    meter = Text(max_length=60, default="", help_text=_("A meter; none named means all."))


# Output serializers are generic over models this layer must not import.
class CostGroupOut(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField(help_text=_("usage, true_up or adjustment."))
    value = serializers.CharField(help_text=_("Empty for what is not attributed."))
    name = serializers.SerializerMethodField(
        help_text=_("What people call it, in the language asked for.")
    )
    net = Money()
    share = Amount(help_text=_("Of the total, from 0 to 1, to four places."))

    def get_name(self, group: Group) -> str:
        return group_name(group)

    def to_representation(self, instance: Group) -> dict[str, Any]:
        written = super().to_representation(instance)
        written["share"] = f"{instance.share:.4f}"
        return written


class DayGroupOut(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField()
    value = serializers.CharField()
    net = Money()
    quantity = serializers.IntegerField(
        allow_null=True, help_text=_("In base units, where one meter is asked for.")
    )


class CostDayOut(serializers.Serializer):  # type: ignore[type-arg]
    day = serializers.DateField(
        allow_null=True,
        help_text=_(
            "Of the centre's calendar, also of an earlier month; null for what belongs to no day."
        ),
    )
    net = Money()
    groups = DayGroupOut(many=True)


class CostsOut(serializers.Serializer):  # type: ignore[type-arg]
    month = serializers.CharField()
    group_by = serializers.CharField()
    currency = serializers.CharField()
    total = Money(help_text=_("Net, before tax: invoiced and open together."))
    invoiced = Money(help_text=_("On the invoices whose period ends in this month."))
    open = Money(help_text=_("In the draft of the next invoice, as far as it is of this month."))
    draft_elsewhere = Money(
        allow_null=True, help_text=_("The rest of the draft, which is of other months.")
    )
    until = Instant(help_text=_("When this was computed."))
    unpriced_meters = serializers.ListField(child=serializers.CharField())
    groups = CostGroupOut(many=True)
    days = CostDayOut(many=True)

    def to_representation(self, instance: Sheet) -> dict[str, Any]:
        """Written from the sheet, whose days name groups by their keys."""
        return super().to_representation(
            {
                "month": instance.asked.label,
                "group_by": instance.asked.by,
                "currency": instance.currency,
                "total": instance.total,
                "invoiced": instance.invoiced,
                "open": instance.open,
                "draft_elsewhere": instance.draft_elsewhere,
                "until": instance.until,
                "unpriced_meters": list(instance.unpriced_meters),
                "groups": instance.groups,
                "days": [_day(day, instance) for day in instance.days],
            }
        )


def _day(day: DayCosts, sheet: Sheet) -> dict[str, Any]:
    return {
        "day": day.day,
        "net": day.net,
        "groups": [
            {
                "kind": group.kind,
                "value": group.value,
                "net": day.nets[group.key],
                "quantity": day.quantities[group.key] if sheet.meter else None,
            }
            for group in sheet.groups
            if group.key in day.nets
        ],
    }


def _sheet(call: Call) -> Sheet:
    asked = asked_for(
        month=call.query["month"],
        by=call.query["group_by"],
        project=call.query["project"],
        meter=call.query["meter"],
        now=call.now,
    )
    return cost_sheet(actor=call.actor, tenant_id=call.tenant_id, asked=asked, now=call.now)


class Costs(Endpoint):
    """A month's costs."""

    @says(_("Share a month's costs out by day and group; they add up to its bills."))
    @reads(Permission.USAGE_READ, CostsOut, query=CostsQuery)
    def get(self, call: Call) -> object:
        return _sheet(call)


class CostsFile(Endpoint):
    """The same for a spreadsheet."""

    renderer_classes: tuple[type[BaseRenderer], ...] = (CsvRenderer,)

    @says(_("Download a month's costs by day and group as CSV."))
    @downloads(Permission.USAGE_READ, CSV, query=CostsQuery)
    def get(self, call: Call) -> Download:
        sheet = _sheet(call)
        return Download(f"costs-{sheet.asked.label}-{sheet.asked.by}.csv", cost_csv(sheet))
