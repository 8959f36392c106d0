"""What programs read of the tenant's money beside invoices: draft, statement, movements, forecast,
credit notes line by line; and the tax profile, which they may also say."""

from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.commands.budgets import set_budget
from billing.commands.credit_notes import issue_credit_note
from billing.models import BudgetScope, CreditNote, Invoice, TaxProfile
from common.clock import utc_now
from tenants.models import AuditEntry, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest, issue, pay_in
from tests.factories import billing as make
from tests.factories.program import Program, program

pytestmark = pytest.mark.django_db

CREDIT_CODE = "91330106673959654P"
DAYS = {"first_day": "2026-11-01", "last_day": "2026-11-30"}


@pytest.fixture
def alice(db: None) -> Organisation:
    cache.clear()
    make.make_prices()
    return make.make_tenant("alice")


@pytest.fixture
def api(alice: Organisation) -> Program:
    return program(alice)


@pytest.fixture
def bill(alice: Organisation) -> Invoice:
    """Cards for 36.00 and tokens for 100.00 net; 144.16 with tax, of which 100.00 are paid."""
    pay_in(alice, "100.00")
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    return issue(alice)


def credited(bill: Invoice) -> CreditNote:
    with operator_scope():
        return issue_credit_note(
            actor=SYSTEM,
            tenant_id=bill.tenant_id,
            invoice_id=bill.pk,
            reason="Cards failed",
            nets={1: Decimal("6.00")},
            now=make.NOW,
        )


def statements(api: Program, path: str) -> int:
    """How many statements an address costs, the key already noted."""
    api.get("organisation")
    with CaptureQueriesContext(connection) as seen:
        assert api.get(path).status_code == 200
    return len(seen)


def test_the_draft_is_shown_line_by_line_before_it_is_an_invoice(
    alice: Organisation, api: Program
) -> None:
    ingest(alice, make.tokens("t1", 100_000_000), make.cards("c1", 36_000))
    draft = api.get("invoices/draft").json()
    assert (draft["currency"], draft["net"], draft["tax"], draft["gross"]) == (
        "CNY",
        "136.00",
        "8.16",
        "144.16",
    )
    assert (draft["credits"], draft["payable"], draft["credit_parts"]) == ("0.00", "144.16", [])
    assert draft["period_starts_at"] == "2026-10-31T16:00:00Z"
    assert draft["unpriced_meters"] == []
    shown = [(line["number"], line["meter"], line["net"]) for line in draft["lines"]]
    assert shown == [(1, "test.card_seconds", "36.00"), (2, "test.tokens_in", "100.00")]
    assert api.get("invoices").json()["items"] == []


def test_a_draft_without_use_has_no_lines(alice: Organisation, api: Program) -> None:
    draft = api.get("invoices/draft").json()
    assert (draft["period_starts_at"], draft["gross"], draft["lines"]) == (None, "0.00", [])


def test_a_draft_costs_the_same_with_three_lines_and_with_sixty(
    alice: Organisation, api: Program
) -> None:
    counts = []
    for size in (3, 60):
        ingest(alice, *[make.tokens(f"{size}-{n}", 10**6, model=f"m{n}") for n in range(size)])
        counts.append(statements(api, "invoices/draft"))
    assert counts == [counts[0]] * 2
    assert counts[0] <= 14


def test_a_statement_opens_moves_and_closes(bill: Invoice, api: Program) -> None:
    credited(bill)
    told = api.get("statement", **DAYS).json()
    assert (told["starts_at"], told["ends_at"]) == ("2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z")
    assert (told["currency"], told["opening"], told["closing"]) == ("CNY", "0.00", "-37.80")
    assert (told["invoiced"], told["credited"], told["topped_up"], told["paid"]) == (
        "144.16",
        "6.36",
        "100.00",
        "100.00",
    )
    moved = sum(Decimal(entry["amount"]) for entry in told["entries"])
    assert moved == Decimal("-37.80")
    assert told["entries"][0] == {
        "booked_at": "2026-11-15T12:00:00Z",
        "kind": "top_up",
        "reference": "bank slip",
        "amount": "100.00",
        "paid": "0.00",
        "balance": "100.00",
    }
    assert (
        api.get("statement", first_day="2026-10-01", last_day="2026-10-31").json()["entries"] == []
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-01-01", "2027-02-06"),
        ("0001-01-01", "0001-01-02"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_days_that_are_no_period_are_refused(
    alice: Organisation, api: Program, first: str, last: str
) -> None:
    refused = api.get("statement", first_day=first, last_day=last)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/last_day", "period_refused")
    ]


def test_movements_are_listed_newest_first_a_page_at_a_time(bill: Invoice, api: Program) -> None:
    whole = api.get("wallet/movements").json()
    assert [(one["kind"], one["wallet"], one["receivable"]) for one in whole["items"]] == [
        ("settlement", "-100.00", "-100.00"),
        ("invoice", "0.00", "144.16"),
        ("top_up", "100.00", "0.00"),
    ]
    assert whole["next"] is None
    first = api.get("wallet/movements", limit=2).json()
    rest = api.get("wallet/movements", limit=2, cursor=first["next"]).json()
    assert first["items"] + rest["items"] == whole["items"]
    refused = api.get("wallet/movements", cursor="nonsense")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


def test_a_credit_note_is_shown_with_its_lines(bill: Invoice, api: Program) -> None:
    note = credited(bill)
    shown = api.get(f"credit-notes/{note.pk}").json()
    (listed,) = api.get("credit-notes").json()["items"]
    assert {name: shown[name] for name in listed} == listed
    assert (shown["invoice_number"], shown["gross"]) == (bill.number, "6.36")
    (line,) = shown["lines"]
    assert (line["number"], line["line"], line["meter"]) == (1, 1, "test.card_seconds")
    assert (line["net"], line["tax"], line["gross"]) == ("6.00", "0.36", "6.36")
    assert (line["tax_rate"], line["is_charged_again"]) == ("0.06000", False)
    assert statements(api, f"credit-notes/{note.pk}") <= 12


def test_the_month_is_told_day_by_day_with_its_forecast(alice: Organisation, api: Program) -> None:
    before = api.get("forecast").json()
    assert (before["spent"], before["awaited"], before["days"]) == ("0.00", False, [])
    assert (before["currency"], before["forecast"]) == ("CNY", None)
    now = utc_now()
    ingest(alice, make.tokens("t1", 5_000_000, now), now=now)
    assert api.get("forecast").json()["awaited"] is True
    # A budget that is set reckons the month.
    with tenant_scope(alice.pk):
        set_budget(
            actor=SYSTEM,
            tenant_id=alice.pk,
            scope=BudgetScope.TENANT,
            subject=None,
            amount=Decimal(200),
            now=utc_now(),
        )
    after = api.get("forecast").json()
    assert (after["spent"], after["awaited"]) == ("5.00", False)
    assert [day["net"] for day in after["days"]] == ["5.00"]
    assert statements(api, "forecast") <= 12


def test_a_tax_profile_is_missing_then_said_then_said_anew(
    alice: Organisation, api: Program, bill: Invoice
) -> None:
    missing = api.get("tax-profile")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    refused = api.post("fapiao", {"invoices": [str(bill.pk)]})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_tax_profile")
    said = {"buyer_name": "爱丽丝", "kind": "digital_special", "tax_number": CREDIT_CODE}
    first = put(api, {**said, "bank_account": "Bank 1"})
    assert first.status_code == 200, first.content
    shown = api.get("tax-profile").json()
    assert shown == first.json()
    assert {**said, "address_phone": "", "bank_account": "Bank 1", "basis": "on_consumption"} == {
        name: value for name, value in shown.items() if name != "updated_at"
    }
    # What is left out is empty again: the whole profile is said.
    again = put(api, {"buyer_name": "Alice Ltd", "kind": "digital_ordinary"}).json()
    assert (again["buyer_name"], again["tax_number"], again["bank_account"]) == (
        "Alice Ltd",
        "",
        "",
    )
    made = api.post("fapiao", {"invoices": [str(bill.pk)]})
    assert (made.status_code, made.json()["state"]) == (201, "requested")
    with operator_scope():
        kept = AuditEntry.objects.filter(action="billing.tax_profile.saved")
        assert (TaxProfile.objects.count(), kept.count()) == (1, 2)


def test_a_tax_profile_that_is_not_right_is_refused_and_nothing_kept(
    alice: Organisation, api: Program
) -> None:
    for body, pointer in (
        ({"buyer_name": "x", "kind": "paper"}, "/kind"),
        ({"buyer_name": "x", "kind": "digital_special"}, "/tax_number"),
        ({"buyer_name": "x", "kind": "digital_ordinary", "tax_number": "1"}, "/tax_number"),
        ({"buyer_name": "x", "kind": "digital_ordinary", "basis": "on_topup"}, "/basis"),
    ):
        refused = put(api, body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    with operator_scope():
        assert not TaxProfile.objects.exists()


def put(api: Program, body: object):  # type: ignore[no-untyped-def]  # Django's test answers
    return api.client.put(
        "/api/v1/tax-profile",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.secret}", "Accept-Language": "en"},
    )
