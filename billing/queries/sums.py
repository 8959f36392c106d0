"""How much was used, summed under one heading."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from billing import meters
from billing.queries.usage import USED
from common.errors import FieldError, InvalidInput
from common.paging import Page, bad_cursor, check_limit, cut, opened
from common.period import Period
from tenants.permissions import Actor, Permission, require

METER, DAY, PROJECT = "meter", "day", "project"


@dataclass(frozen=True)
class UsageSum:
    """Usage of one meter under one heading. Units: ``unit`` is the meter's base unit.

    Shape: ``value`` is the day, the project's code or the dimension's value; empty for the total.
    """

    meter: str
    unit: str
    value: str
    quantity: int
    events: int


# Both columns compare as bytes, so that the order is the cursor's whatever the locale.
SUMS = f"""{USED}
SELECT meter, value, quantity, events FROM (
    SELECT series.meter COLLATE "C" AS meter,
        CASE %(group)s
            WHEN 'meter' THEN ''
            WHEN 'day' THEN used.day::text
            WHEN 'project' THEN coalesce(project.code, '')
            ELSE coalesce(series.dimensions ->> %(group)s, '')
        END COLLATE "C" AS value,
        sum(used.quantity)::bigint AS quantity, sum(used.events)::bigint AS events
    FROM used
    JOIN billing_series series ON series.id = used.series_id
    LEFT JOIN tenants_project project ON project.id = series.project_id
    WHERE (%(project)s::uuid IS NULL OR series.project_id = %(project)s)
    GROUP BY 1, 2
) summed
WHERE %(first)s OR (meter, value) > (%(after_meter)s, %(after_value)s)
ORDER BY meter, value LIMIT %(limit)s
"""  # noqa: S608 - our own text
_BETWEEN = "\n"


def usage_sums(
    *,
    actor: Actor,
    tenant_id: UUID,
    period: Period,
    group_by: str,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[UsageSum]:
    """Usage of the clock hours that begin in a period; one statement, read from the buckets.

    Shape: ``group_by`` is "meter", "day" (of the centre's calendar), "project" or a dimension.
    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.USAGE_READ, tenant_id)
    check_limit(limit)
    if group_by not in headings():
        text = _("There is no such heading to sum under.")
        raise InvalidInput(errors=[FieldError("/group_by", "unknown_heading", text)])
    after_meter, between, after_value = opened(cursor).partition(_BETWEEN) if cursor else ("",) * 3
    if cursor and (not between or "\0" in after_meter + after_value):
        raise bad_cursor(cursor)
    # Columns' values are as various as their types.
    values: dict[str, Any] = {
        "group": group_by,
        "zone": settings.CENTRE_TIME_ZONE,
        "tenant": tenant_id,
        "start": period.start,
        "end": period.end,
        "project": actor.project_id,
        "first": not cursor,
        "after_meter": after_meter,
        "after_value": after_value,
        "limit": limit + 1,
    }
    with connection.cursor() as statement:
        statement.execute(SUMS, values)
        rows = tuple(_sum(*row) for row in statement.fetchall())
    return cut(rows, limit, _place)


def _place(row: UsageSum) -> str:
    return f"{row.meter}{_BETWEEN}{row.value}"


def headings() -> frozenset[str]:
    """All that usage can be summed under."""
    named = {name for meter in meters.declared().values() for name in meter.dimensions}
    return frozenset({METER, DAY, PROJECT} | named)


def _sum(meter: str, value: str, quantity: int, events: int) -> UsageSum:
    known = meters.declared().get(meter)
    return UsageSum(meter, known.base_unit if known else "", value, quantity, events)
