"""What an older release wrote is brought forward: the parts that migrations fill in, to the value.

One database is migrated to where an older release stood, gets rows as that release wrote them, and
is migrated forward by the owner of production, who is no superuser.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.database import older_database

pytestmark = pytest.mark.older

Server = psycopg.Connection[tuple[Any, ...]]

ISSUED = datetime(2026, 10, 5, 3, 30, tzinfo=UTC)
CHANGED = datetime(2026, 11, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ANNA, BORIS, CLARA = (UUID(int=number) for number in (1, 2, 3))


class Older:
    """The rows of an older release, by their names in this file."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ids: dict[str, UUID] = {}

    def insert(self, table: str, **values: object) -> None:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self.server.execute(statement, list(values.values()))

    def named(self, name: str) -> UUID:
        return self.ids.setdefault(name, uuid4())

    def told(self, subject: str, action: str, who: UUID | None, at: datetime = ISSUED) -> None:
        self.insert(
            "tenants_auditentry",
            id=uuid4(),
            at=at,
            actor_kind="operator" if who else "system",
            actor_id=who,
            actor_name="somebody",
            action=action,
            subject=subject,
            request_id="",
            detail=Jsonb({}),
        )

    def all(self, statement: str) -> dict[str, Any]:
        """By the name a row has here, the value that the statement gives beside its id."""
        names = {pk: name for name, pk in self.ids.items()}
        return {names[pk]: value for pk, value in self.server.execute(statement).fetchall()}


def tenants_with_invoices(older: Older) -> None:
    """Tenants on every kind of terms, with an invoice each and no date of payment."""
    # A centre's own tiers in place of the examples.
    older.server.execute("DELETE FROM billing_arrearsfigures; DELETE FROM billing_arrearstier")
    for place, (code, days) in enumerate((("standard", 15), ("key", 45))):
        older.insert(
            "billing_arrearstier",
            code=code,
            title_en=code,
            title_zh=code,
            position=place,
            is_default=place == 0,
        )
        figures(older, code, LONG_AGO, days)
    figures(older, "standard", CHANGED, 20)
    terms = {
        "plain": None,
        "of a tier": {"tier_id": "key"},
        "with days of its own": {"tier_id": "key", "payment_days": 30},
        "due at once": {"payment_days": 0},
    }
    for number, (name, said) in enumerate(terms.items()):
        tenant(older, name)
        if said is not None:
            older.insert(
                "billing_arrearsterms",
                id=uuid4(),
                tenant_id=older.named(name),
                exempt_reason="",
                exempt_by="",
                **said,
            )
        invoice(older, f"of {name}", name, ISSUED, number)
    invoice(older, "after the change", "plain", CHANGED, 10)
    invoice(older, "before any figures", "plain", datetime(2019, 5, 1, tzinfo=UTC), 11)
    invoice(older, "already dated", "plain", datetime(2026, 9, 1, tzinfo=UTC), 12)
    older.insert(
        "billing_invoicedue",
        id=uuid4(),
        tenant_id=older.named("plain"),
        invoice_id=older.named("already dated"),
        payment_days=99,
        due_at=CHANGED,
    )


def figures(older: Older, tier: str, effective_at: datetime, days: int) -> None:
    hours = ("on_demand_grace", "on_demand_retention", "reserved_grace", "reserved_retention")
    older.insert(
        "billing_arrearsfigures",
        id=uuid4(),
        tier_id=tier,
        effective_at=effective_at,
        warning_days=3,
        urgent_days=1,
        checkpoint_minutes=10,
        payment_days=days,
        source="test",
        **{f"{name}_hours": 24 for name in hours},
    )


def tenant(older: Older, name: str) -> None:
    older.insert(
        "tenants_organisation",
        id=older.named(name),
        code=name.replace(" ", "-"),
        name=name,
        legal_name="",
        credit_code="",
        state="active",
        created_at=LONG_AGO,
    )


def invoice(older: Older, name: str, of: str, issued_at: datetime, sequence: int) -> None:
    texts = ("buyer_credit_code", "seller_name", "seller_credit_code", "previous_hash")
    older.insert(
        "billing_invoice",
        id=older.named(name),
        tenant_id=older.named(of),
        issuer="ACC",
        year=issued_at.year,
        sequence=sequence,
        number=f"ACC-{issued_at.year}-{sequence:06}",
        period_start=issued_at - timedelta(hours=1),
        period_end=issued_at,
        currency="CNY",
        net=1,
        tax=0,
        gross=1,
        line_count=1,
        buyer_code=of,
        buyer_name=of,
        issued_at=issued_at,
        content_hash="0" * 64,
        hash_version=1,
        **dict.fromkeys(texts, ""),
    )


def contracts(older: Older) -> None:
    """Drafts that several people wrote, and one that was active before anybody was kept."""
    wrote = {
        "by two": [("drafted", ANNA), ("changed", BORIS), ("changed", ANNA)],
        "by the product": [("drafted", None)],
        "by one, looked at by another": [("drafted", CLARA), ("seen", BORIS)],
        "nobody told": [],
        "active": [("drafted", ANNA), ("activated", ANNA)],
    }
    for name, entries in wrote.items():
        older.insert(
            "billing_contract",
            id=older.named(name),
            tenant_id=older.named("plain"),
            number=name,
            title=name,
            state="active" if name == "active" else "draft",
            currency="CNY",
            starts_at=LONG_AGO,
            ends_at=CHANGED,
            drafted_by="somebody",
            drafted_at=LONG_AGO,
            activated_by="",
            ended_by="",
        )
        for action, who in entries:
            older.told(f"billing.contract:{older.named(name)}", f"billing.contract.{action}", who)


def credits(older: Older) -> None:
    """Applications in each state, and a credit that somebody gave alone."""
    for name in ("submitted", "reviewed", "reviewed by nobody", "granted", "rejected"):
        older.insert(
            "billing_voucherapplication",
            id=older.named(name),
            tenant_id=older.named("plain"),
            scheme_id=uuid4(),
            state=name.split()[0],
            key=name,
            contract="",
            amount=10,
            is_unrelated=False,
            evidence=Jsonb({}),
            cap_year=2026,
            reason="",
            created_at=LONG_AGO,
            reviewed_by="somebody",
            decided_by="",
        )
        if name != "reviewed by nobody":
            for who, at in ((BORIS, CHANGED), (ANNA, ISSUED)):
                subject = f"billing.voucher_application:{older.named(name)}"
                older.told(subject, "billing.voucher_application.reviewed", who, at)
    tenant(older, "given something")
    texts = ("meter", "closed_reason")
    lists = ("scope_values", "excluded_services", "eligible_pools")
    older.insert(
        "billing_creditlot",
        id=older.named("given"),
        tenant_id=older.named("given something"),
        code="C-1",
        kind="promo",
        state="active",
        funder="centre",
        mode="instant",
        title="Welcome",
        face=50,
        remaining=50,
        currency="CNY",
        match=Jsonb({}),
        price_net=0,
        price_tax=0,
        priority=50,
        scope="any",
        share_domestic=1,
        share_other=1,
        min_spend=0,
        is_stackable=True,
        after_expiry="lapse",
        effective_at=LONG_AGO,
        key="welcome",
        created_at=LONG_AGO,
        created_by="somebody",
        **dict.fromkeys(texts, ""),
        **{name: Jsonb([]) for name in lists},
    )


def accounts(older: Older) -> None:
    """Who was ever invoiced has an account; who only agreed or was given something had none."""
    invoiced = {row[0] for row in older.server.execute("SELECT tenant_id FROM billing_invoice")}
    for tenant_id in invoiced - {older.named("plain")}:
        older.insert(
            "billing_account",
            id=uuid4(),
            tenant_id=tenant_id,
            currency="CNY",
            wallet=7,
            receivable=0,
            held=0,
            credit_limit=0,
            unbilled=0,
        )


TOLD = {
    "arrears.grace_started": {"amount_needed": "5.00"},
    "budget.reached": {"spent": "5.00"},
    "spend.unusual": {"net": "5.00"},
    "workload.stop_announced": {"amount_needed": "5.00"},
    "invoice.issued": {"gross": "5.00"},
    "invoice.paid": {"gross": "5.00", "currency": "EUR"},
}


def notices(older: Older) -> None:
    """What was told of money, with and without saying in which."""
    for kind, detail in TOLD.items():
        older.insert(
            "tenants_notice",
            id=older.named(kind),
            tenant_id=older.named("plain"),
            kind=kind,
            key=kind,
            detail=Jsonb(detail),
            roles=[],
            at=ISSUED,
        )


@pytest.fixture(scope="module")
def brought_forward(django_db_setup: None, django_db_blocker: Any) -> Iterator[Older]:
    """Written by the release whose last migration of billing was 0018, read after 0024."""
    name = f"{connections['owner'].settings_dict['NAME']}_older"
    with django_db_blocker.unblock(), older_database(name) as server:
        call_command("migrate", "tenants", "0005", database="owner", verbosity=0)
        call_command("migrate", "billing", "0018", database="owner", verbosity=0)
        older = Older(server)
        tenants_with_invoices(older)
        contracts(older)
        credits(older)
        accounts(older)
        notices(older)
        call_command("migrate", "billing", "0024", database="owner", verbosity=0)
        yield older


def test_each_old_invoice_is_due_by_the_terms_at_its_issue(brought_forward: Older) -> None:
    days = brought_forward.all("SELECT invoice_id, payment_days FROM billing_invoicedue")
    assert days == {
        "of plain": 15,
        "of of a tier": 45,
        "of with days of its own": 30,
        "of due at once": 0,
        "after the change": 20,
        "before any figures": 15,
        "already dated": 99,
    }
    dates = brought_forward.all("SELECT invoice_id, due_at FROM billing_invoicedue")
    assert dates["of plain"] == datetime(2026, 10, 20, 3, 30, tzinfo=UTC)
    assert dates["of due at once"] == ISSUED
    assert dates["already dated"] == CHANGED


def test_old_drafts_know_their_authors_and_what_is_active_stays(brought_forward: Older) -> None:
    assert brought_forward.all("SELECT id, authors FROM billing_contract") == {
        "by two": [ANNA, BORIS],
        "by the product": [],
        "by one, looked at by another": [CLARA],
        "nobody told": [],
        "active": [],
    }
    active = "SELECT id, activated_by_id FROM billing_contract WHERE state = 'active'"
    assert brought_forward.all(active) == {"active": None}


def test_what_waits_for_a_grant_knows_who_reviewed_it_last(brought_forward: Older) -> None:
    reviewed = "SELECT id, reviewed_by_id FROM billing_voucherapplication"
    assert brought_forward.all(reviewed) == {
        "submitted": None,
        "reviewed": BORIS,
        "reviewed by nobody": None,
        "granted": None,
        "rejected": None,
    }
    approved = "SELECT id, (state, proposed_by_id, approved_by_id, approved_by)::text"
    assert brought_forward.all(f"{approved} FROM billing_creditlot") == {"given": '(active,,,"")'}


def test_the_trail_is_closed_to_the_owner_again(brought_forward: Older) -> None:
    """Two of the migrations open it to read who did what."""
    found = brought_forward.server.execute(
        "SELECT policyname FROM pg_policies WHERE tablename = 'tenants_auditentry' ORDER BY 1"
    ).fetchall()
    assert found == [("operator_view",), ("tenant_wall",)]


def test_who_agreed_or_was_given_something_has_an_account_in_yuan(brought_forward: Older) -> None:
    """Contracts and credits refer to it now; the accounts there were keep what is in them."""
    found = brought_forward.all("SELECT tenant_id, (currency, wallet)::text FROM billing_account")
    opened, kept = "(CNY,0.000000)", "(CNY,7.000000)"
    assert found == {
        "plain": opened,
        "given something": opened,
        "of a tier": kept,
        "with days of its own": kept,
        "due at once": kept,
    }


def test_what_was_told_of_money_says_that_it_was_yuan(brought_forward: Older) -> None:
    said = brought_forward.all("SELECT id, detail ->> 'currency' FROM tenants_notice")
    assert said == {
        "arrears.grace_started": "CNY",
        "budget.reached": "CNY",
        "spend.unusual": "CNY",
        "workload.stop_announced": "CNY",
        "invoice.issued": None,
        "invoice.paid": "EUR",
    }


def test_notices_are_closed_to_the_owner_again(brought_forward: Older) -> None:
    found = brought_forward.server.execute(
        "SELECT policyname FROM pg_policies WHERE tablename = 'tenants_notice' ORDER BY 1"
    ).fetchall()
    assert found == [("operator_view",), ("tenant_wall",)]
