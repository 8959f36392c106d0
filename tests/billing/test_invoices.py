"""An invoice: contiguous, gapless, whole, frozen, and explained down to its events."""

from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.commands.invoices import (
    InvoicePeriodRefused,
    NothingToInvoice,
    UsageUnpriced,
    content_hash,
    due_month_end,
    issue_due_invoice,
)
from billing.commands.prices import PriceListRefused
from billing.models import Invoice, InvoiceLine, Price, PriceVersion, UsageBucket
from billing.queries.invoices import invoice_detail, invoice_list, unbilled
from billing.queries.line_events import line_events, line_hours
from billing.tasks import issue_due
from common.errors import NotFound
from tenants.models import Organisation, Project
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.database import as_owner
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def lines_of(invoice: Invoice) -> list[InvoiceLine]:
    with operator_scope():
        return list(InvoiceLine.objects.filter(invoice=invoice).order_by("position"))


def money(invoice: Invoice) -> tuple[str, str, str]:
    return str(invoice.net), str(invoice.tax), str(invoice.gross)


def test_an_invoice_bills_each_line_rounded_once_and_shows_covered_use_at_zero(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(
        alice,
        make.tokens("t1", 1_234_567),
        make.tokens("t2", 765_433),
        make.cards("c1", 1000),
        make.cards("c2", 9999, service_class="covered"),
    )
    invoice = issue(alice)
    assert [
        (line.sku, line.quantity, str(line.net), str(line.tax)) for line in lines_of(invoice)
    ] == [
        ("test.card_seconds.c1.on_demand", 1000, "1.00", "0.06"),
        ("test.card_seconds.covered", 9999, "0.00", "0.00"),
        ("test.tokens_in", 2_000_000, "2.00", "0.12"),
    ]
    assert money(invoice) == ("3.00", "0.18", "3.18")
    assert (invoice.number, invoice.period_start) == ("ACC-2026-000001", make.MONTH_START)
    assert broken() == ()


def test_the_draft_is_the_invoice_line_by_line(alice: Organisation, prices: PriceVersion) -> None:
    ingest(alice, *[make.tokens(f"t{n}", 333_333, key=f"k{n % 3}") for n in range(10)])
    with tenant_scope(alice.pk):
        draft = unbilled(tenant_id=alice.pk, until=make.NOW)
    invoice = issue(alice)
    with tenant_scope(alice.pk):
        issued = invoice_detail(tenant_id=alice.pk, invoice_id=invoice.pk, now=make.NOW)
        empty = unbilled(tenant_id=alice.pk, until=make.NOW)
    told = [(x.sku, x.dimensions, x.quantity, x.net, x.tax, x.gross) for x in draft.lines]
    assert told == [(x.sku, x.dimensions, x.quantity, x.net, x.tax, x.gross) for x in issued.lines]
    assert (draft.net, draft.tax, draft.gross) == (issued.net, issued.tax, issued.gross)
    assert (empty.lines, stands(alice).unbilled) == ((), 0)


def test_an_invoice_of_covered_use_only_moves_no_money(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.cards("c1", 3600, service_class="covered"))
    assert money(issue(alice)) == ("0.00", "0.00", "0.00")
    assert stands(alice).balance == 0
    assert broken() == ()


def test_the_wallet_settles_what_it_can(alice: Organisation, prices: PriceVersion) -> None:
    pay_in(alice, "2.00")
    ingest(alice, make.cards("c1", 3600))
    invoice = issue(alice)
    with tenant_scope(alice.pk):
        detail = invoice_detail(tenant_id=alice.pk, invoice_id=invoice.pk, now=make.NOW)
    assert (detail.gross, detail.paid, detail.due) == (
        Decimal("3.82"),
        Decimal("2.00"),
        Decimal("1.82"),
    )
    assert stands(alice).balance == Decimal("-1.82")


def test_late_usage_lands_on_the_next_invoice_with_its_own_service_period(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, make.NOW - 48 * make.HOUR))
    first = issue(alice, until=make.NOW - 24 * make.HOUR)
    ingest(
        alice,
        make.tokens("late", 3_000_000, make.NOW - 48 * make.HOUR),
        make.tokens("t2", 5_000_000),
    )
    second = issue(alice)
    hour = make.NOW - 48 * make.HOUR
    assert [
        (line.is_late, line.quantity, line.service_from, line.service_to)
        for line in lines_of(second)
    ] == [
        (False, 5_000_000, make.NOW - make.HOUR, make.NOW),
        (True, 3_000_000, hour, hour + make.HOUR),
    ]
    assert second.period_start == first.period_end
    assert (str(first.net), str(second.net)) == ("1.00", "8.00")
    assert broken() == ()


def test_a_price_change_splits_the_line_by_the_time_of_the_event(
    alice: Organisation, prices: PriceVersion
) -> None:
    change = make.NOW - 2 * make.HOUR
    make.publish(
        [make.price_line("test.tokens_in", "2.00", 1_000_000)],
        effective_at=change,
        now=change - make.HOUR,
    )
    with operator_scope():
        quoted = Price.objects.get(version=prices, meter="test.tokens_in")
    ingest(
        alice,
        make.tokens("after", 1_000_000, change),
        make.tokens("before", 1_000_000, change - timedelta(microseconds=1)),
        make.tokens("quoted", 1_000_000, change, price_id=quoted.pk),
    )
    invoice = issue(alice)
    assert sorted((str(x.unit_price.normalize()), x.quantity) for x in lines_of(invoice)) == [
        ("1", 2_000_000),
        ("2", 1_000_000),
    ]
    assert str(invoice.net) == "4.00"


def test_usage_without_a_price_stops_the_invoice_and_is_named(
    alice: Organisation, prices: PriceVersion
) -> None:
    event = make.cards("c1", 60)
    unknown = {"chip": "no-such", "service_class": "on_demand", "workload": "w"}
    ingest(alice, make.tokens("t1", 5), type(event)(**{**vars(event), "dimensions": unknown}))
    with pytest.raises(UsageUnpriced):
        issue(alice)
    with tenant_scope(alice.pk):
        draft = unbilled(tenant_id=alice.pk, until=make.NOW)
        assert draft.unpriced_meters == ("test.card_seconds",)
        assert Invoice.objects.count() == 0


@pytest.mark.parametrize("until", [make.NOW + timedelta(seconds=1), make.MONTH_START])
def test_an_invoice_ends_after_it_starts_and_not_in_the_future(
    alice: Organisation, prices: PriceVersion, until: datetime
) -> None:
    ingest(alice, make.tokens("t1", 5))
    with pytest.raises((InvoicePeriodRefused, NothingToInvoice)):
        issue(alice, until=until)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            "Nothing is left to invoice up to this time: no usage, no true-up of an agreed amount "
            "and no adjustment.",
        ),
        ("zh-hans", "截至此时间没有可出账的内容：既无用量，也无约定金额的补足或调账。"),
    ],
)
def test_nothing_used_agreed_or_adjusted_is_nothing_to_invoice(
    alice: Organisation, prices: PriceVersion, language: str, sentence: str
) -> None:
    with pytest.raises(NothingToInvoice) as refusal, override(language):
        issue(alice)
    with override(language):
        assert str(refusal.value) == sentence
    with operator_scope():
        assert not Invoice.objects.exists()


def test_numbers_and_hashes_chain_across_tenants(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    for tenant in (alice, bob):
        ingest(tenant, make.tokens("t1", 1_000_000))
    first, second = issue(alice), issue(bob)
    assert (first.number, second.number) == ("ACC-2026-000001", "ACC-2026-000002")
    assert second.previous_hash == first.content_hash
    with operator_scope():
        again = Invoice.objects.select_related("due").get(pk=first.pk)
        lines = list(again.lines.order_by("position"))
    assert content_hash(again, lines) == first.content_hash


def test_a_line_opens_down_to_its_hours_and_events(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    events = [make.tokens(f"t{n}", n + 1, make.NOW - make.HOUR * (5 - n // 2)) for n in range(10)]
    ingest(alice, *events)
    line = lines_of(issue(alice))[0]
    with tenant_scope(alice.pk):
        hours = line_hours(tenant_id=alice.pk, line_id=line.pk)
        first = line_events(tenant_id=alice.pk, line_id=line.pk, limit=4)
        rest = line_events(tenant_id=alice.pk, line_id=line.pk, after=first[-1].cursor)
    assert sum(hour.quantity for hour in hours) == line.quantity == 55
    assert sorted(event.id for event in (*first, *rest)) == sorted(event.id for event in events)
    with tenant_scope(bob.pk), pytest.raises(NotFound):
        line_events(tenant_id=bob.pk, line_id=line.pk)


def test_reading_takes_the_same_statements_however_many_lines(
    alice: Organisation, prices: PriceVersion, django_assert_num_queries: object
) -> None:
    counts = []
    for size in (3, 60):
        ingest(alice, *[make.tokens(f"{size}-{n}", 10**6, key=f"k{n}") for n in range(size)])
        with tenant_scope(alice.pk):
            counts.append(statements(lambda: unbilled(tenant_id=alice.pk, until=make.NOW)))
    assert counts[0] == counts[1] <= 7
    invoice = issue(alice)
    with tenant_scope(alice.pk):
        assert statements(lambda: invoice_list(tenant_id=alice.pk, now=make.NOW)) == 1
        asked = {"tenant_id": alice.pk, "invoice_id": invoice.pk, "now": make.NOW}
        assert statements(lambda: invoice_detail(**asked)) == 3


def statements(work: object) -> int:
    seen = []

    def counting(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(counting):
        work()  # type: ignore[operator]
    return len(seen)


def test_the_month_is_billed_when_its_grace_is_over_and_once(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    assert due_month_end(make.MONTH_END + timedelta(hours=5)) == make.MONTH_START
    later = make.MONTH_END + timedelta(hours=6)
    assert due_month_end(later) == make.MONTH_END
    with tenant_scope(alice.pk):
        invoice = issue_due_invoice(tenant_id=alice.pk, now=later)
        assert invoice is not None
        assert (invoice.period_start, invoice.period_end) == (make.MONTH_START, make.MONTH_END)
        assert issue_due_invoice(tenant_id=alice.pk, now=later) is None


def test_a_project_is_named_on_its_line(alice: Organisation, prices: PriceVersion) -> None:
    with operator_scope():
        project = Project.objects.create(tenant=alice, code="llm", name="大模型 🚀")
    ingest(alice, make.tokens("t1", 1, project_id=project.pk), make.tokens("t2", 1))
    assert sorted(line.project_name for line in lines_of(issue(alice))) == ["", "大模型 🚀"]


# Any cut, order and repetition gives the same money.


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_cut_order_and_repetition_gives_the_same_buckets_and_money(
    alice: Organisation, prices: PriceVersion, data: st.DataObject
) -> None:
    quantities = data.draw(st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
    events = [
        make.tokens(f"t{n}", q, make.NOW - make.HOUR * (n % 4 + 1), key=f"k{n % 2}")
        for n, q in enumerate(quantities)
    ]
    sent = data.draw(st.permutations([*events, *events[::2]]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    marks = [0, *cuts, len(sent)]
    outer = transaction.atomic()
    outer.__enter__()
    try:
        for start, end in zip(marks, marks[1:], strict=False):
            ingest(alice, *sent[start:end])
        with tenant_scope(alice.pk):
            counted = sum(UsageBucket.objects.values_list("quantity", flat=True))
            draft = unbilled(tenant_id=alice.pk, until=make.NOW)
        expected = [sum(q for n, q in enumerate(quantities) if n % 2 == side) for side in (0, 1)]
        assert counted == sum(quantities)
        assert [line.quantity for line in draft.lines] == [q for q in expected if q]
        net = sum((q + 5_000) // 10_000 for q in expected)
        assert draft.net == Decimal(net) / 100
        assert broken() == ()
    finally:
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)


# The database without our guards.


@pytest.mark.django_db(transaction=True)
def test_an_issued_invoice_cannot_be_changed_by_anyone(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    invoice = issue(alice)
    for table in ("invoice", "invoiceline", "charge", "chargesegment"):
        for change in (
            f"UPDATE billing_{table} SET tenant_id = tenant_id",
            f"DELETE FROM billing_{table}",
        ):
            for scope in (tenant_scope(alice.pk), operator_scope()):
                with (
                    scope,
                    pytest.raises(DatabaseError),
                    transaction.atomic(),
                    connection.cursor() as cursor,
                ):
                    cursor.execute(change)
            # The owner of the tables, whom no grant stops, meets the trigger.
            with pytest.raises(psycopg.Error, match="append-only"):
                as_owner(change)
    assert len(lines_of(invoice)) == 1


def copied(invoice: Invoice, **changes: object) -> Invoice:
    fields = {
        field.attname: getattr(invoice, field.attname)
        for field in Invoice._meta.concrete_fields
        if field.name != "id"
    }
    following = {
        "sequence": invoice.sequence + 1,
        "number": f"copy-{invoice.sequence + 1}",
        "period_start": invoice.period_end,
        "period_end": invoice.period_end + make.HOUR,
        "previous_hash": invoice.content_hash,
    }
    return Invoice(**{**fields, **following, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": 3},
        {"sequence": 1},
        {"previous_hash": "forged"},
        {"period_start": make.NOW + make.HOUR, "period_end": make.NOW + 2 * make.HOUR},
        {"period_start": make.MONTH_START},
        {"gross": Decimal("99.00")},
    ],
)
def test_a_gap_an_overlap_or_a_wrong_total_is_refused_by_the_database(
    alice: Organisation, prices: PriceVersion, changes: dict[str, object]
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    invoice = issue(alice)
    with pytest.raises(IntegrityError), transaction.atomic(), tenant_scope(alice.pk):
        copied(invoice, **changes).save(force_insert=True)


def write_alone(invoice: Invoice) -> None:
    with tenant_scope(invoice.tenant_id), connection.cursor() as cursor:
        invoice.save(force_insert=True)
        # What a commit would do, which the test's own transaction never comes to.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_an_invoice_without_its_lines_is_refused_when_it_commits(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    invoice = issue(alice)
    with pytest.raises(IntegrityError, match="sum of its lines"), transaction.atomic():
        write_alone(copied(invoice))


def test_a_published_price_cannot_be_changed_nor_added_to(prices: PriceVersion) -> None:
    for change in (
        "UPDATE billing_price SET unit_price = 0",
        "DELETE FROM billing_price",
        "UPDATE billing_priceversion SET effective_at = effective_at - interval '1 hour'",
        "INSERT INTO billing_price SELECT gen_random_uuid(), meter, match, sku || 'x', title_en, "
        "title_zh, model, unit_price, unit_quantity, tax_code, version_id FROM billing_price",
    ):
        with (
            operator_scope(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


def test_a_tenant_cannot_write_prices_at_all(alice: Organisation, prices: PriceVersion) -> None:
    with (
        tenant_scope(alice.pk),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
    ):
        PriceVersion.objects.create(effective_at=make.NOW)


def test_tax_rates_of_one_code_never_overlap(prices: PriceVersion) -> None:
    make.make_tax("0.13", code="leasing")
    with pytest.raises(IntegrityError, match="no_overlap"), transaction.atomic():
        make.make_tax("0.09")


@pytest.mark.parametrize(
    "effective_at",
    [make.NOW - make.HOUR, make.NOW + timedelta(minutes=30), make.LONG_AGO],
)
def test_a_second_list_starts_on_a_free_whole_hour_to_come(
    prices: PriceVersion, effective_at: datetime
) -> None:
    with pytest.raises(PriceListRefused):
        make.publish(effective_at=effective_at)


@pytest.mark.django_db(transaction=True)
def test_the_task_bills_every_tenant_due(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = make.make_tenant("alice"), make.make_tenant("bob")
    make.make_prices()
    ingest(alice, make.tokens("t1", 1_000_000))
    ingest(bob, make.tokens("t1", 2_000_000))
    monkeypatch.setattr("billing.tasks.utc_now", lambda: make.MONTH_END + timedelta(hours=7))
    issue_due()
    issue_due()
    with operator_scope():
        billed = list(Invoice.objects.order_by("sequence").values_list("sequence", "net"))
    assert sorted(net for _, net in billed) == [1, 2]
    assert [sequence for sequence, _ in billed] == [1, 2]
    assert broken() == ()
