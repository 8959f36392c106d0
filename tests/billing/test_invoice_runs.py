"""The invoice run: every tenant once, whatever stops it and however often it is started."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from billing import tasks
from billing.commands.adjustments import propose_adjustment
from billing.commands.runs import (
    RunItemMoved,
    approve_items,
    mark_late_runs,
    retry_items,
    start_run,
)
from billing.models import Adjustment, Invoice, InvoiceRun, InvoiceRunItem, PriceVersion
from billing.queries.invoices import invoice_detail, unbilled
from billing.queries.runs import RunGross, invoice_run, invoice_runs, run_items
from billing.queries.sweep import tenants_to_invoice
from billing.run_tasks import work_run
from common.errors import InvalidInput
from tenants.models import Notice, Organisation
from tenants.permissions import OPERATOR_ROLES, SYSTEM, Actor, ActorKind
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, stands
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db
DUE = make.MONTH_END
NOW = DUE + timedelta(hours=7)
CLERK = Actor(
    kind=ActorKind.OPERATOR,
    id=UUID(int=7),
    name="clerk",
    tenant_id=None,
    permissions=OPERATOR_ROLES["finance"],
)


UNPRICED = make.UsageEvent(
    source="engine",
    id="odd",
    meter="test.card_seconds",
    subject="x",
    at=make.NOW - make.HOUR,
    quantity=3600,
    dimensions={"chip": "c9", "service_class": "on_demand", "workload": "w"},
)


def price_the_unpriced() -> None:
    make.publish(
        [*make.STANDARD_LINES, make.price_line("test.card_seconds", "1.00", 3600, {"chip": "c9"})],
        effective_at=make.LONG_AGO + timedelta(days=1),
        now=make.LONG_AGO,
    )


@pytest.fixture
def by_hand(settings: Settings) -> None:
    settings.INVOICE_RUN_AUTOMATIC = False


def used(number: int) -> list[Organisation]:
    tenants = [make.make_tenant(f"t{index}") for index in range(number)]
    for index, tenant in enumerate(tenants):
        ingest(tenant, make.tokens("e1", 1_000_000 * (index + 1)))
    return tenants


def start(now: object = NOW) -> UUID | None:
    with operator_scope():
        return start_run(actor=SYSTEM, period_end=DUE, now=now)  # type: ignore[arg-type]


def work(run_id: UUID | None, *, is_automatic: bool = False) -> None:
    assert run_id is not None
    work_run(run_id, is_automatic=is_automatic, now=NOW)


def states() -> dict[str, str]:
    with operator_scope():
        rows = InvoiceRunItem.objects.order_by("tenant__code")
        return dict(rows.values_list("tenant__code", "state"))


def run_state() -> str:
    with operator_scope():
        return InvoiceRun.objects.get().state


def approve(run_id: UUID | None) -> int:
    assert run_id is not None
    with operator_scope():
        return approve_items(actor=CLERK, run_id=run_id, now=NOW)


def invoices() -> list[tuple[str, str]]:
    with operator_scope():
        rows = Invoice.objects.order_by("sequence")
        return [(row.buyer_code, str(row.gross)) for row in rows]


def test_a_run_drafts_waits_for_agreement_and_issues(prices: PriceVersion, by_hand: None) -> None:
    used(3)
    run_id = start()
    assert (states(), run_state()) == (
        {"t0": "pending", "t1": "pending", "t2": "pending"},
        "drafting",
    )
    work(run_id)
    assert (set(states().values()), run_state(), invoices()) == ({"drafted"}, "review", [])
    with operator_scope():
        item = InvoiceRunItem.objects.get(tenant__code="t1")
        assert Notice.objects.filter(kind="invoice.drafted").count() == 3
    assert (item.net, item.gross, item.line_count, item.oddities) == (
        Decimal("2.00"),
        Decimal("2.12"),
        1,
        ["first"],
    )
    assert approve(run_id) == 3
    assert run_state() == "issuing"
    work(run_id)
    assert (set(states().values()), run_state()) == ({"issued"}, "done")
    assert invoices() == [("t0", "1.06"), ("t1", "2.12"), ("t2", "3.18")]
    with operator_scope():
        told = invoice_run(actor=CLERK, run_id=run_id)  # type: ignore[arg-type]
    assert (told.total, told.issued) == (3, 3)
    assert told.gross == (RunGross("CNY", drafted=Decimal("6.36"), issued=Decimal("6.36")),)
    assert broken() == ()


def test_a_second_run_of_the_same_month_changes_nothing(
    prices: PriceVersion, by_hand: None
) -> None:
    used(2)
    run_id = start()
    for _ in range(2):
        work(run_id)
        approve_once(run_id)
    work(run_id)
    before = (states(), invoices())
    assert start() == run_id
    work(run_id, is_automatic=True)
    with pytest.raises(RunItemMoved):
        approve(run_id)
    assert (states(), invoices()) == before
    with operator_scope():
        assert len(invoice_runs(actor=CLERK)) == 1


def approve_once(run_id: UUID | None) -> None:
    if "drafted" in states().values():
        approve(run_id)


def test_the_automatic_run_is_the_monthly_task(
    prices: PriceVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(2)
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    for _ in range(2):
        tasks.issue_due()
    assert invoices() == [("t0", "1.06"), ("t1", "2.12")]
    assert run_state() == "done"
    with operator_scope():
        item = InvoiceRunItem.objects.get(tenant__code="t1")
        told = set(Notice.objects.values_list("tenant__code", "kind"))
    assert (item.net, item.gross, item.line_count, item.oddities, item.reviewer_name) == (
        Decimal("2.00"),
        Decimal("2.12"),
        1,
        ["first"],
        "system",
    )
    assert item.drafted_at == item.reviewed_at == item.issued_at == NOW
    # A draft that nobody could look at is not told of.
    assert told == {("t0", "invoice.issued"), ("t1", "invoice.issued")}


def test_an_automatic_run_leaves_what_has_no_price_drafted_and_bills_it_once_it_has(
    prices: PriceVersion,
) -> None:
    (first, _second) = used(2)
    ingest(first, UNPRICED)
    run_id = start()
    for _ in range(2):
        work(run_id, is_automatic=True)
        assert (states(), run_state()) == ({"t0": "drafted", "t1": "issued"}, "review")
    with operator_scope():
        assert InvoiceRunItem.objects.get(tenant=first).oddities == ["unpriced", "first"]
    price_the_unpriced()
    work(run_id, is_automatic=True)
    assert (set(states().values()), run_state()) == ({"issued"}, "done")
    assert broken() == ()


def test_without_usage_there_is_no_run(prices: PriceVersion, alice: Organisation) -> None:
    assert start() is None
    with operator_scope():
        assert InvoiceRun.objects.count() == 0


def test_no_run_bills_a_month_that_has_not_ended(prices: PriceVersion) -> None:
    used(1)
    with pytest.raises(InvalidInput):
        start(DUE - timedelta(seconds=1))


def test_unpriced_usage_is_not_agreed_to_and_is_drafted_again_once_priced(
    prices: PriceVersion, by_hand: None
) -> None:
    (first, second) = used(2)
    ingest(first, UNPRICED)
    run_id = start()
    work(run_id)
    assert approve(run_id) == 1
    work(run_id)
    assert (states(), run_state()) == ({"t0": "drafted", "t1": "issued"}, "review")
    assert invoices() == [(second.code, "2.12")]
    with operator_scope():
        odd = run_items(actor=CLERK, run_id=run_id, state="odd").items  # type: ignore[arg-type]
        assert ["unpriced", "first"] in [item.oddities for item in odd]
    price_the_unpriced()
    with operator_scope():
        assert retry_items(actor=CLERK, run_id=run_id, now=NOW) == 1  # type: ignore[arg-type]
    work(run_id)
    approve(run_id)
    work(run_id)
    assert (set(states().values()), run_state()) == ({"issued"}, "done")


def test_one_tenants_refusal_is_written_down_and_the_others_are_billed(
    prices: PriceVersion, by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _second) = used(2)
    run_id = start()
    work(run_id)
    approve(run_id)
    with operator_scope():
        InvoiceRunItem.objects.filter(tenant=first).update(state="drafted")
        InvoiceRunItem.objects.filter(tenant=first).update(state="reviewed")
    ingest(first, UNPRICED)
    work(run_id)
    assert states() == {"t0": "failed", "t1": "issued"}
    with operator_scope():
        item = InvoiceRunItem.objects.get(tenant=first)
    assert (item.failure_code, item.attempts, run_state()) == ("usage_unpriced", 1, "review")
    assert broken() == ()


def test_a_tenant_billed_on_its_own_page_meanwhile_is_left_out(
    prices: PriceVersion, by_hand: None
) -> None:
    (first,) = used(1)
    run_id = start()
    work(run_id)
    approve(run_id)
    issue(first, until=DUE, now=NOW)
    work(run_id)
    assert (states(), run_state()) == ({"t0": "empty"}, "done")
    assert len(invoices()) == 1


def test_a_bill_far_from_the_last_one_is_pointed_out(prices: PriceVersion, by_hand: None) -> None:
    small, large = make.make_tenant("small"), make.make_tenant("large")
    for tenant, before, after in ((small, 500, 10), (large, 100, 500)):
        early = make.NOW - 30 * make.HOUR
        ingest(tenant, make.tokens("before", before * 1_000_000, early))
        issue(tenant, until=make.NOW - 20 * make.HOUR)
        ingest(tenant, make.tokens("after", after * 1_000_000))
    work(start())
    with operator_scope():
        found = dict(InvoiceRunItem.objects.values_list("tenant__code", "oddities"))
    assert found == {"small": ["much_less"], "large": ["much_more"]}


def test_a_run_not_worked_off_in_time_is_marked_once(prices: PriceVersion, by_hand: None) -> None:
    used(1)
    start()
    with operator_scope():
        assert mark_late_runs(now=NOW + timedelta(hours=5)) == 0
        assert mark_late_runs(now=NOW + timedelta(hours=6)) == 1
        assert mark_late_runs(now=NOW + timedelta(hours=7)) == 0


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@pytest.mark.django_db(transaction=True)
def test_a_run_stopped_after_any_of_its_steps_ends_with_one_invoice_each() -> None:
    make.make_prices()
    used(3)
    stops = seen = fatal_step = 0

    def deadly(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        nonlocal seen
        result = execute(sql, params, many, context)
        if "UPDATE" in sql and "billing_invoicerunitem" in sql:
            seen += 1
            if seen == fatal_step:
                raise Killed
        return result

    # Each life of the worker gets one step further than the one before, and dies within it.
    def past(fatal: int) -> bool:
        nonlocal seen, fatal_step
        seen, fatal_step = 0, fatal
        try:
            with connection.execute_wrapper(deadly):
                with operator_scope():
                    run_id = start_run(actor=SYSTEM, period_end=DUE, now=NOW)
                assert run_id is not None
                work_run(run_id, is_automatic=True, now=NOW)
        except Killed:
            return False
        return True

    while not past(stops + 1):
        stops += 1
        assert broken() == ()
        with operator_scope():
            billed = list(Invoice.objects.values_list("tenant_id", flat=True))
            issued = InvoiceRunItem.objects.filter(state="issued").count()
        assert len(billed) == len(set(billed)) == issued
        assert stops < 40
    assert stops >= 5
    assert invoices() == [("t0", "1.06"), ("t1", "2.12"), ("t2", "3.18")]
    assert (set(states().values()), run_state()) == ({"issued"}, "done")
    assert broken() == ()


def adjust(tenant: Organisation, net: str, now: object = make.NOW) -> None:
    with operator_scope():
        propose_adjustment(
            actor=CLERK,
            tenant_id=tenant.pk,
            net=Decimal(net),
            tax_code="it_service",
            title_en="Setting up",
            title_zh="安装",
            reason="As agreed",
            now=now,  # type: ignore[arg-type]
        )


def bill_of(tenant: Organisation) -> Invoice:
    with operator_scope():
        return Invoice.objects.get(tenant=tenant)


def test_an_adjustment_alone_is_billed_by_the_run_and_once(prices: PriceVersion) -> None:
    alone = make.make_tenant("alone")
    adjust(alone, "100.00")
    with tenant_scope(alone.pk):
        shown = unbilled(tenant_id=alone.pk, until=DUE)
    assert [(line.kind, str(line.gross)) for line in shown.lines] == [("adjustment", "106.00")]
    for _ in range(2):
        work(start(), is_automatic=True)
    assert states() == {"alone": "issued"}
    invoice = bill_of(alone)
    assert (str(invoice.net), str(invoice.gross), invoice.line_count) == ("100.00", "106.00", 1)
    assert (invoice.period_start, invoice.period_end) == (make.MONTH_START, DUE)
    assert shown.period_start == invoice.period_start
    assert stands(alone).balance == Decimal("-106.00")
    with operator_scope():
        assert Adjustment.objects.get().state == "invoiced"
    assert broken() == ()


def test_an_adjustment_below_zero_alone_goes_into_the_wallet_and_pays_what_is_open(
    prices: PriceVersion,
) -> None:
    tenant = make.make_tenant("t0")
    ingest(tenant, make.tokens("e1", 30_000_000, at=make.MONTH_START))
    first = issue(tenant)
    assert str(first.gross) == "31.80"
    adjust(tenant, "-50.00")
    work(start(), is_automatic=True)
    with operator_scope():
        second = Invoice.objects.exclude(pk=first.pk).get(tenant=tenant)
    assert (str(second.net), str(second.gross)) == ("-50.00", "-53.00")
    assert (second.period_start, second.previous_hash) == (first.period_end, first.content_hash)
    with tenant_scope(tenant.pk):
        paid = invoice_detail(tenant_id=tenant.pk, invoice_id=first.pk, now=make.NOW)
        below = invoice_detail(tenant_id=tenant.pk, invoice_id=second.pk, now=make.NOW)
    assert (paid.due, paid.paid_from_wallet) == (0, Decimal("31.80"))
    assert (below.due, below.to_wallet) == (0, Decimal("53.00"))
    assert stands(tenant).balance == Decimal("21.20")
    with operator_scope():
        (item,) = InvoiceRunItem.objects.all()
        assert "negative" in item.oddities
    assert broken() == ()


def test_an_adjustment_that_takes_away_all_that_was_used_leaves_nothing_to_pay(
    prices: PriceVersion,
) -> None:
    tenant = make.make_tenant("t0")
    ingest(tenant, make.tokens("e1", 30_000_000))
    adjust(tenant, "-30.00")
    work(start(), is_automatic=True)
    invoice = bill_of(tenant)
    assert (str(invoice.gross), invoice.line_count, stands(tenant).balance) == ("0.00", 2, 0)
    assert broken() == ()


def test_an_adjustment_approved_after_the_month_waits_for_the_next_run(
    prices: PriceVersion,
) -> None:
    alone, user = make.make_tenant("alone"), make.make_tenant("user")
    ingest(user, make.tokens("e1", 1_000_000))
    for tenant in (alone, user):
        adjust(tenant, "10.00", now=DUE)
    work(start(), is_automatic=True)
    assert states() == {"user": "issued"}
    assert bill_of(user).line_count == 2
    with operator_scope():
        assert tenants_to_invoice(DUE) == ()
        assert tenants_to_invoice(DUE + timedelta(days=31)) == (alone.pk,)


def test_credits_pay_an_adjustment_as_the_draft_says(prices: PriceVersion) -> None:
    alone = give.verified("alone")
    give.promo(alone, "20.00")
    adjust(alone, "100.00")
    with tenant_scope(alone.pk):
        shown = unbilled(tenant_id=alone.pk, until=DUE)
    work(start(), is_automatic=True)
    invoice = bill_of(alone)
    with tenant_scope(alone.pk):
        found = invoice_detail(tenant_id=alone.pk, invoice_id=invoice.pk, now=make.NOW)
    assert (shown.credits, found.credits) == (Decimal("20.00"), Decimal("20.00"))
    assert (shown.payable, found.payable, found.due) == (Decimal("86.00"),) * 3
