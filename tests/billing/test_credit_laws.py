"""What the database refuses of credits with the product's own checks left out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from billing.commands.credit_lots import (
    CreditDecided,
    CreditRefused,
    LotTerms,
    approve_credit,
    grant_promo,
    reject_credit,
)
from billing.commands.vouchers import grant_application, review_application
from billing.four_eyes import FourEyesRequired
from billing.models import (
    CreditLot,
    CreditUse,
    Invoice,
    InvoiceLine,
    PriceVersion,
    VoucherApplication,
    VoucherCap,
    VoucherScheme,
)
from billing.queries.credits import credit_page
from billing.queries.invoices import invoice_detail, unbilled
from tenants.models import AuditEntry, Notice, Organisation
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_price_drafts import ANNA, BORIS
from tests.factories import billing as make
from tests.factories import credits as give

CARD_HOUR = 3600
HUNDRED_HOURS = 100 * CARD_HOUR


@pytest.fixture
def billed(alice: Organisation, prices: PriceVersion) -> InvoiceLine:
    """A hundred card-hours at 3.60 with tax: 381.60, on an invoice issued at NOW."""
    ingest(alice, make.cards("c1", HUNDRED_HOURS))
    invoice: Invoice = issue(alice)
    with operator_scope():
        line = InvoiceLine.objects.get(invoice=invoice)
    assert line.gross == Decimal("381.60")
    return line


def refused(work: Callable[[], object]) -> str:
    """The name of the law that refuses this."""
    with pytest.raises(DatabaseError) as caught, operator_scope(), transaction.atomic():
        work()
    cause = caught.value.__cause__
    return getattr(getattr(cause, "diag", None), "constraint_name", None) or str(caught.value)


def use(line: InvoiceLine, lot: CreditLot, amount: str, **changes: object) -> CreditUse:
    values: dict[str, object] = {
        "tenant_id": line.tenant_id,
        "lot": lot,
        "invoice_line": line,
        "sequence": 1,
        "amount": Decimal(amount),
        "used_at": make.NOW,
        **changes,
    }
    return CreditUse.objects.create(**values)


def test_a_use_moves_what_remains_and_nothing_else_can(
    alice: Organisation, billed: InvoiceLine
) -> None:
    lot = give.promo(alice, "100.00")
    with operator_scope():
        used = use(billed, lot, "40.00")
    assert give.fresh(lot).remaining == Decimal("60.00")
    for change in (
        lambda: CreditLot.objects.filter(pk=lot.pk).update(remaining=100),
        lambda: CreditLot.objects.filter(pk=lot.pk).update(face=1000),
        lambda: CreditUse.objects.filter(pk=used.pk).update(amount=1),
        lambda: CreditUse.objects.filter(pk=used.pk).delete(),
        lambda: CreditLot.objects.filter(pk=lot.pk).delete(),
    ):
        refused(change)
    assert give.fresh(lot).remaining == Decimal("60.00")
    assert give.fresh(lot).face == Decimal("100.00")


def test_a_use_never_exceeds_its_lot(alice: Organisation, billed: InvoiceLine) -> None:
    lot = give.promo(alice, "100.00")
    assert refused(lambda: use(billed, lot, "100.01")) == "billing_creditlot_within_face"
    assert give.fresh(lot).remaining == Decimal("100.00")


def test_the_uses_of_a_line_never_exceed_its_gross(
    alice: Organisation, billed: InvoiceLine
) -> None:
    first, second = give.promo(alice, "300.00"), give.promo(alice, "300.00", key="second")
    with operator_scope():
        use(billed, first, "300.00")
    law = refused(lambda: use(billed, second, "81.61", sequence=2))
    assert law == "billing_credituse_within_line"
    with operator_scope():
        use(billed, second, "81.60", sequence=2)
    assert give.fresh(first).state == "exhausted"
    assert give.fresh(second).remaining == Decimal("218.40")


def test_a_use_never_exceeds_its_share_of_the_line(
    alice: Organisation, billed: InvoiceLine
) -> None:
    lot = give.promo(alice, "300.00")
    law = refused(lambda: use(billed, lot, "114.49", share=Decimal("0.30")))
    assert law == "billing_credituse_within_line"


def test_a_credit_never_pays_an_invoice_issued_before(
    alice: Organisation, billed: InvoiceLine
) -> None:
    lot = give.promo(alice, "300.00")
    later = make.NOW + timedelta(seconds=1)
    assert refused(lambda: use(billed, lot, "1.00", used_at=later)) == (
        "billing_credituse_not_overdue"
    )


def test_a_credit_never_pays_for_use_outside_its_time(
    alice: Organisation, billed: InvoiceLine
) -> None:
    begun_after = give.promo(alice, "300.00", effective_at=make.NOW)
    ended_before = give.promo(
        alice, "300.00", key="old", expires_on=(make.NOW - timedelta(days=2)).date()
    )
    for lot in (begun_after, ended_before):
        assert refused(lambda lot=lot: use(billed, lot, "1.00")) == (  # type: ignore[misc]
            "billing_credituse_service_time"
        )


def test_no_more_is_given_back_than_was_used(alice: Organisation, billed: InvoiceLine) -> None:
    lot = give.promo(alice, "100.00")
    with operator_scope(), connection.cursor() as cursor:
        used = use(billed, lot, "40.00")
        cursor.execute(
            "INSERT INTO billing_creditrestore (id, tenant_id, invoice_line_id, key, credited,"
            " restored, restored_at) VALUES (gen_random_uuid(), %s, %s, 'k', 50, 50, now())"
            " RETURNING id",
            [alice.pk, billed.pk],
        )
        (restore,) = cursor.fetchone() or (None,)
    back = {"kind": "restore", "restores": used, "restore_id": restore, "sequence": 2}
    assert refused(lambda: use(billed, lot, "-40.01", **back)) == "billing_credituse_restore"
    with operator_scope():
        use(billed, lot, "-40.00", **back)
    assert give.fresh(lot).remaining == Decimal("100.00")
    assert refused(lambda: use(billed, lot, "-0.01", **{**back, "sequence": 3})) == (
        "billing_credituse_restore"
    )


def test_a_foreign_lot_pays_nothing(
    alice: Organisation, bob: Organisation, billed: InvoiceLine
) -> None:
    lot = give.promo(bob, "100.00")
    assert "tenant_fk" in refused(lambda: use(billed, lot, "1.00"))


def test_states_move_only_along_their_way(alice: Organisation, billed: InvoiceLine) -> None:
    lot = give.promo(alice, "100.00")
    rows = CreditLot.objects
    for wrong in ("issued", "exhausted"):
        with operator_scope():
            wanted = rows.filter(pk=lot.pk)
        refused(lambda wanted=wanted, wrong=wrong: wanted.update(state=wrong))  # type: ignore[misc]
    with operator_scope():
        rows.filter(pk=lot.pk).update(state="revoked")
        ended = rows.filter(pk=lot.pk)
    refused(lambda: ended.update(state="active"))
    assert refused(lambda: use(billed, lot, "1.00")) == "billing_credituse_active"


@pytest.mark.django_db
def test_caps_count_what_is_pending_and_what_is_redeemed() -> None:
    alice = give.verified()
    give.scheme(cap_per_tenant_year=Decimal("100.00"), needs_review=True)
    application = give.ask(alice, "70.00")

    def committed() -> tuple[Decimal, Decimal]:
        with operator_scope():
            return (
                VoucherCap.objects.get(tenant=alice).committed,
                VoucherScheme.objects.get(code="city").committed,
            )

    assert committed() == (70, 70)
    lot = give.decide(application, "60.00")
    assert committed() == (60, 60)
    with operator_scope():
        CreditLot.objects.filter(pk=lot.pk).update(state="revoked")
    assert committed() == (0, 0)


@pytest.mark.django_db
def test_the_database_keeps_the_caps_without_the_command() -> None:
    alice = give.verified()
    scheme = give.scheme(
        cap_per_tenant_year=Decimal("100.00"),
        cap_per_contract=Decimal("50.00"),
        budget=Decimal("120.00"),
        needs_review=True,
    )

    def row(amount: str, contract: str, key: str) -> None:
        application = VoucherApplication.objects.create(
            tenant=alice,
            scheme=scheme,
            key=key,
            contract=contract,
            amount=Decimal(amount),
            cap_year=2026,
            created_at=make.NOW,
        )
        VoucherApplication.objects.filter(pk=application.pk).update(state="submitted")

    assert refused(lambda: row("100.01", "a", "1")) == "billing_vouchercap_kept"
    assert refused(lambda: row("50.01", "a", "1")) == "billing_voucherapplication_contract_cap"
    with operator_scope():
        row("50.00", "a", "1")
    assert refused(lambda: row("0.01", "a", "2")) == "billing_voucherapplication_contract_cap"
    assert refused(lambda: row("50.01", "b", "3")) == "billing_vouchercap_kept"
    with operator_scope():
        assert VoucherCap.objects.get(tenant=alice).committed == 50
        VoucherScheme.objects.filter(code="city").update(budget=Decimal("60.00"))
    assert refused(lambda: row("10.01", "b", "4")) == "billing_voucherscheme_budget_kept"
    for change in (
        lambda: VoucherCap.objects.update(committed=0),
        lambda: VoucherScheme.objects.update(committed=0),
        lambda: VoucherCap.objects.all().delete(),
    ):
        refused(change)
    assert broken() == ()


def proposed(tenant: Organisation) -> CreditLot:
    with tenant_scope(tenant.pk):
        return grant_promo(
            actor=ANNA,
            tenant_id=tenant.pk,
            amount=Decimal("50.00"),
            terms=LotTerms(title="Welcome", effective_at=make.LONG_AGO),
            key="proposed",
            now=make.NOW,
        )


def agree(lot: CreditLot, actor: Actor, now: datetime = make.NOW) -> CreditLot:
    with tenant_scope(lot.tenant_id):
        return approve_credit(actor=actor, tenant_id=lot.tenant_id, lot_id=lot.pk, now=now)


def test_a_proposed_credit_pays_nothing_until_somebody_else_agrees(
    alice: Organisation, prices: PriceVersion
) -> None:
    lot = proposed(alice)
    assert (lot.state, lot.proposed_by_id, lot.created_by) == ("proposed", ANNA.id, ANNA.name)
    ingest(alice, make.cards("c1", HUNDRED_HOURS))
    member = Actor(ActorKind.MEMBER, None, "finance", alice.pk, MEMBER_ROLES["finance"])
    with tenant_scope(alice.pk):
        assert unbilled(tenant_id=alice.pk, until=make.NOW).credits == 0
        # What is only proposed is the centre's own business.
        assert credit_page(actor=member, tenant_id=alice.pk, now=make.NOW).items == ()
    for actor in (ANNA, SYSTEM):
        with pytest.raises(FourEyesRequired):
            agree(lot, actor)
    with pytest.raises(PermissionRefused):
        agree(lot, replace(BORIS, id=None))
    assert give.fresh(lot).state == "proposed"
    given = agree(lot, BORIS)
    assert (given.state, given.approved_by_id, given.remaining) == ("active", BORIS.id, 50)
    with pytest.raises(CreditDecided):
        agree(lot, BORIS)
    with operator_scope():
        assert Notice.objects.filter(tenant=alice, kind="credit.granted").count() == 1
        said = AuditEntry.objects.filter(action__startswith="billing.promo").order_by("pk")
        assert list(said.values_list("action", "actor_name")) == [
            ("billing.promo.proposed", ANNA.name),
            ("billing.promo.granted", BORIS.name),
        ]
    invoice = issue(alice)
    with tenant_scope(alice.pk):
        assert invoice_detail(tenant_id=alice.pk, invoice_id=invoice.pk, now=make.NOW).credits == 50
    assert broken() == ()


def test_a_rejected_credit_stays_rejected_and_gives_nothing(
    alice: Organisation, prices: PriceVersion
) -> None:
    lot = proposed(alice)
    with tenant_scope(alice.pk):
        reject_credit(
            actor=ANNA, tenant_id=alice.pk, lot_id=lot.pk, reason="Too much", now=make.NOW
        )
    with pytest.raises(CreditDecided):
        agree(lot, BORIS)
    with operator_scope():
        assert not Notice.objects.exists()
    assert give.fresh(lot).closed_reason == "Too much"
    assert broken() == ()


def test_a_proposal_whose_last_day_is_over_is_not_approved(
    alice: Organisation, prices: PriceVersion
) -> None:
    with tenant_scope(alice.pk):
        lot = grant_promo(
            actor=ANNA,
            tenant_id=alice.pk,
            amount=Decimal("50.00"),
            terms=LotTerms("Welcome", make.LONG_AGO, expires_on=make.NOW.date()),
            key="short",
            now=make.NOW,
        )
    with pytest.raises(CreditRefused):
        agree(lot, BORIS, make.NOW + timedelta(days=2))
    assert give.fresh(lot).state == "proposed"


def test_the_database_refuses_a_credit_approved_by_its_proposer(
    alice: Organisation, prices: PriceVersion
) -> None:
    lot = proposed(alice)

    def move(**columns: object) -> None:
        CreditLot.objects.filter(pk=lot.pk).update(**columns)

    law = "billing_creditlot_four_eyes"
    assert refused(lambda: move(state="active", approved_by_id=ANNA.id)) == law
    assert refused(lambda: move(state="active")) == law
    assert refused(lambda: move(approved_by_id=BORIS.id)) == law
    assert "permission denied" in refused(lambda: move(proposed_by_id=BORIS.id))
    assert "does not go from" in refused(lambda: move(state="revoked"))
    assert give.fresh(lot).state == "proposed"
    agree(lot, BORIS)
    assert "is not forgotten" in refused(lambda: move(approved_by_id=UUID(int=9)))


def test_who_reviewed_an_application_does_not_grant_it(prices: PriceVersion) -> None:
    customer = give.verified("customer")
    give.scheme(needs_review=True)
    application = give.ask(customer, "60.00")
    which = {"tenant_id": customer.pk, "application_id": application.pk}
    with operator_scope():
        review_application(actor=ANNA, now=make.NOW, **which)
        for actor in (ANNA, SYSTEM):
            with pytest.raises(FourEyesRequired):
                grant_application(actor=actor, amount=Decimal("60.00"), now=make.NOW, **which)

    def move(**columns: object) -> None:
        VoucherApplication.objects.filter(pk=application.pk).update(**columns)

    law = "billing_voucherapplication_four_eyes"
    assert refused(lambda: move(state="granted", decided_by_id=ANNA.id)) == law
    assert refused(lambda: move(state="granted")) == law
    assert "is not forgotten" in refused(lambda: move(reviewed_by_id=None))
    with operator_scope():
        assert not CreditLot.objects.exists()
        granted = grant_application(actor=BORIS, amount=Decimal("60.00"), now=make.NOW, **which)
    assert (granted.reviewed_by_id, granted.decided_by_id) == (ANNA.id, BORIS.id)
    lot = give.lot_of(granted)
    assert (lot.created_by, lot.approved_by, lot.approved_by_id) == (
        ANNA.name,
        BORIS.name,
        BORIS.id,
    )
    assert broken() == ()
