"""A public trace of model calls, replayed through the ingest API: the invoice is right to the fen.

Reads a public trace, kept outside the repository: run it with
``PORTAL_TRACES=/path/to/traces pytest -m trace``. Without the folder it is left out, and says so.
Source: Azure LLM inference trace 2023 (Splitwise), Microsoft Azure Public Dataset.
"""

import csv
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from billing.commands.invoices import issue_invoice
from billing.queries.prices import price_book
from common.clock import utc_now
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer

pytestmark = [pytest.mark.trace, pytest.mark.django_db]

FOLDER = os.environ.get("PORTAL_TRACES", "")
NAME = "AzureLLMInferenceTrace_code.csv"
METERS = {"ContextTokens": "appliances.tokens_in", "GeneratedTokens": "appliances.tokens_out"}
TAX = Fraction(6, 100)
BATCH = 1000


def calls() -> list[dict[str, str]]:
    with (Path(FOLDER) / NAME).open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def as_events(rows: list[dict[str, str]], began: datetime) -> list[dict[str, Any]]:
    """Two events a call, moved so that the trace begins at ``began`` and keeps its distances."""
    first = _read(rows[0]["TIMESTAMP"])
    events = []
    for number, row in enumerate(rows):
        at = began + (_read(row["TIMESTAMP"]) - first)
        for column, meter in METERS.items():
            changes = {
                "source": "azure-trace",
                "type": meter,
                "time": desk.written(at),
                "data": {"quantity": int(row[column])},
            }
            events.append(desk.event(0, **changes) | {"id": f"{number}:{column}"})
    return events


def _read(text: str) -> datetime:
    # The trace writes seven digits after the second; the last says nothing.
    return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC)


def fen(amount: Fraction) -> Decimal:
    """Half up, from an exact fraction."""
    return (Decimal(int(amount * 1000)) / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP)


def recomputed(rows: list[dict[str, str]]) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Quantity, net and tax of each meter, from the file alone and the general price."""
    found = {}
    for column, meter in METERS.items():
        price = next(p for p in price_book(utc_now(), "CNY") if p.meter == meter and not p.match)
        quantity = sum(int(row[column]) for row in rows)
        net = fen(Fraction(quantity) * Fraction(price.unit_price) / price.unit_quantity)
        found[meter] = (quantity, net, fen(Fraction(net) * TAX))
    return found


def test_the_invoice_of_a_replayed_trace_is_right_to_the_fen() -> None:
    assert FOLDER, "PORTAL_TRACES must name the folder of the traces"
    desk.open_desk()
    alice: Customer = desk.program("alice", credit="0")
    rows = calls()
    # The trace is an hour long: all of it lies in the past and can still be reported.
    events = as_events(rows, utc_now() - timedelta(hours=3))
    twice = events + events[::10]
    random.Random(20231116).shuffle(twice)

    became: Counter[str] = Counter()
    for start in range(0, len(twice), BATCH):
        answer = alice.post("usage/events", twice[start : start + BATCH], key=None)
        assert answer.status_code == 200, answer.content[:300]
        became.update({name: answer.json()[name] for name in ("accepted", "duplicate")})
        assert (answer.json()["conflict"], answer.json()["rejected"]) == (0, 0)

    assert became == {"accepted": len(events), "duplicate": len(events[::10])}
    with operator_scope():
        issued = issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )
    sheet = alice.get(f"invoices/{issued.pk}").json()
    billed: dict[str, tuple[int, Decimal, Decimal]] = {}
    for line in sheet["lines"]:
        # A meter has a line a month, and the hours of the trace may lie in two.
        quantity, net, tax = billed.get(line["meter"], (0, Decimal(0), Decimal(0)))
        billed[line["meter"]] = (
            quantity + line["base_quantity"],
            net + Decimal(line["net"]),
            tax + Decimal(line["tax"]),
        )
    expected = recomputed(rows)
    assert billed == expected
    total = sum(net + tax for _quantity, net, tax in expected.values())
    assert Decimal(sheet["gross"]) == total
