"""Appliances.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from decimal import Decimal

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """``ApplianceOut`` of the API."""

    code: str
    name: str
    description: str
    category: str
    api: str
    model: str
    licence: str
    # Parameters, in thousands of millions.
    params_b: Decimal | None
    context_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitStep:
    """``FitStepOut`` of the API."""

    label: str
    formula: str
    value: Decimal
    unit: str
    # How the number is known: measured down to assumed.
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """``FitOut`` of the API."""

    pool: str
    chip: str
    verdict: str
    cards: int | None
    nodes: int | None
    steps: tuple[FitStep, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplianceSheet:
    """``ApplianceSheetOut`` of the API."""

    code: str
    name: str
    description: str
    category: str
    api: str
    model: str
    licence: str
    # Parameters, in thousands of millions.
    params_b: Decimal | None
    context_tokens: int | None
    fit: tuple[Fit, ...]


class AppliancesApi:
    """The operations of ``/api/v1/appliances``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Appliance]:
        """List what is on sale, by code.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: appliances:catalogue:read.
        """
        return self._transport.pages(
            Appliance, Call("GET", path("appliances"), query={"limit": limit}), cursor
        )

    def get(self, code: str) -> ApplianceSheet:
        """Show one appliance, and whether it fits in each pool, with the arithmetic.

        Scope: appliances:catalogue:read.
        """
        return self._transport.answer(ApplianceSheet, Call("GET", path("appliances", code)))
