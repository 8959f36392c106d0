"""What is agreed and what is not invoiced yet, in FOCUS exports."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.focus.columns import Dataset
from billing.focus.datasets import contract_commitment_rows
from billing.focus.facts import Row
from billing.focus.parts import duration
from billing.models import PriceVersion
from billing.queries.costs import month_costs
from billing.queries.focus import cost_and_usage, tenants_billed
from billing.queries.focus_agreed import spend_commitments
from common.period import Period, month_of
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_contracts import activate, discount, drafted, end, spend
from tests.billing.test_focus import billed, judged
from tests.billing.test_invoice_runs import adjust
from tests.factories import billing as make
from tests.factories import focus

pytestmark = pytest.mark.django_db

D = Decimal
NOVEMBER = focus.NOVEMBER
OCTOBER = month_of(NOVEMBER.start - make.HOUR, "Asia/Shanghai")
DECEMBER = month_of(NOVEMBER.end, "Asia/Shanghai")
CLOSED = NOVEMBER.end + make.HOUR


def rows(tenant: Organisation, month: Period, now: datetime = CLOSED) -> list[Row]:
    with tenant_scope(tenant.pk):
        return list(cost_and_usage(tenant_id=tenant.pk, month=month, now=now))


def explored(tenant: Organisation, month: Period, now: datetime = CLOSED) -> Decimal:
    with tenant_scope(tenant.pk):
        return month_costs(actor=SYSTEM, tenant_id=tenant.pk, month=month, now=now).total


def net(rows: list[Row]) -> Decimal:
    taxed = [row for row in rows if row["ChargeCategory"] != "Tax"]
    return sum((D(str(row["BilledCost"])) for row in taxed), D(0))


def test_the_open_month_has_its_true_ups_and_adjustments_as_the_cost_explorer_has(
    alice: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("3.00", "minimum")))
    ingest(alice, make.tokens("t1", 1_000_000))
    adjust(alice, "-0.40")
    shown = rows(alice, NOVEMBER)
    assert [
        (row["ChargeCategory"], row["ChargeDescription"], row["BilledCost"]) for row in shown
    ] == [
        ("Usage", "test.tokens_in price - k1 - tiny", D("1.00")),
        ("Adjustment", "Minimum spend not reached, HT-1", D("2.00")),
        ("Adjustment", "Setting up", D("-0.40")),
        ("Tax", "Value-added tax 6.00000 %", D("0.16")),
    ]
    assert {row["InvoiceDetailId"] for row in shown} == {None}
    assert judged(shown, {}).findings == []
    assert net(shown) == explored(alice, NOVEMBER) == D("2.60")
    # What waits stands in one month only.
    assert rows(alice, OCTOBER) == rows(alice, DECEMBER) == []
    assert explored(alice, OCTOBER) == explored(alice, DECEMBER) == 0
    invoice = issue(alice, until=NOVEMBER.end, now=CLOSED)
    assert billed(shown) == {None: invoice.gross}
    assert billed(rows(alice, NOVEMBER)) == {invoice.number: invoice.gross}
    assert broken() == ()


def test_an_adjustment_alone_stands_in_the_month_that_will_bill_it(
    alice: Organisation, prices: PriceVersion
) -> None:
    adjust(alice, "100.00")
    assert billed(rows(alice, NOVEMBER, make.NOW)) == {None: D("106.00")}
    assert rows(alice, OCTOBER, make.NOW) == []


def test_an_operators_file_has_whoever_used_something_or_has_something_waiting(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    carol, dave, _erin = (make.make_tenant(code) for code in ("carol", "dave", "erin"))
    ingest(alice, make.tokens("t1", 1_000_000))
    adjust(bob, "1.00")
    activate(carol, drafted(carol, spend("3.00", "minimum")))
    drafted(dave, spend("3.00", "minimum"), number="HT-2")
    with operator_scope():
        assert tenants_billed() == (alice.pk, bob.pk, carol.pk)


def test_what_waits_does_not_read_the_draft_for_months_before_it(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000))
    counts = []
    for month in (OCTOBER, NOVEMBER):
        with CaptureQueriesContext(connection) as caught:
            rows(alice, month, CLOSED)
        counts.append(len(caught))
    assert counts[0] < counts[1]


def agreed(
    tenant: Organisation | None, month: Period = NOVEMBER, now: datetime = make.NOW
) -> list[Row]:
    with operator_scope():
        facts = spend_commitments(
            tenant_id=None if tenant is None else tenant.pk, month=month, now=now
        )
        return list(contract_commitment_rows(facts))


def told(row: Row) -> Mapping[str, object]:
    names = ("Category", "Type", "Model", "FulfillmentInterval", "Cost", "LifecycleStatus")
    return {name: row[f"ContractCommitment{name}"] for name in names}


def test_the_amounts_a_contract_agrees_are_commitments_of_spend(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    half = NOVEMBER.start + timedelta(days=15)
    terms = (spend("300.00", "minimum", starts_at=half), spend("900.00", interval="term"))
    activate(alice, drafted(alice, discount(), *terms))
    drafted(bob, spend("1.00"), number="HT-2")
    whole, minimum = agreed(None)
    assert told(minimum) == {
        "Category": "Spend",
        "Type": "Minimum Spend",
        "Model": "Discontinuous",
        "FulfillmentInterval": "Monthly",
        # Half of the month at 300.00.
        "Cost": D("150.00"),
        "LifecycleStatus": "Pending",
    }
    assert told(whole) == {
        "Category": "Spend",
        "Type": "Committed Spend",
        "Model": "Discontinuous",
        "FulfillmentInterval": "Full Period",
        "Cost": D("900.00"),
        "LifecycleStatus": "Active",
    }
    assert (whole["ContractId"], whole["BillingCurrency"]) == ("HT-1", "CNY")
    assert whole["ContractCommitmentDurationType"] == "1 Month"
    assert minimum["ContractCommitmentDurationType"] == "15 Days"
    said = "Frame agreement: 900.00 CNY over the whole period"
    assert whole["ContractCommitmentDescription"] == said
    assert judged([whole, minimum], {}, dataset=Dataset.CONTRACT_COMMITMENT).findings == []
    assert agreed(alice) == [whole, minimum]
    # A draft is nothing agreed, and another month nothing agreed for it.
    assert agreed(bob) == agreed(None, DECEMBER) == []


def test_an_agreed_amount_ends_with_its_time_or_early_with_its_contract(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("300.00")))
    contract_id = drafted(bob, spend("300.00"), number="HT-2")
    activate(bob, contract_id)
    end(bob, contract_id, NOVEMBER.start + timedelta(days=20))
    lasting, ended = agreed(alice, now=CLOSED)[0], agreed(bob, now=CLOSED)[0]
    assert (lasting["ContractCommitmentLifecycleStatus"], lasting["ContractCommitmentCost"]) == (
        "Expired",
        D("300.00"),
    )
    assert (ended["ContractCommitmentLifecycleStatus"], ended["ContractCommitmentCost"]) == (
        "Canceled",
        D("200.00"),
    )
    assert ended["ContractCommitmentPeriodEnd"] == NOVEMBER.start + timedelta(days=20)
    assert ended["ContractCommitmentDurationType"] == "1 Month"


def test_agreed_amounts_are_read_in_one_statement_however_many(
    alice: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, spend("1.00"), spend("2.00", interval="term")))
    with CaptureQueriesContext(connection) as caught:
        assert len(agreed(alice)) == 2
    assert sum("billing_contractterm" in query["sql"] for query in caught) == 1


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (NOVEMBER.end - NOVEMBER.start, "1 Month"),
        (DECEMBER.end - NOVEMBER.start, "2 Months"),
        (timedelta(days=2), "2 Days"),
        (timedelta(days=1), "1 Day"),
        (timedelta(hours=36), "36 Hours"),
        (timedelta(minutes=90), "90 Minutes"),
    ],
)
def test_a_length_is_said_in_the_largest_whole_unit(length: timedelta, said: str) -> None:
    start = NOVEMBER.start
    assert duration(Period(start, start + length), "Asia/Shanghai") == said
