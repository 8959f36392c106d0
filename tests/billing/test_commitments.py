"""Of what was committed, used and unused are the whole, and cost effectively what was bought.

Hours are reserved and worked in, in any order, some of it told late, with invoices in between. What
every bill's export says of a reservation is compared with the events by plain sums.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing.commands.invoices import InvoicePeriodRefused, NothingToInvoice
from billing.focus.facts import Row
from billing.models import Invoice
from billing.pricing import Tier
from billing.queries.focus import cost_and_usage
from billing.queries.price_faults import PriceLine
from billing.usage import UsageEvent
from common.ids import uuid7
from common.period import Period
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest, issue
from tests.billing.test_focus import judged
from tests.factories import billing as make
from tests.factories import focus

pytestmark = pytest.mark.django_db

DECEMBER = Period(make.MONTH_END, make.MONTH_END + timedelta(days=31))
LATE = make.MONTH_END + 20 * make.HOUR
HOURS = 30 * 24
RESERVATIONS = tuple(str(UUID(int=number)) for number in (1, 2))
# The last is work that is covered and names no reservation.
WORKED_IN = (*RESERVATIONS, "")
# Each row is rounded to twelve places by itself.
ROUNDED = Decimal("0.000000001")


@dataclass(frozen=True)
class Hour:
    """Card-seconds that were reserved, or worked inside a reservation, in one hour."""

    kind: str
    reservation: str
    hour: int
    seconds: int


@dataclass(frozen=True)
class Told:
    """What comes in together, and the hour up to which an invoice is issued then; 0 is none."""

    hours: Sequence[Hour]
    until: int


def hours() -> st.SearchStrategy[Hour]:
    kinds = st.one_of(
        st.tuples(st.just("reserved"), st.sampled_from(RESERVATIONS)),
        st.tuples(st.just("worked"), st.sampled_from(WORKED_IN)),
    )
    return st.builds(
        lambda kind, hour, seconds: Hour(*kind, hour, seconds),
        kinds,
        st.integers(0, HOURS - 1),
        st.integers(1, 40 * 3600),
    )


def story() -> st.SearchStrategy[list[Told]]:
    told = st.builds(
        Told,
        st.lists(hours(), min_size=1, max_size=5),
        st.one_of(st.just(0), st.integers(1, HOURS)),
    )
    return st.lists(told, min_size=1, max_size=5)


def line(sku: str, meter: str, price: str, service_class: str, **more: object) -> PriceLine:
    said = {"service_class": service_class, "chip": focus.CHIP}
    return PriceLine(
        meter=meter,
        sku=sku,
        title_en=sku,
        title_zh=sku,
        unit_price=Decimal(price),
        unit_quantity=3600,
        tax_code="it_service",
        match=said,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def odd_prices() -> None:
    """A fee that no fen divides, and work in a reservation that costs something from a tier on."""
    make.make_tax()
    tiers = (Tier(20 * 3600, Decimal(0)), Tier(None, Decimal("0.333")))
    make.publish(
        [
            line("reserved", "compute.reserved_card_seconds", "5.2517", "committed"),
            line("worked", "compute.card_seconds", "0", "covered", model="graduated", tiers=tiers),
        ]
    )


def event(name: str, said: Hour) -> UsageEvent:
    at = make.MONTH_START + said.hour * make.HOUR
    if said.kind == "reserved":
        return focus.reserved(name, at, said.seconds, said.reservation)
    one = focus.cards(name, at, said.seconds, said.reservation)
    return UsageEvent(
        one.source,
        one.id,
        one.meter,
        one.subject,
        one.at,
        one.quantity,
        {**one.dimensions, "service_class": "covered"},
    )


def happen(tenant: Organisation, told: Sequence[Told]) -> None:
    for number, one in enumerate(told):
        with operator_scope():
            events = [event(f"{number}-{place}", said) for place, said in enumerate(one.hours)]
        ingest(tenant, *events, now=LATE)
        if one.until:
            try:
                issue(tenant, until=make.MONTH_START + one.until * make.HOUR, now=LATE)
            except (NothingToInvoice, InvoicePeriodRefused):
                """Nothing has come in since the last one, or it reached further."""


def exported(tenant: Organisation) -> Iterator[Row]:
    with tenant_scope(tenant.pk):
        for month in (focus.NOVEMBER, DECEMBER):
            yield from cost_and_usage(tenant_id=tenant.pk, month=month, now=LATE)


def sums(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """By reservation and what became of it: how many card-hours, at which cost."""
    found: dict[tuple[str, str], tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0),) * 2)
    for row in rows:
        if row.get("CommitmentDiscountId"):
            name = str(row["CommitmentDiscountId"])
            became = str(row["CommitmentDiscountStatus"] or "Bought")
            billed, effective = Decimal(str(row["BilledCost"])), Decimal(str(row["EffectiveCost"]))
            # What work is billed by itself is no part of the fee.
            cost = billed if became == "Bought" else effective - billed
            hours, before = found[name, became]
            quantity = Decimal(str(row["CommitmentDiscountQuantity"]))
            found[name, became] = (hours + quantity, before + cost)
    return found


def expected(told: Sequence[Told], kind: str, reservation: str) -> Decimal:
    seconds = sum(
        said.seconds
        for one in told
        for said in one.hours
        if (said.kind, said.reservation) == (kind, reservation)
    )
    return Decimal(seconds) / 3600


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(
    # One hour of each tier in one bill: what is drawn stands on two lines and counts once.
    told=[
        Told(
            [Hour("worked", RESERVATIONS[0], 0, 72_000), Hour("worked", RESERVATIONS[0], 1, 3600)],
            9,
        )
    ]
)
@given(told=story())
def test_used_and_unused_are_what_was_bought_and_cost_what_it_cost(
    odd_prices: None, told: list[Told]
) -> None:
    with transaction.atomic():
        tenant = make.make_tenant(f"t{uuid7().hex}")
        happen(tenant, told)
        rows = list(exported(tenant))
        with operator_scope():
            issued = dict(Invoice.objects.filter(tenant=tenant).values_list("number", "gross"))
        transaction.set_rollback(True)
    assert judged(rows, issued).findings == []
    found = sums(rows)
    for name in RESERVATIONS:
        (bought, fee), (used, carried), (unused, idle) = (
            found[name, became] for became in ("Bought", "Used", "Unused")
        )
        assert abs(bought - expected(told, "reserved", name)) < ROUNDED
        assert abs(used - expected(told, "worked", name)) < ROUNDED
        assert abs(bought - used - unused) < ROUNDED
        assert fee == carried + idle
    worked = sum(
        Decimal(str(row["ConsumedQuantity"]))
        for row in rows
        if row.get("x_Meter") == "compute.card_seconds" and row.get("ConsumedQuantity") is not None
    )
    assert abs(worked - sum(expected(told, "worked", name) for name in WORKED_IN)) < ROUNDED
