"""A day of real traffic, sent badly: repeated and shuffled, it is billed to the fen."""

import csv
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.models import PriceVersion
from billing.usage import UsageEvent
from tenants.models import Organisation
from tests.billing.oracle_tokens import expected_money
from tests.billing.shorthand import broken, issue, statuses
from tests.factories import billing as make

pytestmark = pytest.mark.django_db

Request = tuple[datetime, int, int]
BATCH = 500


def as_events(requests: Sequence[Request]) -> list[UsageEvent]:
    """Two events a request, with its own time moved into the current month."""
    shift = make.NOW - timedelta(days=2) - min(at for at, _, _ in requests)
    return [
        make.tokens(f"{way}-{number}", count, at + shift, meter=f"test.tokens_{way}")
        for number, (at, tokens_in, tokens_out) in enumerate(requests)
        for way, count in (("in", tokens_in), ("out", tokens_out))
    ]


def replay(tenant: Organisation, events: list[UsageEvent]) -> list[str]:
    """Send shuffled batches, one in ten of them twice."""
    chance = random.Random(20261115)
    chance.shuffle(events)
    batches = [events[at : at + BATCH] for at in range(0, len(events), BATCH)]
    batches += chance.sample(batches, -(-len(batches) // 10))
    chance.shuffle(batches)
    return [status for batch in batches for status in statuses(tenant, batch)]


def check(tenant: Organisation, requests: Sequence[Request]) -> None:
    events = as_events(requests)
    results = replay(tenant, events)
    assert results.count("accepted") == len(events)
    assert set(results) == {"accepted", "duplicate"}
    invoice = issue(tenant)
    pairs = [(tokens_in, tokens_out) for _, tokens_in, tokens_out in requests]
    assert (invoice.net, invoice.tax, invoice.gross) == expected_money(pairs, "1.00", "4.00")
    assert broken() == ()


def test_a_synthetic_trace_is_billed_to_the_fen(alice: Organisation, prices: PriceVersion) -> None:
    chance = random.Random(7)
    start = datetime(2023, 11, 16, 18, 17, tzinfo=UTC)
    requests = [
        (
            start + timedelta(seconds=chance.random() * 3600 * 30),
            chance.randrange(1, 8_000),
            chance.randrange(1, 600),
        )
        for _ in range(2_000)
    ]
    check(alice, requests)


@pytest.mark.trace
def test_the_public_trace_is_billed_to_the_fen(alice: Organisation, prices: PriceVersion) -> None:
    folder = os.environ.get("PORTAL_TRACES")
    if not folder:
        pytest.fail("Set PORTAL_TRACES to the folder that holds the public traces.")
    path = Path(folder) / "AzureLLMInferenceTrace_code.csv"
    with path.open(newline="") as file:
        requests = [
            (
                # The trace has seven digits of a second; a timestamp keeps six.
                datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC),
                int(row["ContextTokens"]),
                int(row["GeneratedTokens"]),
            )
            for row in csv.DictReader(file)
        ]
    assert len(requests) == 8_819
    assert sum(tokens_in for _, tokens_in, _ in requests) == 18_059_974
    assert sum(tokens_out for _, _, tokens_out in requests) == 245_896
    check(alice, requests)
