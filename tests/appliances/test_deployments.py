"""A deployment's life: asked for, placed, ready, degraded, stopped or failed with the reason."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import translation

from appliances.commands import progress
from appliances.commands.deployments import (
    DeploymentMoveRefused,
    ModelNameTaken,
    NotOnThisChip,
    deploy,
    retry,
    stop,
)
from appliances.fit import Answer
from appliances.models import BILLED_STATES, TRANSITIONS, Deployment, DeploymentState
from appliances.probing import ProbeOutcome
from appliances.queries import deployments as queries
from appliances.queries.catalogue import one_on_sale
from appliances.queries.fit import verdicts
from appliances.queries.routes import route_snapshot
from common.errors import InvalidInput, NotFound
from common.period import Period
from compute.commands.activation import claim_reservation, record_activated
from compute.commands.claims import NotEnoughCapacity
from compute.commands.reservations import approve, hold, submit
from compute.commands.workload_driving import claim_workload
from compute.engines import ReservationObservation, WorkloadState
from compute.models import Reservation, Workload
from tenants.models import AuditEntry
from tenants.permissions import SYSTEM, PermissionRefused
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
ENDPOINT = "http://127.0.0.1:9001"
WELL = ProbeOutcome(well=True)
UNWELL = ProbeOutcome(well=False, detail="/health answered HTTP 500")


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale()
    pool()
    return customer("alice")


def look(deployment: Deployment, after: timedelta = timedelta(0)) -> progress.Look:
    with operator_scope():
        seen = progress.look(actor=SYSTEM, deployment_id=deployment.pk, now=NOW + after)
    assert seen is not None
    return seen


def probed(
    deployment: Deployment, outcome: ProbeOutcome, after: timedelta = timedelta(0)
) -> DeploymentState | None:
    with operator_scope():
        return progress.record_probe(
            actor=SYSTEM, deployment_id=deployment.pk, outcome=outcome, now=NOW + after
        )


def stored(deployment: Deployment) -> Deployment:
    with operator_scope():
        return Deployment.objects.get(pk=deployment.pk)


def made_ready(deployment: Deployment) -> Deployment:
    engine_says(deployment, WorkloadState.RUNNING, endpoint=ENDPOINT, started_at=NOW)
    assert look(deployment).target is not None
    assert probed(deployment, WELL) is S.READY
    return stored(deployment)


def count() -> tuple[int, int]:
    with operator_scope():
        return Deployment.objects.count(), Workload.objects.count()


def test_a_deployment_asks_compute_for_the_model_server(alice: Customer) -> None:
    made = deployed(alice, "chat")
    assert (made.state, made.cards, made.chip) == (S.REQUESTED, 1, "nvidia-h20")
    assert made.served_model_name == "chat"
    assert made.until == NOW + timedelta(hours=24)
    with operator_scope():
        workload = Workload.objects.get(pk=made.workload_id)
        trail = AuditEntry.objects.filter(subject=f"appliances.deployment:{made.pk}")
        assert [entry.action for entry in trail] == ["appliances.deployment.requested"]
    assert workload.subject == f"appliances.deployment:{made.pk}"
    assert workload.argv[-2:] == ["--name", "chat"]
    assert (workload.tenant_id, workload.project_id) == (made.tenant_id, made.project_id)


def test_it_becomes_ready_only_when_its_model_answers(alice: Customer) -> None:
    made = deployed(alice)
    assert look(made).state is S.REQUESTED
    with operator_scope():
        assert made.workload_id is not None
        claim_workload(workload_id=made.workload_id, now=NOW)
    assert look(made).state is S.PLACING
    engine_says(made, WorkloadState.PENDING, now=NOW + timedelta(minutes=2))
    assert look(made).state is S.STARTING
    engine_says(made, WorkloadState.RUNNING, started_at=NOW)
    seen = look(made)
    assert (seen.state, seen.target) == (S.STARTING, None), "no endpoint yet, so no one to ask"
    engine_says(made, WorkloadState.RUNNING, endpoint=ENDPOINT, started_at=NOW)
    seen = look(made)
    assert seen.target is not None
    assert (seen.target.endpoint, seen.target.model, seen.target.thorough) == (
        ENDPOINT,
        "chat",
        True,
    )
    assert probed(made, UNWELL) is S.STARTING
    assert route_snapshot() == ()
    assert probed(made, WELL, timedelta(seconds=5)) is S.READY
    ready = stored(made)
    assert (ready.ready_at, ready.reason) == (NOW + timedelta(seconds=5), "")
    (route,) = route_snapshot()
    assert (route.tenant_id, route.model, route.endpoint, route.api) == (
        alice.organisation.pk,
        "chat",
        ENDPOINT,
        "chat",
    )


def test_two_agreeing_failures_degrade_it_and_one_success_brings_it_back(alice: Customer) -> None:
    made = made_ready(deployed(alice))
    assert probed(made, UNWELL) is S.READY
    assert probed(made, WELL) is S.READY
    assert probed(made, UNWELL) is S.READY
    assert probed(made, UNWELL) is S.DEGRADED
    assert stored(made).reason == UNWELL.detail
    assert len(route_snapshot()) == 1, "a degraded model is still worth a try"
    assert probed(made, WELL, timedelta(minutes=1)) is S.READY
    assert stored(made).ready_at == NOW


def test_only_one_of_two_callers_probes(alice: Customer) -> None:
    made = deployed(alice)
    engine_says(made, WorkloadState.RUNNING, endpoint=ENDPOINT, started_at=NOW)
    assert look(made).target is not None
    assert look(made).target is None
    # Whoever held the lease was killed: it ends by itself.
    assert look(made, progress.PROBE_LEASE).target is not None


def test_a_failure_carries_the_engines_last_lines(alice: Customer) -> None:
    made = deployed(alice)
    engine_says(
        made,
        WorkloadState.FAILED,
        reason="It ended with code 1.",
        last_lines=("loading", "CUDA error: out of memory"),
        exit_code=1,
        ended_at=NOW,
    )
    assert look(made).state is S.FAILED
    failed = stored(made)
    assert failed.last_lines == "loading\nCUDA error: out of memory"
    assert failed.reason == "It ended with code 1."
    assert failed.ended_at == NOW
    assert look(made).target is None


def test_stopping_ends_the_workload_and_then_the_deployment(alice: Customer) -> None:
    made = made_ready(deployed(alice))
    with tenant_scope(alice.organisation.pk):
        assert stop(actor=alice.actor, deployment_id=made.pk, now=NOW).state == S.STOPPING
        assert stop(actor=alice.actor, deployment_id=made.pk, now=NOW).state == S.STOPPING
    assert route_snapshot() == ()
    assert look(made).state is S.STOPPING
    engine_says(made, WorkloadState.ENDED, exit_code=0, ended_at=NOW)
    assert look(made).state is S.STOPPED
    with tenant_scope(alice.organisation.pk), pytest.raises(DeploymentMoveRefused):
        stop(actor=alice.actor, deployment_id=made.pk, now=NOW)


def test_one_that_never_starts_is_given_up_and_says_so(alice: Customer) -> None:
    made = deployed(alice)
    engine_says(made, WorkloadState.RUNNING, endpoint=ENDPOINT, started_at=NOW)
    look(made)
    probed(made, UNWELL)
    late = progress.STARTING_LIMIT
    with translation.override("en"):
        assert look(made, late).state is S.STOPPING
    engine_says(made, WorkloadState.ENDED, now=NOW + late, exit_code=0)
    assert look(made, late).state is S.FAILED
    assert stored(made).reason == f"It was Starting for too long. The last look: {UNWELL.detail}"


def test_a_stop_that_takes_too_long_is_asked_again_and_not_given_up(alice: Customer) -> None:
    made = made_ready(deployed(alice))
    with tenant_scope(alice.organisation.pk):
        stop(actor=alice.actor, deployment_id=made.pk, now=NOW)
    assert look(made, timedelta(minutes=10)).state is S.STOPPING
    assert stored(made).deadline_at == NOW + timedelta(minutes=20)


def test_a_workload_stopped_by_others_ends_the_deployment_with_their_reason(
    alice: Customer,
) -> None:
    made = made_ready(deployed(alice))
    engine_says(made, WorkloadState.RUNNING, now=NOW + timedelta(hours=24), endpoint=ENDPOINT)
    assert look(made, timedelta(hours=24)).state is S.STOPPING
    assert stored(made).reason != ""


def test_a_model_name_has_one_live_deployment_in_a_tenant(alice: Customer) -> None:
    first = deployed(alice, "chat")
    before = count()
    with pytest.raises(ModelNameTaken):
        deployed(alice, "chat")
    assert count() == before
    bob = customer("bob")
    assert deployed(bob, "chat").served_model_name == "chat"
    second = Deployment(
        tenant_id=first.tenant_id,
        project_id=first.project_id,
        version_id=first.version_id,
        name="second",
        served_model_name="chat",
        pool_code="desk",
        chip="x",
        cards=1,
        until=NOW,
        created_at=NOW,
        state_at=NOW,
    )
    with operator_scope(), pytest.raises(IntegrityError, match="served_name_live"):
        second.save(force_insert=True)


def reserved(who: Customer, cards: int) -> Reservation:
    """A reservation of the pool's cards that is active, as its engine has said."""
    period = Period(NOW, NOW + timedelta(hours=3))
    with tenant_scope(who.organisation.pk):
        reservation = hold(
            actor=who.actor,
            project_id=who.project.pk,
            pool_code="desk",
            cards=cards,
            period=period,
            now=NOW,
        )
        submit(actor=who.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        approve(actor=SYSTEM, reservation_id=reservation.pk, now=NOW)
        claim_reservation(reservation_id=reservation.pk, now=NOW)
        seen = ReservationObservation(
            key=reservation.engine_key, nodes=("n1",), cards=cards, period=period, active=True
        )
        record_activated(reservation_id=reservation.pk, observation=seen, now=NOW)
    return reservation


def in_reservation(who: Customer, reservation: Reservation, name: str) -> Deployment:
    with tenant_scope(who.organisation.pk):
        return deploy(
            actor=who.actor,
            project_id=who.project.pk,
            appliance_code="small-chat",
            name=name,
            reservation_id=reservation.pk,
            now=NOW,
        )


def test_inside_a_reservation_its_cards_are_taken_and_no_others(alice: Customer) -> None:
    reservation = reserved(alice, cards=1)
    made = in_reservation(alice, reservation, "inside")
    assert (made.reservation_id, made.until, made.pool_code) == (reservation.pk, None, "desk")
    with operator_scope():
        workload = Workload.objects.get(pk=made.workload_id)
    assert (workload.reservation_id, workload.until) == (reservation.pk, reservation.ends_at)
    # The reservation is full now, and the pool's other three cards are of no help.
    before = count()
    with pytest.raises(NotEnoughCapacity):
        in_reservation(alice, reservation, "too-many")
    assert count() == before
    assert deployed(alice, "outside").reservation_id is None


def test_another_tenants_reservation_does_not_exist(alice: Customer) -> None:
    reservation = reserved(alice, cards=1)
    bob = customer("bob")
    before = count()
    with pytest.raises(NotFound):
        in_reservation(bob, reservation, "intruder")
    assert count() == before


def test_a_name_in_any_script_serves_under_the_appliances_code(alice: Customer) -> None:
    assert deployed(alice, "客服 🚀").served_model_name == "small-chat"


def test_no_free_card_refuses_the_deployment_and_changes_nothing(alice: Customer) -> None:
    for number in range(4):
        deployed(alice, f"chat-{number}")
    before = count()
    with pytest.raises(NotEnoughCapacity):
        deployed(alice, "one-too-many")
    assert count() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"served_model_name": "--flag"},
        {"served_model_name": "a b"},
        {"replicas": 2},
        {"until": NOW},
        {"reservation_id": UUID(int=1)},
    ],
)
def test_input_that_cannot_be_is_refused(alice: Customer, fields: dict[str, object]) -> None:
    before = count()
    with pytest.raises(InvalidInput):
        deployed(alice, **{"name": "chat", **fields})  # type: ignore[arg-type]
    assert count() == before


def test_what_is_not_on_sale_or_not_for_the_chip_cannot_be_deployed(alice: Customer) -> None:
    pool("ascend", chip="ascend-910b3", engine="kubernetes")
    cases = (
        ("industry-medical", "desk", NotFound),
        ("nothing", "desk", NotFound),
        ("small-chat", "nowhere", NotFound),
        ("small-chat", "ascend", NotOnThisChip),
        ("edge-mini", "ascend", NotOnThisChip),
    )
    before = count()
    for code, place, refusal in cases:
        with tenant_scope(alice.organisation.pk), pytest.raises(refusal):
            deploy(
                actor=alice.actor,
                project_id=alice.project.pk,
                appliance_code=code,
                name="x",
                pool_code=place,
                now=NOW,
            )
    assert count() == before


def test_a_stranger_sees_and_touches_nothing(alice: Customer) -> None:
    made = deployed(alice)
    charlie = customer("charlie")
    with tenant_scope(charlie.organisation.pk):
        with pytest.raises(NotFound):
            queries.one(actor=charlie.actor, deployment_id=made.pk)
        with pytest.raises(NotFound):
            stop(actor=charlie.actor, deployment_id=made.pk, now=NOW)
        assert queries.page(actor=charlie.actor).items == ()
        with pytest.raises(NotFound):
            deploy(
                actor=charlie.actor,
                project_id=alice.project.pk,
                appliance_code="small-chat",
                name="x",
                pool_code="desk",
                now=NOW,
            )
    assert stored(made).state == S.REQUESTED


def test_a_deployment_cannot_point_at_another_tenants_workload(alice: Customer) -> None:
    made = deployed(alice)
    bob = customer("bob")
    theirs = deployed(bob, "theirs")
    with operator_scope():
        Deployment.objects.filter(pk=made.pk).update(workload_id=None)
        with pytest.raises(DatabaseError, match="workload_id_tenant_fk"), transaction.atomic():
            Deployment.objects.filter(pk=theirs.pk).update(workload_id=made.workload_id)


def test_a_viewer_may_look_and_not_deploy(alice: Customer) -> None:
    viewer = customer("viewer", role="viewer")
    with pytest.raises(PermissionRefused):
        deployed(viewer)


def test_a_failed_one_is_tried_again_as_a_new_one(alice: Customer) -> None:
    made = deployed(alice)
    with tenant_scope(alice.organisation.pk), pytest.raises(DeploymentMoveRefused):
        retry(actor=alice.actor, deployment_id=made.pk, now=NOW)
    engine_says(made, WorkloadState.FAILED, exit_code=1)
    look(made)
    with tenant_scope(alice.organisation.pk):
        again = retry(actor=alice.actor, deployment_id=made.pk, now=NOW)
    assert again.pk != made.pk
    assert (again.state, again.served_model_name) == (S.REQUESTED, "chat")


def test_every_state_says_whether_it_is_billed_and_ends_are_final() -> None:
    assert {S.STARTING, S.READY, S.DEGRADED, S.STOPPING} == BILLED_STATES
    assert set(TRANSITIONS) == set(S)
    assert TRANSITIONS[S.STOPPED] == TRANSITIONS[S.FAILED] == frozenset()


def test_every_pool_gets_a_verdict(alice: Customer) -> None:
    pool("ascend", chip="ascend-910b3", engine="kubernetes")
    pool("slurm", chip="ascend-910b3", engine="slurm")
    with operator_scope():
        small = verdicts(one_on_sale(actor=alice.actor, code="small-chat"))
        large = verdicts(one_on_sale(actor=alice.actor, code="qa-standard"))
    assert {row.pool.code: row.verdict.answer for row in small} == {
        "ascend": Answer.UNKNOWN,
        "desk": Answer.FITS,
        "slurm": Answer.FITS,
    }
    assert {row.pool.code: (row.verdict.cards, row.sessions) for row in large} == {
        "ascend": (2, 43),
        "desk": (1, 51),
        "slurm": (2, 43),
    }
