"""FOCUS exports of a month that the real commands made: they add up to the invoices."""

import csv
import io
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import meters
from billing.adapters.focus_csv import write_csv
from billing.adapters.parquet import csv_to_parquet, parquet_to_csv
from billing.focus import services
from billing.focus.columns import GIVEN, Dataset, Version, columns
from billing.focus.conformance import Report, check
from billing.focus.facts import Row
from billing.models import Invoice
from billing.queries.focus import cost_and_usage, invoice_details, period_facts
from common.period import Period
from tenants.models import Organisation
from tenants.scoping import tenant_scope
from tests.billing.shorthand import ingest
from tests.factories import billing as make
from tests.factories import focus

pytestmark = pytest.mark.django_db

LATER = make.NOW + 3 * make.HOUR
C = Dataset.COST_AND_USAGE


@pytest.fixture
def invoices(alice: Organisation) -> tuple[Invoice, Invoice]:
    focus.default_prices()
    return focus.mixed_month(alice)


def read(tenant: Organisation, month: Period = focus.NOVEMBER) -> list[Row]:
    with tenant_scope(tenant.pk):
        return list(cost_and_usage(tenant_id=tenant.pk, month=month, now=LATER))


def as_cells(
    rows: list[Row], version: Version = Version.V1_4, dataset: Dataset = C
) -> tuple[list[str], list[dict[str, str]]]:
    out = io.StringIO()
    write_csv(out, rows, columns(dataset, version))
    reader = csv.DictReader(io.StringIO(out.getvalue()))
    return list(reader.fieldnames or ()), list(reader)


def judged(
    rows: list[Row],
    totals: dict[str, Decimal],
    version: Version = Version.V1_4,
    dataset: Dataset = C,
) -> Report:
    return check(*as_cells(rows, version, dataset), dataset=dataset, version=version, totals=totals)


def billed(rows: list[Row]) -> dict[object, Decimal]:
    sums: dict[object, Decimal] = defaultdict(Decimal)
    for row in rows:
        amount = row["BilledCost"]
        assert isinstance(amount, Decimal)
        sums[row["InvoiceId"]] += amount
    return sums


@pytest.mark.parametrize("version", list(Version))
def test_the_rows_of_an_invoice_add_up_to_it_and_break_no_rule(
    alice: Organisation, invoices: tuple[Invoice, Invoice], version: Version
) -> None:
    rows = read(alice)
    totals = {one.number: one.gross for one in invoices}
    sums = billed(rows)
    draft = sums.pop(None)
    assert sums == totals
    assert draft > 0
    assert judged(rows, totals, version).findings == []
    assert "Rounding" not in {row["ChargeDescription"] for row in rows}


def test_hours_of_a_reservation_are_used_or_unused_and_carry_its_fee(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    first = [row for row in read(alice) if row["InvoiceId"] == invoices[0].number]
    told = sorted(
        (
            str(row["CommitmentDiscountId"])[-1],
            row["ChargeCategory"],
            row["CommitmentDiscountStatus"],
            row["CommitmentDiscountQuantity"],
            row["BilledCost"],
            row["EffectiveCost"],
        )
        for row in first
        if row.get("CommitmentDiscountId")
    )
    # 7.50 a card-hour, seven tenths of it reserved: 5.25.
    hours = Decimal("25.009722222222")
    assert told == [
        ("1", "Purchase", None, Decimal(40), Decimal("210.00"), Decimal(0)),
        ("1", "Usage", "Unused", Decimal(40) - hours, Decimal(0), Decimal("78.70")),
        ("1", "Usage", "Used", hours, Decimal("0.00"), Decimal("131.30")),
        ("2", "Purchase", None, Decimal(20), Decimal("105.00"), Decimal(0)),
        ("2", "Usage", "Unused", Decimal(20), Decimal(0), Decimal("105.00")),
    ]


def test_late_use_is_a_correction_with_its_own_hours_on_the_next_invoice(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    late = [row for row in read(alice) if row["ChargeClass"] == "Correction"]
    assert {row["InvoiceId"] for row in late} == {invoices[1].number}
    assert {row["BillingPeriodStart"] for row in late} == {focus.CUT}
    assert {row["ChargePeriodStart"] for row in late} == {
        focus.CUT.replace(minute=0) - timedelta(days=1)
    }
    drawn = {
        row["CommitmentDiscountStatus"]: (row["CommitmentDiscountQuantity"], row["EffectiveCost"])
        for row in late
        if row.get("CommitmentDiscountId")
    }
    # An hour that was billed as unused was used after all: nothing is billed, cost moves over.
    hour = Decimal("1.000277777778")
    assert drawn == {
        "Used": (hour, Decimal("5.25")),
        "Unused": (-hour, Decimal("-5.25")),
    }


def test_a_row_says_prices_and_quantities_that_multiply_to_its_costs(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    rows = [row for row in read(alice) if row.get("x_Meter") == "appliances.tokens_in"]
    first = next(row for row in rows if row["InvoiceId"] == invoices[0].number)
    assert first["PricingUnit"] == "1000000 Tokens"
    assert first["PricingQuantity"] == Decimal("12.345678")
    assert first["ConsumedQuantity"] == Decimal(12_345_678)
    assert first["ListCost"] == first["ContractedCost"] == Decimal("12.345678")
    assert first["BilledCost"] == first["EffectiveCost"] == Decimal("12.35")
    assert (first["SubAccountId"], first["SubAccountName"]) == ("lab", "Lab")
    assert (first["ServiceCategory"], first["ServiceSubcategory"]) == (
        "AI and Machine Learning",
        "Generative AI",
    )


@pytest.mark.parametrize(
    ("meter", "quantity", "priced", "consumed"),
    [
        ("images", 3, (Decimal(3), "Images"), (Decimal(3), "Images")),
        ("audio_seconds", 5400, (Decimal("1.5"), "Hours"), (Decimal("1.5"), "Hours")),
        ("requests", 1, (Decimal("0.001"), "1000 Requests"), (Decimal(1), "Requests")),
    ],
)
def test_calls_that_make_no_tokens_are_model_calls_in_their_own_units(
    alice: Organisation,
    meter: str,
    quantity: int,
    priced: tuple[Decimal, str],
    consumed: tuple[Decimal, str],
) -> None:
    focus.default_prices()
    ingest(alice, focus.called("one", f"appliances.{meter}", make.NOW - make.HOUR, quantity))
    rows = read(alice)
    assert judged(rows, {}).findings == []
    (row,) = [row for row in rows if row["ChargeCategory"] == "Usage"]
    assert (row["PricingQuantity"], row["PricingUnit"]) == priced
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == consumed
    assert (row["ServiceCategory"], row["ServiceName"]) == (
        "AI and Machine Learning",
        "Model calls",
    )


def test_every_meter_of_the_product_says_what_it_is_in_an_export() -> None:
    ours = [code for code in meters.declared() if code.startswith(("compute.", "appliances."))]
    categories = {code: services.of(code).category for code in ours}
    assert categories == {
        "appliances.audio_seconds": "AI and Machine Learning",
        "appliances.images": "AI and Machine Learning",
        "appliances.requests": "AI and Machine Learning",
        "appliances.tokens_cached": "AI and Machine Learning",
        "appliances.tokens_in": "AI and Machine Learning",
        "appliances.tokens_out": "AI and Machine Learning",
        "compute.card_seconds": "Compute",
        "compute.reserved_card_seconds": "Compute",
        "compute.shared_card_milliseconds": "Compute",
        "compute.storage": "Storage",
    }
    assert services.of("compute.storage").pricing_unit(2_691_072_000) == "GiB-Months"
    assert services.of("compute.shared_card_milliseconds").pricing_unit(3_600_000) == "Hours"


def test_invoice_details_have_one_row_a_line_and_a_tax_rate(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    with tenant_scope(alice.pk):
        rows = list(invoice_details(tenant_id=alice.pk, month=focus.NOVEMBER, now=LATER))
    totals = {one.number: one.gross for one in invoices}
    assert judged(rows, totals, dataset=Dataset.INVOICE_DETAIL).findings == []
    assert billed(rows) == totals
    told = {(row["InvoiceId"], row["PaymentDueDate"], row["PaymentTerms"]) for row in rows}
    terms = "Net 15; paid from the prepaid wallet as far as it holds"
    fifteen = timedelta(days=15)
    assert told == {(one.number, one.issued_at + fifteen, terms) for one in invoices}
    named = {(row["InvoiceId"], row["InvoiceDetailId"]): row["BilledCost"] for row in rows}
    of_details: dict[object, Decimal] = defaultdict(Decimal)
    for row in read(alice):
        if row["InvoiceId"] is not None:
            amount = row["BilledCost"]
            assert isinstance(amount, Decimal)
            of_details[row["InvoiceId"], row["InvoiceDetailId"]] += amount
    assert of_details == named


def test_a_month_is_exported_whole_and_no_use_stands_in_two_months(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    december = Period(focus.NOVEMBER.end, focus.NOVEMBER.end + timedelta(days=31))
    at = december.start + timedelta(hours=1)
    ingest(alice, focus.tokens("t4", at, 3_000_000), now=at + make.HOUR)
    with tenant_scope(alice.pk):
        both = [
            list(cost_and_usage(tenant_id=alice.pk, month=month, now=at + make.HOUR))
            for month in (focus.NOVEMBER, december)
        ]
        facts = period_facts(tenant_id=alice.pk, month=december, now=at + make.HOUR)
    assert billed(both[0]) == billed(read(alice))
    assert billed(both[1]) == {None: Decimal("3.18")}
    assert [(one.period, one.is_closed) for one in facts] == [(december, False)]


def test_an_invoice_costs_the_same_few_statements_however_many_lines_it_has(
    alice: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    with (
        tenant_scope(alice.pk),
        CaptureQueriesContext(
            connection,
        ) as caught,
    ):
        list(cost_and_usage(tenant_id=alice.pk, month=focus.NOVEMBER, now=LATER))
    # Twice what is settled; invoices, notes and what credits paid; the draft's five; draws, rates
    # and lines of two invoices; the draft's draws, rates, account and projects.
    assert len(caught) <= 20


def test_another_tenant_is_nowhere_in_the_file(
    alice: Organisation, bob: Organisation, invoices: tuple[Invoice, Invoice]
) -> None:
    ingest(bob, focus.tokens("bobs", make.NOW - make.HOUR, 1_000_000))
    assert {row["BillingAccountId"] for row in read(alice)} == {"alice"}
    assert {row["BillingAccountId"] for row in read(bob)} == {"bob"}
    with tenant_scope(bob.pk):
        assert list(cost_and_usage(tenant_id=alice.pk, month=focus.NOVEMBER, now=LATER)) == []


def test_parquet_holds_the_same_rows_with_exact_types(
    alice: Organisation, invoices: tuple[Invoice, Invoice], tmp_path: Path
) -> None:
    rows, shown = read(alice), columns(C, Version.V1_4)
    plain, typed, back = (tmp_path / name for name in ("a.csv", "a.parquet", "b.csv"))
    with plain.open("w", newline="") as out:
        assert write_csv(out, rows, shown, for_people=False) == len(rows)
    csv_to_parquet(plain, typed, shown)
    parquet_to_csv(typed, back)
    with plain.open(newline="") as before, back.open(newline="") as after:
        old, new = list(csv.DictReader(before)), list(csv.DictReader(after))
    decimals = {column.name for column in shown if column.kind == "decimal"}
    for one, other in zip(old, new, strict=True):
        for name, value in one.items():
            if name in decimals and value:
                assert Decimal(other[name]) == Decimal(value)
            else:
                assert other[name] == value
    said = 'import duckdb, sys; print(duckdb.sql(f"describe select BilledCost, ListUnitPrice, '
    said += "ChargePeriodStart, Tags from read_parquet('{sys.argv[1]}')\").fetchall())"
    types = subprocess.run(
        [sys.executable, "-I", "-c", said, str(typed)], capture_output=True, text=True, check=True
    ).stdout
    assert types.count("DECIMAL(38,15)") == 2
    assert types.count("'TIMESTAMP'") == 1


def test_duckdb_is_in_the_child_and_never_in_a_web_process() -> None:
    said = (
        "import django, sys; django.setup(); import portal.urls, portal.celery, portal.exports; "
        "print([name for name in sys.modules if 'duckdb' in name])"
    )
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_formula_is_escaped_in_free_text_and_a_negative_amount_is_not() -> None:
    row: Row = {"SubAccountName": "=1+1", "BilledCost": Decimal("-1.00"), "Tags": {"=": "="}}
    out = io.StringIO()
    write_csv(out, [row], columns(C, Version.V1_4))
    (cells,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert cells["SubAccountName"] == "'=1+1"
    assert cells["BilledCost"] == "-1.0"
    assert cells["Tags"] == '{"=":"="}'


def test_the_columns_are_as_many_as_the_specification_has() -> None:
    counted = {
        (dataset, version): sum(
            not column.name.startswith("x_") for column in columns(dataset, version)
        )
        for version in Version
        for dataset in GIVEN[version]
    }
    assert counted == {
        (Dataset.COST_AND_USAGE, Version.V1_2): 57,
        (Dataset.COST_AND_USAGE, Version.V1_4): 65,
        (Dataset.INVOICE_DETAIL, Version.V1_4): 22,
        (Dataset.BILLING_PERIOD, Version.V1_4): 6,
        (Dataset.CONTRACT_COMMITMENT, Version.V1_4): 30,
    }
