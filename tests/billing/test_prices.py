"""The price book that ships, and what a quote says before anything is used."""

from decimal import Decimal

import pytest
from django.db import transaction

from billing.commands.prices import PriceListRefused, load_default_prices
from billing.models import PriceVersion, TaxRate
from billing.queries.prices import PriceMissing, QuoteLine, price_book, quote, versions
from billing.seed import read_price_seed
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
CARD = "compute.card_seconds"
RESERVED = "compute.reserved_card_seconds"


def load() -> PriceVersion:
    with operator_scope():
        return load_default_prices(actor=SYSTEM, now=make.NOW)


def test_the_example_list_is_published_once(alice: Organisation) -> None:
    assert load().pk == load().pk
    assert len(versions()) == 1
    assert TaxRate.objects.count() == 1


def test_each_chip_has_a_price_on_demand_and_seven_tenths_of_it_reserved(
    alice: Organisation,
) -> None:
    load()
    book = {price.sku: price for price in price_book(make.NOW, "CNY")}
    chips = {price.match["chip"] for price in book.values() if "chip" in price.match}
    assert len(chips) == 45
    for chip in chips:
        on_demand, committed = book[f"card.on_demand.{chip}"], book[f"card.committed.{chip}"]
        assert on_demand.unit_price > 0
        assert committed.unit_price == on_demand.unit_price * Decimal("0.70")
        assert (on_demand.meter, committed.meter) == (CARD, RESERVED)
    assert book["card.covered"].unit_price == 0


def test_a_service_class_costs_its_factor_of_the_on_demand_price(alice: Organisation) -> None:
    load()
    book = {price.sku: price for price in price_book(make.NOW, "CNY")}
    chips = {price.match["chip"] for price in book.values() if "chip" in price.match}
    for chip in chips:
        on_demand = book[f"card.on_demand.{chip}"].unit_price
        assert book[f"card.shared.{chip}"].unit_price == on_demand * Decimal("0.6")
        assert book[f"card.urgent.{chip}"].unit_price == on_demand * Decimal("1.6")


def test_every_seeded_price_is_titled_in_both_languages() -> None:
    assert all(price.title_en and price.title_zh for price in read_price_seed().prices)


def test_a_quote_prices_each_line_as_an_invoice_would(alice: Organisation) -> None:
    load()
    dimensions = {"chip": "ascend-910b3", "pool": "a", "reservation": "r"}
    asked = [
        QuoteLine(RESERVED, {**dimensions, "service_class": "committed"}, 8 * 24 * 3600),
        QuoteLine(CARD, {**dimensions, "service_class": "covered", "workload": "w"}, 3600),
        QuoteLine("appliances.tokens_out", {"model": "any", "deployment": "d", "key": "k"}, 10**6),
    ]
    with tenant_scope(alice.pk):
        told = quote(tenant_id=alice.pk, lines=asked, at=make.NOW)
    # 192 card-hours at 3.60 x 0.70; nothing; a million tokens at 4.00.
    assert [str(line.net) for line in told.lines] == ["483.84", "0.00", "4.00"]
    assert (str(told.net), str(told.tax), str(told.gross)) == ("487.84", "29.27", "517.11")


def test_what_has_no_price_is_not_quoted(alice: Organisation) -> None:
    load()
    line = QuoteLine(CARD, {"chip": "unknown", "service_class": "on_demand"}, 1)
    with tenant_scope(alice.pk), pytest.raises(PriceMissing):
        quote(tenant_id=alice.pk, lines=[line], at=make.NOW)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("amount", make.price_line("m", "-1", 1)),
        ("amount", make.price_line("m", "1", 0)),
        ("amount", make.price_line("m", "NaN", 1)),
        ("twice", make.price_line("m", "1", 1)),
    ],
)
def test_a_list_with_a_wrong_line_is_refused_whole(code: str, line: object) -> None:
    make.make_tax()
    good = make.price_line("m", "1", 1)
    with pytest.raises(PriceListRefused) as refusal, transaction.atomic():
        make.publish([good, line])  # type: ignore[list-item]
    assert code in {error.code for error in refusal.value.errors}
    assert PriceVersion.objects.count() == 0
