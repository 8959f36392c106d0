"""An invoice in each state: the same word for programs, tenants and operators."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils.translation import override

from billing.commands.credit_notes import issue_credit_note
from billing.models import Invoice
from common.clock import utc_now
from portal.templatetags.ui import status
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.billing.shorthand import ingest, issue, pay_in
from tests.factories import billing as make
from tests.factories.program import program
from tests.factories.tenants import member
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db

LONG_UNPAID = timedelta(days=60)


@pytest.fixture
def alice(db: None) -> Organisation:
    make.make_prices()
    return make.make_tenant("alice")


def billed(tenant: Organisation, at: datetime) -> Invoice:
    """Cards for 36.00 and tokens for 100.00 net; 144.16 with tax."""
    used = at - 2 * make.HOUR
    ingest(tenant, make.tokens("t1", 100_000_000, used), make.cards("c1", 36_000, at=used), now=at)
    return issue(tenant, until=at, now=at)


def left_open(tenant: Organisation) -> Invoice:
    return billed(tenant, utc_now())


def left_unpaid(tenant: Organisation) -> Invoice:
    return billed(tenant, utc_now() - LONG_UNPAID)


def partly_credited(tenant: Organisation) -> Invoice:
    bill = billed(tenant, utc_now())
    credit(bill, {2: Decimal("50.00")})
    return bill


def paid(tenant: Organisation) -> Invoice:
    bill = billed(tenant, utc_now())
    pay_in(tenant, "144.16", now=utc_now())
    return bill


def paid_and_partly_credited(tenant: Organisation) -> Invoice:
    bill = paid(tenant)
    credit(bill, {2: Decimal("50.00")})
    return bill


def void(tenant: Organisation) -> Invoice:
    bill = billed(tenant, utc_now())
    credit(bill, None)
    return bill


def void_after_payment(tenant: Organisation) -> Invoice:
    bill = paid(tenant)
    credit(bill, None)
    return bill


def credit(bill: Invoice, nets: dict[int, Decimal] | None) -> None:
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=bill.tenant_id,
            invoice_id=bill.pk,
            reason="Cards failed",
            nets=nets,
            now=utc_now(),
        )


Case = Callable[[Organisation], Invoice]
# State, then paid, credited and due.
CASES: list[tuple[Case, str, tuple[str, str, str]]] = [
    (left_open, "open", ("0.00", "0.00", "144.16")),
    (left_unpaid, "overdue", ("0.00", "0.00", "144.16")),
    (partly_credited, "partly_credited", ("0.00", "53.00", "91.16")),
    (paid, "paid", ("144.16", "0.00", "0.00")),
    (paid_and_partly_credited, "paid", ("144.16", "53.00", "0.00")),
    (void, "void", ("0.00", "144.16", "0.00")),
    (void_after_payment, "void", ("144.16", "144.16", "0.00")),
]
IDS = [case.__name__ for case, _state, _money in CASES]


@pytest.mark.parametrize(("case", "state", "money"), CASES, ids=IDS)
def test_a_program_is_told_the_state_and_the_money(
    alice: Organisation, case: Case, state: str, money: tuple[str, str, str]
) -> None:
    bill = case(alice)
    api = program(alice)
    (listed,) = api.get("invoices").json()["items"]
    shown = api.get(f"invoices/{bill.pk}").json()
    for said in (listed, shown):
        assert (said["state"], said["gross"]) == (state, "144.16")
        assert (said["paid"], said["credited"], said["due"]) == money


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(("case", "state", "money"), CASES, ids=IDS)
def test_every_page_shows_the_state(
    alice: Organisation, case: Case, state: str, money: tuple[str, str, str], language: str
) -> None:
    bill = case(alice)
    tenant = Client()
    tenant.force_login(member(alice, "finance"))
    desk = signed_in("finance")
    with override(language):
        badge = str(status(state))
    for browser, page in (
        (tenant, "/t/alice/invoices/"),
        (tenant, f"/t/alice/invoices/{bill.pk}/"),
        (desk, "/ops/invoices/"),
        (desk, "/ops/tenants/alice/"),
        (desk, f"/ops/tenants/alice/invoices/{bill.pk}/"),
    ):
        shown = browser.get(page, headers={"Accept-Language": language}).content.decode()
        assert badge in shown, page


def test_the_states_have_words_and_looks_of_their_own() -> None:
    states = ["open", "overdue", "partly_credited", "paid", "void"]
    with override("en"):
        english = [str(status(state)) for state in states]
    with override("zh-hans"):
        chinese = [str(status(state)) for state in states]
    for badge, word in zip(
        english, ["Open", "Overdue", "Partly credited", "Paid", "Void"], strict=True
    ):
        assert f"<span>{word}</span>" in badge
    for badge, word in zip(
        chinese, ["未结", "已逾期", "部分冲减", "已支付", "已作废"], strict=True
    ):
        assert f"<span>{word}</span>" in badge
