"""The centre's time zone: its days, months and years begin there, and people read its hours."""

from zoneinfo import ZoneInfo

from django.conf import settings


def centre_zone() -> ZoneInfo:
    """The zone of ``CENTRE_TIME_ZONE``; its ``key`` is the name that statements take."""
    return ZoneInfo(settings.CENTRE_TIME_ZONE)
