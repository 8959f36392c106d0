"""The centre's limits on reserving, as they are now."""

from compute.models import ReservationPolicy


def current_policy() -> ReservationPolicy:
    """The one row, or its defaults where operators have set none."""
    return ReservationPolicy.objects.filter(pk=1).first() or ReservationPolicy()
