"""Applying for vouchers: the scheme's rules, its caps, and each step once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.commands.schemes import (
    SchemeRefused,
    close_scheme,
    load_example_schemes,
)
from billing.commands.vouchers import (
    ApplicationDecided,
    ApplicationRefused,
    CapReached,
    SchemeClosed,
    grant_application,
    reject_application,
    review_application,
)
from billing.models import CreditLot, VoucherApplication, VoucherCap, VoucherScheme
from common.errors import NotFound
from tenants.models import Organisation
from tenants.permissions import OPERATOR_ROLES, SYSTEM, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Organisation:
    return give.verified("alice")


def codes(error: pytest.ExceptionInfo[ApplicationRefused]) -> list[tuple[str, str]]:
    return sorted((one.pointer, one.code) for one in error.value.errors)


def count() -> tuple[int, int]:
    with operator_scope():
        return VoucherApplication.objects.count(), CreditLot.objects.count()


def test_a_scheme_without_a_review_grants_at_once(customer: Organisation) -> None:
    give.scheme(valid_days=10)
    application = give.ask(customer, "70.00")
    lot = give.lot_of(application)
    assert application.state == "granted"
    assert (lot.face, lot.remaining, lot.state) == (70, 70, "active")
    assert (lot.share_domestic, lot.share_other) == (Decimal("0.3"), Decimal("0.2"))
    # To 23:59:59 of the centre's tenth day from now.
    assert lot.expires_at == make.NOW.replace(day=25, hour=16)
    assert broken() == ()


def test_editing_a_scheme_changes_no_voucher_that_was_granted(customer: Organisation) -> None:
    give.scheme()
    lot = give.lot_of(give.ask(customer, "70.00"))
    give.scheme(share_domestic=Decimal("0.01"))
    assert give.fresh(lot).share_domestic == Decimal("0.3")


def test_what_the_scheme_asks_for_is_asked_for(customer: Organisation) -> None:
    give.scheme(needs_unrelated=True, is_one_per_contract=True, evidence=("contract", "delivery"))
    with pytest.raises(ApplicationRefused) as error:
        give.ask(customer, "0.001", evidence={"contract": "C-1"})
    assert codes(error) == [
        ("/amount", "amount"),
        ("/contract", "required"),
        ("/evidence/delivery", "required"),
        ("/is_unrelated", "required"),
    ]
    with pytest.raises(ApplicationRefused) as error:
        give.ask(make.make_tenant("bob"), "1.00")
    assert ("/scheme", "unverified") in codes(error)
    assert count() == (0, 0)


def test_a_scheme_takes_applications_only_in_its_window(customer: Organisation) -> None:
    give.scheme(applications_from=make.NOW, applications_until=make.NOW + timedelta(days=1))
    for moment in (make.NOW - timedelta(seconds=1), make.NOW + timedelta(days=1)):
        with pytest.raises(SchemeClosed):
            give.ask(customer, "1.00", now=moment)
    with operator_scope():
        close_scheme(actor=SYSTEM, code="city", now=make.NOW)
    with pytest.raises(SchemeClosed):
        give.ask(customer, "1.00")
    with pytest.raises(NotFound):
        give.ask(customer, "1.00", "nowhere")
    assert count() == (0, 0)


def test_what_is_pending_counts_against_the_caps(customer: Organisation) -> None:
    give.scheme(cap_per_tenant_year=Decimal("100.00"), needs_review=True)
    first = give.ask(customer, "60.00")
    with pytest.raises(CapReached):
        give.ask(customer, "40.01", key="second")
    assert count() == (1, 0)
    with operator_scope():
        reject_application(
            actor=SYSTEM,
            tenant_id=customer.pk,
            application_id=first.pk,
            reason="no contract",
            now=make.NOW,
        )
    assert give.ask(customer, "100.00", key="third").state == "submitted"
    assert broken() == ()


def test_caps_are_by_the_centres_year(customer: Organisation) -> None:
    give.scheme(cap_per_tenant_year=Decimal("100.00"), valid_until=None)
    give.ask(customer, "100.00", now=make.NOW.replace(month=12, day=31, hour=15))
    # 16:00 in UTC is the new year in China.
    give.ask(customer, "100.00", key="next", now=make.NOW.replace(month=12, day=31, hour=16))
    with operator_scope():
        assert sorted(VoucherCap.objects.values_list("year", "committed")) == [
            (2026, 100),
            (2027, 100),
        ]


def test_one_application_for_each_contract(customer: Organisation) -> None:
    give.scheme(is_one_per_contract=True)
    give.ask(customer, "1.00", contract="C-1")
    with pytest.raises(CapReached):
        give.ask(customer, "1.00", contract="C-1", key="second")
    assert give.ask(customer, "1.00", contract="C-2", key="third").state == "granted"


def test_each_step_is_made_once_and_in_order(customer: Organisation) -> None:
    give.scheme(needs_review=True)
    application = give.ask(customer, "60.00")
    which = {"actor": SYSTEM, "tenant_id": customer.pk, "application_id": application.pk}
    with operator_scope():
        with pytest.raises(ApplicationDecided):
            grant_application(**which, amount=Decimal("60.00"), now=make.NOW)
        review_application(**which, now=make.NOW)
        with pytest.raises(ApplicationDecided):
            review_application(**which, now=make.NOW)
        with pytest.raises(ApplicationRefused):
            grant_application(**which, amount=Decimal("60.01"), now=make.NOW)
        grant_application(**which, amount=Decimal("50.00"), now=make.NOW)
        for again in (
            lambda: grant_application(**which, amount=Decimal("50.00"), now=make.NOW),
            lambda: reject_application(**which, reason="late", now=make.NOW),
        ):
            with pytest.raises(ApplicationDecided):
                again()
    assert give.lot_of(application).face == 50
    assert count() == (1, 1)
    assert broken() == ()


def test_only_finance_and_the_admin_decide(customer: Organisation) -> None:
    give.scheme(needs_review=True)
    application = give.ask(customer, "60.00")
    for role in ("support", "capacity"):
        actor = Actor(ActorKind.OPERATOR, None, role, None, OPERATOR_ROLES[role])
        with pytest.raises(PermissionRefused), operator_scope():
            review_application(
                actor=actor,
                tenant_id=customer.pk,
                application_id=application.pk,
                now=make.NOW,
            )


def test_the_examples_are_labelled_and_put_in_once() -> None:
    with operator_scope():
        assert load_example_schemes(actor=SYSTEM, now=make.NOW) == 3
        assert load_example_schemes(actor=SYSTEM, now=make.NOW) == 0
        rows = list(VoucherScheme.objects.order_by("code"))
    assert [row.code for row in rows] == ["example-instant", "example-opc", "example-reimburse"]
    assert all("示例，请按本市文件修改" in row.title_zh and row.is_example for row in rows)
    assert [row.cap_per_tenant_year for row in rows] == [2_000_000, 200_000, 2_000_000]
    assert all(set(row.excluded_services) >= {"storage", "network"} for row in rows)


def test_a_one_person_company_gets_its_card_hours_too(customer: Organisation) -> None:
    give.scheme(package_meter="test.card_seconds", package_quantity=2000 * 3600)
    give.ask(customer, "100.00")
    with operator_scope():
        package = CreditLot.objects.get(kind="package")
    assert (package.face, package.meter) == (7_200_000, "test.card_seconds")


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"share_domestic": Decimal(0)},
        {"share_other": Decimal("1.1")},
        {"cap_per_tenant_year": Decimal("-1")},
        {"mode": "someday"},
        {"scope_services": ("moon",)},
        {"scope_services": ()},
        {"package_quantity": 5},
    ):
        with pytest.raises(SchemeRefused):
            give.scheme(**wrong)
    with operator_scope():
        assert not VoucherScheme.objects.exists()
