"""What operators may say of a credit on its form, and what each form refuses in its place."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.http import HttpResponse
from pytest_django import Settings

from billing.models import CreditLot
from tenants.models import Organisation, Project
from tenants.scoping import operator_scope
from tests.billing.shorthand import pay_in, stands
from tests.factories import billing as make
from tests.factories import credits as give
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db

CREDITS = "/ops/tenants/alice/credits/"
PROMO = {"title": "Welcome", "amount": "50.00", "share": "80", "idem": "promo-1"}
PACKAGE = {
    "package_title": "Hours",
    "meter": "compute.card_seconds",
    "quantity": "10",
    "price_net": "20.00",
    "idem": "package-1",
}


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice(db: None) -> Organisation:
    """A tenant with a project and money, where cards on demand have a price and a tax code."""
    make.make_tax()
    make.make_tax("0.13", "leasing")
    on_demand = {"service_class": "on_demand"}
    make.publish((make.price_line("compute.card_seconds", "3.60", 3600, on_demand),))
    tenant = give.verified("alice")
    with operator_scope():
        Project.objects.create(tenant=tenant, code="vision", name="Vision")
    pay_in(tenant, "100.00")
    return tenant


def send(form: str, said: dict[str, str]) -> HttpResponse:
    return signed_in("finance").post(f"{CREDITS}{form}/", said)


def made() -> CreditLot:
    with operator_scope():
        return CreditLot.objects.select_related("project").get()


def test_a_credit_says_for_what_it_pays_from_when_and_from_which_amount_on(
    alice: Organisation,
) -> None:
    said = {
        "scope": "service",
        "scope_values": "models， compute,models",
        "project": "vision",
        "min_spend": "20.00",
        "starts_on": "2026-12-01",
        "expires_on": "2099-12-31",
    }
    assert send("promo", {**PROMO, **said}).status_code == 302
    lot = made()
    assert (lot.scope, lot.scope_values) == ("service", ["models", "compute"])
    assert lot.project is not None
    assert lot.project.code == "vision"
    assert (lot.min_spend, lot.share_other) == (Decimal("20.00"), Decimal("0.8000"))
    # The first of December begins at 16:00 UTC of the day before.
    assert lot.effective_at == datetime(2026, 11, 30, 16, tzinfo=UTC)
    # Whoever has to agree reads all of it.
    page = signed_in("admin").get(CREDITS).content.decode()
    for told in (
        "Only for models, compute",
        "Only for the project Vision",
        "Least spend on an invoice: 20.00 CNY",
        "First day: 2026-12-01",
    ):
        assert told in page


def test_a_credit_without_further_terms_is_for_everything_from_now_on(alice: Organisation) -> None:
    assert send("promo", PROMO).status_code == 302
    lot = made()
    assert (lot.scope, lot.scope_values, lot.project_id, lot.min_spend) == ("any", [], None, 0)
    assert lot.effective_at == lot.created_at


@pytest.mark.parametrize(
    ("said", "field", "told"),
    [
        ({"scope": "meter"}, "scope", "Say which things it may pay for."),
        ({"scope_values": "models"}, "scope", "Say which things it may pay for."),
        (
            {"scope": "meter", "scope_values": "compute.card_seconds nothing.such"},
            "scope_values",
            "Not known: nothing.such.",
        ),
        ({"scope": "service", "scope_values": "tea"}, "scope_values", "Not known: tea."),
        ({"project": "sound"}, "project", "There is no such project."),
        ({"min_spend": "-1"}, "min_spend", "Ensure this value is greater than or equal to 0."),
        ({"starts_on": "2099-01-02", "expires_on": "2099-01-01"}, "expires_on", "It ends after"),
    ],
)
def test_a_credit_that_could_pay_for_nothing_is_refused_beside_its_field(
    alice: Organisation, said: dict[str, str], field: str, told: str
) -> None:
    answer = send("promo", {**PROMO, **said})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page
    assert f'href="#id_{field}"' in page
    with operator_scope():
        assert not CreditLot.objects.exists()


def test_a_package_says_for_which_use_and_project_and_under_which_tax(
    alice: Organisation,
) -> None:
    said = {
        "match": "service_class=on_demand",
        "package_project": "vision",
        "tax_code": "leasing",
    }
    assert send("package", {**PACKAGE, **said}).status_code == 302
    lot = made()
    assert (lot.match, lot.face) == ({"service_class": "on_demand"}, 36_000)
    assert lot.project is not None
    assert lot.project.code == "vision"
    assert (lot.price_net, lot.price_tax) == (Decimal("20.00"), Decimal("2.60"))
    assert stands(alice).balance == Decimal("77.40")
    page = signed_in("admin").get(CREDITS).content.decode()
    assert "Only use with service_class=on_demand" in page
    assert "First day" not in page.partition("<form")[0]


def test_a_package_is_taxed_as_services_where_nothing_else_is_said(alice: Organisation) -> None:
    assert send("package", PACKAGE).status_code == 302
    assert made().price_tax == Decimal("1.20")


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ({"match": "workload=w1"}, 422, "The meter shows no such dimension."),
        ({"match": "on demand"}, 422, "Write properties as name=value; name=value."),
        ({"package_project": "sound"}, 422, "There is no such project."),
        ({"tax_code": "none"}, 422, "Select a valid choice."),
        ({"match": "service_class=spot"}, 409, "this package would cover nothing"),
        ({"meter": "appliances.tokens_in"}, 409, "this package would cover nothing"),
    ],
)
def test_a_package_that_makes_no_sense_is_refused_and_nothing_is_paid(
    alice: Organisation, said: dict[str, str], status: int, told: str
) -> None:
    answer = send("package", {**PACKAGE, **said})
    assert answer.status_code == status
    assert told in answer.content.decode()
    with operator_scope():
        assert not CreditLot.objects.exists()
    assert stands(alice).balance == Decimal("100.00")


def test_the_forms_are_in_chinese_too(alice: Organisation, settings: Settings) -> None:
    settings.LANGUAGE_CODE = "zh-hans"
    page = signed_in("finance").get(CREDITS).content.decode()
    for word in ("抵扣范围", "部分服务", "首日", "账单最低消费", "适用于", "税码"):
        assert word in page
