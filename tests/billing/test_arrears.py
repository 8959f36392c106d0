"""How a tenant comes into arrears and out of them, by an injected clock over real usage."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from billing import arrears_tasks
from billing.arrears import TRANSITIONS, ArrearsState, Figures, ResourceClass
from billing.commands.arrears_terms import (
    FiguresDated,
    NotInArrears,
    date_figures,
    delay_deadlines,
    end_exemption,
    exempt,
    set_terms,
)
from billing.commands.credit_notes import issue_credit_note
from billing.commands.wallet import set_credit_limit
from billing.models import Account, ArrearsFigures, ArrearsMove, Invoice, InvoiceDue
from billing.queries.arrears import (
    InGrace,
    InRetention,
    IsReleased,
    frozen_tenants,
    refuse_in_arrears,
)
from billing.queries.arrears_desk import Ageing, debtors
from billing.queries.arrears_terms import terms_of, tiers
from billing.queries.sweep import tenants_to_reassess
from common.errors import InvalidInput
from tenants.models import AuditEntry, Organisation
from tenants.permissions import SYSTEM, Permission, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.arrears_stage import (
    DAY,
    HOUR,
    assess,
    install_tiers,
    put_into,
    row_of,
    said,
    told,
    use,
    walked,
)
from tests.billing.shorthand import broken, issue, pay_in
from tests.factories.billing import NOW, make_prices, make_tenant
from tests.factories.compute import operator

pytestmark = pytest.mark.django_db

S = ArrearsState
R = ResourceClass


@pytest.fixture
def alice(db: None) -> Organisation:
    install_tiers()
    make_prices()
    return make_tenant()


def in_grace(tenant: Organisation, tier: str = "standard") -> None:
    """¥100 paid in at NOW, ¥106 used an hour later: ¥6 short."""
    if tier != "standard":
        with operator_scope():
            set_terms(
                actor=operator("finance"),
                tenant_id=tenant.pk,
                tier=tier,
                payment_days=None,
                now=NOW,
            )
    pay_in(tenant, "100")
    use(tenant, 100, NOW + HOUR)
    assess(tenant, NOW + HOUR)


def test_funds_for_more_than_three_days_are_normal_and_nothing_is_posted(
    alice: Organisation,
) -> None:
    pay_in(alice, "1000")
    use(alice, 100, NOW + DAY)
    found = assess(alice, NOW + DAY)
    # ¥106 in a day, ¥894 left.
    assert (found.state, found.days_left) == (S.NORMAL, Decimal("8.43"))
    assert (walked(alice), told(alice)) == ([], [])


def test_less_than_three_days_warn_and_less_than_one_is_urgent(alice: Organisation) -> None:
    pay_in(alice, "400")
    use(alice, 100, NOW + DAY)
    assert assess(alice, NOW + DAY).days_left == Decimal("2.77")
    assert said(alice).state == S.WARNING
    use(alice, 200, NOW + 2 * DAY)
    found = assess(alice, NOW + 2 * DAY)
    # ¥318 in two days, ¥82 left.
    assert (found.state, found.days_left) == (S.URGENT, Decimal("0.51"))
    assert walked(alice) == ["warning", "urgent"]
    assert told(alice) == ["arrears.warned", "arrears.urged"]
    assert found.may_create
    assert found.must_freeze == frozenset()
    assert broken() == ()


def test_the_pace_is_that_of_the_last_three_days_only(alice: Organisation) -> None:
    pay_in(alice, "10000")
    use(alice, 1000, NOW + HOUR)
    for day in range(1, 8):
        assess(alice, NOW + day * DAY)
    use(alice, 300, NOW + 8 * DAY)
    # The expensive first hour lies before the reading of three days ago.
    assert assess(alice, NOW + 8 * DAY).daily_spend == Decimal("106.000000")


def test_an_invoice_does_not_change_the_pace(alice: Organisation) -> None:
    pay_in(alice, "1000")
    use(alice, 100, NOW + DAY)
    before = assess(alice, NOW + DAY)
    issue(alice, until=NOW + DAY, now=NOW + DAY)
    after = assess(alice, NOW + DAY)
    assert (after.daily_spend, after.days_left) == (before.daily_spend, before.days_left)


def test_a_forecast_that_swings_is_told_once_a_day(alice: Organisation) -> None:
    pay_in(alice, "400")
    use(alice, 100, NOW + DAY)
    assess(alice, NOW + DAY)
    pay_in(alice, "1", key="a little", now=NOW + DAY + HOUR)
    pay_in(alice, "5000", key="a lot", now=NOW + DAY + 2 * HOUR)
    with operator_scope():
        Account.objects.filter(tenant_id=alice.pk).update(unbilled=Decimal("5200"))
    assess(alice, NOW + DAY + 3 * HOUR)
    assert told(alice).count("arrears.urged") == 1
    with operator_scope():
        Account.objects.filter(tenant_id=alice.pk).update(unbilled=Decimal("106"))
    assess(alice, NOW + DAY + 3 * HOUR)
    with operator_scope():
        Account.objects.filter(tenant_id=alice.pk).update(unbilled=Decimal("5200"))
    assess(alice, NOW + DAY + 3 * HOUR)
    assert walked(alice)[-3:] == ["urgent", "normal", "urgent"]
    assert told(alice).count("arrears.urged") == 1


def test_using_more_than_there_is_begins_the_grace_period_with_its_deadlines(
    alice: Organisation,
) -> None:
    in_grace(alice)
    start = NOW + HOUR
    found = said(alice, start)
    assert found.state == S.GRACE
    assert found.amount_needed == Decimal("6.00")
    assert found.deadlines is not None
    assert vars(found.deadlines) == {
        "on_demand_freeze_at": start + DAY,
        "on_demand_release_at": start + 8 * DAY,
        "reserved_freeze_at": start + 7 * DAY,
        "reserved_release_at": start + 14 * DAY,
    }
    assert found.deadline == start + DAY
    assert not found.may_create
    assert found.must_freeze == frozenset()
    assert told(alice) == ["arrears.grace_started"]
    with operator_scope():
        entry = AuditEntry.objects.get(tenant_id=alice.pk, action="billing.arrears.grace")
    assert entry.detail["amount_needed"] == "6.00"


def test_a_tenant_walks_from_normal_to_released_and_back(alice: Organisation) -> None:
    in_grace(alice)
    start = NOW + HOUR
    assert assess(alice, start + DAY - timedelta(seconds=1)).state == S.GRACE
    frozen = assess(alice, start + DAY)
    assert (frozen.state, frozen.must_freeze) == (S.RETENTION, {R.ON_DEMAND})
    assert assess(alice, start + 7 * DAY).must_freeze == {R.ON_DEMAND, R.RESERVED}
    assert assess(alice, start + 8 * DAY).released == {R.ON_DEMAND}
    assert assess(alice, start + 14 * DAY - timedelta(seconds=1)).state == S.RETENTION
    gone = assess(alice, start + 14 * DAY)
    assert (gone.state, gone.released) == (S.RELEASED, {R.ON_DEMAND, R.RESERVED})
    assert gone.deadline is None
    pay_in(alice, "500", key="second", now=start + 15 * DAY)
    back = said(alice, start + 15 * DAY)
    assert (back.state, back.deadlines, back.episode) == (S.NORMAL, None, None)
    assert walked(alice) == ["grace", "retention", "released", "normal"]
    assert told(alice) == [
        "arrears.grace_started",
        "arrears.retention_started",
        "arrears.released",
        "arrears.cleared",
    ]
    assert broken() == ()


def test_a_payment_that_does_not_cover_the_debt_changes_nothing_but_the_amount(
    alice: Organisation,
) -> None:
    in_grace(alice)
    pay_in(alice, "5.99", key="nearly", now=NOW + 2 * HOUR)
    found = said(alice)
    assert (found.state, found.amount_needed) == (S.GRACE, Decimal("0.01"))
    assert walked(alice) == ["grace"]
    pay_in(alice, "0.01", key="the rest", now=NOW + 3 * HOUR)
    # Paid to the fen, with nothing left for the next hour.
    assert said(alice).state == S.URGENT
    assert told(alice)[-1] == "arrears.cleared"


def test_assessing_again_moves_and_posts_nothing(alice: Organisation) -> None:
    in_grace(alice)
    before = (row_of(alice), told(alice), walked(alice))
    assess(alice, NOW + HOUR)
    assess(alice, NOW + HOUR)
    after = (row_of(alice), told(alice), walked(alice))
    assert vars(after[0]) | {"_state": 0} == vars(before[0]) | {"_state": 0}
    assert after[1:] == before[1:]


def test_a_tier_without_grace_freezes_on_demand_at_once_and_reserved_a_day_later(
    alice: Organisation,
) -> None:
    in_grace(alice, tier="v0")
    found = said(alice, NOW + HOUR)
    assert (found.state, found.must_freeze) == (S.RETENTION, {R.ON_DEMAND})
    assert walked(alice) == ["grace", "retention"]
    assert said(alice, NOW + HOUR + DAY).must_freeze == {R.ON_DEMAND, R.RESERVED}


def test_a_sweeper_that_slept_through_the_deadlines_still_leaves_the_whole_retention(
    alice: Organisation,
) -> None:
    in_grace(alice)
    late = NOW + 100 * DAY
    found = assess(alice, late)
    assert found.state == S.RETENTION
    assert found.deadlines is not None
    assert found.deadlines.on_demand_release_at == late + 7 * DAY
    assert found.deadlines.reserved_release_at == late + 7 * DAY
    assert assess(alice, late + 7 * DAY).state == S.RELEASED


def test_an_invoice_past_its_due_date_is_arrears_whatever_the_credit_line(
    alice: Organisation,
) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(10000), now=NOW)
        set_terms(actor=operator("finance"), tenant_id=alice.pk, tier="", payment_days=30, now=NOW)
    use(alice, 100, NOW)
    invoice = issue(alice, until=NOW, now=NOW)
    assert assess(alice, NOW).state == S.NORMAL
    with operator_scope():
        due = InvoiceDue.objects.get(invoice_id=invoice.pk)
    assert (due.payment_days, due.due_at) == (30, NOW + 30 * DAY)
    assert assess(alice, NOW + 30 * DAY - timedelta(seconds=1)).state == S.NORMAL
    found = assess(alice, NOW + 30 * DAY)
    assert (found.state, found.amount_needed) == (S.GRACE, Decimal("106.00"))
    pay_in(alice, "106", now=NOW + 31 * DAY)
    assert said(alice).state == S.NORMAL
    assert broken() == ()


def test_an_invoice_is_due_from_its_issue_on_and_later_terms_do_not_change_it(
    alice: Organisation,
) -> None:
    use(alice, 100, NOW)
    invoice = issue(alice, until=NOW, now=NOW)
    with operator_scope():
        due = InvoiceDue.objects.get(invoice_id=invoice.pk)
        set_terms(actor=operator("finance"), tenant_id=alice.pk, tier="", payment_days=30, now=NOW)
    assert (due.payment_days, due.due_at) == (15, NOW + 15 * DAY)
    assess(alice, NOW + DAY)
    use(alice, 1, NOW + DAY)
    later = issue(alice, until=NOW + DAY, now=NOW + DAY)
    with operator_scope():
        rows = InvoiceDue.objects.filter(invoice_id__in=[invoice.pk, later.pk])
        assert list(rows.order_by("due_at").values_list("payment_days", "due_at")) == [
            (15, NOW + 15 * DAY),
            (30, NOW + 31 * DAY),
        ]


def test_the_database_keeps_no_invoice_that_does_not_say_when_it_is_due(
    alice: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(alice, 100, NOW)
    monkeypatch.setattr(InvoiceDue, "save", lambda self, **_options: None)

    def committed() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            issue(alice, until=NOW, now=NOW)
            cursor.execute("SET CONSTRAINTS billing_invoice_with_due IMMEDIATE")

    with pytest.raises(DatabaseError, match="says when it is due"):
        committed()
    with operator_scope():
        assert not Invoice.objects.exists()


def test_what_a_credit_note_took_off_an_overdue_invoice_is_not_overdue(
    alice: Organisation,
) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(10000), now=NOW)
    use(alice, 100, NOW)
    first = issue(alice, until=NOW, now=NOW)
    use(alice, 100, NOW + DAY)
    issue(alice, until=NOW + DAY, now=NOW + DAY)
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM, tenant_id=alice.pk, invoice_id=first.pk, reason="Wrong", now=NOW + DAY
        )
    # The second is due a day after the first, and by then it is all that is owed.
    assert assess(alice, NOW + 15 * DAY).state == S.NORMAL
    found = assess(alice, NOW + 16 * DAY)
    assert (found.state, found.amount_needed) == (S.GRACE, Decimal("106.00"))


def test_debts_are_shown_by_their_age(alice: Organisation) -> None:
    bob = make_tenant("bob")
    for tenant in (alice, bob):
        with operator_scope():
            set_credit_limit(actor=SYSTEM, tenant_id=tenant.pk, amount=Decimal(10000), now=NOW)
        use(tenant, 100, NOW)
        issue(tenant, until=NOW, now=NOW)
        assess(tenant, NOW)
    pay_in(bob, "6", now=NOW)
    hundred = Decimal("106.00")
    for days, field in ((14, "not_due"), (15, "days_0"), (45, "days_30"), (75, "days_60")):
        with operator_scope():
            rows = debtors(actor=operator("finance"), now=NOW + days * DAY)
        assert {row.code: row.ageing for row in rows} == {
            "alice": Ageing(**{field: hundred}),
            "bob": Ageing(**{field: Decimal("100.00")}),
        }
    with operator_scope():
        rows = debtors(actor=operator("finance"), now=NOW + 105 * DAY)
    assert [row.ageing.days_90 for row in rows] == [hundred, Decimal("100.00")]
    with operator_scope(), pytest.raises(PermissionRefused):
        debtors(actor=SYSTEM_WITHOUT, now=NOW)


def test_what_a_credit_note_takes_off_is_no_debt_any_more(alice: Organisation) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(10000), now=NOW)
    use(alice, 100, NOW)
    invoice = issue(alice, until=NOW, now=NOW)
    assess(alice, NOW)
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=alice.pk,
            invoice_id=invoice.pk,
            reason="Half of it came twice.",
            nets={1: Decimal("50.00")},
            now=NOW,
        )
        (row,) = debtors(actor=operator("finance"), now=NOW + 20 * DAY)
    assert row.ageing == Ageing(days_0=Decimal("53.00"))
    assert broken() == ()


def test_a_bill_that_was_taken_back_is_not_overdue_beside_one_that_is_owed(
    alice: Organisation,
) -> None:
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.pk, amount=Decimal(10000), now=NOW)
    use(alice, 100, NOW)
    first = issue(alice, until=NOW, now=NOW)
    with operator_scope():
        issue_credit_note(
            actor=SYSTEM,
            tenant_id=alice.pk,
            invoice_id=first.pk,
            reason="All of it came twice.",
            now=NOW,
        )
    later = NOW + 10 * DAY
    use(alice, 70, later)
    issue(alice, until=later, now=later)
    # The first one's day is over, the second one's is not.
    found = assess(alice, NOW + 16 * DAY)
    assert (found.state, found.amount_needed) == (S.NORMAL, Decimal("0.00"))
    found = assess(alice, later + 15 * DAY)
    assert (found.state, found.amount_needed) == (S.GRACE, Decimal("74.20"))


SYSTEM_WITHOUT = type(SYSTEM)(
    kind=SYSTEM.kind, id=None, name="nobody", tenant_id=None, permissions=frozenset()
)


def test_a_whitelisting_ends_arrears_and_its_end_begins_them_anew(alice: Organisation) -> None:
    in_grace(alice)
    assess(alice, NOW + HOUR + DAY)
    until = NOW + 10 * DAY
    with operator_scope():
        exempt(
            actor=operator("finance"),
            tenant_id=alice.pk,
            until=until,
            reason="A transfer is under way.",
            now=NOW + 2 * DAY,
        )
    found = said(alice, NOW + 2 * DAY)
    assert (found.state, found.may_create, found.exempt_until) == (S.URGENT, True, until)
    assert assess(alice, until - timedelta(seconds=1)).state == S.URGENT
    again = assess(alice, until)
    assert (again.state, again.exempt_until) == (S.GRACE, None)
    assert again.deadlines is not None
    assert again.deadlines.on_demand_freeze_at == until + DAY
    with operator_scope():
        entry = AuditEntry.objects.get(action="billing.arrears.exempted")
    assert entry.detail == {"until": until.isoformat(), "reason": "A transfer is under way."}
    assert broken() == ()


def test_a_whitelisting_taken_back_lets_arrears_begin_at_once(alice: Organisation) -> None:
    in_grace(alice)
    with operator_scope():
        exempt(
            actor=operator("finance"),
            tenant_id=alice.pk,
            until=NOW + 10 * DAY,
            reason="For now.",
            now=NOW + 2 * HOUR,
        )
        ended = end_exemption(actor=operator("finance"), tenant_id=alice.pk, now=NOW + 3 * HOUR)
        again = end_exemption(actor=operator("finance"), tenant_id=alice.pk, now=NOW + 3 * HOUR)
        entries = AuditEntry.objects.filter(action="billing.arrears.exemption_ended").count()
    assert (ended.state, again.state, entries) == (S.GRACE, S.GRACE, 1)


@pytest.mark.parametrize(
    ("until", "reason", "pointer"),
    [
        (NOW, "why", "/until"),
        (NOW + 400 * DAY, "why", "/until"),
        (NOW + DAY, "  ", "/reason"),
    ],
)
def test_a_whitelisting_without_end_or_reason_is_refused_and_changes_nothing(
    alice: Organisation, until: object, reason: str, pointer: str
) -> None:
    in_grace(alice)
    with operator_scope(), pytest.raises(InvalidInput) as refused:
        exempt(
            actor=operator("finance"),
            tenant_id=alice.pk,
            until=until,  # type: ignore[arg-type]
            reason=reason,
            now=NOW,
        )
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert said(alice).state == S.GRACE
    assert row_of(alice).exempt_until is None


def test_support_may_look_at_arrears_and_decide_nothing(alice: Organisation) -> None:
    in_grace(alice)
    support = operator("support")
    with operator_scope():
        assert [row.code for row in debtors(actor=support, now=NOW)] == ["alice"]
        with pytest.raises(PermissionRefused):
            exempt(actor=support, tenant_id=alice.pk, until=NOW + DAY, reason="x", now=NOW)
        with pytest.raises(PermissionRefused):
            delay_deadlines(actor=support, tenant_id=alice.pk, hours=1, reason="x", now=NOW)
        with pytest.raises(PermissionRefused):
            set_terms(actor=support, tenant_id=alice.pk, tier="v5", payment_days=None, now=NOW)
        with pytest.raises(PermissionRefused):
            date_figures(
                actor=support,
                tier="v0",
                effective_at=NOW + DAY,
                figures=Figures(),
                source="",
                now=NOW,
            )
    assert walked(alice) == ["grace"]


def test_more_time_puts_off_the_deadlines_to_come(alice: Organisation) -> None:
    in_grace(alice)
    start = NOW + HOUR
    finance = operator("finance")
    with operator_scope():
        delay_deadlines(actor=finance, tenant_id=alice.pk, hours=48, reason="Asked.", now=start)
    assert assess(alice, start + 3 * DAY - timedelta(seconds=1)).state == S.GRACE
    assert assess(alice, start + 3 * DAY).state == S.RETENTION
    row = row_of(alice)
    assert row.on_demand_freeze_at == start + 3 * DAY
    assert row.reserved_release_at == start + 16 * DAY
    pay_in(alice, "500", key="second", now=start + 4 * DAY)
    with operator_scope(), pytest.raises(NotInArrears):
        delay_deadlines(actor=finance, tenant_id=alice.pk, hours=1, reason="Again.", now=start)


def test_new_figures_hold_for_new_arrears_only(alice: Organisation) -> None:
    in_grace(alice)
    bob = make_tenant("bob")
    with operator_scope():
        date_figures(
            actor=operator("finance"),
            tier="standard",
            effective_at=NOW + 2 * HOUR,
            figures=Figures(on_demand_grace_hours=2),
            source="Decision 7",
            now=NOW,
        )
        with pytest.raises(FiguresDated):
            date_figures(
                actor=operator("finance"),
                tier="standard",
                effective_at=NOW + 2 * HOUR,
                figures=Figures(),
                source="",
                now=NOW,
            )
        with pytest.raises(InvalidInput):
            date_figures(
                actor=operator("finance"),
                tier="standard",
                effective_at=NOW + 3 * HOUR,
                figures=Figures(warning_days=1, urgent_days=2),
                source="",
                now=NOW,
            )
    pay_in(bob, "1", now=NOW + HOUR)
    use(bob, 100, NOW + 3 * HOUR)
    assess(alice, NOW + 3 * HOUR)
    assess(bob, NOW + 3 * HOUR)
    assert row_of(alice).on_demand_freeze_at == NOW + 25 * HOUR
    assert row_of(bob).on_demand_freeze_at == NOW + 5 * HOUR


def test_the_tiers_say_what_was_published(alice: Organisation) -> None:
    found = {
        row.code: (
            row.figures.reserved_grace_hours // 24,
            row.figures.reserved_retention_hours // 24,
            row.figures.on_demand_grace_hours // 24,
            row.figures.on_demand_retention_hours // 24,
        )
        for row in tiers(NOW)
        if row.is_in_force
    }
    assert found == {
        "standard": (7, 7, 1, 7),
        "v0": (1, 1, 0, 1),
        "v1": (1, 7, 0, 7),
        "v2": (1, 7, 0, 7),
        "v3": (7, 7, 1, 7),
        "v4": (7, 15, 7, 15),
        "v5": (7, 15, 7, 15),
    }
    with operator_scope():
        assert terms_of(alice.pk, NOW).tier == "standard"


def test_without_any_tier_the_products_own_figures_hold(alice: Organisation) -> None:
    with tenant_scope(alice.pk):
        # Before the first figures began.
        found = terms_of(alice.pk, NOW.replace(year=2000))
    assert found.figures == Figures()


@pytest.mark.parametrize(
    ("state", "error", "refused"),
    [
        (S.GRACE, InGrace, {Permission.RESERVATION_CREATE, Permission.DEPLOYMENT_CREATE}),
        (
            S.RETENTION,
            InRetention,
            {
                Permission.RESERVATION_CREATE,
                Permission.DEPLOYMENT_CREATE,
                Permission.KEY_MANAGE,
                Permission.PROJECT_MANAGE,
            },
        ),
        (
            S.RELEASED,
            IsReleased,
            {
                Permission.RESERVATION_CREATE,
                Permission.DEPLOYMENT_CREATE,
                Permission.KEY_MANAGE,
                Permission.PROJECT_MANAGE,
            },
        ),
    ],
)
def test_each_state_refuses_exactly_what_the_table_says(
    alice: Organisation, state: ArrearsState, error: type[Exception], refused: set[Permission]
) -> None:
    with operator_scope():
        put_into(alice.pk, state, NOW)
    stopped = set()
    with tenant_scope(alice.pk):
        for permission in Permission:
            try:
                refuse_in_arrears(alice.pk, permission, NOW)
            except error:
                stopped.add(permission)
    assert stopped == refused


def test_a_refusal_names_the_amount_the_deadline_and_the_way_out(alice: Organisation) -> None:
    in_grace(alice)
    with tenant_scope(alice.pk), pytest.raises(InGrace) as refused:
        refuse_in_arrears(alice.pk, Permission.RESERVATION_CREATE, NOW + HOUR)
    error = refused.value
    with translation.override("en"):
        sentence, members = str(error), error.members
    assert (error.code, error.status) == ("arrears_grace", 402)
    assert sentence == (
        "The account is in arrears: 6.00 CNY are needed. What runs keeps running until "
        "2026-11-16 21:00 (Asia/Shanghai), but nothing new can be started."
    )
    assert members == {
        "reason": "arrears",
        "state": "grace",
        "deadline": "2026-11-16T13:00:00+00:00",
        "amount_needed": "6.00",
        "currency": "CNY",
        "resolution": "Top up the wallet by the amount needed; it takes effect at once.",
    }


def test_the_database_lets_only_the_moves_of_the_table_happen(alice: Organisation) -> None:
    with operator_scope():
        put_into(alice.pk, S.RELEASED, NOW)
    allowed = set()
    deadline = "now() - interval '1 day'"
    for before in S:
        for after in S:
            if before == after:
                continue
            with operator_scope():
                try:
                    with transaction.atomic(), connection.cursor() as cursor:
                        _place(cursor, alice, before, deadline)
                        _update(cursor, alice, after, deadline)
                        allowed.add((before, after))
                        raise _Undo
                except DatabaseError as error:
                    assert "does not move" in str(error)  # noqa: PT017 - the only law left
                except _Undo:
                    pass
    assert allowed == {(before, after) for before, nexts in TRANSITIONS.items() for after in nexts}


class _Undo(Exception):
    pass


def _place(cursor: object, tenant: Organisation, state: ArrearsState, deadline: str) -> None:
    """Any state, by a way that the law allows."""
    steps = [S.GRACE, S.RETENTION, S.RELEASED]
    _update(cursor, tenant, S.NORMAL, deadline)
    way = steps[: steps.index(state) + 1] if state in steps else [state]
    for step in way:
        _update(cursor, tenant, step, deadline)


def _update(cursor: object, tenant: Organisation, state: ArrearsState, deadline: str) -> None:
    owing = state in {S.GRACE, S.RETENTION, S.RELEASED}
    at = deadline if owing else "NULL"
    cursor.execute(  # type: ignore[attr-defined]
        f"UPDATE billing_arrearsstanding SET state = %s, on_demand_freeze_at = {at}, "  # noqa: S608
        f"on_demand_release_at = {at}, reserved_freeze_at = {at}, reserved_release_at = {at}, "
        f"owing_since = {at}, state_at = greatest(state_at, now()), "
        f"episode = {'id' if owing else 'NULL'} WHERE tenant_id = %s",
        [state.value, tenant.pk],
    )


@pytest.mark.parametrize(
    ("change", "said_by"),
    [
        ("state = 'retention', state_at = state_at", "the grace period is not over"),
        (
            "state_at = state_at - interval '1 day', state = 'normal', episode = NULL, "
            "owing_since = NULL, on_demand_freeze_at = NULL, on_demand_release_at = NULL, "
            "reserved_freeze_at = NULL, reserved_release_at = NULL",
            "backwards in time",
        ),
        ("reserved_release_at = NULL", "billing_arrearsstanding_deadlines"),
        ("state = 'broke'", "does not move"),
    ],
)
def test_the_database_refuses_what_would_break_a_standing(
    alice: Organisation, change: str, said_by: str
) -> None:
    in_grace(alice)
    before = vars(row_of(alice)) | {"_state": 0}
    with (
        pytest.raises(DatabaseError, match=said_by),
        operator_scope(),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"UPDATE billing_arrearsstanding SET {change} WHERE tenant_id = %s",  # noqa: S608
            [alice.pk],
        )
    assert vars(row_of(alice)) | {"_state": 0} == before


def _execute(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_standing_neither_begins_in_arrears_nor_goes_away(alice: Organisation) -> None:
    put = """INSERT INTO billing_arrearsstanding (id, tenant_id, state, state_at, assessed_at,
        checkpoint_minutes, amount_needed, daily_spend, warn_below)
        VALUES (gen_random_uuid(), %s, 'warning', now(), now(), 10, 0, 0, 0)"""
    with pytest.raises(DatabaseError, match="begins as normal"), operator_scope():
        _execute(put, alice.pk)
    in_grace(alice)
    for scope in (operator_scope(), tenant_scope(alice.pk)):
        with pytest.raises(DatabaseError, match="permission denied"), scope:
            _execute("DELETE FROM billing_arrearsstanding")
    with pytest.raises(DatabaseError, match="permission denied"), operator_scope():
        ArrearsMove.objects.filter(tenant_id=alice.pk).update(to_state="normal")
    with pytest.raises(DatabaseError, match="permission denied"), tenant_scope(alice.pk):
        ArrearsFigures.objects.update(on_demand_grace_hours=9999)


def test_the_sweep_assesses_whoever_may_have_moved_and_everybody_once_an_hour(
    alice: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def due(at: object) -> set[str]:
        with operator_scope():
            found = set(tenants_to_reassess(at))  # type: ignore[arg-type]
        return {one.code for one in (alice, bob) if one.pk in found}

    bob = make_tenant("bob")
    pay_in(bob, "1000")
    in_grace(alice)
    assert due(NOW + HOUR - timedelta(seconds=1)) == {"alice"}
    assert due(NOW + HOUR) == {"alice", "bob"}
    moment = NOW + HOUR + DAY
    monkeypatch.setattr(arrears_tasks, "utc_now", lambda: moment)
    arrears_tasks.reassess_arrears()
    arrears_tasks.reassess_arrears()
    assert walked(alice) == ["grace", "retention"]
    assert walked(bob) == []
    assert row_of(bob).assessed_at == moment
    with operator_scope():
        assert set(frozen_tenants(moment)) == {alice.pk}


def test_vouchers_and_promises_are_no_funds(alice: Organisation) -> None:
    """Funds are the wallet and the credit line only; what is set aside is still the tenant's."""
    in_grace(alice)
    with operator_scope():
        account = Account.objects.get(tenant_id=alice.pk)
        move = ArrearsMove.objects.get(tenant_id=alice.pk)
    assert move.funds == account.wallet - account.receivable - account.unbilled == Decimal(-6)
