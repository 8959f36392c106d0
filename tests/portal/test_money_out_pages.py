"""Money that leaves a wallet and debts that end, in the operators' console."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from billing.models import LedgerTransaction, MoneyDecision
from tenants.models import Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.factories import billing as make
from tests.factories.tenants import member
from tests.portal.operator_stage import minute, signed_in

pytestmark = pytest.mark.django_db
PAGE = "/ops/tenants/alice/money-out/"
DESK = "/ops/adjustments/"
BACK = {"amount": "40.00", "reference": "ICBC 4711", "reason": "The tenant leaves"}


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice(db: None) -> Organisation:
    make.make_prices()
    return make.make_tenant("alice")


def decision() -> MoneyDecision:
    with operator_scope():
        return MoneyDecision.objects.latest("pk")


def propose(browser: Client, kind: str, idem: str = "once", **said: str) -> int:
    return browser.post(f"{PAGE}{kind}/", {**said, "idem": f"{kind}-{idem}"}).status_code


def decide(browser: Client, step: str = "approve") -> str:
    """Decide the latest proposal; gives the code where that was refused."""
    answer = browser.post(f"/ops/money-out/{decision().pk}/{step}/")
    if answer.status_code == 302:
        return ""
    return answer.content.decode().partition('data-code="')[2].partition('"')[0]


@pytest.fixture
def other(db: None) -> Client:
    """The second person's browser."""
    return signed_in("admin")


def test_money_is_paid_back_once_two_people_agree(alice: Organisation, other: Client) -> None:
    pay_in(alice, "100.00")
    browser = signed_in("finance")
    assert f'href="{PAGE}"' in browser.get("/ops/tenants/alice/").content.decode()
    assert [propose(browser, "pay-out", **BACK) for _ in range(2)] == [302, 302]
    with operator_scope():
        assert MoneyDecision.objects.count() == 1
    own = browser.get(DESK).content.decode()
    assert ("ICBC 4711" in own, f"{decision().pk}/approve/" in own) == (True, False)
    assert f"{decision().pk}/approve/" in other.get(DESK).content.decode()
    # Who proposed it is told so, and nothing moves.
    assert decide(browser) == "four_eyes_required"
    assert stands(alice).balance == Decimal("100.00")
    assert decide(other) == ""
    assert stands(alice).balance == Decimal("60.00")
    assert decide(other) == "money_decided"
    assert str(decision().pk) not in browser.get(DESK).content.decode()
    page = browser.get(PAGE).content.decode()
    assert ("Paid back" in page, "ICBC 4711" in page) == (True, True)
    assert broken() == ()


def test_what_is_refused_stands_on_the_form_with_what_was_typed(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    browser = signed_in("finance")
    for changed, status, code in (
        ({"amount": "100.01"}, 409, "not_free"),
        ({"reference": ""}, 422, "invalid_input"),
        ({"amount": "many"}, 422, "invalid_input"),
    ):
        answer = browser.post(f"{PAGE}pay-out/", {**BACK, **changed, "idem": f"bad-{code}"})
        page = answer.content.decode()
        assert (answer.status_code, f'data-code="{code}"' in page) == (status, True)
        assert f'value="{ {**BACK, **changed}["amount"] }"' in page
    assert browser.post(f"{PAGE}burn/", {"idem": "x"}).status_code == 404
    with operator_scope():
        assert not MoneyDecision.objects.exists()


def test_a_mistyped_top_up_is_taken_back_in_part(alice: Organisation, other: Client) -> None:
    pay_in(alice, "100000.00")
    with operator_scope():
        top_up = LedgerTransaction.objects.get(tenant=alice)
    browser = signed_in("finance")
    assert str(top_up.pk) in browser.get(PAGE).content.decode()
    said = {"top_up_id": str(top_up.pk), "amount": "90000.00", "reason": "A zero too many"}
    assert propose(browser, "top-up", **said) == 302
    assert str(top_up.pk) not in browser.get(PAGE).content.decode()
    assert propose(browser, "top-up", idem="twice", **said) == 422
    assert decide(other) == ""
    assert stands(alice).balance == Decimal("10000.00")
    wallet = Client()
    wallet.force_login(member(alice, "finance"))
    assert "Top-up taken back" in wallet.get("/t/alice/wallet/").content.decode()
    assert broken() == ()


def test_a_rejected_proposal_moves_nothing(alice: Organisation, other: Client) -> None:
    pay_in(alice, "100.00")
    assert propose(signed_in("finance"), "pay-out", **BACK) == 302
    assert decide(other, "reject") == ""
    assert (decision().state, stands(alice).balance) == ("rejected", Decimal("100.00"))


def test_an_overdue_debt_is_written_off_and_recovered_from_a_later_payment(
    alice: Organisation, other: Client
) -> None:
    long_ago = minute() - timedelta(days=40)
    ingest(alice, make.tokens("t1", 100_000_000, at=long_ago), now=long_ago)
    bill = issue(alice, until=long_ago + timedelta(hours=1), now=long_ago + timedelta(hours=1))
    browser = signed_in("finance")
    said = {"invoice_id": str(bill.pk), "reason": "Insolvent"}
    assert bill.number in browser.get(PAGE).content.decode()
    assert propose(browser, "write-off", **said) == 302
    assert decide(other) == ""
    assert stands(alice).balance == 0
    assert "Written off" in browser.get(f"/ops/tenants/alice/invoices/{bill.pk}/").content.decode()
    revenue = browser.get("/ops/revenue/").content.decode()
    assert ("Debts written off" in revenue, "106.00" in revenue) == (True, True)
    tenant = Client()
    tenant.force_login(member(alice, "finance"))
    assert "Written off" in tenant.get(f"/t/alice/invoices/{bill.pk}/").content.decode()
    assert bill.number not in browser.get("/ops/arrears/").content.decode()
    lost = decision()
    pay_in(alice, "106.00", now=minute())
    said = {"write_off_id": str(lost.pk), "amount": "106.00", "reason": "The estate paid"}
    assert propose(browser, "recovery", **said) == 302
    assert decide(other) == ""
    assert stands(alice).balance == 0
    assert "Recover a debt" not in browser.get(PAGE).content.decode()
    assert broken() == ()


def test_the_page_reads_chinese(alice: Organisation) -> None:
    pay_in(alice, "100.00")
    browser = signed_in("finance")
    propose(browser, "pay-out", **BACK)
    for address in (PAGE, DESK):
        page = browser.get(address, headers={"accept-language": "zh-hans"}).content.decode()
        assert "退款与核销" in page
