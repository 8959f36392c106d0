"""However a month's usage comes in and is billed, it comes to the same money.

One stream of events is told in two ways. To one tenant it is told once, in order, in one batch, and
billed by one invoice. To the other it comes in any chunks and any order, some of it again, with
deaths in the middle of a chunk, accruals in between and invoices at any instants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.commands.accrual import accrue
from billing.commands.invoices import InvoicePeriodRefused, NothingToInvoice
from billing.models import Invoice, InvoiceLine, UsageBucket
from billing.pricing import Tier
from billing.queries.price_faults import PriceLine
from billing.usage import UsageEvent
from common.ids import uuid7
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue, pay_in, stands
from tests.factories import billing as make

pytestmark = pytest.mark.django_db

HOURS = int((make.MONTH_END - make.MONTH_START) / make.HOUR)
CHANGE = make.MONTH_START + 300 * make.HOUR
LATE = make.MONTH_END + 20 * make.HOUR
TIERS = (
    Tier(2_000_000, Decimal("4.00")),
    Tier(9_000_000, Decimal("2.75"), Decimal("0.55")),
    Tier(None, Decimal("1.10")),
)
# Which meter, which class of work, and how many units at most.
KINDS = (("test.tokens_in", "", 10**7), ("test.tokens_out", "", 10**7)) + tuple(
    ("test.card_seconds", service_class, 100_000) for service_class in ("on_demand", "covered")
)


def graduated(unit_price: str) -> PriceLine:
    return PriceLine(
        meter="test.tokens_out",
        sku="test.tokens_out",
        title_en="tokens out",
        title_zh="输出",
        unit_price=Decimal(unit_price),
        unit_quantity=1_000_000,
        tax_code="it_service",
        model="graduated",
        tiers=TIERS,
    )


@pytest.fixture
def changing_prices(db: None) -> None:
    """Flat and graduated prices, and dearer ones from the middle of the month."""
    make.make_tax()
    covered = make.price_line("test.card_seconds", "0", 3600, {"service_class": "covered"})
    on_demand = {"chip": "c1", "service_class": "on_demand"}
    for currency, starts_at, cards, tokens in (
        ("CNY", make.LONG_AGO, "3.60", "1.00"),
        ("CNY", CHANGE, "3.33", "1.27"),
        ("USD", make.LONG_AGO, "0.51", "0.14"),
        ("USD", CHANGE + 7 * make.HOUR, "0.47", "0.18"),
    ):
        make.publish(
            [
                covered,
                graduated("4.00"),
                make.price_line("test.card_seconds", cards, 3600, on_demand, sku="cards"),
                make.price_line("test.tokens_in", tokens, 1_000_000),
            ],
            effective_at=starts_at,
            now=make.MONTH_START,
            currency=currency,
        )


@st.composite
def streams(draw: st.DrawFn) -> list[UsageEvent]:
    """Up to a dozen events of the month, at any second of it."""
    said = draw(
        st.lists(
            st.tuples(
                st.integers(0, HOURS * 3600 - 1), st.sampled_from(KINDS), st.integers(0, 10**7)
            ),
            min_size=1,
            max_size=12,
        )
    )
    events = []
    for number, (second, (meter, service_class, most), quantity) in enumerate(said):
        at = make.MONTH_START + timedelta(seconds=second)
        name, amount = f"e{number}", quantity % most
        if service_class:
            events.append(make.cards(name, amount, at, service_class=service_class))
        else:
            events.append(make.tokens(name, amount, at, meter=meter, key=f"k{number % 3}"))
    return events


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@dataclass(frozen=True)
class Step:
    """A chunk as it is sent, the statement its first sending dies after, and what follows it."""

    events: Sequence[UsageEvent]
    fatal: int
    then: str
    hour: int


@st.composite
def tellings(draw: st.DrawFn, stream: Sequence[UsageEvent]) -> list[Step]:
    """The stream in any order and any chunks, some of it again and again."""
    again = draw(st.lists(st.sampled_from(list(stream)), max_size=6))
    sent = draw(st.permutations([*stream, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    marks = [0, *cuts, len(sent)]
    return [
        Step(
            sent[start:end],
            fatal=draw(st.one_of(st.just(0), st.integers(1, 14))),
            then=draw(st.sampled_from(["", "accrue", "invoice"])),
            hour=draw(st.integers(1, HOURS)),
        )
        for start, end in zip(marks, marks[1:], strict=False)
    ]


def send(tenant: Organisation, step: Step) -> None:
    """Send a chunk; where it dies midway, send it once more."""
    seen = 0

    def deadly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        seen += 1
        result = execute(sql, params, many, context)
        if seen == step.fatal:
            raise Killed
        return result

    try:
        with transaction.atomic(), connection.execute_wrapper(deadly):
            ingest(tenant, *step.events, now=LATE)
    except Killed:
        ingest(tenant, *step.events, now=LATE)


def bill(tenant: Organisation, hour: int) -> None:
    try:
        issue(tenant, until=make.MONTH_START + hour * make.HOUR, now=LATE)
    except (NothingToInvoice, InvoicePeriodRefused):
        """Nothing has come in since the last one, or it reached further."""


def keep_accounts(tenant: Organisation) -> None:
    """The periodic work, which may be woken any number of times."""
    for _again in range(2):
        with tenant_scope(tenant.pk):
            accrue(tenant_id=tenant.pk, now=LATE)


def tell(tenant: Organisation, steps: Sequence[Step]) -> None:
    for step in steps:
        send(tenant, step)
        if step.then == "accrue":
            keep_accounts(tenant)
        elif step.then == "invoice":
            bill(tenant, step.hour)
    # What came in after the month's own invoice is billed by the next.
    bill(tenant, HOURS + 20)
    keep_accounts(tenant)


def money(tenant: Organisation) -> dict[str, tuple[int, Decimal, Decimal]]:
    """By SKU and unit price: how much was billed, for how much net, with how much tax."""
    found: dict[str, tuple[int, Decimal, Decimal]] = {}
    with operator_scope():
        for line in InvoiceLine.objects.filter(tenant=tenant):
            key = f"{line.sku}|{line.portion}|{line.unit_price.normalize()}"
            quantity, net, tax = found.get(key, (0, Decimal(0), Decimal(0)))
            found[key] = (quantity + line.quantity, net + line.net, tax + line.tax)
    return {key: sums for key, sums in found.items() if sums != (0, Decimal(0), Decimal(0))}


def counted(tenant: Organisation) -> tuple[int, int]:
    with tenant_scope(tenant.pk):
        rows = UsageBucket.objects.values_list("quantity", "events")
        return sum(quantity for quantity, _ in rows), sum(events for _, events in rows)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_chunks_order_repetition_deaths_and_cuts_give_the_same_money(
    changing_prices: None, data: st.DataObject
) -> None:
    stream = data.draw(streams())
    steps = data.draw(tellings(stream))
    currency = data.draw(st.sampled_from(["CNY", "USD"]))
    outer = transaction.atomic()
    outer.__enter__()
    try:
        whole, parts = (make.make_tenant(f"t{uuid7().hex}") for _ in range(2))
        for tenant in (whole, parts):
            bill_in(tenant, currency)
            pay_in(tenant, "1000.00", now=LATE)
        tell(whole, [Step(stream, fatal=0, then="", hour=0)])
        tell(parts, steps)
        assert (
            counted(parts)
            == counted(whole)
            == (
                sum(event.quantity for event in stream),
                len(stream),
            )
        )
        assert money(parts) == money(whole)
        assert stands(parts) == stands(whole)
        with operator_scope():
            billed = [
                sum(Invoice.objects.filter(tenant=tenant).values_list("gross", flat=True))
                for tenant in (whole, parts)
            ]
            billed_in = set(Invoice.objects.values_list("currency", flat=True))
        assert billed[0] == billed[1]
        assert billed_in <= {currency}
        assert stands(parts).balance == Decimal("1000.00") - billed[0]
        # What a commit would check is checked although this one never comes.
        with operator_scope(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert broken() == ()
    finally:
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)
