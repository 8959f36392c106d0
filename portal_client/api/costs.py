"""Costs.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class DayGroup:
    """``DayGroupOut`` of the API."""

    kind: str
    value: str
    net: Decimal
    # In base units, where one meter is asked for.
    quantity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostDay:
    """``CostDayOut`` of the API."""

    # Of the centre's calendar, also of an earlier month; null for what belongs to no day.
    day: date | None
    net: Decimal
    groups: tuple[DayGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostGroup:
    """``CostGroupOut`` of the API."""

    # usage, true_up or adjustment.
    kind: str
    # Empty for what is not attributed.
    value: str
    # What people call it, in the language asked for.
    name: str
    net: Decimal
    # Of the total, from 0 to 1, to four places.
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """``CostsOut`` of the API."""

    month: str
    group_by: str
    currency: str
    # Net, before tax: invoiced and open together.
    total: Decimal
    # On the invoices whose period ends in this month.
    invoiced: Decimal
    # In the draft of the next invoice, as far as it is of this month.
    open: Decimal
    # The rest of the draft, which is of other months.
    draft_elsewhere: Decimal | None
    # When this was computed.
    until: datetime
    unpriced_meters: tuple[str, ...]
    groups: tuple[CostGroup, ...]
    days: tuple[CostDay, ...]


class CostsApi:
    """The operations of ``/api/v1/costs``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(
        self,
        *,
        group_by: Literal[
            "sku", "service", "pool", "chip", "model", "deployment", "key", "member", "project"
        ]
        | None = None,
        meter: str | None = None,
        month: str | None = None,
        project: str | None = None,
    ) -> Costs:
        """Share a month's costs out by day and group; they add up to its bills.

        ``meter``: A meter; none named means all.
        ``month``: A month of the centre's calendar, such as "2026-11"; the present one
        without.
        ``project``: A project's code; "-" for use without a project.

        Scope: billing:usage:read.
        """
        return self._transport.answer(
            Costs,
            Call(
                "GET",
                path("costs"),
                query={"group_by": group_by, "meter": meter, "month": month, "project": project},
            ),
        )
