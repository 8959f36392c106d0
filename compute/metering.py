"""Which stretches of an accounting row, or of a reservation, may be charged by now; pure."""

from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal

from common.period import Period, floor_hour

CENT = Decimal("0.01")


def chargeable(
    *,
    started_at: datetime,
    ended_at: datetime | None,
    vouched_until: datetime,
    charged_until: datetime | None,
) -> tuple[Period, ...]:
    """The pieces, cut at clock hours, that became certain since the last time.

    Shape: while the row is open only hours that are over; once it has ended, the rest too. Never
    past what is vouched for, and each piece is given at one cut only, however often it is asked.
    """
    start = charged_until or started_at
    closed = ended_at is not None and ended_at <= vouched_until
    end = ended_at if closed and ended_at is not None else floor_hour(vouched_until)
    if ended_at is not None:
        end = min(end, ended_at)
    if end <= start:
        return ()
    return tuple(Period(start, end).hours())


def whole_second(instant: datetime) -> datetime:
    """The second an instant lies in, in UTC."""
    return instant.astimezone(UTC).replace(microsecond=0)


def shared_card_milliseconds(*, thousandths: int, seconds: int) -> int:
    """What a share of a card comes to: four quarters of a card for an hour are one card-hour.

    Units: ``thousandths`` of a card, 1 to 1000; the result in thousandths of a card times seconds.
    """
    if not 1 <= thousandths <= 1000 or seconds < 0:
        raise ValueError("A share is between one thousandth of a card and a whole one.")
    return thousandths * seconds


def early_end_seconds(*, ends_at: datetime, now: datetime, percent: int) -> int:
    """Seconds charged for the time given up between now and the agreed end; rounded down."""
    given_up = max(int((ends_at - whole_second(now)).total_seconds()), 0)
    return given_up * percent // 100


def remaining_money(gross: Decimal, *, total: int, charged: int) -> Decimal:
    """What of a price is still to be charged, rounded up to the cent.

    Units: ``total`` and ``charged`` are card-seconds.
    """
    left = max(total - charged, 0)
    return (gross * left / total).quantize(CENT, rounding=ROUND_UP)
