"""Endpoints of a tenant in arrears: stopped last, started again once when it has paid."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from appliances.commands import interruptions, progress
from appliances.models import Deployment, DeploymentState, Interruption
from appliances.queries.interruptions import tenants_to_obey
from billing.commands.arrears import reassess
from billing.commands.wallet import top_up
from billing.models import Account
from billing.queries.arrears import InGrace
from compute.commands import freezing
from compute.engines import WorkloadState
from compute.models import Workload
from tenants.models import AuditEntry, Notice
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.appliances import (
    NOW,
    Customer,
    catalogue_on_sale,
    customer,
    deployed,
    engine_says,
    pool,
)

pytestmark = pytest.mark.django_db

S = DeploymentState
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
UNTIL = NOW + 6 * DAY


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale("small-chat")
    pool()
    return customer("alice")


def ready(who: Customer, **fields: object) -> Deployment:
    made = deployed(who, until=UNTIL, **fields)
    engine_says(made, WorkloadState.RUNNING, endpoint="http://127.0.0.1:9", started_at=NOW)
    with operator_scope():
        progress.look(actor=SYSTEM, deployment_id=made.pk, now=NOW)
    return made


def owes(who: Customer, amount: str = "100050") -> None:
    with operator_scope():
        Account.objects.filter(tenant_id=who.organisation.pk).update(unbilled=Decimal(amount))


def assess(who: Customer, at: datetime) -> None:
    with tenant_scope(who.organisation.pk):
        reassess(tenant_id=who.organisation.pk, now=at)


def both_obey(who: Customer, at: datetime) -> None:
    """What the two sweeps have done for the tenant at an instant, said in English."""
    for obey in (freezing.obey, interruptions.obey):
        with translation.override("en"), tenant_scope(who.organisation.pk):
            obey(tenant_id=who.organisation.pk, now=at)


def frozen(who: Customer) -> datetime:
    """In retention, with the notice over: deployments are being stopped."""
    owes(who)
    assess(who, NOW)
    assess(who, NOW + DAY)
    for minutes in (0, 10, 11):
        both_obey(who, NOW + DAY + minutes * MINUTE)
    return NOW + DAY + 11 * MINUTE


def ended(made: Deployment, at: datetime) -> None:
    engine_says(made, WorkloadState.ENDED, now=at, ended_at=at)
    with operator_scope():
        progress.look(actor=SYSTEM, deployment_id=made.pk, now=at)
    assert stored(made).state == S.STOPPED


def pays(who: Customer, at: datetime, amount: str = "200000") -> None:
    with operator_scope():
        top_up(
            actor=SYSTEM,
            tenant_id=who.organisation.pk,
            amount=Decimal(amount),
            key=f"{at}",
            reference="slip",
            now=at,
        )


def stored(made: Deployment) -> Deployment:
    with operator_scope():
        return Deployment.objects.get(pk=made.pk)


def interrupted() -> list[str]:
    with operator_scope():
        return [row.state for row in Interruption.objects.order_by("pk")]


def names() -> list[tuple[str, str]]:
    with operator_scope():
        rows = Deployment.objects.order_by("created_at", "pk")
        return [(row.name, row.state) for row in rows]


def told(kind: str) -> list[str]:
    with operator_scope():
        return [row.detail["name"] for row in Notice.objects.filter(kind=kind)]


def test_in_grace_a_deployment_runs_on_and_no_other_can_be_made(alice: Customer) -> None:
    made = ready(alice)
    owes(alice)
    assess(alice, NOW)
    before = names()
    with pytest.raises(InGrace):
        deployed(alice, name="second")
    both_obey(alice, NOW + MINUTE)
    assert names() == before
    assert stored(made).state == S.STARTING


def test_endpoints_are_stopped_after_the_jobs_and_start_again_once_after_payment(
    alice: Customer,
) -> None:
    made = ready(alice)
    owes(alice)
    assess(alice, NOW)
    assess(alice, NOW + DAY)
    for minutes in (0, 9, 10):
        both_obey(alice, NOW + DAY + minutes * MINUTE)
        assert stored(made).state == S.STARTING
    at = NOW + DAY + 11 * MINUTE
    both_obey(alice, at)
    assert (stored(made).state, stored(made).reason) == (
        S.STOPPING,
        "Stopped: the account is in arrears.",
    )
    ended(made, at)
    assert interrupted() == ["waiting"]
    pays(alice, at + MINUTE)
    both_obey(alice, at + 2 * MINUTE)
    both_obey(alice, at + 3 * MINUTE)
    assert names() == [("chat", S.STOPPED), ("chat", S.REQUESTED)]
    with operator_scope():
        row = Interruption.objects.get()
        again = Deployment.objects.get(state=S.REQUESTED)
        assert (row.state, row.resumed_as_id) == ("resumed", again.pk)
        assert (again.until, again.served_model_name) == (UNTIL, made.served_model_name)
        assert AuditEntry.objects.filter(action="appliances.interruption.resumed").count() == 1
    assert told("deployment.resumed") == ["chat"]


def test_a_deployment_that_is_still_stopping_starts_again_when_it_has_stopped(
    alice: Customer,
) -> None:
    made = ready(alice)
    at = frozen(alice)
    pays(alice, at)
    both_obey(alice, at + MINUTE)
    assert names() == [("chat", S.STOPPING)]
    with operator_scope():
        assert list(tenants_to_obey()) == [alice.organisation.pk]
    ended(made, at + 2 * MINUTE)
    both_obey(alice, at + 3 * MINUTE)
    assert names() == [("chat", S.STOPPED), ("chat", S.REQUESTED)]


def test_without_the_cards_the_tenant_is_told_why_and_nothing_is_tried_again(
    alice: Customer,
) -> None:
    made = ready(alice)
    at = frozen(alice)
    ended(made, at)
    bob = customer("bob", money="10000000")
    for number in range(4):
        deployed(bob, name=f"taken-{number}", now=at, until=UNTIL)
    before = names()
    pays(alice, at)
    both_obey(alice, at + MINUTE)
    both_obey(alice, at + 2 * MINUTE)
    assert (names(), interrupted()) == (before, ["failed"])
    assert told("deployment.resume_failed") == ["chat"]
    with operator_scope():
        assert list(tenants_to_obey()) == []


def test_what_would_have_ended_by_now_is_not_started_again(alice: Customer) -> None:
    made = ready(alice)
    at = frozen(alice)
    ended(made, at)
    pays(alice, UNTIL)
    both_obey(alice, UNTIL)
    assert (names(), interrupted()) == ([("chat", S.STOPPED)], ["failed"])


def test_what_was_given_up_is_not_started_again(alice: Customer) -> None:
    made = ready(alice)
    at = frozen(alice)
    ended(made, at)
    assess(alice, NOW + 14 * DAY)
    both_obey(alice, NOW + 14 * DAY)
    assert interrupted() == ["given_up"]
    pays(alice, NOW + 15 * DAY)
    both_obey(alice, NOW + 15 * DAY)
    assert (names(), told("deployment.resumed")) == ([("chat", S.STOPPED)], [])


def test_a_payment_that_came_first_keeps_the_endpoint_running(alice: Customer) -> None:
    made = ready(alice)
    owes(alice)
    assess(alice, NOW)
    assess(alice, NOW + DAY)
    for minutes in (0, 10):
        both_obey(alice, NOW + DAY + minutes * MINUTE)
    at = NOW + DAY + 11 * MINUTE
    with tenant_scope(alice.organisation.pk):
        freezing.obey(tenant_id=alice.organisation.pk, now=at)
    # Compute says frozen; the money comes before the endpoints' turn.
    pays(alice, at)
    with tenant_scope(alice.organisation.pk):
        interruptions.obey(tenant_id=alice.organisation.pk, now=at)
    assert (stored(made).state, interrupted()) == (S.STARTING, [])


def test_one_that_the_tenant_stopped_itself_stays_stopped(alice: Customer) -> None:
    made = ready(alice)
    with operator_scope():
        Workload.objects.filter(pk=made.workload_id).update(state="stopped", ended_at=NOW)
        progress.look(actor=SYSTEM, deployment_id=made.pk, now=NOW)
    at = frozen(alice)
    pays(alice, at)
    both_obey(alice, at)
    assert (names(), interrupted()) == ([("chat", S.STOPPED)], [])
