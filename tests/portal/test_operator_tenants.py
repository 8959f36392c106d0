"""Tenants in the operators' console: taking them in, their money, suspension, visits."""

from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from billing.models import Invoice, LedgerTransaction
from billing.queries.wallet import standing
from tenants.models import AuditEntry, OperatorAccess, Organisation
from tenants.scoping import operator_scope
from tests.billing.shorthand import ingest
from tests.factories.billing import make_prices, make_tenant, tokens
from tests.factories.tenants import member
from tests.portal.operator_stage import ROLES, minute, signed_in

pytestmark = pytest.mark.django_db

TRANSFER = {"amount": "5000.00", "reference": "bank 17", "idem": "top-up-1"}
PAGE = "/ops/tenants/alice/"


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice() -> Organisation:
    return make_tenant("alice")


def balance(tenant: Organisation) -> Decimal:
    with operator_scope():
        return standing(tenant.pk).balance


def organisations(**named: str) -> list[str]:
    """The states of the tenants of that name."""
    with operator_scope():
        return [row.state for row in Organisation.objects.filter(**named)]


def test_a_transfer_is_booked_once_however_often_the_form_is_sent(alice: Organisation) -> None:
    browser = signed_in("finance")
    answers = [browser.post(f"{PAGE}top-up/", TRANSFER) for _ in range(2)]
    assert [(a.status_code, a["Location"]) for a in answers] == [(302, PAGE)] * 2
    assert balance(alice) == Decimal("5000.00")
    with operator_scope():
        assert LedgerTransaction.objects.count() == 1


def test_the_same_form_with_another_amount_is_refused(alice: Organisation) -> None:
    browser = signed_in("finance")
    browser.post(f"{PAGE}top-up/", TRANSFER)
    answer = browser.post(f"{PAGE}top-up/", {**TRANSFER, "amount": "9.00"})
    assert answer.status_code == 422
    assert 'data-code="idempotency_key_reused"' in answer.content.decode()
    assert balance(alice) == Decimal("5000.00")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": "-5"}, "amount_refused"),
        ({"amount": "many"}, "invalid_input"),
        ({"reference": ""}, "invalid_input"),
        ({"idem": ""}, "form_incomplete"),
    ],
)
def test_a_refused_transfer_keeps_what_was_typed_and_books_nothing(
    alice: Organisation, changed: dict[str, str], code: str
) -> None:
    sent = {**TRANSFER, **changed}
    answer = signed_in("finance").post(f"{PAGE}top-up/", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'data-code="{code}"' in page
    assert f'value="{sent["amount"]}"' in page
    assert balance(alice) == 0


def test_an_invoice_bills_up_to_now_once(alice: Organisation) -> None:
    make_prices()
    ingest(alice, tokens("e1", 2_000_000, at=minute()), now=minute())
    browser = signed_in("finance")
    answers = [browser.post(f"{PAGE}invoice/", {"idem": "invoice-1"}) for _ in range(2)]
    assert [(a.status_code, a["Location"]) for a in answers] == [(302, PAGE)] * 2
    with operator_scope():
        (issued,) = Invoice.objects.all()
    assert (issued.net, issued.gross) == (Decimal("2.00"), Decimal("2.12"))
    assert issued.number in browser.get(PAGE).content.decode()
    detail = browser.get(f"{PAGE}invoices/{issued.pk}/").content.decode()
    assert "test.tokens_in price" in detail
    assert issued.number in browser.get("/ops/invoices/").content.decode()


def test_the_invoice_page_leads_to_the_document_the_tenant_gets(alice: Organisation) -> None:
    make_prices()
    ingest(alice, tokens("e1", 2_000_000, at=minute()), now=minute())
    browser = signed_in("finance")
    browser.post(f"{PAGE}invoice/", {"idem": "invoice-1"})
    with operator_scope():
        (issued,) = Invoice.objects.all()
    address = f"{PAGE}invoices/{issued.pk}/document.pdf"
    assert f'href="{address}"' in browser.get(f"{PAGE}invoices/{issued.pk}/").content.decode()
    document = browser.get(address)
    assert document["Content-Type"] == "application/pdf"
    assert document["Content-Disposition"] == f'attachment; filename="{issued.number}.pdf"'
    assert document.content.startswith(b"%PDF-")


def test_a_document_is_not_found_under_another_tenant(alice: Organisation) -> None:
    make_prices()
    ingest(alice, tokens("e1", 2_000_000, at=minute()), now=minute())
    make_tenant("bob")
    browser = signed_in("finance")
    browser.post(f"{PAGE}invoice/", {"idem": "invoice-1"})
    with operator_scope():
        (issued,) = Invoice.objects.all()
    assert browser.get(f"/ops/tenants/bob/invoices/{issued.pk}/document.pdf").status_code == 404


def test_nothing_to_bill_is_said_on_the_page(alice: Organisation) -> None:
    answer = signed_in("finance").post(f"{PAGE}invoice/", {"idem": "invoice-1"})
    assert answer.status_code == 409
    assert 'data-code="nothing_to_invoice"' in answer.content.decode()
    with operator_scope():
        assert not Invoice.objects.exists()


def test_a_credit_limit_is_set(alice: Organisation) -> None:
    sent = {"limit": "300.00", "idem": "limit-1"}
    assert signed_in("finance").post(f"{PAGE}credit-limit/", sent).status_code == 302
    with operator_scope():
        assert standing(alice.pk).credit_limit == Decimal("300.00")


def test_a_credit_limit_below_zero_is_refused_with_the_input(alice: Organisation) -> None:
    sent = {"limit": "-1", "idem": "limit-1"}
    answer = signed_in("finance").post(f"{PAGE}credit-limit/", sent)
    assert answer.status_code == 422
    assert 'value="-1"' in answer.content.decode()
    with operator_scope():
        assert standing(alice.pk).credit_limit == 0


def test_a_tenant_is_taken_in_with_its_owner(db: None) -> None:
    sent = {"code": "carol", "name": "Carol 智能", "owner_email": "carol@carol.example"}
    browser = signed_in("admin")
    answer = browser.post("/ops/tenants/+new/", sent)
    assert (answer.status_code, answer["Location"]) == (302, "/ops/tenants/carol/")
    assert "Carol 智能" in browser.get("/ops/tenants/?search=caro").content.decode()


def test_a_second_sending_takes_in_no_second_tenant(db: None) -> None:
    sent = {"code": "carol", "name": "Carol", "owner_email": "carol@carol.example"}
    browser = signed_in("admin")
    browser.post("/ops/tenants/+new/", sent)
    answer = browser.post("/ops/tenants/+new/", sent)
    assert answer.status_code == 409
    assert 'value="carol@carol.example"' in answer.content.decode()
    assert organisations(code="carol") == ["active"]


def test_a_bad_code_is_refused_beside_its_field(db: None) -> None:
    sent = {"code": "Carol!", "name": "Carol", "owner_email": "carol@carol.example"}
    answer = signed_in("admin").post("/ops/tenants/+new/", sent)
    assert answer.status_code == 422
    assert 'value="Carol!"' in answer.content.decode()
    assert organisations(name="Carol") == []


def test_suspending_and_reactivating_need_the_reason(alice: Organisation) -> None:
    browser = signed_in("admin")
    assert browser.post(f"{PAGE}suspend/", {"reason": "", "idem": "a"}).status_code == 422
    assert organisations(code="alice") == ["active"]
    sent = {"reason": "Arrears.", "idem": "b"}
    assert browser.post(f"{PAGE}suspend/", sent).status_code == 302
    assert organisations(code="alice") == ["suspended"]
    assert browser.post(f"{PAGE}suspend/", {**sent, "idem": "c"}).status_code == 409
    sent = {"reason": "Paid.", "idem": "d"}
    assert browser.post(f"{PAGE}reactivate/", sent).status_code == 302
    assert organisations(code="alice") == ["active"]


def test_a_visit_begins_with_a_reason_and_leads_into_the_console(alice: Organisation) -> None:
    sent = {"visit_reason": "They asked.", "minutes": "30", "ticket": "T-1", "idem": "v"}
    browser = signed_in("support")
    for _ in range(2):
        answer = browser.post(f"{PAGE}visit/", sent)
        assert (answer.status_code, answer["Location"]) == (302, "/t/alice/")
    with operator_scope():
        (visit,) = OperatorAccess.objects.all()
        assert AuditEntry.objects.filter(action="tenants.visit.begun").count() == 1
    assert visit.reason == "They asked."
    too_long = browser.post(f"{PAGE}visit/", {**sent, "minutes": "90", "idem": "w"})
    assert too_long.status_code == 422
    assert 'value="90"' in too_long.content.decode()


MAY_POST = {
    "top-up/": {"finance", "admin"},
    "credit-limit/": {"finance", "admin"},
    "invoice/": {"finance", "admin"},
    "suspend/": {"admin"},
    "reactivate/": {"admin"},
    "visit/": set(ROLES),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_refused_what_it_may_not_do_and_shown_no_form_for_it(
    alice: Organisation, role: str
) -> None:
    browser = signed_in(role)
    page = browser.get(PAGE).content.decode()
    for form, roles in MAY_POST.items():
        if role in roles:
            assert form == "reactivate/" or f'action="{PAGE}{form}"' in page
        else:
            assert f'action="{PAGE}{form}"' not in page
            assert browser.post(f"{PAGE}{form}", {**TRANSFER, "reason": "x"}).status_code == 403
    assert balance(alice) == 0


def test_a_missing_tenant_and_a_members_request_are_one_answer(
    alice: Organisation, client: Client
) -> None:
    assert signed_in("admin").get("/ops/tenants/nobody/").status_code == 404
    client.force_login(member(alice, "owner"))
    assert client.get(PAGE).status_code == 404
