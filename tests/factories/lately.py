"""Moments just past, for tests that read the present month by the product's own clock."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

from common.period import month_of


def lately(ago: timedelta) -> datetime:
    """So long ago, or when this month of the centre began where that is later.

    Else what was used two hours ago stands in the month before, for the first two hours of each.
    """
    now = datetime.now(UTC)
    return max(now - ago, month_of(now, settings.CENTRE_TIME_ZONE).start)
