"""Whatever moves usage or money is killed after each of its statements: nothing is lost or doubled.

For every act: a child does it and is killed after its first, second, ... statement, until one comes
to the end. After each death the tenant is as before, or the act is whole; then it is done again, as
the sweepers and callers do, and everything the database says of the tenant is what it says of one
whose act nobody disturbed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count

import pytest
from django.db import connection, transaction

from billing import origins
from billing.commands.accrual import accrue
from billing.commands.arrears import reassess
from billing.commands.corrections import correct_usage
from billing.commands.credit_notes import InvoiceNotCreditable, issue_credit_note
from billing.commands.invoices import InvoicePeriodRefused, NothingToInvoice
from billing.commands.wallet import top_up
from billing.corrections import Correction
from billing.models import Invoice, VoucherApplication, VoucherScheme
from billing.run_tasks import run_due
from billing.usage import UsageEvent
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.arrears_stage import install_tiers
from tests.billing.shorthand import broken, ingest, issue, pay_in
from tests.crashes.killing import survives
from tests.crashes.picture import Picture, picture
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

CUT = make.NOW - 24 * make.HOUR
MONTH_OVER = make.MONTH_END + timedelta(hours=7)


@dataclass(frozen=True)
class Act:
    """What is done to a tenant, what was there before, and how many steps it takes at least."""

    do: Callable[[Organisation], object]
    before: Callable[[Organisation], object]
    steps: int
    # Where it is several transactions, a death between them leaves it half way.
    is_whole: bool = True


def nothing(_tenant: Organisation) -> None:
    """A tenant that only exists."""


def used(tenant: Organisation) -> None:
    ingest(tenant, *_some_events())


def _some_events() -> list[UsageEvent]:
    return [
        make.tokens("in", 1_234_567, CUT - make.HOUR),
        make.tokens("out", 345_678, meter="test.tokens_out"),
        make.cards("late", 7_203, CUT - 40 * make.HOUR),
    ]


def use_a_little(tenant: Organisation) -> None:
    """One of each: new, twice, known before, in conflict, refused."""
    ingest(
        tenant,
        *_some_events(),
        make.tokens("new", 11),
        make.tokens("new", 11),
        make.tokens("in", 1, CUT - make.HOUR),
        make.tokens("nonsense", -1),
    )


def use_much(tenant: Organisation) -> None:
    """So many events that they are copied."""
    hours = [make.NOW - number * make.HOUR for number in range(1, 60)]
    ingest(
        tenant,
        *(make.tokens(f"e{number}", number, hours[number % 59]) for number in range(1_000)),
    )


def correct(tenant: Organisation) -> None:
    """One event is another quantity, another never was, a third is not known."""
    corrections = [
        Correction(
            id=f"not {ref}",
            source="desk",
            ref_source=source,
            ref_id=ref,
            kind="void" if quantity is None else "correct",
            quantity=quantity,
            reason="measured wrongly",
        )
        for ref, source, quantity in (
            ("in", "gateway", 1_000),
            ("late", "engine", None),
            ("nobody", "gateway", None),
        )
    ]
    with tenant_scope(tenant.pk):
        correct_usage(
            actor=SYSTEM, tenant_id=tenant.pk, corrections=corrections, now=make.NOW + make.HOUR
        )


def billed(tenant: Organisation) -> None:
    used(tenant)
    issue(tenant, until=CUT)


def rate(tenant: Organisation) -> None:
    """What the periodic work does: keep what is used in the account, and see where it leads."""
    with tenant_scope(tenant.pk):
        accrue(tenant_id=tenant.pk, now=make.NOW)
    with tenant_scope(tenant.pk):
        reassess(tenant_id=tenant.pk, now=make.NOW)


def bill(tenant: Organisation, until: datetime = make.NOW) -> None:
    """Issue, or find that it was issued."""
    try:
        issue(tenant, until=until)
    except (NothingToInvoice, InvoicePeriodRefused):
        with operator_scope():
            assert Invoice.objects.filter(tenant=tenant, period_end=until).exists()


def run_the_month(_tenant: Organisation) -> None:
    run_due(MONTH_OVER)


def with_credits(tenant: Organisation) -> None:
    """Use that was cut by one invoice, and a package, a voucher and promotional credit for it."""
    used(tenant)
    issue(tenant, until=CUT - 30 * make.HOUR)
    give.voucher(tenant, "1.00")
    give.promo(tenant, "0.50")
    give.package(tenant, 100_000, meter="test.tokens_out")
    pay_in(tenant, "5.00")


def in_debt(tenant: Organisation) -> None:
    """Two invoices that nobody paid, and so much use since that work is about to stop."""
    used(tenant)
    issue(tenant, until=CUT)
    issue(tenant)
    ingest(tenant, make.cards("more", 36_000), now=make.NOW)
    rate(tenant)


def pay(tenant: Organisation) -> None:
    with tenant_scope(tenant.pk):
        top_up(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            amount=Decimal("50.00"),
            key="transfer",
            reference="bank slip",
            now=make.NOW + make.HOUR,
        )


def billed_with_credits(tenant: Organisation) -> None:
    with_credits(tenant)
    bill(tenant)


def take_back(tenant: Organisation) -> None:
    """Void the last invoice, once."""
    with operator_scope():
        last = Invoice.objects.filter(tenant=tenant).latest("period_end")
    try:
        with tenant_scope(tenant.pk):
            issue_credit_note(
                actor=SYSTEM,
                tenant_id=tenant.pk,
                invoice_id=last.pk,
                reason="the cards failed",
                now=make.NOW + make.HOUR,
            )
    except InvoiceNotCreditable:
        with operator_scope():
            assert last.credit_notes.count() == 1


def ask_for_a_voucher(tenant: Organisation) -> None:
    give.ask(tenant, "5.00", key="application")
    with operator_scope():
        assert VoucherApplication.objects.filter(tenant=tenant).count() == 1


ACTS = {
    "ingest": Act(use_a_little, used, steps=10),
    "ingest by copy": Act(use_much, nothing, steps=12),
    "correction": Act(correct, billed, steps=12),
    "rating": Act(rate, used, steps=20, is_whole=False),
    "issue": Act(bill, used, steps=30),
    "issue with vouchers": Act(bill, with_credits, steps=60),
    "run": Act(run_the_month, with_credits, steps=90, is_whole=False),
    "payment": Act(pay, in_debt, steps=40),
    "refund": Act(take_back, billed_with_credits, steps=60),
    "voucher": Act(ask_for_a_voucher, nothing, steps=20),
}


@pytest.fixture(autouse=True)
def world() -> Iterator[None]:
    """Prices, tiers, a scheme that pays for the tests' meters, and known cards."""
    before = dict(origins._lookups)
    give.declare_origins()
    make.make_prices()
    install_tiers()
    give.scheme(
        scope_services=("compute", "models"),
        excluded_services=(),
        share_other=Decimal("0.20"),
    )
    with operator_scope():
        VoucherScheme.objects.update(scope_services=["test"])
    yield
    origins._lookups.clear()
    origins._lookups.update(before)


def fresh(place: int, act: Act) -> Organisation:
    # Names of one length and one look: a picture replaces them.
    tenant = give.verified(f"tenant{place:04d}")
    act.before(tenant)
    return tenant


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.crashes
def test_an_act_killed_after_any_statement_is_done_once_in_the_end(name: str) -> None:
    assert kill_at_every_step(ACTS[name]) >= ACTS[name].steps


@pytest.mark.parametrize("name", ACTS)
def test_an_act_killed_after_a_few_of_its_statements_is_done_once_in_the_end(name: str) -> None:
    """The same with a handful of deaths, for each time that everything is tested."""
    assert kill_at_every_step(ACTS[name], stride=-(-ACTS[name].steps // 3)) >= 3


def kill_at_every_step(act: Act, stride: int = 1) -> int:
    """Let children die after their first, second, ... step until one lives; gives the deaths."""
    model = fresh(0, act)
    untouched = picture(model)
    act.do(model)
    done = picture(model)
    act.do(model)
    assert picture(model) == done
    deaths = 0
    tenant = fresh(1, act)
    for place, fatal in enumerate(count(1, stride), start=2):
        lived = survives(partial(act.do, tenant), fatal)
        left = picture(tenant)
        if lived:
            assert left == done
            return deaths
        deaths += 1
        if act.is_whole and left != done:
            assert left == untouched, (fatal, difference(left, untouched))
            # Done again, and looked at, and taken back: the next child finds the same tenant.
            with transaction.atomic():
                do_again(act, tenant, done, fatal)
                transaction.set_rollback(True)
            continue
        do_again(act, tenant, done, fatal)
        tenant = fresh(place, act)
    raise AssertionError("a count has no end")


def do_again(act: Act, tenant: Organisation, done: Picture, fatal: int) -> None:
    """What callers and sweepers do after a death, and do once more without need."""
    for _once_and_once_more in range(2):
        act.do(tenant)
    with operator_scope(), connection.cursor() as cursor:
        # What waits for the commit is checked now.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    found = picture(tenant)
    assert found == done, (fatal, difference(found, done))
    assert broken() == (), fatal


def difference(found: Picture, expected: Picture) -> dict[str, object]:
    return {
        name: (found.get(name), expected.get(name))
        for name in {*found, *expected}
        if found.get(name) != expected.get(name)
    }
