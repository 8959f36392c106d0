"""Invoices after their issue, in both consoles and over the API."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from billing.commands.runs import start_run
from billing.models import (
    Adjustment,
    CreditNote,
    Dispute,
    Fapiao,
    Invoice,
    InvoiceRun,
    InvoiceRunItem,
)
from billing.run_tasks import work_run
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest, issue, stands
from tests.factories import billing as make
from tests.factories.tenants import key, member
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db
IDEM = "01900000-0000-7000-8000-0000000000"


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice(db: None) -> Organisation:
    make.make_prices()
    return make.make_tenant("alice")


@pytest.fixture
def bill(alice: Organisation) -> Invoice:
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    return issue(alice)


def finance(tenant: Organisation) -> Client:
    client = Client()
    client.force_login(member(tenant, "finance"))
    return client


def only(model):  # type: ignore[no-untyped-def]  # any model's only row
    with operator_scope():
        return model.objects.get()


def profiled(browser: Client) -> None:
    sent = {"buyer_name": "爱丽丝", "kind": "digital_ordinary", "idem": f"{IDEM}01"}
    assert browser.post("/t/alice/fapiao/profile/", sent).status_code == 302


def test_a_fapiao_goes_from_the_tenant_to_the_tax_software_and_back(
    alice: Organisation, bill: Invoice
) -> None:
    browser, desk = finance(alice), signed_in("finance")
    wrong = {"buyer_name": "x", "kind": "digital_special", "tax_number": "1", "idem": f"{IDEM}00"}
    answer = browser.post("/t/alice/fapiao/profile/", wrong)
    assert (answer.status_code, 'value="1"' in answer.content.decode()) == (422, True)
    profiled(browser)
    sent = {"wanted": [str(bill.pk)], "idem": f"{IDEM}02"}
    answers = [browser.post("/t/alice/fapiao/request/", sent) for _ in range(2)]
    made = only(Fapiao)
    assert {(a.status_code, a["Location"]) for a in answers} == {
        (302, f"/t/alice/fapiao/{made.pk}/")
    }
    again = browser.post("/t/alice/fapiao/request/", {**sent, "idem": f"{IDEM}03"})
    assert (again.status_code, "fapiao_not_possible" in again.content.decode()) == (409, True)
    assert made.serial in desk.get("/ops/fapiao/").content.decode()
    file = desk.post("/ops/fapiao/export/", {"fapiao": [str(made.pk)], "format": "csv"})
    assert made.serial in file.content.decode()
    assert "壹佰肆拾肆元壹角陆分" in desk.get("/ops/fapiao/file/").content.decode()
    rows = (
        "serial,number,issued_at\n"
        f"{made.serial},26110000000000000001,2026-12-01T10:00:00\nF9,1,2026-12-01T10:00:00\n"
    )
    upload = SimpleUploadedFile("results.csv", rows.encode())
    taken = desk.post("/ops/fapiao/results/", {"file": upload})
    assert (taken.status_code, "Recorded" in taken.content.decode()) == (200, True)
    page = browser.get(f"/t/alice/fapiao/{made.pk}/").content.decode()
    assert "26110000000000000001" in page
    assert desk.post(f"/ops/fapiao/{made.pk}/deliver/").status_code == 302
    red = {"red_reason": "Wrong buyer", "initiator": "seller", "amount": "44.16"}
    assert desk.post(f"/ops/fapiao/{made.pk}/red/", red).status_code == 302
    with operator_scope():
        letter = Fapiao.objects.get(direction="red")
    assert (letter.state, letter.gross) == ("red_pending", Decimal("-44.16"))
    assert desk.get(f"/ops/fapiao/{letter.pk}/").status_code == 200
    confirmed = {"confirmation_number": "C1"}
    assert desk.post(f"/ops/fapiao/{letter.pk}/confirm/", confirmed).status_code == 302
    result = {"number": "26110000000000000002", "issued_at": "2026-12-02T10:00"}
    assert desk.post(f"/ops/fapiao/{letter.pk}/result/", result).status_code == 302
    with operator_scope():
        assert Fapiao.objects.get(pk=letter.pk).state == "red_issued"
    assert broken() == ()


def test_an_objection_is_answered_with_a_credit_note_the_tenant_can_keep(
    alice: Organisation, bill: Invoice
) -> None:
    browser, desk = finance(alice), signed_in("finance")
    line = f"/t/alice/invoices/{bill.pk}/lines/1/"
    assert "Object to this line" in browser.get(line).content.decode()
    empty = browser.post(f"{line}dispute/", {"reason": "", "idem": f"{IDEM}01"})
    assert empty.status_code == 422
    sent = {"reason": "We never used them.", "idem": f"{IDEM}02"}
    assert browser.post(f"{line}dispute/", sent).status_code == 302
    made = only(Dispute)
    assert "We never used them." in desk.get("/ops/disputes/").content.decode()
    answer = {"answer": "You are right.", "net": "6.00"}
    assert desk.post(f"/ops/disputes/{made.pk}/accept/", answer).status_code == 302
    note = only(CreditNote)
    assert stands(alice).balance == Decimal("-137.80")
    page = browser.get(f"/t/alice/invoices/{bill.pk}/").content.decode()
    assert note.number in page
    assert "You are right." in page
    for name, start in (("document.pdf", b"%PDF"), ("lines.csv", b"\xef\xbb\xbf")):
        file = browser.get(f"/t/alice/credit-notes/{note.pk}/{name}")
        assert file.content.startswith(start)
    assert browser.get(f"/t/alice/credit-notes/{note.pk}/").status_code == 200
    again = desk.post(f"/ops/disputes/{made.pk}/reject/", answer)
    assert (again.status_code, "dispute_answered" in again.content.decode()) == (409, True)


def test_an_operator_credits_lines_and_charges_one_again(
    alice: Organisation, bill: Invoice
) -> None:
    desk = signed_in("finance")
    page = f"/ops/tenants/alice/invoices/{bill.pk}/"
    for wrong in ({"net-1": "x"}, {}, {"net-1": "99.00"}):
        sent = {"reason": "Outage", "idem": "w", **wrong}
        assert desk.post(f"{page}credit/", sent).status_code in {409, 422}
    sent = {"reason": "Outage", "net-1": "6.00", "idem": "credit-1"}
    answers = [desk.post(f"{page}credit/", sent) for _ in range(2)]
    note = only(CreditNote)
    assert {a["Location"] for a in answers} == {f"/ops/tenants/alice/credit-notes/{note.pk}/"}
    assert note.number in desk.get(page).content.decode()
    rebill = f"/ops/tenants/alice/credit-notes/{note.pk}/lines/1/rebill/"
    assert desk.post(rebill, {"idem": "again-1"}).status_code == 302
    assert desk.post(rebill, {"idem": "again-2"}).status_code == 409
    assert (only(Adjustment).net, only(Adjustment).state) == (Decimal("6.00"), "approved")
    ingest(alice, make.tokens("t2", 1_000_000, make.NOW + make.HOUR), now=make.NOW + make.HOUR)
    later = make.NOW + 3 * make.HOUR
    second = issue(alice, until=later, now=later)
    assert (second.net, second.line_count, only(Adjustment).state) == (
        Decimal("7.00"),
        2,
        "invoiced",
    )
    void = {"reason": "Wrong", "which": "all", "idem": "void-1"}
    assert desk.post(f"{page}credit/", void).status_code == 302
    assert broken() == ()


def test_a_large_adjustment_waits_for_somebody_else(alice: Organisation) -> None:
    one, other = signed_in("finance"), signed_in("admin")
    sent = {
        "code": "alice",
        "net": "-20000.00",
        "tax_code": "it_service",
        "title_zh": "补偿",
        "title_en": "Goodwill",
        "reason": "A bad month",
        "idem": "a-1",
    }
    assert one.post("/ops/adjustments/", {**sent, "net": "x"}).status_code == 422
    assert one.post("/ops/adjustments/", sent).status_code == 302
    made = only(Adjustment)
    refused = one.post(f"/ops/adjustments/{made.pk}/approve/")
    assert (refused.status_code, only(Adjustment).state) == (403, "proposed")
    assert other.post(f"/ops/adjustments/{made.pk}/approve/").status_code == 302
    assert only(Adjustment).state == "approved"
    assert "Goodwill" in one.get("/ops/adjustments/").content.decode()


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "it_service · IT services"), ("zh-hans", "it_service · 信息技术服务")],
)
def test_a_tax_code_is_chosen_by_its_name_in_the_readers_language(
    alice: Organisation, language: str, shown: str
) -> None:
    desk = signed_in("finance")
    page = desk.get("/ops/adjustments/", headers={"Accept-Language": language})
    assert shown in page.content.decode()


def test_a_run_is_watched_and_agreed_to(alice: Organisation, settings: Settings) -> None:
    settings.INVOICE_RUN_AUTOMATIC = False
    ingest(alice, make.tokens("t1", 1_000_000))
    now = make.MONTH_END + timedelta(hours=7)
    with operator_scope():
        run_id = start_run(actor=SYSTEM, period_end=make.MONTH_END, now=now)
    assert run_id is not None
    desk = signed_in("finance")
    page = f"/ops/runs/{run_id}/"
    moving = desk.get(page, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 2s"' in moving
    assert "<html" not in moving
    work_run(run_id, is_automatic=False, now=now)
    told = desk.get(page).content.decode()
    assert "First invoice" in told
    assert 'hx-trigger="every 2s"' not in told
    item = only(InvoiceRunItem)
    assert desk.post(f"{page}approve/", {"item": [str(item.pk)]}).status_code == 302
    assert only(InvoiceRunItem).reviewer_name != ""
    assert desk.post(f"{page}approve/", {"which": "all"}).status_code == 409
    work_run(run_id, is_automatic=False, now=now)
    assert only(InvoiceRun).state == "done"
    assert only(Invoice).number in desk.get(page).content.decode()
    assert desk.get("/ops/runs/").status_code == 200


def test_the_statement_is_shown_and_kept(alice: Organisation, bill: Invoice) -> None:
    browser = finance(alice)
    days = "?start=2026-11-01&end=2026-11-30"
    assert bill.number in browser.get(f"/t/alice/statement/{days}").content.decode()
    assert browser.get(f"/t/alice/statement/document.pdf{days}").content.startswith(b"%PDF")
    assert bill.number in browser.get(f"/t/alice/statement/rows.csv{days}").content.decode()
    for wrong in ("?start=2026-11-30&end=2026-11-01", "?start=x&end=y"):
        assert browser.get(f"/t/alice/statement/{wrong}").status_code == 422
        assert browser.get(f"/t/alice/statement/rows.csv{wrong}").status_code == 422


def test_a_program_asks_for_a_fapiao_once(alice: Organisation, bill: Invoice) -> None:
    profiled(finance(alice))
    _row, secret = key(alice)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    sent = {"invoices": [str(bill.pk)]}
    answers = [
        client.post(
            "/api/v1/fapiao",
            sent,
            content_type="application/json",
            headers={"Idempotency-Key": "f-1"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    made = only(Fapiao)
    (listed,) = client.get("/api/v1/fapiao").json()["items"]
    assert (listed["serial"], listed["gross"], listed["state"]) == (
        made.serial,
        "144.16",
        "requested",
    )
    sheet = client.get(f"/api/v1/fapiao/{made.pk}").json()
    assert sheet["lines"][0]["goods_code"] == "3040201990000000000"
    assert client.get("/api/v1/credit-notes").json()["items"] == []
