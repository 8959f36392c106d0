"""Whatever is done with a tenant's money, in whatever order: every rule holds."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import origins
from billing.commands.accrual import accrue
from billing.commands.arrears import reassess
from billing.commands.credit_lots import PackageNotPaid
from billing.commands.credit_notes import (
    CreditNoteRefused,
    InvoiceNotCreditable,
    issue_credit_note,
)
from billing.commands.holds import InsufficientFunds, release_hold, set_hold
from billing.commands.invoice_rows import content_hash
from billing.commands.invoices import InvoicePeriodRefused, NothingToInvoice
from billing.models import Account, CreditLot, Invoice, VoucherScheme
from common.ids import uuid7
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world(db: None) -> Iterator[None]:
    before = dict(origins._lookups)
    give.declare_origins()
    make.make_prices()
    give.scheme(excluded_services=())
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])
    yield
    origins._lookups.clear()
    origins._lookups.update(before)


class Walk:
    """One tenant and a clock that goes on by an hour with each step."""

    def __init__(self) -> None:
        self.tenant = give.verified(f"t{uuid7().hex}")
        self.now = make.NOW
        self.hashes: dict[str, str] = {}

    def step(self, act: str, amount: int) -> None:
        self.now += timedelta(hours=1)
        ACTS[act](self, Decimal(amount) / 100)

    def use(self, amount: Decimal) -> None:
        name = f"e{self.now.timestamp():.0f}"
        ingest(
            self.tenant,
            make.cards(name, int(amount * 1000), self.now - make.HOUR),
            make.tokens(f"{name}t", int(amount * 70_000), self.now - make.HOUR),
            now=self.now,
        )

    def pay(self, amount: Decimal) -> None:
        pay_in(self.tenant, f"{amount:.2f}", key=str(self.now), now=self.now)

    def bill(self, _amount: Decimal) -> None:
        try:
            issue(self.tenant, until=self.now, now=self.now)
        except (NothingToInvoice, InvoicePeriodRefused):
            """There is nothing new to bill."""

    def promote(self, amount: Decimal) -> None:
        give.promo(
            self.tenant, f"{amount:.2f}", key=str(self.now), effective_at=self.now, now=self.now
        )

    def vouch(self, amount: Decimal) -> None:
        give.ask(self.tenant, f"{amount:.2f}", key=str(self.now), now=self.now)

    def sell_package(self, amount: Decimal) -> None:
        with transaction.atomic():
            try:
                give.package(
                    self.tenant,
                    int(amount * 500) + 1,
                    price=f"{amount / 10:.2f}",
                    key=str(self.now),
                    now=self.now,
                )
            except PackageNotPaid:
                """The wallet does not hold so much."""

    def give_back(self, amount: Decimal) -> None:
        """Of an invoice chosen by chance: all that is left, or so much of its first line."""
        with operator_scope():
            invoices = list(Invoice.objects.filter(tenant=self.tenant).order_by("sequence"))
            if not invoices:
                return
            invoice = invoices[int(amount * 100) % len(invoices)]
            line = invoice.lines.order_by("position").first()
        nets = None
        if line is not None and 0 < amount < line.net and not int(amount * 100) % 2:
            nets = {line.position: amount}
        with tenant_scope(self.tenant.pk):
            try:
                with transaction.atomic():
                    issue_credit_note(
                        actor=SYSTEM,
                        tenant_id=self.tenant.pk,
                        invoice_id=invoice.pk,
                        reason="goodwill",
                        nets=nets,
                        now=self.now,
                    )
            except (InvoiceNotCreditable, CreditNoteRefused):
                """All of it, or of the line so much, was given back before."""

    def hold(self, amount: Decimal) -> None:
        with tenant_scope(self.tenant.pk):
            try:
                with transaction.atomic():
                    set_hold(
                        actor=SYSTEM,
                        tenant_id=self.tenant.pk,
                        key="work",
                        amount=amount,
                        expires_at=None,
                        now=self.now,
                    )
            except InsufficientFunds:
                """It is not there."""

    def let_go(self, _amount: Decimal) -> None:
        with tenant_scope(self.tenant.pk):
            release_hold(actor=SYSTEM, tenant_id=self.tenant.pk, key="work", now=self.now)

    def sweep(self, _amount: Decimal) -> None:
        for work in (accrue, reassess):
            with tenant_scope(self.tenant.pk):
                work(tenant_id=self.tenant.pk, now=self.now)

    def check(self) -> None:
        """No rule is broken, nothing is below zero, and every invoice says what it said."""
        with operator_scope(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert broken() == ()
        with operator_scope():
            for account in Account.objects.filter(tenant=self.tenant):
                assert account.wallet >= 0
                assert account.receivable >= 0
            for lot in CreditLot.objects.filter(tenant=self.tenant):
                assert 0 <= lot.remaining <= lot.face
            for invoice in Invoice.objects.filter(tenant=self.tenant):
                said = content_hash(invoice, list(invoice.lines.order_by("position")))
                assert said == invoice.content_hash
                assert self.hashes.setdefault(invoice.number, said) == said


ACTS: dict[str, Callable[[Walk, Decimal], None]] = {
    "use": Walk.use,
    "pay": Walk.pay,
    "bill": Walk.bill,
    "promote": Walk.promote,
    "vouch": Walk.vouch,
    "package": Walk.sell_package,
    "give back": Walk.give_back,
    "hold": Walk.hold,
    "let go": Walk.let_go,
    "sweep": Walk.sweep,
}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            # Mostly what makes money move.
            st.sampled_from([*ACTS, "use", "bill", "bill", "pay", "give back"]),
            st.integers(1, 30_000),
        ),
        min_size=4,
        max_size=16,
    )
)
def test_any_walk_through_money_keeps_every_rule(steps: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        walk = Walk()
        for act, amount in steps:
            walk.step(act, amount)
            if act in {"bill", "give back"}:
                walk.check()
        walk.check()
        transaction.set_rollback(True)
