"""Budgets: what they count, what they tell, what they stop, and what the database refuses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.commands.accrual import accrue
from billing.commands.budgets import (
    BudgetExists,
    DeploymentSubject,
    change_budget,
    remove_budget,
    set_budget,
)
from billing.models import Budget, BudgetAlert, BudgetMonth, BudgetScope, PriceVersion
from billing.queries.budgets import (
    BudgetReached,
    budget_limits,
    budget_state,
    budgets,
    refuse_when_reached,
    stops_running,
)
from billing.queries.drafts import draft
from billing.usage import UsageEvent
from common.errors import InvalidInput, NotFound
from common.ids import uuid7
from tenants.models import AuditEntry, Notice, Organisation, Project
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.factories import billing as make
from tests.factories.tenants import key

pytestmark = pytest.mark.django_db

D = Decimal
MONTH_AFTER = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)


@pytest.fixture
def atlas(alice: Organisation) -> Project:
    with operator_scope():
        return Project.objects.create(tenant=alice, code="atlas", name="Atlas")


@pytest.fixture
def borea(alice: Organisation) -> Project:
    with operator_scope():
        return Project.objects.create(tenant=alice, code="borea", name="Borea")


def budget(
    tenant: Organisation,
    amount: str = "10.00",
    scope: BudgetScope = BudgetScope.TENANT,
    subject: UUID | DeploymentSubject | None = None,
    *,
    now: datetime = make.NOW,
    **stopping: bool,
) -> Budget:
    with tenant_scope(tenant.pk):
        return set_budget(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            scope=scope,
            subject=subject,
            amount=D(amount),
            now=now,
            **stopping,
        )


def counted(tenant: Organisation, now: datetime = make.NOW) -> None:
    with tenant_scope(tenant.pk):
        accrue(tenant_id=tenant.pk, now=now)


def spent(row: Budget, now: datetime = make.NOW) -> Decimal:
    with tenant_scope(row.tenant_id):
        return budget_state(actor=SYSTEM, tenant_id=row.tenant_id, budget_id=row.pk, now=now).spent


def told(tenant: Organisation) -> list[tuple[str, str]]:
    with operator_scope():
        rows = Notice.objects.filter(tenant=tenant, kind__startswith="budget.").order_by("pk")
        return [(row.kind, str(row.detail["threshold"])) for row in rows]


def test_a_budget_counts_what_the_month_has_cost_already_and_tells_at_once(
    alice: Organisation, prices: PriceVersion
) -> None:
    # Two card-hours at 3.60 net.
    ingest(alice, make.cards("c1", 7200))
    row = budget(alice)
    assert spent(row) == D("7.20")
    assert told(alice) == [("budget.threshold_reached", "50")]
    with operator_scope():
        entry = AuditEntry.objects.get(action="billing.budget.set")
    assert entry.detail["amount"] == "10.00"


def test_each_threshold_is_told_once_a_month_and_again_in_the_next(
    alice: Organisation, prices: PriceVersion
) -> None:
    row = budget(alice)
    for number in range(4):
        ingest(alice, make.cards(f"c{number}", 3600))
        counted(alice)
        counted(alice)
    assert spent(row) == D("14.40")
    assert told(alice) == [("budget.threshold_reached", str(n)) for n in (50, 80, 100)]
    after = MONTH_AFTER + timedelta(hours=2)
    ingest(alice, make.cards("d", 7200, MONTH_AFTER), now=after)
    counted(alice, after)
    assert spent(row, after) == D("7.20")
    assert told(alice)[3:] == [("budget.threshold_reached", "50")]
    assert broken() == ()


def test_a_new_month_opens_a_reached_budget_at_once(
    alice: Organisation, prices: PriceVersion
) -> None:
    row = budget(alice, "3.60", stops=True)
    ingest(alice, make.cards("c", 3600))
    counted(alice)
    assert told(alice)[-1] == ("budget.reached", "100")
    with tenant_scope(alice.pk):
        with pytest.raises(BudgetReached) as refusal:
            refuse_when_reached(alice.pk, None, MONTH_AFTER - timedelta(microseconds=1))
        refuse_when_reached(alice.pk, None, MONTH_AFTER)
    assert (refusal.value.code, refusal.value.status) == ("budget_reached", 409)
    assert spent(row, MONTH_AFTER) == 0


def test_raising_or_removing_a_reached_budget_opens_at_once(
    alice: Organisation, prices: PriceVersion
) -> None:
    row = budget(alice, "3.60", stops=True)
    ingest(alice, make.cards("c", 3600))
    counted(alice)
    with tenant_scope(alice.pk):
        with pytest.raises(BudgetReached):
            refuse_when_reached(alice.pk, None, make.NOW)
        change_budget(
            actor=SYSTEM, tenant_id=alice.pk, budget_id=row.pk, amount=D("3.61"), now=make.NOW
        )
        refuse_when_reached(alice.pk, None, make.NOW)
        change_budget(
            actor=SYSTEM, tenant_id=alice.pk, budget_id=row.pk, amount=D("3.60"), now=make.NOW
        )
        with pytest.raises(BudgetReached):
            refuse_when_reached(alice.pk, None, make.NOW)
        remove_budget(actor=SYSTEM, tenant_id=alice.pk, budget_id=row.pk, now=make.NOW)
        refuse_when_reached(alice.pk, None, make.NOW)
        assert budgets(actor=SYSTEM, tenant_id=alice.pk, now=make.NOW) == ()
    # What was told this month is not told again.
    assert [threshold for _kind, threshold in told(alice)] == ["50", "80", "100"]
    assert broken() == ()


def test_a_budget_without_the_switch_tells_and_stops_nothing(
    alice: Organisation, prices: PriceVersion
) -> None:
    budget(alice, "1.00")
    ingest(alice, make.cards("c", 3600))
    counted(alice)
    with tenant_scope(alice.pk):
        refuse_when_reached(alice.pk, None, make.NOW)
        assert stops_running(alice.pk, make.NOW) == ()
    with operator_scope():
        assert budget_limits(make.NOW) == ()


def test_a_project_budget_stops_its_project_only(
    alice: Organisation, prices: PriceVersion, atlas: Project, borea: Project
) -> None:
    row = budget(alice, "1.00", BudgetScope.PROJECT, atlas.pk, stops=True, stops_running=True)
    ingest(
        alice,
        make.tokens("a", 2_000_000, project_id=atlas.pk),
        make.tokens("b", 3_000_000, project_id=borea.pk),
    )
    counted(alice)
    assert spent(row) == D("2.00")
    with tenant_scope(alice.pk):
        with pytest.raises(BudgetReached):
            refuse_when_reached(alice.pk, atlas.pk, make.NOW)
        refuse_when_reached(alice.pk, borea.pk, make.NOW)
        refuse_when_reached(alice.pk, None, make.NOW)
        assert [one.project_id for one in stops_running(alice.pk, make.NOW)] == [atlas.pk]
    with operator_scope():
        (limit,) = budget_limits(make.NOW)
    assert (limit.scope, limit.subject_id, limit.left) == ("project", atlas.pk, D("-1.00"))


def test_a_key_counts_its_own_calls(alice: Organisation, prices: PriceVersion) -> None:
    row, _secret = key(alice)
    of_key = budget(alice, "5.00", BudgetScope.KEY, row.pk)
    ingest(
        alice,
        make.tokens("a", 1_500_000, key=str(row.pk)),
        make.tokens("b", 4_000_000, key=str(uuid7())),
    )
    counted(alice)
    assert spent(of_key) == D("1.50")


def test_a_mid_month_invoice_moves_nothing(
    alice: Organisation, prices: PriceVersion, atlas: Project
) -> None:
    whole = budget(alice, "100.00")
    part = budget(alice, "100.00", BudgetScope.PROJECT, atlas.pk)
    ingest(alice, make.tokens("a", 1_234_567, project_id=atlas.pk), make.cards("c", 3601))
    counted(alice)
    before = (spent(whole), spent(part))
    assert before == (D("4.83"), D("1.23"))
    issue(alice)
    assert (spent(whole), spent(part)) == before
    ingest(alice, make.tokens("late", 2_345_678, project_id=atlas.pk))
    counted(alice, make.NOW + make.HOUR)
    # The running total of 3 580 245 tokens is 3.58, of which 1.23 is invoiced.
    assert (spent(whole), spent(part)) == (D("7.18"), D("3.58"))


def test_use_of_the_month_before_is_not_this_months_spend(
    alice: Organisation, prices: PriceVersion
) -> None:
    row = budget(alice, "100.00")
    ingest(alice, make.tokens("old", 5_000_000, make.MONTH_START - make.HOUR))
    ingest(alice, make.tokens("new", 1_000_000))
    counted(alice)
    assert spent(row) == D("1.00")


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1000000000.01", "NaN"])
def test_an_amount_that_is_none_is_refused(alice: Organisation, amount: str) -> None:
    with pytest.raises(InvalidInput):
        budget(alice, amount)
    with operator_scope():
        assert not Budget.objects.exists()


def test_switches_that_make_no_sense_are_refused(alice: Organisation) -> None:
    row, _secret = key(alice)
    with pytest.raises(InvalidInput):
        budget(alice, stops_running=True)
    with pytest.raises(InvalidInput):
        budget(alice, "1.00", BudgetScope.KEY, row.pk, stops=True, stops_running=True)


def test_a_subject_has_one_budget_and_is_the_tenants_own(
    alice: Organisation, bob: Organisation, atlas: Project
) -> None:
    budget(alice, "1.00", BudgetScope.PROJECT, atlas.pk)
    with pytest.raises(BudgetExists) as refusal:
        budget(alice, "2.00", BudgetScope.PROJECT, atlas.pk)
    assert refusal.value.code == "budget_exists"
    for scope, subject in (
        (BudgetScope.PROJECT, atlas.pk),
        (BudgetScope.KEY, uuid7()),
        (BudgetScope.PROJECT, None),
        (BudgetScope.TENANT, atlas.pk),
        (BudgetScope.DEPLOYMENT, uuid7()),
    ):
        with pytest.raises(NotFound):
            budget(bob, "1.00", scope, subject)


def test_who_may_not_manage_is_refused_and_a_narrow_key_keeps_to_its_project(
    alice: Organisation, atlas: Project, borea: Project
) -> None:
    viewer = Actor(ActorKind.MEMBER, None, "Vi", alice.pk, MEMBER_ROLES["viewer"])
    narrow = Actor(
        ActorKind.API_KEY, None, "key", alice.pk, MEMBER_ROLES["owner"], project_id=atlas.pk
    )
    mine = budget(alice, "1.00", BudgetScope.PROJECT, atlas.pk)
    other = budget(alice, "1.00", BudgetScope.PROJECT, borea.pk)
    with tenant_scope(alice.pk):
        with pytest.raises(PermissionRefused):
            budgets(actor=viewer, tenant_id=alice.pk, now=make.NOW)
        seen = budgets(actor=narrow, tenant_id=alice.pk, now=make.NOW)
        assert [one.id for one in seen] == [mine.pk]
        with pytest.raises(NotFound):
            remove_budget(actor=narrow, tenant_id=alice.pk, budget_id=other.pk, now=make.NOW)
        with pytest.raises(NotFound):
            set_budget(
                actor=narrow,
                tenant_id=alice.pk,
                scope=BudgetScope.TENANT,
                subject=None,
                amount=D(1),
                now=make.NOW,
            )


def _refused(change: Callable[[], object]) -> None:
    with pytest.raises((IntegrityError, DatabaseError)), operator_scope(), transaction.atomic():
        change()


def test_the_database_refuses_what_the_commands_would_not_do(
    alice: Organisation, bob: Organisation, prices: PriceVersion, atlas: Project
) -> None:
    row = budget(alice, "1.00", BudgetScope.PROJECT, atlas.pk)
    at = {"created_at": make.NOW, "changed_at": make.NOW, "name": "x"}

    def insert(**fields: object) -> Callable[[], object]:
        said = {"tenant": alice, "scope": "tenant", "amount": D(1), **at, **fields}
        return lambda: Budget.objects.create(**said)

    def update(**fields: object) -> Callable[[], object]:
        return lambda: Budget.objects.filter(pk=row.pk).update(**fields)

    for change in (
        update(amount=0),
        update(stops_running=True),
        update(project=None),
        update(scope="tenant", project=None),
        lambda: Budget.objects.filter(pk=row.pk).delete(),
        insert(scope="project"),
        insert(scope="tenant", project=atlas),
        insert(scope="project", project=atlas),
        insert(tenant=bob, scope="project", project=atlas),
        insert(workload_id=uuid7()),
        insert(scope="deployment", deployment_id=uuid7()),
        insert(scope="centre"),
    ):
        _refused(change)
    with operator_scope():
        assert Budget.objects.get().amount == D("1.00")


def test_the_database_tells_a_threshold_once_and_only_where_it_is_reached(
    alice: Organisation, prices: PriceVersion
) -> None:
    row = budget(alice, "3.60")
    ingest(alice, make.cards("c", 3600))
    counted(alice)
    with operator_scope():
        first = BudgetAlert.objects.get(threshold=100)
    said = {
        "tenant": alice,
        "budget": row,
        "month_start": first.month_start,
        "amount": D("3.60"),
        "at": make.NOW,
    }
    _refused(lambda: BudgetAlert.objects.create(threshold=100, spent=D("3.60"), **said))
    said["month_start"] = MONTH_AFTER
    _refused(lambda: BudgetAlert.objects.create(threshold=100, spent=D("3.59"), **said))
    _refused(lambda: BudgetAlert.objects.create(threshold=60, spent=D("3.60"), **said))
    _refused(lambda: BudgetAlert.objects.filter(pk=first.pk).update(spent=0))
    _refused(lambda: BudgetAlert.objects.filter(pk=first.pk).delete())
    with operator_scope():
        assert BudgetAlert.objects.count() == 3


def test_a_removed_budget_stays_as_it_was(alice: Organisation) -> None:
    row = budget(alice)
    with tenant_scope(alice.pk):
        remove_budget(actor=SYSTEM, tenant_id=alice.pk, budget_id=row.pk, now=make.NOW)
        with pytest.raises(NotFound):
            remove_budget(actor=SYSTEM, tenant_id=alice.pk, budget_id=row.pk, now=make.NOW)
    _refused(lambda: Budget.objects.filter(pk=row.pk).update(removed_at=None))
    # Its subject may have another.
    assert budget(alice, "20.00").pk != row.pk


def test_accrual_costs_one_statement_without_budgets_and_few_with_many(
    alice: Organisation, prices: PriceVersion, atlas: Project, borea: Project
) -> None:
    ingest(alice, make.tokens("a", 1_000_000, project_id=atlas.pk))

    def cost() -> int:
        with tenant_scope(alice.pk), CaptureQueriesContext(connection) as told:
            accrue(tenant_id=alice.pk, now=make.NOW)
        return len(told)

    cost()
    without = cost()
    budget(alice, "100000.00")
    with_whole = cost()
    budget(alice, "100000.00", BudgetScope.PROJECT, atlas.pk)
    with_part = cost()
    budget(alice, "100000.00", BudgetScope.PROJECT, borea.pk)
    for _number in range(5):
        row, _secret = key(alice)
        budget(alice, "100000.00", BudgetScope.KEY, row.pk)
    # The invoiced sum and the month's rows; then the open and the invoiced parts.
    assert (with_whole - without, with_part - with_whole, cost()) == (2, 2, with_part)


uses = st.lists(
    st.tuples(
        st.integers(1, 5_000_000),
        st.sampled_from(["atlas", "borea", ""]),
        st.integers(0, 20),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, deadline=None)
@given(uses=uses, cut=st.integers(0, 8))
def test_the_whole_budget_is_the_draft_and_what_was_invoiced_and_its_projects_add_up(
    uses: list[tuple[int, str, int, bool]], cut: int
) -> None:
    with transaction.atomic():
        _check_sums(uses, cut)
        transaction.set_rollback(True)


def _check_sums(uses: list[tuple[int, str, int, bool]], cut: int) -> None:
    alice = make.make_tenant(f"alice-{uuid7().hex[-8:]}")
    make.make_prices()
    with operator_scope():
        projects = {
            code: Project.objects.create(tenant=alice, code=code, name=code).pk
            for code in ("atlas", "borea")
        }
    rows = [
        budget(alice, "1000000.00"),
        *(budget(alice, "1000000.00", BudgetScope.PROJECT, pk) for pk in projects.values()),
    ]
    events: list[UsageEvent] = [
        make.tokens(
            f"e{number}",
            quantity,
            make.NOW - make.HOUR * back,
            meter="test.tokens_out" if out else "test.tokens_in",
            project_id=projects.get(project),
        )
        for number, (quantity, project, back, out) in enumerate(uses)
    ]
    invoiced = D(0)
    if events[:cut]:
        ingest(alice, *events[:cut])
        invoiced = issue(alice).net
    ingest(alice, *events[cut:])
    counted(alice)
    with tenant_scope(alice.pk):
        open_net = draft(tenant_id=alice.pk, until=make.NOW).net
    whole, *parts = (spent(row) for row in rows)
    assert whole == open_net + invoiced
    if all(project for _quantity, project, _back, _out in uses):
        assert abs(sum(parts) - whole) <= D("0.00001")
    else:
        assert sum(parts) <= whole + D("0.00001")
    with operator_scope():
        assert BudgetMonth.objects.filter(tenant=alice).count() == len(rows)
