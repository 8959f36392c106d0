"""Where the gateway meets the product: what it reads, and what it writes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.db import connection

from appliances.meters import TOKENS_CACHED, TOKENS_IN, TOKENS_OUT
from appliances.queries.routes import Route, route_snapshot
from billing.commands.usage import EventStatus, UsageEvent, record_usage
from billing.queries.arrears import REFUSALS, carried_tenants, frozen_tenants
from billing.queries.budgets import budget_limits
from billing.queries.call_prices import AskedPrice, highest_prices
from billing.queries.wallet import funds_snapshot
from common.clock import utc_now
from portal.gateway import snapshot as snapshots
from portal.gateway.money import CallPrice, Funds, Limit, Money
from portal.gateway.snapshot import Frozen, Grant, Snapshot, Target
from portal.gateway.spool import CallRecord
from tenants.permissions import SYSTEM
from tenants.queries.keys import key_snapshot
from tenants.scoping import operator_scope, tenant_scope

SOURCE = "gateway"
NOTHING = Decimal(0)
SETTLED = frozenset({EventStatus.ACCEPTED, EventStatus.DUPLICATE})


def take_snapshot() -> Snapshot:
    """Keys, routes and budgets as they are now, read in one transaction."""
    taken_at = utc_now()
    with operator_scope():
        keys, routes, funds = key_snapshot(), route_snapshot(), funds_snapshot()
        carried, frozen = carried_tenants(taken_at), frozen_tenants(taken_at)
        limits = _limits(taken_at)
        prices = PRICES.of(routes, taken_at)
    return snapshots.build(
        taken_at=taken_at,
        grants=[
            (
                fact.key_hash,
                Grant(
                    key_id=fact.key_id,
                    tenant_id=fact.tenant_id,
                    project_id=fact.project_id,
                    scopes=frozenset(fact.scopes),
                    allowed_models=frozenset(fact.allowed_models),
                    expires_at=fact.expires_at,
                    requests_per_minute=fact.requests_per_minute,
                ),
            )
            for fact in keys
        ],
        targets=[
            Target(
                tenant_id=route.tenant_id,
                project_id=route.project_id,
                model=route.model,
                deployment_id=route.deployment_id,
                endpoint=route.endpoint,
                api=route.api,
                ready_at=route.ready_at,
                is_reserved=route.is_reserved,
            )
            for route in routes
        ],
        # In arrears, what runs goes on being served until it is frozen; billing carries it.
        spenders=[*(tenant for tenant, one in funds.items() if one.available > 0), *carried],
        frozen={
            tenant: Frozen(
                code=REFUSALS[arrears.state].code,
                classes=frozenset(kind.value for kind in arrears.must_freeze),
                amount_needed=str(arrears.amount_needed),
                until=arrears.deadline,
                currency=arrears.currency,
            )
            for tenant, arrears in frozen.items()
        },
        money=Money(
            prices=prices,
            limits=limits,
            funds={
                tenant: Funds(one.available, one.read_at, is_carried=tenant in carried)
                for tenant, one in funds.items()
            },
        ),
    )


def _limits(now: datetime) -> dict[UUID, tuple[Limit, ...]]:
    rows: dict[UUID, list[Limit]] = defaultdict(list)
    for row in budget_limits(now):
        rows[row.tenant_id].append(
            Limit(row.scope, row.subject_id, row.amount, row.left, row.currency)
        )
    return {tenant: tuple(limits) for tenant, limits in rows.items()}


class Prices:
    """What tokens of each route cost, read anew where routes changed and twice a minute."""

    def __init__(self) -> None:
        self._routes: frozenset[UUID] = frozenset()
        self._read_at: datetime | None = None
        self._prices: dict[UUID, CallPrice] = {}

    def of(self, routes: Sequence[Route], now: datetime) -> dict[UUID, CallPrice]:
        known = frozenset(route.deployment_id for route in routes)
        if self._read_at is None or known != self._routes or now - self._read_at >= PRICES_FOR:
            self._prices = _prices(routes, now)
            self._routes, self._read_at = known, now
        return self._prices


# Reading a price book takes longer than all the rest of a snapshot.
PRICES_FOR = timedelta(seconds=30)
PRICES = Prices()


def _prices(routes: Sequence[Route], now: datetime) -> dict[UUID, CallPrice]:
    asked = [
        AskedPrice(
            route.tenant_id,
            meter,
            {"model": route.model, "deployment": str(route.deployment_id)},
        )
        for route in routes
        for meter in (TOKENS_IN, TOKENS_OUT, TOKENS_CACHED)
    ]
    found = iter(highest_prices(asked, now))
    prices = {}
    for route in routes:
        tokens_in, tokens_out, cached = next(found), next(found), next(found)
        prices[route.deployment_id] = CallPrice(
            net_in=tokens_in.net if tokens_in else NOTHING,
            net_out=tokens_out.net if tokens_out else NOTHING,
            gross_in=tokens_in.gross if tokens_in else NOTHING,
            gross_out=tokens_out.gross if tokens_out else NOTHING,
            net_cached=cached.net if cached else None,
            gross_cached=cached.gross if cached else None,
        )
    return prices


def database_clock() -> datetime:
    """Now, by the clock of the database: what was committed before is seen from here on."""
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row: tuple[datetime] = cursor.fetchone()
    return row[0]


def bill(records: Sequence[CallRecord]) -> list[tuple[CallRecord, str]]:
    """Hand metered calls to billing, tenant by tenant; gives what billing refused and why.

    Idempotent: an event's id is its call's, so a call handed over twice is recorded once.
    Raises: the database's errors, and then nothing of that tenant was recorded.
    """
    refused: list[tuple[CallRecord, str]] = []
    for tenant_id, group in groupby(sorted(records, key=_tenant), key=_tenant):
        calls = list(group)
        by_event = {event.id: (call, event) for call in calls for event in _events(call)}
        with tenant_scope(tenant_id):
            results = record_usage(
                actor=SYSTEM,
                tenant_id=tenant_id,
                events=[event for _, event in by_event.values()],
                now=utc_now(),
            )
        refused += [
            (by_event[result.id][0], result.code or result.status)
            for result in results
            if result.status not in SETTLED
        ]
    return refused


def _tenant(record: CallRecord) -> UUID:
    return record.tenant_id


def _events(record: CallRecord) -> Iterator[UsageEvent]:
    """A call's usage: one event for each kind of token, named by the call, so that it counts once.

    Shape: an id ends in what a person reading the bill must know of the count: ``estimated``
    where the model server did not say, ``partial`` where the answer was not finished.
    """
    dimensions = {
        "model": record.model,
        "deployment": str(record.deployment_id),
        "key": str(record.key_id),
    }
    notes = ("" if record.reported else ":estimated") + (":partial" if record.partial else "")
    for direction, meter, quantity in (
        ("in", TOKENS_IN, record.tokens_in - record.tokens_cached),
        ("cached", TOKENS_CACHED, record.tokens_cached),
        ("out", TOKENS_OUT, record.tokens_out),
    ):
        if quantity:
            yield UsageEvent(
                source=SOURCE,
                id=f"{record.id}:{direction}{notes}",
                meter=meter,
                subject=f"appliances.deployment:{record.deployment_id}",
                at=record.at,
                quantity=quantity,
                dimensions=dimensions,
                project_id=record.project_id,
            )
