"""What a tenant pays follows the list, the spot quotes and the contract of its own currency."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.commands.spot import SpotQuoteRefused, quote_spot
from billing.models import PriceVersion, SpotPrice
from billing.queries.call_prices import AskedPrice, HighestPrice, highest_prices
from billing.queries.desk import changes, price_list
from billing.queries.leaks import Lost, UnpricedRow, Valued, valued
from billing.queries.own_prices import own_prices
from billing.queries.price_review import affected_contracts
from billing.queries.prices import QuoteLine
from common.period import Period
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, ingest, issue
from tests.billing.test_contracts import SPOT, activate, discount, drafted, fixed, quoted, spot_list
from tests.billing.test_price_drafts import ANNA, refusal_codes
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
D = Decimal
OUT = QuoteLine("test.tokens_out", {"model": "tiny", "key": "k1"}, 1_000_000)


@pytest.fixture
def abroad(db: None) -> Organisation:
    tenant = make.make_tenant("abroad")
    bill_in(tenant, "USD")
    return tenant


@pytest.fixture
def dollars(prices: PriceVersion) -> PriceVersion:
    return make.publish(make.DOLLAR_LINES, currency="USD")


def test_a_quote_and_the_own_list_are_in_the_tenants_currency(
    alice: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    of = {tenant.code: quoted(tenant, OUT) for tenant in (alice, abroad)}
    assert (of["alice"].currency, of["alice"].net) == ("CNY", D("4.00"))
    assert (of["abroad"].currency, of["abroad"].net) == ("USD", D("0.55"))
    with tenant_scope(abroad.pk):
        listed = own_prices(actor=SYSTEM, tenant_id=abroad.pk, at=make.NOW)
    assert {one.currency for one in listed} == {"USD"}
    assert {one.sku: one.list_unit_price for one in listed}["test.tokens_out"] == D("0.55")


def test_a_spot_quote_moves_only_its_own_currency(
    alice: Organisation, abroad: Organisation
) -> None:
    spot_list()
    card = make.price_line("test.card_seconds", "0.50", 3600, {"service_class": "spot"}, "spot")
    make.publish([replace(card, model="spot")], currency="USD")
    hour = make.NOW + make.HOUR

    def asked(price: str, currency: str) -> None:
        with operator_scope():
            quote_spot(
                actor=ANNA,
                sku="spot",
                starts_at=hour,
                unit_price=D(price),
                now=make.NOW,
                currency=currency,
            )

    asked("1.20", "CNY")
    assert [quoted(one, SPOT, hour).net for one in (alice, abroad)] == [D("1.20"), D("0.50")]
    for price, currency, code in (("0.51", "USD", "amount"), ("0.20", "EUR", "sku")):
        with pytest.raises(SpotQuoteRefused) as refused:
            asked(price, currency)
        assert refusal_codes(refused) == {code}
    assert SpotPrice.objects.count() == 1
    asked("0.20", "USD")
    assert [quoted(one, SPOT, hour).net for one in (alice, abroad)] == [D("1.20"), D("0.20")]
    for tenant in (alice, abroad):
        ingest(tenant, make.cards("c1", 3600, hour, service_class="spot"), now=hour + make.HOUR)
    until = hour + make.HOUR
    bills = [issue(tenant, until=until, now=until) for tenant in (alice, abroad)]
    assert [(bill.currency, bill.net) for bill in bills] == [("CNY", D("1.20")), ("USD", D("0.20"))]


def test_a_discount_and_a_fixed_price_are_agreed_in_dollars(
    alice: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    contract = activate(abroad, drafted(abroad, fixed("0.10"), discount("10")))
    assert contract.currency == "USD"
    ingest(
        abroad,
        make.tokens("in", 10_000_000),
        make.tokens("out", 10_000_000, meter="test.tokens_out"),
    )
    invoice = issue(abroad)
    assert (invoice.currency, invoice.net) == ("USD", D("5.95"))  # 1.00 and 90 % of 5.50
    assert quoted(alice, OUT).net == D("4.00")


def test_a_changed_list_affects_contracts_of_its_own_currency(
    alice: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    activate(alice, drafted(alice, discount("10"), number="HT-1"))
    activate(abroad, drafted(abroad, discount("20"), number="HT-2"))
    with operator_scope():
        changed = changes((), price_list(dollars.pk))
    with operator_scope():
        found = {
            currency: [one.number for one in affected_contracts(changed, make.NOW, currency)]
            for currency in ("CNY", "USD", "EUR")
        }
    assert found == {"CNY": ["HT-1"], "USD": ["HT-2"], "EUR": []}


def asked_prices(*tenants: Organisation) -> tuple[HighestPrice | None, ...]:
    with operator_scope():
        asked = [AskedPrice(tenant.pk, OUT.meter, OUT.dimensions) for tenant in tenants]
        return highest_prices(asked, make.NOW)


def test_the_gateway_reads_the_prices_of_tenants_in_two_currencies_at_once(
    alice: Organisation, bob: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    activate(abroad, drafted(abroad, discount("20")))
    bill_in(bob, "EUR")
    stranger = make.make_tenant("stranger")  # without an account
    found = asked_prices(abroad, alice, bob, stranger)
    at_home = HighestPrice(D("0.000004"), D("0.00000424"))
    assert found == (HighestPrice(D("0.00000044"), D("0.0000004664")), at_home, None, at_home)


def test_the_gateways_reading_takes_as_many_statements_for_many_tenants(
    alice: Organisation, bob: Organisation, abroad: Organisation, dollars: PriceVersion
) -> None:
    counts = []
    for tenants in ([alice], [alice, bob], [alice, bob, abroad]):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            asked_prices(*tenants)
        counts.append(len([one for one in seen if "billing_" in one["sql"]]))
    assert counts == [4, 4, 6]


def worth(*lost: Lost) -> Valued:
    period = Period(make.MONTH_START, make.NOW)
    with operator_scope():
        return valued(actor=SYSTEM, lost=lost, period=period)


def test_a_leak_is_valued_in_yuan_whoever_it_is_lost_with(
    abroad: Organisation, dollars: PriceVersion
) -> None:
    price = dollars.prices.get(sku="test.tokens_out")
    at = make.NOW - make.HOUR
    quoted_abroad = Lost(OUT.meter, OUT.dimensions, 1_000_000, at, price_id=price.pk)
    found = worth(Lost(OUT.meter, OUT.dimensions, 500_000, at), quoted_abroad)
    assert found == Valued(worth=(D("2.00"), D("4.00")), unpriced=())


def test_use_without_a_price_is_told_by_the_list_of_its_tenants_currency(
    alice: Organisation, abroad: Organisation, prices: PriceVersion
) -> None:
    make.publish(make.DOLLAR_LINES[:1], currency="USD")
    for tenant in (alice, abroad):
        ingest(tenant, make.tokens("in", 3), make.tokens("out", 7, meter="test.tokens_out"))
    assert worth().unpriced == (UnpricedRow("abroad", "Abroad", "test.tokens_out", {}, 7),)
