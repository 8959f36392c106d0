"""What the gateway reads from the product, and what billing gets of its calls."""

from datetime import timedelta

import pytest
from django.db.models import Sum

from appliances.commands import progress
from appliances.models import Deployment
from appliances.probing import ProbeOutcome
from billing.models import RejectedEvent, UsageBucket, UsageEvent
from common.clock import utc_now
from common.ids import uuid7
from compute.engines import WorkloadState
from portal.gateway.domain import bill, take_snapshot
from portal.gateway.spool import CallRecord
from tenants.commands.keys import revoke_key
from tenants.commands.organisations import suspend
from tenants.models import Organisation
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
from tests.factories.tenants import key

pytestmark = pytest.mark.django_db

ENDPOINT = "http://127.0.0.1:9001"


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale()
    pool()
    return customer("alice")


def ready(who: Customer) -> Deployment:
    made = deployed(who)
    engine_says(made, WorkloadState.RUNNING, endpoint=ENDPOINT, started_at=NOW)
    with operator_scope():
        progress.look(actor=SYSTEM, deployment_id=made.pk, now=NOW)
        progress.record_probe(
            actor=SYSTEM, deployment_id=made.pk, outcome=ProbeOutcome(well=True), now=NOW
        )
    return made


def record(made: Deployment, **fields: object) -> CallRecord:
    given: dict[str, object] = {
        "id": uuid7(),
        "at": utc_now(),
        "tenant_id": made.tenant_id,
        "project_id": made.project_id,
        "key_id": uuid7(),
        "deployment_id": made.pk,
        "model": "chat",
        "tokens_in": 7,
        "tokens_out": 3,
        "reported": True,
        "partial": False,
    }
    return CallRecord(**{**given, **fields})  # type: ignore[arg-type]


def counted() -> dict[str, int]:
    with operator_scope():
        rows = UsageBucket.objects.values("series__meter").annotate(sum=Sum("quantity"))
        return {row["series__meter"]: row["sum"] for row in rows}


def test_a_snapshot_holds_keys_routes_and_who_may_spend(alice: Customer) -> None:
    made = ready(alice)
    row, secret = key(alice.organisation, requests_per_minute=5)
    taken = take_snapshot()
    grant = taken.grant_for(secret.encode())
    assert grant is not None
    assert (grant.key_id, grant.tenant_id) == (row.pk, alice.organisation.pk)
    assert (grant.project_id, grant.requests_per_minute) == (None, 5)
    target = taken.targets[(alice.organisation.pk, "chat")]
    assert (target.deployment_id, target.endpoint) == (made.pk, ENDPOINT)
    assert alice.organisation.pk in taken.spenders


def test_a_revoked_key_and_a_suspended_tenant_are_gone_from_the_next_one(alice: Customer) -> None:
    row, secret = key(alice.organisation)
    bob = customer("bob")
    _, bobs = key(bob.organisation)
    with operator_scope():
        revoke_key(actor=SYSTEM, tenant_id=alice.organisation.pk, key_id=row.pk, now=utc_now())
        suspend(actor=SYSTEM, tenant_id=bob.organisation.pk, reason="unpaid")
    taken = take_snapshot()
    assert taken.grant_for(secret.encode()) is None
    assert taken.grant_for(bobs.encode()) is None


def test_a_tenant_without_funds_may_not_spend(alice: Customer) -> None:
    with operator_scope():
        broke = Organisation.objects.create(code="broke", name="Broke")
    spenders = take_snapshot().spenders
    assert alice.organisation.pk in spenders
    assert broke.pk not in spenders


def test_calls_are_billed_once_however_often_they_are_handed_over(alice: Customer) -> None:
    made = ready(alice)
    given = [record(made), record(made, tokens_out=0), record(made, partial=True)]
    assert bill(given) == []
    assert bill(given) == []
    assert bill(list(reversed(given))) == []
    assert counted() == {"appliances.tokens_in": 21, "appliances.tokens_out": 6}
    with operator_scope():
        assert UsageEvent.objects.filter(tenant_id=made.tenant_id).count() == 5


def test_what_a_person_must_know_of_a_count_stands_in_the_events_id(alice: Customer) -> None:
    made = ready(alice)
    call = record(made, reported=False, partial=True, tokens_in=0)
    bill([call])
    with operator_scope():
        (event,) = UsageEvent.objects.filter(tenant_id=made.tenant_id)
    assert event.event_id == f"{call.id}:out:estimated:partial"
    assert event.source == "gateway"
    assert event.subject == f"appliances.deployment:{made.pk}"


def test_calls_of_several_tenants_reach_each_ones_own_account(alice: Customer) -> None:
    bob = customer("bob")
    alices, bobs = ready(alice), ready(bob)
    assert bill([record(alices), record(bobs, tokens_in=100), record(alices)]) == []
    with tenant_scope(bob.organisation.pk):
        events = UsageEvent.objects.all()
        assert sorted(event.quantity for event in events) == [3, 100]


def test_one_call_that_billing_refuses_does_not_hold_up_the_others(alice: Customer) -> None:
    made = ready(alice)
    good, bad = record(made), record(made, project_id=uuid7())
    refused = bill([bad, good])
    assert {call.id for call, _ in refused} == {bad.id}
    assert counted() == {"appliances.tokens_in": 7, "appliances.tokens_out": 3}
    with operator_scope():
        assert RejectedEvent.objects.count() == 2


def test_a_call_from_a_clock_that_runs_ahead_is_refused_and_named(alice: Customer) -> None:
    made = ready(alice)
    ahead = record(made, at=utc_now() + timedelta(days=2))
    assert {code for _, code in bill([ahead])} != {""}
    assert counted() == {}
