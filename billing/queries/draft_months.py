"""Which month a part of the draft belongs to: the same for the cost explorer and for exports.

A running total belongs to the month it counts; what came in late, and adjustments, belong to the
first month that is still open, on whose invoice they will stand.
"""

from datetime import datetime

from django.conf import settings

from billing.queries.drafts import Draft
from billing.queries.trueups import RatedTrueUp
from billing.rating import ChargeKey
from common.period import HOUR, month_of


def first_month(of: Draft) -> datetime | None:
    """The oldest open month; None where nothing but true-ups asks for an invoice."""
    if of.period_start is None:
        return None
    return month_of(of.period_start, settings.CENTRE_TIME_ZONE).start


def charge_month(of: Draft, key: ChargeKey) -> datetime | None:
    return first_month(of) if key.is_late else key.running.month_start


def true_up_month(of: Draft, lacking: RatedTrueUp) -> datetime:
    """A month without use asks for a true-up all the same, and has no open period yet."""
    last = lacking.true_up.interval.counted.end - HOUR
    closed = month_of(last, settings.CENTRE_TIME_ZONE).start
    return max(closed, first_month(of) or closed)
