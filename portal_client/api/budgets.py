"""Budgets.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from portal_client.api.shared import Forecast
from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.encoding import UNSET, Unset
from portal_client.transport import Transport

Scope = Literal["tenant", "project", "key", "deployment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``BudgetOut`` of the API."""

    id: UUID
    scope: str
    subject_id: UUID | None
    name: str
    currency: str
    # Net, in the account's currency, for each month of the centre's calendar.
    amount: Decimal
    # Whether new work and model calls are refused once the amount is spent.
    stops: bool
    # Whether what runs on demand is stopped then as well; needs `stops`.
    stops_running: bool
    month_start: datetime
    month_end: datetime
    # Net, a minute old at most.
    spent: Decimal
    # Set aside with tax and not spent; of the whole organisation only.
    held: Decimal | None
    remaining: Decimal
    # Rounded down; 100 and more is reached.
    percent: int
    reached: bool
    # Thresholds told of this month.
    alerts: tuple[int, ...]
    refreshed_at: datetime | None
    forecast: Forecast | None


class BudgetsApi:
    """The operations of ``/api/v1/budgets``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Budget]:
        """List the budgets with how this month stands.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:budget:read.
        """
        return self._transport.pages(
            Budget, Call("GET", path("budgets"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        scope: Scope,
        amount: Decimal,
        subject_id: UUID | None | Unset = UNSET,
        stops: bool | None = None,
        stops_running: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Budget:
        """Set a budget; what the month has cost already counts.

        ``scope``: What the budget is of.
        ``amount``: Net, in the account's currency, for each month of the centre's calendar.
        ``subject_id``: The project, key or deployment; nothing for the whole organisation.
        ``stops``: Whether new work and model calls are refused once the amount is spent.
        ``stops_running``: Whether what runs on demand is stopped then as well; needs
        `stops`.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:budget:manage.
        """
        return self._transport.answer(
            Budget,
            Call(
                "POST",
                path("budgets"),
                body=body_of(
                    {"scope": scope, "amount": amount, "subject_id": subject_id},
                    {"stops": stops, "stops_running": stops_running},
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, budget_id: UUID | str) -> Budget:
        """Show one budget.

        Scope: billing:budget:read.
        """
        return self._transport.answer(Budget, Call("GET", path("budgets", budget_id)))

    def change(
        self,
        budget_id: UUID | str,
        *,
        amount: Decimal | None = None,
        stops: bool | None = None,
        stops_running: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Budget:
        """Change what is given and leave the rest; a raised budget opens again at once.

        ``amount``: Net, in the account's currency, for each month of the centre's calendar.
        ``stops``: Whether new work and model calls are refused once the amount is spent.
        ``stops_running``: Whether what runs on demand is stopped then as well; needs
        `stops`.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:budget:manage.
        """
        return self._transport.answer(
            Budget,
            Call(
                "POST",
                path("budgets", budget_id),
                body=body_of(
                    {}, {"amount": amount, "stops": stops, "stops_running": stops_running}
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def delete(self, budget_id: UUID | str) -> None:
        """Remove a budget: it stops and tells nothing any more.

        Scope: billing:budget:manage.
        """
        self._transport.nothing(Call("DELETE", path("budgets", budget_id)))
