"""A reservation's life, step by step."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.commands.holds import InsufficientFunds
from billing.models import Hold
from billing.queries.wallet import standing
from common.errors import DomainError, InvalidInput, NotFound
from common.period import Period
from compute.commands import activation
from compute.commands.claims import NotEnoughCapacity
from compute.commands.holding import TooManyUnused, expire_holds
from compute.commands.reservation_moves import ReservationMoved
from compute.commands.reservations import (
    HoldExpired,
    approve,
    cancel,
    end_now,
    hold,
    reject,
    submit,
)
from compute.models import Claim, Reservation, ReservationPolicy, ReservationState
from compute.queries.invariants import breaches
from compute.queries.profiles import steps_of
from compute.queries.sale import PoolNotSold
from compute.tasks import accrue_reserved, drive_reservation, sweep
from tenants.models import AuditEntry
from tenants.permissions import PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool, make_tenant, operator
from tests.factories.fake_engine import WorkerKilled, world

pytestmark = pytest.mark.django_db

S = ReservationState


def held(tenant: Tenant, *, cards: int = 4, period: Period | None = None) -> Reservation:
    with tenant_scope(tenant.organisation.pk):
        return hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code="h20",
            cards=cards,
            period=period or hours(1, 3),
            now=NOW,
        )


def confirmed(tenant: Tenant, **asked: object) -> Reservation:
    reservation = held(tenant, **asked)  # type: ignore[arg-type]
    with tenant_scope(tenant.organisation.pk):
        submit(actor=tenant.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        return approve(actor=operator(), reservation_id=reservation.pk, now=NOW)


def now_is(reservation: Reservation) -> Reservation:
    with operator_scope():
        return Reservation.objects.get(pk=reservation.pk)


def taken(start: int, end: int) -> list[int]:
    with operator_scope():
        profile = Reservation.objects.select_related("pool").first().pool.profile_id  # type: ignore[union-attr]
        return [step.taken for step in steps_of([profile], hours(start, end))[profile]]


def test_a_hold_takes_cards_at_a_quoted_price_for_ten_minutes(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    assert reservation.state == S.HELD
    assert reservation.hold_expires_at == NOW + timedelta(minutes=10)
    # Two hours of four cards at 70 % of 7.50, plus 6 % tax.
    assert (reservation.net, reservation.tax) == (Decimal("42.00"), Decimal("2.52"))
    assert reservation.gross == Decimal("44.52")
    assert taken(0, 4) == [0, 4, 0]
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
        assert AuditEntry.objects.filter(action="compute.reservation.held").count() == 1


def test_submitting_sets_the_whole_price_aside_once(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(alice.organisation.pk):
        for _again in range(2):
            moved = submit(actor=alice.actor, reservation_id=reservation.pk, now=NOW)
            assert moved.state == S.AWAITING_APPROVAL
        assert standing(alice.organisation.pk).held == Decimal("44.52")


def test_without_funds_a_submission_changes_nothing(catalogue: None) -> None:
    poor = make_tenant("poor", money="10")
    make_pool()
    reservation = held(poor)
    with tenant_scope(poor.organisation.pk), pytest.raises(InsufficientFunds):
        submit(actor=poor.actor, reservation_id=reservation.pk, now=NOW)
    assert now_is(reservation).state == S.HELD
    with operator_scope():
        assert standing(poor.organisation.pk).held == 0


def test_a_hold_that_ran_out_cannot_be_submitted_and_is_swept(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    late = NOW + timedelta(minutes=10)
    with tenant_scope(alice.organisation.pk), pytest.raises(HoldExpired):
        submit(actor=alice.actor, reservation_id=reservation.pk, now=late)
    assert expire_holds(now=late - timedelta(seconds=1)) == 0
    assert expire_holds(now=late) == 1
    assert expire_holds(now=late) == 0
    assert now_is(reservation).state == S.EXPIRED
    assert taken(0, 4) == [0]
    with operator_scope():
        assert Claim.objects.get().booked.upper == NOW + 3 * HOUR


def test_the_next_taker_of_the_pool_does_not_wait_for_the_sweeper(
    alice: Tenant, bob: Tenant
) -> None:
    make_pool(cards=4)
    first = held(alice)
    with tenant_scope(bob.organisation.pk):
        second = hold(
            actor=bob.actor,
            project_id=bob.project.pk,
            pool_code="h20",
            cards=4,
            period=hours(1, 3),
            now=NOW + timedelta(minutes=11),
        )
        assert second.state == S.HELD
    assert now_is(first).state == S.EXPIRED


def test_a_refusal_names_the_next_free_times(alice: Tenant, bob: Tenant) -> None:
    make_pool(cards=8)
    held(alice, cards=6, period=hours(1, 3))
    held(alice, cards=6, period=hours(5, 6))
    with pytest.raises(NotEnoughCapacity) as refused:
        held(bob, cards=4, period=hours(1, 3))
    assert refused.value.params["free"] == 2
    assert refused.value.params["next_free"] == (NOW + 3 * HOUR, NOW + 6 * HOUR)
    assert "2" in str(refused.value)
    with operator_scope():
        assert Reservation.objects.filter(tenant=bob.organisation).count() == 0


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (-HOUR, HOUR, "in_the_past"),
        (HOUR + timedelta(seconds=1), 2 * HOUR, "not_a_minute"),
        (HOUR, 2 * HOUR + timedelta(microseconds=1), "not_a_minute"),
        (HOUR, HOUR + timedelta(days=366, minutes=1), "too_long"),
        (timedelta(days=180, minutes=1), timedelta(days=181), "too_far_ahead"),
    ],
)
def test_an_absurd_period_is_refused(
    alice: Tenant, start: timedelta, end: timedelta, code: str
) -> None:
    make_pool()
    with pytest.raises(InvalidInput) as refused:
        held(alice, period=Period(NOW + start, NOW + end))
    assert [error.code for error in refused.value.errors] == [code]
    with operator_scope():
        assert Claim.objects.count() == 0


@pytest.mark.parametrize("cards", [0, -1, 10**9])
def test_an_absurd_number_of_cards_is_refused(alice: Tenant, cards: int) -> None:
    make_pool()
    with pytest.raises(InvalidInput):
        held(alice, cards=cards)


def test_unused_reservations_are_capped_for_each_tenant(alice: Tenant, bob: Tenant) -> None:
    make_pool()
    with operator_scope():
        ReservationPolicy.objects.create(unused_per_tenant=2)
    held(alice, cards=1)
    confirmed(alice, cards=1)
    with pytest.raises(TooManyUnused):
        held(alice, cards=1)
    assert held(bob, cards=1).state == S.HELD


def test_a_chip_nobody_vouches_for_is_not_sold(alice: Tenant) -> None:
    make_pool(chip="hygon-z100")
    with pytest.raises(PoolNotSold):
        held(alice)


def test_a_viewer_cannot_hold_and_another_tenants_project_is_not_found(
    alice: Tenant, bob: Tenant
) -> None:
    make_pool()
    viewer = make_tenant("vera", role="viewer")
    with pytest.raises(PermissionRefused):
        held(viewer)
    with tenant_scope(bob.organisation.pk), pytest.raises(NotFound):
        hold(
            actor=bob.actor,
            project_id=alice.project.pk,
            pool_code="h20",
            cards=1,
            period=hours(1, 2),
            now=NOW,
        )


@pytest.mark.parametrize("act", [submit, cancel, end_now])
def test_another_tenants_reservation_is_not_found(alice: Tenant, bob: Tenant, act: object) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(bob.organisation.pk), pytest.raises(NotFound):
        act(actor=bob.actor, reservation_id=reservation.pk, now=NOW)  # type: ignore[operator]
    assert now_is(reservation).state == S.HELD


def test_a_tenant_cannot_approve(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(alice.organisation.pk), pytest.raises(PermissionRefused):
        approve(actor=alice.actor, reservation_id=reservation.pk, now=NOW)


def test_a_rejection_gives_cards_and_money_back(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(alice.organisation.pk):
        submit(actor=alice.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        for _again in range(2):
            reject(actor=operator(), reservation_id=reservation.pk, reason="no papers", now=NOW)
        assert standing(alice.organisation.pk).held == 0
        assert AuditEntry.objects.filter(action="compute.reservation.rejected").count() == 1
    assert now_is(reservation).reason == "no papers"
    assert taken(0, 4) == [0]


def test_what_has_been_cancelled_cannot_be_approved(alice: Tenant) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(alice.organisation.pk):
        submit(actor=alice.actor, reservation_id=reservation.pk, now=NOW)
        cancel(actor=alice.actor, reservation_id=reservation.pk, now=NOW)
        assert standing(alice.organisation.pk).held == 0
    with operator_scope(), pytest.raises(ReservationMoved):
        approve(actor=operator(), reservation_id=reservation.pk, now=NOW)
    assert now_is(reservation).state == S.CANCELLED
    assert taken(0, 4) == [0]


def test_it_activates_when_its_period_starts_and_ends_when_it_is_over(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    reservation = confirmed(alice)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.CONFIRMED

    clock.now = NOW + HOUR + timedelta(seconds=20)
    drive_reservation(reservation_id=str(reservation.pk))
    active = now_is(reservation)
    assert (active.state, active.activated_at) == (S.ACTIVE, clock.now)
    assert list(world("h20").reservations) == [f"acp-r-{reservation.pk.hex}"]
    assert active.engine_nodes == ["n1"]

    clock.now = NOW + 3 * HOUR + timedelta(seconds=5)
    drive_reservation(reservation_id=str(reservation.pk))
    ended = now_is(reservation)
    assert (ended.state, ended.ended_at) == (S.ENDED, NOW + 3 * HOUR)
    assert world("h20").reservations == {}


def test_every_hour_is_charged_once_and_the_money_set_aside_shrinks(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    reservation = confirmed(alice)
    clock.now = NOW + HOUR + timedelta(minutes=30)
    drive_reservation(reservation_id=str(reservation.pk))
    clock.now = NOW + 2 * HOUR + timedelta(minutes=1)
    for _again in range(2):
        accrue_reserved()
    assert now_is(reservation).accrued_until == NOW + 2 * HOUR
    with operator_scope():
        # Half an hour of two is charged: three quarters of the price stay set aside.
        assert standing(alice.organisation.pk).held == Decimal("33.39")
    clock.now = NOW + 3 * HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    for _again in range(2):
        accrue_reserved()
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
        assert _charged(alice) == {"compute.reserved_card_seconds": 4 * 5400}


def _charged(tenant: Tenant) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.meter, sum(b.quantity) FROM billing_usagebucket b"
            " JOIN billing_series s ON s.id = b.series_id GROUP BY 1"
        )
        return {meter: int(total) for meter, total in cursor.fetchall()}


def test_an_engine_that_does_not_answer_is_asked_again_and_attention_is_asked_for(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    reservation = confirmed(alice)
    world("h20").unavailable = True
    clock.now = NOW + HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.ACTIVATING
    assert now_is(reservation).attention == ""
    drive_reservation(reservation_id=str(reservation.pk))
    assert world("h20").calls == ["ensure_project"]
    clock.now += timedelta(minutes=16)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).attention == "connection refused"
    world("h20").unavailable = False
    clock.now += timedelta(minutes=2)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.ACTIVE
    assert now_is(reservation).attention == ""


def test_an_engine_that_refuses_fails_it_and_nothing_is_charged(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    reservation = confirmed(alice)
    world("h20").refused = "nodes are busy"
    clock.now = NOW + HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    failed = now_is(reservation)
    assert (failed.state, failed.reason) == (S.FAILED, "nodes are busy")
    assert taken(1, 4) == [0]
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
        assert Hold.objects.get().state == "released"


def test_one_that_could_never_be_activated_fails_at_its_end(alice: Tenant, clock: Clock) -> None:
    make_pool()
    reservation = confirmed(alice)
    clock.now = NOW + 3 * HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.FAILED
    assert world("h20").calls == []


@pytest.mark.parametrize(("percent", "charged"), [(100, 8 * 3600), (50, 6 * 3600), (0, 4 * 3600)])
def test_ending_early_frees_the_cards_and_charges_what_the_policy_says(
    alice: Tenant, clock: Clock, percent: int, charged: int
) -> None:
    with operator_scope():
        ReservationPolicy.objects.create(early_end_percent=percent)
    make_pool()
    reservation = confirmed(alice)
    clock.now = NOW + HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    early = NOW + 2 * HOUR
    with tenant_scope(alice.organisation.pk):
        ending = end_now(actor=alice.actor, reservation_id=reservation.pk, now=early)
        assert ending.state == S.ENDING
    clock.now = early + timedelta(seconds=3)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).ended_at == early
    assert taken(0, 4) == [0, 4, 0]
    accrue_reserved()
    with operator_scope():
        assert _charged(alice) == {"compute.reserved_card_seconds": charged}
        assert standing(alice.organisation.pk).held == 0
    accrue_reserved()
    with operator_scope():
        assert _charged(alice) == {"compute.reserved_card_seconds": charged}


def test_a_request_nobody_answered_lapses_with_its_period(alice: Tenant, clock: Clock) -> None:
    make_pool()
    reservation = held(alice)
    with tenant_scope(alice.organisation.pk):
        submit(actor=alice.actor, reservation_id=reservation.pk, now=NOW)
    clock.now = NOW + 3 * HOUR
    sweep()
    assert now_is(reservation).state == S.EXPIRED
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0


def test_a_suspended_tenant_takes_nothing_new(alice: Tenant) -> None:
    make_pool()
    with operator_scope():
        type(alice.organisation).objects.filter(pk=alice.organisation.pk).update(state="suspended")
    with pytest.raises(DomainError) as refused:
        held(alice)
    assert refused.value.code == "tenant_not_active"


def test_a_worker_killed_after_the_engines_yes_makes_no_second_reservation(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    reservation = confirmed(alice)
    world("h20").dies_after_accepting = True
    clock.now = NOW + HOUR
    with pytest.raises(WorkerKilled):
        drive_reservation(reservation_id=str(reservation.pk))
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.ACTIVATING
    assert world("h20").calls.count("ensure_reservation") == 1
    clock.now += timedelta(seconds=61)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(reservation).state == S.ACTIVE
    assert list(world("h20").reservations) == [reservation.engine_key]


@pytest.mark.parametrize("line", ["claim_reservation", "record_activated", "record_ended"])
def test_a_worker_killed_at_any_other_line_is_made_up_for(
    alice: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    def die(**_: object) -> None:
        raise WorkerKilled

    make_pool()
    reservation = confirmed(alice)
    for at in (NOW + HOUR, NOW + 3 * HOUR):
        clock.now = at
        with monkeypatch.context() as patch, suppress(WorkerKilled):
            patch.setattr(activation, line, die)
            drive_reservation(reservation_id=str(reservation.pk))
        clock.now = at + timedelta(seconds=61)
        drive_reservation(reservation_id=str(reservation.pk))
    ended = now_is(reservation)
    assert (ended.state, ended.ended_at) == (S.ENDED, NOW + 3 * HOUR)
    assert world("h20").reservations == {}
    accrue_reserved()
    assert breaches() == ()
