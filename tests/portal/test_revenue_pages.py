"""Revenue and leakage in the operators' console: what was booked, and who may look."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.test import Client

from billing.commands.credit_notes import issue_credit_note
from billing.models import Invoice, InvoicePayment
from billing.queries.revenue import HEADINGS, HeadingRefused, received, revenue
from common.clock import utc_now
from common.period import month_of
from portal.exports import month_label
from tenants.permissions import SYSTEM, PermissionRefused
from tenants.scoping import operator_scope
from tests.factories.compute import operator
from tests.factories.console import Console
from tests.portal.consoles import alice, furnished
from tests.portal.operator_stage import ROLES, signed_in

__all__ = ["alice", "furnished"]
pytestmark = pytest.mark.django_db

PAGES = ("revenue/", "revenue/leakage/", "revenue/days.csv", "revenue/leakage.csv")


def english(role: str) -> Client:
    """An operator's browser that asks for English."""
    browser = signed_in(role)
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return browser


def booked() -> Decimal:
    now = utc_now()
    month = month_of(now, "Asia/Shanghai")
    with operator_scope():
        rows = revenue(actor=SYSTEM, period=month, heading="tenant")
        told = received(actor=SYSTEM, period=month)
    assert sum(row.net for row in rows) == told.net
    return told.net


def test_revenue_is_the_invoices_less_the_credit_notes_under_every_heading(
    alice: Console,
) -> None:
    month = month_of(utc_now(), "Asia/Shanghai")
    with operator_scope():
        invoice = Invoice.objects.get(tenant_id=alice.id)
        assert booked() == invoice.net > 0
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=alice.id,
            invoice_id=invoice.pk,
            reason="cards failed",
            nets={1: Decimal("0.50")},
            now=utc_now(),
        )
        assert booked() == invoice.net - Decimal("0.50")
        for heading in HEADINGS:
            rows = revenue(actor=SYSTEM, period=month, heading=heading)
            assert sum(row.invoiced for row in rows) == invoice.net
            assert sum(row.credited for row in rows) == Decimal("0.50")
        told = received(actor=SYSTEM, period=month)
        paid = InvoicePayment.objects.aggregate(sum=Sum("amount"))["sum"]
        assert told.from_wallet + told.by_credits == paid
        with pytest.raises(HeadingRefused):
            revenue(actor=SYSTEM, period=month, heading="password")
        with pytest.raises(PermissionRefused):
            received(actor=operator("support"), period=month)


def test_the_page_the_file_and_the_year_say_the_same_total(alice: Console) -> None:
    net = booked()
    browser = english("finance")
    page = browser.get("/ops/revenue/").content.decode()
    assert f"{net:,.2f}" in page
    assert 'href="/ops/arrears/"' in page
    for span in ("month", "year"):
        for by in HEADINGS:
            answer = browser.get(f"/ops/revenue/days.csv?span={span}&by={by}")
            rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
            assert sum(Decimal(row["Net"]) for row in rows) == net
            assert browser.get(f"/ops/revenue/?span={span}&by={by}").status_code == 200
    overview = browser.get("/ops/").content.decode()
    assert "Revenue this month, net" in overview
    assert f"{net:,.2f}" in overview


def test_a_day_of_credits_alone_is_a_number_below_zero_in_the_file(alice: Console) -> None:
    day_after = utc_now() + timedelta(days=1)
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=alice.id,
            invoice_id=Invoice.objects.get(tenant_id=alice.id).pk,
            reason="cards failed",
            nets={1: Decimal("0.50")},
            now=day_after,
        )
    month = month_label(month_of(day_after, "Asia/Shanghai").start)
    answer = english("finance").get(f"/ops/revenue/days.csv?month={month}&by=tenant")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert (rows[-1]["Credited"], rows[-1]["Net"]) == ("0.50", "-0.50")


@pytest.mark.parametrize("role", ROLES)
def test_only_those_whose_business_it_is_may_look(alice: Console, role: str) -> None:
    browser = english(role)
    wanted = 200 if role in {"finance", "admin"} else 403
    assert {page: browser.get(f"/ops/{page}").status_code for page in PAGES} == dict.fromkeys(
        PAGES, wanted
    )
    shown = "Revenue this month, net" in browser.get("/ops/").content.decode()
    assert shown == (role == "finance")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("revenue/?month=2026-13", "month_refused"),
        ("revenue/?by=password", "heading_refused"),
        ("revenue/days.csv?by=password", "heading_refused"),
        ("revenue/leakage/?month=x", "month_refused"),
        ("revenue/leakage.csv?month=%27", "month_refused"),
    ],
)
def test_what_makes_no_sense_is_refused(alice: Console, address: str, code: str) -> None:
    answer = signed_in("finance").get(f"/ops/{address}")
    assert (answer.status_code, code in answer.content.decode()) == (422, True)


def test_a_fragment_has_no_frame_and_chinese_reads_chinese(alice: Console) -> None:
    browser = signed_in("finance")
    for page, word in (("revenue/", "钱包支付"), ("revenue/leakage/", "占用而未计费")):
        answer = browser.get(
            f"/ops/{page}", headers={"HX-Request": "true", "accept-language": "zh-hans"}
        )
        text = answer.content.decode()
        assert "<html" not in text
        assert word in text
