"""Credits in both consoles and the API: granting, applying, deciding, settling."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from billing.models import (
    CreditLot,
    SettlementBatch,
    VoucherApplication,
    VoucherScheme,
)
from common.clock import utc_now
from common.period import floor_hour
from portal.exports import month_label
from tenants.models import Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import ingest, issue, pay_in
from tests.factories import billing as make
from tests.factories import credits as give
from tests.factories.tenants import key, member
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db

SCOPES = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "SELECT set_config")
# A tenant with credits costs the reading of them and of its cards' origins on top of the others.
MOST = 14
CREDITS = "/ops/tenants/alice/credits/"
IDEM = "0190a0b0-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice() -> Organisation:
    return give.verified("alice")


def browser(tenant: Organisation, role: str = "finance") -> Client:
    client = Client()
    client.force_login(member(tenant, role))
    return client


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as told:
        answer = client.get(path)
        assert answer.status_code == 200, answer.content
    return sum(not query["sql"].startswith(SCOPES) for query in told)


def lots() -> list[tuple[str, str, Decimal]]:
    with operator_scope():
        return list(CreditLot.objects.order_by("pk").values_list("kind", "state", "face"))


def test_finance_grants_and_revokes_once_however_often_the_form_is_sent(
    alice: Organisation,
) -> None:
    make.make_tax()
    make.publish((make.price_line("compute.card_seconds", "3.60", 3600),))
    finance = signed_in("finance")
    promo = {"title": "Welcome", "amount": "50.00", "share": "100", "idem": "promo-1"}
    for _ in range(2):
        assert finance.post(f"{CREDITS}promo/", promo).status_code == 302
    assert lots() == [("promo", "proposed", 50)]
    package = {
        "package_title": "Hours",
        "meter": "compute.card_seconds",
        "quantity": "2.5",
        "price_net": "0",
        "package_expires_on": "2099-12-31",
        "idem": "package-1",
    }
    assert finance.post(f"{CREDITS}package/", package).status_code == 302
    with operator_scope():
        first = CreditLot.objects.get(kind="promo").pk
        second = CreditLot.objects.get(kind="package").pk
    assert "Take back" in finance.get(CREDITS).content.decode()
    alone = finance.post(f"{CREDITS}{first}/approve/")
    assert alone.status_code == 409
    assert 'data-code="four_eyes_required"' in alone.content.decode()
    admin = signed_in("admin")
    for lot in (first, second):
        assert admin.post(f"{CREDITS}{lot}/approve/").status_code == 302
        assert admin.post(f"{CREDITS}{lot}/approve/").status_code == 409
    assert lots() == [("promo", "active", 50), ("package", "active", 9000)]
    listed = finance.get(CREDITS).content.decode()
    assert listed.count("Proposed by") == listed.count("Approved by") == 2
    for _ in range(2):
        assert finance.post(f"{CREDITS}{first}/revoke/").status_code == 302
    assert lots()[0][1] == "revoked"
    page = finance.get(CREDITS).content.decode()
    assert "Welcome" in page
    assert "Resource package" in page


def test_a_grant_that_makes_no_sense_is_refused_on_its_form(alice: Organisation) -> None:
    finance = signed_in("finance")
    answer = finance.post(f"{CREDITS}promo/", {"title": "", "amount": "x", "idem": "promo-1"})
    assert answer.status_code == 422
    package = {
        "package_title": "Hours",
        "meter": "compute.card_seconds",
        "quantity": "1",
        "price_net": "10",
        "idem": "package-1",
    }
    assert finance.post(f"{CREDITS}package/", package).status_code in (402, 422)
    assert lots() == []


def test_a_tenant_applies_and_finance_decides(alice: Organisation) -> None:
    give.scheme(needs_review=True, evidence=("contract",), valid_until=None)
    tenant = browser(alice)
    form = {"scheme": "city", "amount": "60.00", "idem": IDEM}
    refused = tenant.post("/t/alice/wallet/apply/", form)
    assert refused.status_code == 422
    assert "The scheme asks for this document." in refused.content.decode()
    form = {**form, "evidence_contract": "C-1"}
    for _ in range(2):
        assert tenant.post("/t/alice/wallet/apply/", form).status_code == 302
    with operator_scope():
        application = VoucherApplication.objects.get()
    assert (application.state, application.evidence) == ("submitted", {"contract": "C-1"})
    finance = signed_in("finance")
    listed = finance.get("/ops/vouchers/applications/").content.decode()
    assert "C-1" in listed
    steps = f"/ops/vouchers/applications/{application.pk}/"
    assert finance.post(f"{steps}grant/", {"amount": "60.00"}).status_code == 409
    assert finance.post(f"{steps}review/").status_code == 302
    alone = finance.post(f"{steps}grant/", {"amount": "55.00"})
    assert (alone.status_code, lots()) == (409, [])
    assert "somebody else grants it" in alone.content.decode()
    second = signed_in("admin")
    assert second.post(f"{steps}grant/", {"amount": "61.00"}).status_code == 422
    assert second.post(f"{steps}grant/", {"amount": "55.00"}).status_code == 302
    assert finance.post(f"{steps}reject/", {"reason": "late"}).status_code == 409
    assert lots() == [("voucher", "active", 55)]
    wallet = tenant.get("/t/alice/wallet/").content.decode()
    assert "Computing voucher" in wallet
    chinese = Client(headers={"accept-language": "zh-hans"})
    chinese.force_login(member(alice, "finance", "zh"))
    assert "算力券" in chinese.get("/t/alice/wallet/").content.decode()


def test_the_examples_are_put_in_and_edited(alice: Organisation) -> None:
    finance = signed_in("finance")
    for _ in range(2):
        assert finance.post("/ops/vouchers/examples/").status_code == 302
    page = finance.get("/ops/vouchers/").content.decode()
    assert page.count("Example, ") == 3
    edit = "/ops/vouchers/schemes/example-instant/"
    assert finance.get(edit).status_code == 200
    form = {
        "title_en": "Wuhan",
        "title_zh": "武汉",
        "issuer": "Wuhan",
        "mode": "instant",
        "share_domestic": "0.25",
        "share_other": "0.10",
        "scope_services": ["compute"],
        "excluded_services": ["storage"],
        "after_expiry": "lapse",
        "is_open": "on",
    }
    assert finance.post(edit, form).status_code == 302
    with operator_scope():
        scheme = VoucherScheme.objects.get(code="example-instant")
    assert (scheme.share_domestic, scheme.is_example, scheme.budget) == (
        Decimal("0.25"),
        False,
        None,
    )
    assert finance.post(edit, {**form, "share_other": "2"}).status_code == 422


def test_a_settlement_goes_its_way_and_its_file_is_offered(alice: Organisation) -> None:
    make.make_prices()
    give.scheme(valid_until=None)
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])
    # Used and issued in a month that is over whenever this runs.
    month = floor_hour(utc_now() - timedelta(days=40))
    said = month_label(month + make.HOUR)
    give.voucher(alice, "1000.00")
    ingest(alice, make.cards("c1", 3600, month), now=month)
    issue(alice, month + make.HOUR, month + make.HOUR)
    finance = signed_in("finance")
    answer = finance.post("/ops/settlements/", {"scheme": "city", "month": said})
    assert answer.status_code == 302, answer.content
    with operator_scope():
        batch = SettlementBatch.objects.get()
    assert answer["Location"] == f"/ops/settlements/{batch.pk}/"
    page = finance.get(answer["Location"]).content.decode()
    assert "alice 科技有限公司" in page
    file = finance.get(f"/ops/settlements/{batch.pk}/file.csv")
    assert file["Content-Disposition"] == 'attachment; filename="city-' + said + '-1.csv"'
    assert file.content.startswith(b"\xef\xbb\xbf")
    steps = answer["Location"]
    for step, told, status in (
        ("pay", {"note": "bank"}, 409),
        ("submit", {}, 302),
        ("review", {}, 302),
        ("pay", {}, 422),
        ("pay", {"note": "bank"}, 302),
        ("claw-back", {"note": "audit"}, 302),
        ("dance", {}, 404),
    ):
        assert finance.post(f"{steps}{step}/", told).status_code == status, step
    with operator_scope():
        batch.refresh_from_db()
    assert batch.state == "clawed_back"
    assert finance.get("/ops/settlements/").status_code == 200


def test_programs_read_credits_and_apply(alice: Organisation) -> None:
    make.make_prices()
    give.scheme(valid_until=None, needs_review=True)
    give.promo(alice, "50.00", expires_on=date(2099, 12, 31))
    ingest(alice, make.cards("c1", 3600))
    invoice = issue(alice)
    _row, secret = key(alice)
    client = Client(headers={"authorization": f"Bearer {secret}"})

    def got(path: str) -> dict[str, object]:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.content
        found: dict[str, object] = answer.json()
        return found

    (credit,) = got("credits")["items"]  # type: ignore[misc]
    assert credit["remaining"] == "46.18"
    assert credit["last_day"] == "2099-12-31"
    assert got("vouchers")["items"] == []
    (scheme,) = got("voucher-schemes")["items"]  # type: ignore[misc]
    assert (scheme["code"], scheme["share_domestic"]) == ("city", "0.3000")
    sheet = got(f"invoices/{invoice.pk}")
    assert (sheet["credits"], sheet["payable"]) == ("3.82", "0.00")
    (use,) = got(f"invoices/{invoice.pk}/credits")["items"]  # type: ignore[misc]
    assert (use["line"], use["sequence"], use["amount"]) == (1, 1, "3.82")
    asked = {"scheme": "city", "amount": "60.00"}
    for _ in range(2):
        answer = client.post(
            "/api/v1/voucher-applications",
            asked,
            content_type="application/json",
            headers={"idempotency-key": "k1"},
        )
        assert answer.status_code == 201, answer.content
    (application,) = got("voucher-applications")["items"]  # type: ignore[misc]
    assert (application["state"], application["amount"]) == ("submitted", "60.00")


def test_pages_cost_as_many_statements_with_sixty_credits_as_with_three(
    alice: Organisation,
) -> None:
    make.make_prices()
    give.scheme(valid_until=None, needs_review=True)
    pay_in(alice, "100.00")
    ingest(alice, make.cards("c1", 3600))
    invoice = issue(alice)
    ingest(alice, make.cards("c2", 3600, make.NOW), now=make.NOW + make.HOUR)
    tenant, finance = browser(alice), signed_in("finance")

    def more(first: int, last: int) -> None:
        for number in range(first, last):
            give.promo(alice, "1.00", key=f"p{number}", effective_at=make.NOW - make.HOUR)
            give.ask(alice, "1.00", key=f"a{number}")

    def costs() -> dict[str, int]:
        pages = ("wallet/", "wallet/apply/", "invoices/", f"invoices/{invoice.pk}/", "usage/")
        found = {page: statements(tenant, f"/t/alice/{page}") for page in pages}
        for page in (CREDITS, "/ops/vouchers/", "/ops/vouchers/applications/", "/ops/settlements/"):
            found[page] = statements(finance, page)
        return found

    more(0, 3)
    few = costs()
    more(3, 60)
    many = costs()
    assert many == few
    assert max(many.values()) <= MOST, many
