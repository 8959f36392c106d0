"""Money in other currencies than the centre's own, in both consoles and the API."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from billing.arrears import ArrearsState
from billing.commands.adjustments import propose_adjustment
from billing.commands.wallet import set_currency
from billing.models import Account, Invoice, Price, PriceVersion
from billing.queries.arrears import Arrears, standing_of
from billing.queries.arrears_desk import Ageing, Debtor, sums_of
from common.clock import utc_now
from common.period import floor_hour
from portal.exports import month_label
from tenants.commands.keys import create_key
from tenants.models import AuditEntry, Organisation
from tenants.permissions import SYSTEM, Permission
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console
from tests.factories.console import Console
from tests.portal.operator_stage import signed_in
from tests.portal.test_console_pages import PAGES, every_thing

pytestmark = pytest.mark.django_db

# The trail says which currency the account had before.
TRAIL = "audit/"


@pytest.fixture(scope="module")
def both(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Console, Console]]:
    """Alice, billed in dollars, and Bob, billed in yuan, with one of everything each."""
    with django_db_blocker.unblock(), transaction.atomic():
        cache.clear()
        console.centre()
        console.abroad("USD", rate="0.14")
        alice = console.furnished("alice", currency="USD")
        yield alice, console.furnished("bob")
        transaction.set_rollback(True)


@pytest.fixture
def alice(both: tuple[Console, Console]) -> Iterator[Console]:
    with transaction.atomic():
        yield both[0]
        transaction.set_rollback(True)


def english(role: str) -> Client:
    browser = signed_in(role)
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return browser


def text(browser: Client, page: str) -> str:
    answer = browser.get(page)
    assert (page, answer.status_code) == (page, 200)
    return answer.content.decode() if not answer.streaming else ""


def at_centre(ahead_hours: int) -> str:
    at = floor_hour(utc_now()) + timedelta(hours=ahead_hours)
    return f"{at + timedelta(hours=8):%Y-%m-%dT%H:%M}"


def test_no_page_of_a_tenant_billed_in_dollars_speaks_of_yuan(alice: Console) -> None:
    browser = alice.client()
    told = {}
    for page in [*PAGES, "budgets/", "prices/", *every_thing(alice)]:
        answer = browser.get(alice.path(page))
        if answer["Content-Type"].startswith("text/html") and not page.startswith(TRAIL):
            told[page] = answer.content.decode()
    assert {page for page, html in told.items() if re.search("¥|CNY|元", html)} == set()
    assert "US$" in told["wallet/"]
    # A city's vouchers are in yuan and are of no use here.
    assert "wallet/apply/" not in told["wallet/"]
    assert "US$" in told["prices/"]
    assert "US$" in told["costs/"]
    assert "US$" in told["invoices/"]


def test_operators_see_such_a_tenant_in_its_currency(alice: Console) -> None:
    with operator_scope():
        invoice = Invoice.objects.get(tenant_id=alice.id)
    browser = english("admin")
    here = f"/ops/tenants/{alice.organisation.code}/"
    for page in ("", "credits/", "contracts/", "arrears/", f"invoices/{invoice.pk}/"):
        shown = text(browser, here + page)
        assert (page, re.findall("¥", shown)) == (page, [])
        assert (page, "US$" in shown or "USD" in shown) == (page, True)
    in_list = re.sub("<[^>]+>", "", text(browser, "/ops/invoices/"))
    assert f"US${invoice.gross:,.2f}" in in_list


def test_the_list_of_adjustments_says_each_in_its_tenants_currency(
    both: tuple[Console, Console], alice: Console
) -> None:
    for who, net in ((both[0], "12.34"), (both[1], "56.78")):
        with operator_scope():
            propose_adjustment(
                actor=SYSTEM,
                tenant_id=who.id,
                net=Decimal(net),
                tax_code="it_service",
                title_en="Goodwill",
                title_zh="补偿",
                reason="trouble",
                now=utc_now(),
            )
    shown = re.sub("<[^>]+>", "", text(english("finance"), "/ops/adjustments/"))
    assert "US$12.34" in shown
    assert "¥56.78" in shown


def test_before_its_first_assessment_a_standing_is_in_the_tenants_currency(
    alice: Console,
) -> None:
    with operator_scope():
        carol = Organisation.objects.create(code="carol", name="Carol")
        set_currency(actor=SYSTEM, tenant_id=carol.pk, currency="EUR", now=utc_now())
        assert standing_of(carol.pk, utc_now()).currency == "EUR"


def test_the_files_of_a_tenant_name_its_currency(alice: Console) -> None:
    browser = alice.client()
    with operator_scope():
        invoice = Invoice.objects.get(tenant_id=alice.id)
    assert invoice.currency == "USD"
    lines = text(browser, alice.path(f"invoices/{invoice.pk}/lines.csv"))
    rows = list(csv.DictReader(io.StringIO(lines.removeprefix("\ufeff"))))
    assert {
        row[next(name for name in row if name in {"币种", "currency", "Currency"})] for row in rows
    } == {"USD"}


def test_an_operator_chooses_the_currency_before_anything_happened(alice: Console) -> None:
    with operator_scope():
        carol = Organisation.objects.create(code="carol", name="Carol")
    browser = english("finance")
    page = "/ops/tenants/carol/"
    assert "What the tenant is billed in" in text(browser, page)
    sent = {"currency": "EUR", "idem": "one"}
    assert browser.post(f"{page}currency/", sent).status_code == 302
    assert "€0.00" in re.sub("<[^>]+>", "", text(browser, page))
    strange = browser.post(f"{page}currency/", {"currency": "JPY", "idem": "two"})
    assert strange.status_code == 422
    with operator_scope():
        assert Account.objects.get(tenant=carol).currency == "EUR"
        entry = AuditEntry.objects.get(tenant=carol, action="billing.account.currency_set")
    assert (entry.detail["from"], entry.detail["to"]) == ("CNY", "EUR")


def test_a_currency_with_money_in_it_stays(alice: Console) -> None:
    browser = english("finance")
    page = f"/ops/tenants/{alice.organisation.code}/"
    refused = browser.post(f"{page}currency/", {"currency": "EUR", "idem": "one"})
    assert refused.status_code == 409
    assert 'data-code="currency_fixed"' in refused.content.decode()
    assert "two tenants" in refused.content.decode()
    with operator_scope():
        assert Account.objects.get(tenant_id=alice.id).currency == "USD"
    assert english("support").post(f"{page}currency/", {"currency": "EUR"}).status_code == 403


def test_the_first_list_of_a_currency_is_the_own_one_times_a_rate(alice: Console) -> None:
    browser = english("finance")
    shown = text(browser, "/ops/prices/")
    assert '<option value="EUR">' in shown
    assert '<option value="USD">' not in shown
    sent = {"currency": "EUR", "rate": "0.125", "first_effective_at": at_centre(30)}
    wrong = browser.post("/ops/prices/first/", {**sent, "rate": "0"})
    assert wrong.status_code == 422
    assert 'data-code="price_list_refused"' in wrong.content.decode()
    late = browser.post("/ops/prices/first/", {**sent, "first_effective_at": at_centre(-30)})
    assert late.status_code == 422
    assert not PriceVersion.objects.filter(currency="EUR").exists()
    made = browser.post("/ops/prices/first/", sent)
    assert made.status_code == 302
    version = PriceVersion.objects.get(currency="EUR")
    own = Price.objects.get(version__currency="CNY", sku="card.on_demand.nvidia-h20")
    price = Price.objects.get(version=version, sku=own.sku)
    assert price.unit_price == own.unit_price * Decimal("0.125")
    page = text(browser, str(made["Location"]))
    assert "€" in page
    assert "¥" not in page


def test_the_price_book_shows_one_currency_at_a_time(alice: Console) -> None:
    browser = english("finance")
    yuan, dollars = text(browser, "/ops/prices/"), text(browser, "/ops/prices/?currency=USD")
    assert ("US$" in yuan, "¥" in yuan) == (False, True)
    assert ("US$" in dollars, "¥" in dollars) == (True, False)
    edited = text(browser, "/ops/prices/new/?currency=USD")
    assert '<span class="label-unit">USD</span>' in edited
    assert browser.get("/ops/prices/?currency=XXX").status_code == 422


def test_revenue_is_of_one_currency_at_a_time(both: tuple[Console, Console]) -> None:
    browser = english("finance")
    with operator_scope():
        nets = {
            one.currency: one.net
            for one in Invoice.objects.filter(tenant_id__in=[who.id for who in both])
        }
    assert set(nets) == {"CNY", "USD"}
    for currency, sign in (("CNY", "¥"), ("USD", "US$")):
        page = re.sub("<[^>]+>", "", text(browser, f"/ops/revenue/?currency={currency}"))
        assert f"{sign}{nets[currency]:,.2f}" in page
        path = f"/ops/revenue/days.csv?currency={currency}&month={month_label(utc_now())}"
        rows = list(csv.reader(io.StringIO(text(browser, path).removeprefix("\ufeff"))))
        assert {row[6] for row in rows[1:]} == {currency}
        assert sum(Decimal(row[5]) for row in rows[1:]) == nets[currency]
    refused = browser.get("/ops/revenue/?currency=XXX")
    assert refused.status_code == 422
    assert 'data-code="currency_unknown"' in refused.content.decode()


def debtor(currency: str, owed: str, days_30: str) -> Debtor:
    standing = Arrears(state=ArrearsState.NORMAL, currency=currency)
    return Debtor("x", "X", "", standing, Ageing(Decimal(owed), days_30=Decimal(days_30)))


def test_debts_are_summed_for_each_currency() -> None:
    rows = [debtor("USD", "1", "2"), debtor("CNY", "10", "0"), debtor("USD", "3", "4")]
    sums = sums_of(rows)
    assert list(sums) == ["CNY", "USD"]
    assert (sums["CNY"].total, sums["USD"].total) == (Decimal(10), Decimal(10))
    assert (sums["USD"].not_due, sums["USD"].days_30) == (Decimal(4), Decimal(6))
    assert list(sums_of([])) == ["CNY"]


def test_a_program_reads_the_currency_beside_each_price(alice: Console) -> None:
    with tenant_scope(alice.id):
        _row, secret = create_key(
            actor=alice.actor(),
            tenant_id=alice.id,
            name="program",
            scopes=[Permission.PRICE_READ.value],
            now=utc_now(),
        )
    answer = Client().get("/api/v1/prices", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert {row["currency"] for row in answer.json()["items"]} == {"USD"}
