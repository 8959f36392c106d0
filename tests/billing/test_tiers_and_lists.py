"""Tiers count through the lists of a month that say the same, and begin anew where one differs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from billing.commands.prices import PriceLine
from billing.models import InvoiceLine
from billing.pricing import Tier
from tenants.models import Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_contracts import FROM, TO, activate, drafted, fixed, quote_from
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
DAY = 24 * make.HOUR
MID = FROM + 10 * DAY
LATE = TO + 2 * make.HOUR
# The first million at 4.00 with a fee of 1.00 for beginning, what is beyond at 2.00.
TIERS = (Tier(1_000_000, Decimal("4.00"), Decimal("1.00")), Tier(None, Decimal("2.00")))
CHEAPER = (TIERS[0], Tier(None, Decimal("1.00")))


def tiered(tiers: tuple[Tier, ...] = TIERS, model: str = "graduated") -> PriceLine:
    line = make.price_line("test.tokens_in", "0", 1_000_000)
    return replace(line, model=model, tiers=tiers)


def listed(line: PriceLine, at: datetime, *others: PriceLine) -> None:
    """A list from ``at`` on: this price of tokens, and another price of something else."""
    make.publish([line, *others, *make.STANDARD_LINES[1:]], effective_at=at, now=at)


def used(tenant: Organisation, *millions: tuple[str, datetime]) -> None:
    events = [
        make.tokens(f"t{number}", int(Decimal(million) * 1_000_000), at)
        for number, (million, at) in enumerate(millions)
    ]
    ingest(tenant, *events, now=LATE)


def lines(tenant: Organisation) -> list[tuple[str, str, str]]:
    with operator_scope():
        rows = InvoiceLine.objects.filter(tenant=tenant).order_by("invoice__sequence", "position")
        return [(row.portion, str(row.quantity), str(row.net)) for row in rows]


def whole_month(tenant: Organisation, until: Sequence[datetime] = (TO,)) -> Decimal:
    for end in until:
        issue(tenant, until=end, now=LATE)
    assert broken() == ()
    with operator_scope():
        rows = InvoiceLine.objects.filter(tenant=tenant).values_list("net", flat=True)
        return sum(rows, Decimal(0))


@pytest.fixture(autouse=True)
def _tax(db: None) -> None:
    make.make_tax()


def test_a_list_that_says_the_same_goes_on_counting_the_tiers_of_the_month(
    alice: Organisation,
) -> None:
    listed(tiered(), make.LONG_AGO)
    listed(tiered(), MID, make.price_line("test.card_seconds", "9", 3600, {"chip": "new"}))
    used(alice, ("0.8", MID - DAY), ("0.8", MID + DAY))
    # A million at 4.00 and the fee once, 0.6 million at 2.00; not 0.8 million at 4.00 twice.
    assert whole_month(alice) == Decimal("6.20")
    assert [(portion, quantity) for portion, quantity, _ in lines(alice)] == [
        ("fee:1", "0"),
        ("tier:1", "1000000"),
        ("tier:2", "600000"),
    ]


def test_started_packages_are_paid_once_though_a_list_came_between(alice: Organisation) -> None:
    by_package = replace(make.price_line("test.tokens_in", "4.00", 1_000_000), model="package")
    listed(by_package, make.LONG_AGO)
    listed(by_package, MID)
    used(alice, ("0.4", MID - DAY), ("0.4", MID + DAY))
    assert whole_month(alice) == Decimal("4.00")


def test_the_money_is_the_same_however_the_month_is_cut_into_invoices(
    alice: Organisation, bob: Organisation
) -> None:
    listed(tiered(), make.LONG_AGO)
    listed(tiered(), MID)
    for tenant in (alice, bob):
        used(tenant, ("0.8", MID - DAY), ("0.8", MID + DAY), ("0.1", MID + 3 * DAY))
    assert whole_month(alice) == Decimal("6.40")
    assert whole_month(bob, (MID - make.HOUR, MID + 2 * DAY, TO)) == Decimal("6.40")


def test_a_list_with_other_tiers_begins_a_total_of_its_own(alice: Organisation) -> None:
    listed(tiered(), make.LONG_AGO)
    listed(tiered(CHEAPER), MID)
    used(alice, ("0.8", MID - DAY), ("0.8", MID + DAY))
    assert whole_month(alice) == Decimal("8.40")


def test_a_list_that_differs_in_between_ends_the_total_for_good(alice: Organisation) -> None:
    listed(tiered(), make.LONG_AGO)
    listed(tiered(CHEAPER), MID)
    listed(tiered(), MID + 2 * DAY)
    used(alice, ("0.8", MID - DAY), ("0.8", MID + 3 * DAY))
    assert whole_month(alice) == Decimal("8.40")


def test_a_month_begins_at_the_first_tier_whatever_the_lists_say(alice: Organisation) -> None:
    listed(tiered(), make.LONG_AGO)
    listed(tiered(), MID)
    after = TO + DAY
    ingest(
        alice,
        make.tokens("t1", 800_000, MID + DAY),
        make.tokens("t2", 800_000, after),
        now=after + DAY,
    )
    issue(alice, until=after + DAY, now=after + DAY)
    with operator_scope():
        rows = InvoiceLine.objects.filter(tenant=alice).values_list("net", flat=True)
        assert sum(rows, Decimal(0)) == Decimal("8.40")


def test_contracted_tiers_count_through_a_list_that_changes_the_price_they_replace(
    alice: Organisation,
) -> None:
    listed(make.STANDARD_LINES[0], make.LONG_AGO)
    listed(make.price_line("test.tokens_in", "1.50", 1_000_000), MID)
    activate(alice, drafted(alice, fixed("0", model="graduated", tiers=TIERS)))
    used(alice, ("0.8", MID - DAY), ("0.8", MID + DAY))
    assert whole_month(alice) == Decimal("6.20")


def test_contracted_tiers_count_through_the_quotes_of_a_spot_price(alice: Organisation) -> None:
    spot = replace(make.STANDARD_LINES[0], model="spot")
    listed(spot, make.LONG_AGO)
    quote_from(1, "0.50", sku="test.tokens_in")
    activate(alice, drafted(alice, fixed("0", model="graduated", tiers=TIERS)))
    used(alice, ("0.8", make.NOW - DAY), ("0.8", make.NOW + DAY))
    assert whole_month(alice) == Decimal("6.20")
