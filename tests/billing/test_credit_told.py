"""What tenants read of their credits: whole sentences, in both languages, in units people use."""

from datetime import date, timedelta

import pytest
from django.utils.translation import override

from billing.commands.credit_sweep import keep_credits
from billing.commands.vouchers import reject_application
from tenants.models import Notice, Organisation
from tenants.notices import body_of, title_of
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db

# Five days after the tests' moment.
LAST = date(2026, 11, 20)


@pytest.fixture
def customer(db: None) -> Organisation:
    make.make_tax()
    make.publish((make.price_line("compute.card_seconds", "3.60", 3600),))
    return give.verified("alice")


def told(tenant: Organisation, kind: str) -> list[tuple[str, str]]:
    """Title and body of the tenant's notices of a kind, each in English and then in Chinese."""
    with operator_scope():
        rows = list(Notice.objects.filter(tenant=tenant, kind=kind).order_by("at", "pk"))
    said = []
    for row in rows:
        for language in ("en", "zh-hans"):
            with override(language):
                said.append((title_of(row.kind, row.detail), body_of(row.kind, row.detail)))
    return said


def keep(tenant: Organisation, days: int) -> None:
    with tenant_scope(tenant.pk):
        keep_credits(tenant_id=tenant.pk, now=make.NOW + timedelta(days=days))


def test_a_package_is_told_in_the_unit_of_its_meter(customer: Organisation) -> None:
    lot = give.package(customer, 72_000, meter="compute.card_seconds", expires_on=LAST)
    assert told(customer, "credit.granted") == [
        (
            f"{lot.code} is there to use",
            f"{lot.code}, 20 card-hour in all, pays for use until 2026-11-20.",
        ),
        (f"{lot.code} 已到账", f"{lot.code} 共 20 卡时，可抵扣用量，有效期至 2026-11-20。"),
    ]
    with operator_scope():
        detail = Notice.objects.get(kind="credit.granted").detail
    assert detail == {
        "code": lot.code,
        "face": "72000",
        "expires": "2026-11-20",
        "meter": "compute.card_seconds",
    }


def test_money_is_told_with_its_currency_and_one_without_an_end_says_so(
    customer: Organisation,
) -> None:
    lot = give.promo(customer, "50.00")
    assert told(customer, "credit.granted") == [
        (
            f"{lot.code} is there to use",
            f"{lot.code}, 50.00 CNY in all, pays for use without an end.",
        ),
        (f"{lot.code} 已到账", f"{lot.code} 共 50.00 CNY，可抵扣用量，长期有效。"),
    ]


def test_the_days_that_are_left_are_counted_in_words(customer: Organisation) -> None:
    package = give.package(customer, 5_400, meter="compute.card_seconds", expires_on=LAST)
    for days in (2, 4):
        keep(customer, days)
    titles = [title for title, _body in told(customer, "credit.expiring")]
    assert titles == [
        f"{package.code} expires in 3 days",
        f"{package.code} 3 天后到期",
        f"{package.code} expires in 1 day",
        f"{package.code} 1 天后到期",
    ]
    assert [body for _title, body in told(customer, "credit.expiring")][:2] == [
        f"1.5 card-hour of {package.code} are left. What is not used by 2026-11-20 lapses.",
        f"{package.code} 剩余 1.5 卡时，2026-11-20 后未使用部分失效。",
    ]
    keep(customer, 6)
    assert told(customer, "credit.expired") == [
        (
            f"{package.code} has expired",
            f"1.5 card-hour of {package.code} were left and have lapsed.",
        ),
        (f"{package.code} 已到期", f"{package.code} 剩余的 1.5 卡时 已失效。"),
    ]


def test_a_credit_whose_last_day_is_today_says_so(customer: Organisation) -> None:
    lot = give.promo(customer, "50.00", expires_on=LAST)
    keep(customer, 5)
    assert told(customer, "credit.expiring") == [
        (
            f"{lot.code} expires today",
            f"50.00 CNY of {lot.code} are left. What is not used by 2026-11-20 lapses.",
        ),
        (f"{lot.code} 今天到期", f"{lot.code} 剩余 50.00 CNY，2026-11-20 后未使用部分失效。"),
    ]


def test_a_decision_is_told_in_words_with_the_amount_and_the_last_day(
    customer: Organisation,
) -> None:
    give.scheme(needs_review=True)
    give.decide(give.ask(customer, "70.00"), "60.00")
    assert told(customer, "voucher_application.decided") == [
        (
            "Your application for city is decided",
            "Granted: 60.00 CNY, valid until 2026-12-31.",
        ),
        ("您的 city 申请已有结果", "已批准：60.00 CNY，有效期至 2026-12-31。"),
    ]
    with operator_scope():
        detail = Notice.objects.get(kind="voucher_application.decided").detail
    assert (detail["decision"], detail["amount"], detail["reason"]) == ("granted", "60.00", "")


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("A stamp is missing.", "Rejected: A stamp is missing.", "已驳回：A stamp is missing."),
        (" ", "Rejected, without a reason given.", "已驳回，未说明原因。"),
    ],
)
def test_a_rejection_is_told_with_its_reason(
    customer: Organisation, reason: str, english: str, chinese: str
) -> None:
    give.scheme(needs_review=True)
    asked = give.ask(customer, "70.00")
    with operator_scope():
        reject_application(
            actor=SYSTEM,
            tenant_id=customer.pk,
            application_id=asked.pk,
            reason=reason,
            now=make.NOW,
        )
    bodies = [body for _title, body in told(customer, "voucher_application.decided")]
    assert bodies == [english, chinese]


def test_a_notice_from_before_names_no_currency_and_still_reads() -> None:
    older = {"scheme": "city", "decision": "granted", "amount": "60.00", "reason": "2026-12-31"}
    with override("en"):
        assert body_of("voucher_application.decided", older) == (
            "Granted: 60.00, valid until 2026-12-31."
        )
        assert body_of("credit.granted", {"code": "PR-1", "face": "5.00", "expires": "—"}) == (
            "PR-1, 5.00 in all, pays for use without an end."
        )
