"""Each currency has price lists of its own, which leave those of the others alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest

from billing.commands import price_drafts as drafts
from billing.commands.invoices import UsageUnpriced
from billing.commands.prices import PriceListRefused, publish_version
from billing.four_eyes import FourEyesRequired
from billing.models import Invoice, Price, PriceVersion
from billing.pricing import Tier
from billing.queries.currencies import CurrencyUnknown
from billing.queries.price_faults import PriceLine
from billing.queries.price_lines import lines_of
from billing.queries.price_review import version_before
from billing.queries.prices import PriceMissing, version_at
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue
from tests.billing.test_contracts import quoted
from tests.billing.test_price_drafts import (
    ANNA,
    BORIS,
    SOON,
    publish,
    refusal_codes,
    state_of,
    submit,
)
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def abroad(db: None) -> Organisation:
    tenant = make.make_tenant("abroad")
    bill_in(tenant, "USD")
    return tenant


@pytest.fixture
def dollars(prices: PriceVersion) -> PriceVersion:
    return make.publish(make.DOLLAR_LINES, currency="USD")


def begun(
    currency: str = "USD",
    *,
    rate: str | None = None,
    effective_at: datetime = SOON,
    lines: Sequence[PriceLine] | None = None,
) -> UUID:
    with operator_scope():
        return drafts.begin_draft(
            actor=ANNA,
            effective_at=effective_at,
            now=make.NOW,
            lines=lines,
            currency=currency,
            rate=None if rate is None else D(rate),
        ).pk


def in_force(currency: str, at: datetime) -> UUID | None:
    with operator_scope():
        found = version_at(at, currency)
    return None if found is None else found.pk


def test_lists_of_two_currencies_start_at_the_same_hour_and_end_only_their_own(
    prices: PriceVersion,
) -> None:
    first = make.publish(make.DOLLAR_LINES, currency="USD")
    assert first.effective_at == prices.effective_at
    at_home, beyond = begun("CNY"), begun("USD")
    for version_id in (at_home, beyond):
        submit(version_id)
    publish(beyond)
    assert (in_force("CNY", SOON), in_force("USD", SOON)) == (prices.pk, beyond)
    publish(at_home)
    assert (in_force("CNY", SOON), in_force("USD", SOON)) == (at_home, beyond)
    before = SOON - make.HOUR
    assert (in_force("CNY", before), in_force("USD", before)) == (prices.pk, first.pk)
    assert in_force("EUR", SOON) is None
    with operator_scope():
        of = PriceVersion.objects.get(pk=beyond)
        assert version_before(of) == first


def test_each_hour_has_one_list_and_one_draft_of_a_currency(dollars: PriceVersion) -> None:
    begun("USD")
    begun("CNY")
    with pytest.raises(PriceListRefused) as refused:
        begun("USD")
    assert refusal_codes(refused) == {"taken"}
    with operator_scope(), pytest.raises(PriceListRefused) as refused:
        make.publish(make.DOLLAR_LINES, currency="USD")
    assert refusal_codes(refused) == {"taken"}
    assert PriceVersion.objects.count() == 4


def test_only_the_first_list_of_a_currency_that_ships_reaches_back(prices: PriceVersion) -> None:
    past = make.NOW - make.HOUR
    with pytest.raises(PriceListRefused) as refused:
        begun(effective_at=past, lines=make.DOLLAR_LINES)
    assert refusal_codes(refused) == {"past"}
    make.publish(make.DOLLAR_LINES, effective_at=past, currency="USD")
    with operator_scope(), pytest.raises(PriceListRefused) as refused:
        publish_version(
            actor=SYSTEM,
            lines=make.DOLLAR_LINES,
            effective_at=past - make.HOUR,
            now=make.NOW,
            currency="USD",
        )
    assert refusal_codes(refused) == {"past"}
    assert PriceVersion.objects.count() == 2


TIERED = replace(
    make.price_line("test.tokens_out", "0", 1_000_000),
    model="graduated",
    tiers=(
        Tier(2_000_000, D("4.00")),
        Tier(9_000_000, D("2.75"), D("0.55")),
        Tier(None, D("0.000000000000007")),
    ),
)


def test_the_first_list_of_a_currency_is_the_yuan_list_times_a_rate(db: None) -> None:
    make.make_tax()
    make.publish([make.STANDARD_LINES[2], TIERED])
    version_id = begun(rate="0.1393")
    card, tokens = sorted(lines_of(version_id), key=lambda line: line.meter)
    assert (card.unit_price, card.unit_quantity) == (D("0.501480000000000"), 3600)
    assert tokens.tiers == (
        Tier(2_000_000, D("0.5572"), D(0)),
        Tier(9_000_000, D("0.383075"), D("0.076615")),
        # 0.9751 of the last place that a price has.
        Tier(None, D("0.000000000000001")),
    )
    with operator_scope():
        assert PriceVersion.objects.get(pk=version_id).currency == "USD"


def test_a_rate_with_many_places_gives_prices_and_fees_of_fifteen(db: None) -> None:
    make.make_tax()
    dear = replace(make.STANDARD_LINES[2], unit_price=D("98765432109876.123456789012345"))
    make.publish([dear, TIERED])
    version_id = begun(rate="0.142857142857142857")
    card, tokens = sorted(lines_of(version_id), key=lambda line: line.meter)
    assert card.unit_price == D("14109347444268.017622574797176")
    assert tokens.tiers[1].fee == D("0.078571428571429")


def test_the_next_list_of_a_currency_is_a_copy_of_its_own_last(dollars: PriceVersion) -> None:
    version_id = begun()
    assert lines_of(version_id) == lines_of(dollars.pk)


@pytest.mark.parametrize("rate", [None, "0", "-1", "NaN", "Infinity", "1000.01"])
def test_the_first_list_without_a_usable_rate_is_refused(
    prices: PriceVersion, rate: str | None
) -> None:
    with pytest.raises(PriceListRefused) as refused:
        begun(rate=rate)
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/rate", "rate")]
    assert (PriceVersion.objects.count(), Price.objects.count()) == (1, 4)


@pytest.mark.parametrize("rate", [None, "1"])
def test_a_list_in_a_currency_that_nobody_is_billed_in_is_refused(
    prices: PriceVersion, rate: str | None
) -> None:
    with pytest.raises(CurrencyUnknown):
        begun("JPY", rate=rate)
    assert PriceVersion.objects.count() == 1


def test_who_wrote_the_first_dollar_list_does_not_publish_it(prices: PriceVersion) -> None:
    version_id = begun(rate="0.14")
    submit(version_id)
    with pytest.raises(FourEyesRequired):
        publish(version_id, actor=ANNA)
    assert state_of(version_id) == "submitted"
    assert publish(version_id, actor=BORIS).published_by == "finance-2"
    assert in_force("USD", SOON) == version_id


def test_a_dollar_list_is_checked_against_the_use_of_dollar_tenants_alone(
    alice: Organisation, abroad: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.cards("c1", 3600), make.tokens("o1", 1, meter="test.tokens_out"))
    ingest(abroad, make.tokens("t1", 1))
    enough = begun(lines=make.DOLLAR_LINES[:1])
    submit(enough)
    assert state_of(enough) == "submitted"
    lacking = begun(lines=make.DOLLAR_LINES[1:], effective_at=SOON + make.HOUR)
    with pytest.raises(PriceListRefused) as refused:
        submit(lacking)
    assert refusal_codes(refused) == {"gap"}
    assert "test.tokens_in" in str(refused.value.errors[0].detail)
    assert state_of(lacking) == "draft"


def test_use_without_a_price_in_dollars_stops_the_invoice_whatever_the_yuan_list_says(
    alice: Organisation, abroad: Organisation, prices: PriceVersion
) -> None:
    for tenant in (alice, abroad):
        ingest(tenant, make.tokens("t1", 1_000_000))
    with pytest.raises(UsageUnpriced):
        issue(abroad)
    with pytest.raises(PriceMissing):
        quoted(abroad)
    with operator_scope():
        assert Invoice.objects.count() == 0
    assert issue(alice).net == D("1.00")
    make.publish(make.DOLLAR_LINES, currency="USD")
    assert issue(abroad).net == D("0.14")
    assert broken() == ()


def test_a_change_of_the_yuan_list_moves_no_bill_in_dollars(
    alice: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    later = make.NOW + 2 * make.HOUR
    make.publish(
        [replace(line, unit_price=line.unit_price * 2) for line in make.STANDARD_LINES],
        effective_at=make.NOW,
    )
    for tenant in (alice, abroad):
        ingest(tenant, make.tokens("before", 1_000_000, make.NOW - make.HOUR), now=later)
        ingest(tenant, make.tokens("after", 1_000_000, make.NOW), now=later)
    bills = [issue(tenant, until=later, now=later) for tenant in (alice, abroad)]
    assert [(bill.currency, bill.net) for bill in bills] == [("CNY", D("3.00")), ("USD", D("0.28"))]


def test_a_rate_is_refused_where_the_currency_has_its_own_list(prices: PriceVersion) -> None:
    with pytest.raises(PriceListRefused) as refused:
        begun("CNY", rate="1")
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/rate", "rate")]
    assert PriceVersion.objects.count() == 1
