"""Forecast.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from portal_client.api.shared import Forecast
from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookDay:
    """``OutlookDayOut`` of the API."""

    # Of the centre's calendar.
    day: date
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationForecast:
    """``OrganisationForecastOut`` of the API."""

    month_start: datetime
    month_end: datetime
    currency: str
    # Net, a minute old at most.
    spent: Decimal
    # Whether there was use that is not reckoned yet.
    awaited: bool
    days: tuple[OutlookDay, ...]
    # Null before the first full day of use.
    forecast: Forecast | None


class ForecastApi:
    """The operations of ``/api/v1/forecast``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> OrganisationForecast:
        """Show the month day by day, and what it is likely to cost in the end.

        Scope: billing:budget:read.
        """
        return self._transport.answer(OrganisationForecast, Call("GET", path("forecast")))
