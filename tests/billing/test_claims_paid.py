"""When the city pays a claim: the money settles what is open, and what it takes back is owed."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from billing.commands.arrears import reassess
from billing.commands.credit_notes import due_of
from billing.commands.settlements import pay_settlement, review_settlement, submit_settlement
from billing.models import ArrearsStanding, Invoice, LedgerTransaction, SettlementBatch
from tenants.models import Notice, Organisation
from tenants.notices import body_of, title_of
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, stands
from tests.billing.test_settlements import (
    NOVEMBER,
    OVER,
    balance,
    credit,
    draft,
    for_tests,
    step,
    used,
)
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db

D = Decimal
NEXT_MONTH = OVER + timedelta(days=40)


def claimed(hours: int = 100) -> tuple[Organisation, SettlementBatch]:
    """A tenant that has paid for its use in full, and the reviewed batch that claims 30 % of it."""
    make.make_prices()
    for_tests("reimburse", valid_until=None)
    alice = used("alice", hours)
    pay_in(alice, str(-stands(alice).balance))
    return alice, reviewed()


def reviewed(now: datetime = OVER, month: date = NOVEMBER) -> SettlementBatch:
    batch = draft(now, month)
    for command in (submit_settlement, review_settlement):
        step(command, batch)
    return batch


def pay(batch: SettlementBatch) -> None:
    step(pay_settlement, batch, reference="bank 1")


def state_of(tenant: Organisation) -> str:
    with operator_scope():
        return ArrearsStanding.objects.get(tenant=tenant).state


def told(tenant: Organisation, kind: str, language: str = "en") -> list[tuple[str, str]]:
    """Title and body of each notice of a kind, in the order they were posted."""
    with operator_scope(), override(language):
        rows = Notice.objects.filter(tenant=tenant, kind=kind).order_by("at", "pk")
        return [(title_of(one.kind, one.detail), body_of(one.kind, one.detail)) for one in rows]


def more_use(tenant: Organisation, hours: int) -> Invoice:
    """A second invoice, of hours after the first one's."""
    until = make.NOW + 2 * make.HOUR
    ingest(tenant, make.cards("c2", hours * 3600, make.NOW + make.HOUR), now=until)
    return issue(tenant, until, until)


def spend(tenant: Organisation, net: str) -> None:
    """Take money out of the wallet, with 6 % tax."""
    give.package(tenant, 3600, price=net, key=f"spent {net}", now=OVER)


def test_the_citys_money_pays_what_is_open_and_ends_the_arrears() -> None:
    alice, batch = claimed()
    second = more_use(alice, 10)
    with tenant_scope(alice.pk):
        reassess(tenant_id=alice.pk, now=OVER)
    assert (state_of(alice), stands(alice).balance) == ("grace", D("-38.16"))
    pay(batch)
    assert (state_of(alice), stands(alice).balance) == ("normal", D("76.32"))
    with operator_scope():
        assert due_of(second) == 0
    assert balance(alice, "wallet") == D("-76.32")
    assert told(alice, "voucher_claim.paid") == [
        (
            "The city has paid your claim for 2026-11",
            "114.48 CNY of scheme city came into the wallet. What was open is paid from it.",
        )
    ]
    assert told(alice, "voucher_claim.paid", "zh-hans") == [
        (
            "2026-11 的算力券申领款已到账",
            "方案 city 的 114.48 CNY 已存入钱包，并先用于支付未付款项。",
        )
    ]
    assert [title for title, _body in told(alice, "invoice.paid")][-1] == (
        f"Invoice {second.number} is paid"
    )
    assert len(told(alice, "arrears.cleared")) == 1
    pay(batch)
    assert stands(alice).balance == D("76.32")
    assert len(told(alice, "voucher_claim.paid")) == 1
    assert broken() == ()


def refunded(spent_net: str) -> tuple[Organisation, SettlementBatch]:
    """The claim was paid, then half was refunded and money spent; the city wants 57.24 back."""
    alice, batch = claimed()
    pay(batch)
    credit(alice, "180.00")
    # 114.48 of the city and 190.80 refunded.
    assert stands(alice).balance == D("305.28")
    spend(alice, spent_net)
    later = reviewed(now=NEXT_MONTH, month=OVER.date())
    assert later.total == D("-57.24")
    return alice, later


def test_what_the_city_takes_back_comes_from_the_wallet() -> None:
    alice, batch = refunded("200.00")
    pay(batch)
    assert (stands(alice).balance, balance(alice, "receivable")) == (D("36.04"), 0)
    assert told(alice, "voucher_claim.returned") == [
        (
            "The city takes 57.24 CNY back",
            "Refunds lower the claim for 2026-12 under scheme city. 57.24 CNY were taken from the "
            "wallet and 0.00 CNY are owed.",
        )
    ]
    assert broken() == ()


def test_what_the_wallet_lacks_is_owed_and_paid_from_the_next_money() -> None:
    alice, batch = refunded("250.00")
    assert balance(alice, "wallet") == D("-40.28")
    pay(batch)
    assert (balance(alice, "wallet"), balance(alice, "receivable")) == (0, D("16.96"))
    assert (state_of(alice), batch.state) == ("grace", "paid")
    assert told(alice, "voucher_claim.returned", "zh-hans") == [
        (
            "城市收回 57.24 CNY",
            "退款减少了 2026-12 方案 city 的申领额。已从钱包扣回 40.28 CNY，尚欠 16.96 CNY。",
        )
    ]
    pay_in(alice, "10.00", "part", OVER)
    assert (balance(alice, "wallet"), balance(alice, "receivable")) == (0, D("6.96"))
    pay_in(alice, "10.00", "rest", OVER)
    assert (balance(alice, "wallet"), balance(alice, "receivable")) == (D("-3.04"), 0)
    assert state_of(alice) == "normal"
    with operator_scope():
        kinds = LedgerTransaction.objects.filter(tenant=alice, kind="shortfall_paid")
        assert sum(1 for _one in kinds) == 2
    assert broken() == ()


def test_a_shortfall_of_one_tenant_keeps_no_others_money_waiting() -> None:
    alice, november = claimed()
    bob = give.verified("bob")
    pay(november)
    credit(alice, "180.00")
    spend(alice, "288.00")
    give.voucher(bob, "1000.00")
    ingest(bob, make.cards("c1", 36_000))
    issue(bob)
    pay_in(bob, "38.16", now=OVER)
    december = reviewed(NEXT_MONTH, OVER.date())
    assert december.total == D("11.44") - D("57.24")
    pay(december)
    assert (stands(alice).balance, stands(bob).balance) == (D("-57.24"), D("11.44"))
    assert broken() == ()
