"""One bill with every kind of row, without a database."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.adapters.focus_csv import write_csv
from billing.focus.columns import Dataset, Version, columns
from billing.focus.datasets import (
    billing_period_rows,
    contract_commitment_rows,
    invoice_detail_rows,
)
from billing.focus.facts import (
    Bill,
    CommitmentFact,
    CreditFact,
    Draw,
    LineFact,
    PeriodFact,
    Rate,
    Row,
)
from billing.focus.rows import bill_rows
from common.period import Period

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
MONTH = Period(START, START + timedelta(days=30))
DAY = Period(START + timedelta(days=3), START + timedelta(days=4))
LAST_MONTH = Period(START - timedelta(days=2), START - timedelta(days=1))
NUMBER = "ACC-2026-000001"
RESERVATION = "reservation-1"
HOUR = 3600

BILL = Bill(
    number=NUMBER,
    issuer="Centre",
    account_code="alice",
    account_name="Alice",
    currency="CNY",
    period=MONTH,
    total=Decimal("232.69"),
    issued_at=MONTH.end,
)
ON_DEMAND = LineFact(
    id="line-1",
    charge="charge-1",
    kind="usage",
    meter="compute.card_seconds",
    sku="card.on_demand",
    price_id="price-1",
    title="Card, on demand",
    portion="flat",
    project_code="lab",
    project_name="Lab",
    dimensions={"chip": "c1", "service_class": "on_demand"},
    period=DAY,
    is_late=False,
    quantity=10 * HOUR,
    priced_quantity=10 * HOUR,
    list_unit_price=Decimal(8),
    unit_price=Decimal("7.5"),
    unit_quantity=HOUR,
    tax_code="it_service",
    tax_rate=Decimal("0.06"),
    net=Decimal("75.00"),
    tax=Decimal("4.50"),
)
FEE = replace(
    ON_DEMAND,
    id="line-2",
    charge="charge-2",
    meter="compute.reserved_card_seconds",
    sku="card.committed",
    price_id="price-2",
    title="Card, reserved",
    dimensions={"chip": "c1", "reservation": RESERVATION},
    quantity=20 * HOUR,
    priced_quantity=20 * HOUR,
    list_unit_price=Decimal(6),
    unit_price=Decimal(6),
    net=Decimal("120.00"),
    tax=Decimal("7.20"),
)
COVERED = replace(
    ON_DEMAND,
    id="line-3",
    charge="charge-3",
    sku="card.covered",
    price_id="price-3",
    title="Card, inside a reservation",
    dimensions={"chip": "c1", "service_class": "covered"},
    quantity=15 * HOUR,
    priced_quantity=15 * HOUR,
    list_unit_price=Decimal(0),
    unit_price=Decimal(0),
    net=Decimal(0),
    tax=Decimal(0),
)
TOKENS = replace(
    ON_DEMAND,
    id="line-4",
    charge="charge-4",
    meter="appliances.tokens_in",
    sku="tokens.in",
    price_id="price-4",
    title="Tokens, late",
    dimensions={"model": "m"},
    period=LAST_MONTH,
    is_late=True,
    quantity=4_000_000,
    priced_quantity=4_000_000,
    list_unit_price=Decimal(5),
    unit_price=Decimal(5),
    unit_quantity=1_000_000,
    net=Decimal("20.00"),
    tax=Decimal("1.20"),
)
TRUE_UP = replace(
    ON_DEMAND,
    id="line-5",
    charge="None",
    kind="true_up",
    meter="",
    sku="",
    price_id="",
    title="True-up",
    project_code="",
    project_name="",
    dimensions={},
    quantity=0,
    priced_quantity=0,
    list_unit_price=Decimal(0),
    unit_price=Decimal(0),
    net=Decimal("10.00"),
    tax=Decimal("0.60"),
)
LINES = (ON_DEMAND, FEE, COVERED, TOKENS, TRUE_UP)
VOUCHER = CreditFact("voucher-1", "Voucher", Decimal("-5.82"), MONTH)
DRAWS = {"charge-3": (Draw(RESERVATION, 15 * HOUR, DAY),)}
RATES = {RESERVATION: Rate(Decimal(6), HOUR)}

COMMITMENT = CommitmentFact(
    contract_id="contract-1",
    contract_period=MONTH,
    id=RESERVATION,
    issuer="Centre",
    currency="CNY",
    category="Usage",
    type="Reserved Capacity",
    description="1 x c1",
    period=DAY,
    created_at=START,
    updated_at=START,
    status="Active",
    duration="1 Day",
    unit="Hours",
    quantity=Decimal(20),
    cost=Decimal(120),
    applies_to={"x_Pool": "p"},
)
PERIOD = PeriodFact("Centre", MONTH, is_closed=True, updated_at=MONTH.end)


def rows_of(dataset: Dataset) -> list[Row]:
    if dataset is Dataset.COST_AND_USAGE:
        return list(bill_rows(BILL, LINES, draws=DRAWS, rates=RATES, credits=[VOUCHER]))
    if dataset is Dataset.INVOICE_DETAIL:
        return list(invoice_detail_rows(BILL, LINES, credits=[VOUCHER]))
    if dataset is Dataset.BILLING_PERIOD:
        return list(billing_period_rows([PERIOD]))
    return list(contract_commitment_rows([COMMITMENT]))


def cells_of(
    rows: list[Row], dataset: Dataset, version: Version = Version.V1_4
) -> tuple[list[str], list[dict[str, str]]]:
    """A file's heading and rows, as a reader of CSV gets them."""
    out = io.StringIO()
    write_csv(out, rows, columns(dataset, version))
    reader = csv.DictReader(io.StringIO(out.getvalue()))
    return list(reader.fieldnames or ()), list(reader)
