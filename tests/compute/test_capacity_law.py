"""The database's own refusal, with the application out of the way."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from common.ids import uuid7
from common.period import Period
from compute.capacity import Step
from compute.commands.claims import release
from compute.models import CapacityChange, Claim, ClaimKind, Pool, Profile, Segment
from compute.queries.invariants import breaches
from compute.queries.profiles import steps_of
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool

pytestmark = pytest.mark.django_db


def _claim(
    profile_id: int, cards: int, start: int, end: int, tenant: object = None, kind: str = "workload"
) -> Claim:
    during = Range(NOW + start * HOUR, NOW + end * HOUR)
    with transaction.atomic():
        return Claim.objects.create(
            tenant_id=tenant,
            profile_id=profile_id,
            cards=cards,
            during=during,
            booked=during,
            kind=kind,
            subject=f"test:{uuid7()}",
        )


def _taken(profile_id: int, start: int, end: int) -> list[tuple[int, int]]:
    steps = steps_of([profile_id], hours(start, end))[profile_id]
    return [(step.capacity, step.taken) for step in steps]


@pytest.fixture
def pool(catalogue: None) -> Pool:
    return make_pool(cards=8)


def test_claims_add_up_to_steps_and_alike_neighbours_are_one(pool: Pool) -> None:
    with operator_scope():
        _claim(pool.profile_id, 3, 1, 3)
        _claim(pool.profile_id, 5, 2, 4)
        assert _taken(pool.profile_id, 0, 5) == [(8, 0), (8, 3), (8, 8), (8, 5), (8, 0)]
        for claim in list(Claim.objects.all()):
            claim.__class__.objects.filter(pk=claim.pk).update(during=Range(empty=True))
        assert _taken(pool.profile_id, 0, 5) == [(8, 0)]
        assert Segment.objects.filter(profile_id=pool.profile_id).count() == 2


def test_one_card_too_many_is_refused_and_changes_nothing(pool: Pool) -> None:
    with operator_scope():
        _claim(pool.profile_id, 5, 1, 3)
        with pytest.raises(IntegrityError, match="compute_segment_within_capacity"):
            _claim(pool.profile_id, 4, 0, 2)
        assert Claim.objects.count() == 1
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 5), (8, 0)]


def test_periods_that_only_touch_do_not_add_up(pool: Pool) -> None:
    with operator_scope():
        _claim(pool.profile_id, 8, 1, 2)
        _claim(pool.profile_id, 8, 2, 3)
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 8), (8, 0)]


def test_raw_sql_of_a_session_that_takes_no_lock_is_refused(pool: Pool, alice: Tenant) -> None:
    insert = """
        INSERT INTO compute_claim
            (id, tenant_id, profile_id, cards, during, booked, kind, subject, created_at)
        VALUES (%s, %s, %s, %s, tstzrange(%s, %s), tstzrange(%s, %s), 'workload', %s, now())
    """
    start, end = NOW, NOW + HOUR
    with tenant_scope(alice.organisation.pk):
        with connection.cursor() as cursor:
            values = [uuid7(), alice.id, pool.profile_id, 8, start, end, start, end, "raw:1"]
            cursor.execute(insert, values)
        more = [uuid7(), alice.id, pool.profile_id, 1, start, end, start, end, "raw:2"]
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(insert, more)
        assert _taken(pool.profile_id, 0, 1) == [(8, 8)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compute_segment SET taken = 0",
        "UPDATE compute_segment SET capacity = 1000",
        "DELETE FROM compute_segment",
        "INSERT INTO compute_segment (profile_id, during, capacity, taken)"
        " VALUES (1, tstzrange(now(), NULL), 9, 0)",
        "SELECT compute_take(1, tstzrange(now(), NULL), -5)",
        "SELECT compute_have(1, tstzrange(now(), NULL), 500)",
        "DELETE FROM compute_claim",
        "UPDATE compute_profile SET tenant_id = NULL",
        "ALTER TABLE compute_segment DISABLE TRIGGER ALL",
    ],
)
@pytest.mark.parametrize("as_operator", [True, False])
def test_neither_role_of_the_application_can_write_round_the_law(
    pool: Pool, alice: Tenant, statement: str, as_operator: bool
) -> None:
    scope = operator_scope() if as_operator else tenant_scope(alice.organisation.pk)
    with scope:
        _claim(pool.profile_id, 2, 0, 1, alice.id)
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert _taken(pool.profile_id, 0, 1) == [(8, 2)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO compute_capacitychange (profile_id, at, cards, reason, created_at)"
        " SELECT profile_id, now(), 1000, '', now() FROM compute_pool",
        "UPDATE compute_chipmodel SET confidence = 'high'",
        "UPDATE compute_pool SET withdrawn_at = now()",
        "INSERT INTO compute_profile (tenant_id) VALUES (NULL)",
    ],
)
def test_a_tenants_role_cannot_change_what_the_centre_has(
    pool: Pool, alice: Tenant, statement: str
) -> None:
    with (
        tenant_scope(alice.organisation.pk),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_claim_can_only_become_shorter(pool: Pool) -> None:
    with operator_scope():
        claim = _claim(pool.profile_id, 2, 1, 3)
        rows = Claim.objects.filter(pk=claim.pk)
        for change in (
            {"during": Range(NOW, NOW + 9 * HOUR)},
            {"cards": 1},
            {"kind": ClaimKind.MAINTENANCE},
            {"booked": Range(NOW, NOW + HOUR)},
            {"subject": "another"},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**change)
        rows.update(during=Range(NOW + HOUR, NOW + 2 * HOUR))
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 2), (8, 0)]
        assert steps_of([pool.profile_id], hours(0, 4))[pool.profile_id][1] == Step(
            Period(NOW + HOUR, NOW + 2 * HOUR), 8, 2
        )


def test_capacity_is_dated_and_lowering_it_below_what_is_taken_is_refused(pool: Pool) -> None:
    with operator_scope():
        _claim(pool.profile_id, 6, 2, 4)
        CapacityChange.objects.create(
            profile_id=pool.profile_id, at=NOW + 4 * HOUR, cards=2, reason="moved"
        )
        CapacityChange.objects.create(
            profile_id=pool.profile_id, at=NOW + HOUR, cards=12, reason="delivered"
        )
        assert _taken(pool.profile_id, 0, 6) == [(8, 0), (12, 0), (12, 6), (2, 0)]
        with pytest.raises(IntegrityError), transaction.atomic():
            CapacityChange.objects.create(
                profile_id=pool.profile_id, at=NOW + 3 * HOUR, cards=5, reason="broken"
            )
        assert _taken(pool.profile_id, 0, 6) == [(8, 0), (12, 0), (12, 6), (2, 0)]


def test_a_reservations_claim_has_a_profile_with_its_cards_for_its_period(
    pool: Pool, alice: Tenant
) -> None:
    with tenant_scope(alice.organisation.pk):
        claim = _claim(pool.profile_id, 4, 1, 3, alice.id, kind="reservation")
        inner = Profile.objects.get(backing=claim)
        assert _taken(inner.pk, 0, 4) == [(0, 0), (4, 0), (0, 0)]
        _claim(inner.pk, 3, 1, 2, alice.id)
        for cards, start, end in ((2, 1, 2), (1, 0, 2), (1, 2, 4), (5, 2, 3)):
            with pytest.raises(IntegrityError):
                _claim(inner.pk, cards, start, end, alice.id)
        assert _taken(inner.pk, 0, 4) == [(0, 0), (4, 3), (4, 0), (0, 0)]


def test_a_reservation_is_not_shortened_under_the_work_inside(pool: Pool, alice: Tenant) -> None:
    with tenant_scope(alice.organisation.pk):
        claim = _claim(pool.profile_id, 4, 1, 3, alice.id, kind="reservation")
        inner = Profile.objects.get(backing=claim)
        work = _claim(inner.pk, 1, 1, 3, alice.id)
        shorter = Range(NOW + HOUR, NOW + 2 * HOUR)
        with pytest.raises(IntegrityError), transaction.atomic():
            Claim.objects.filter(pk=claim.pk).update(during=shorter)
        Claim.objects.filter(pk=work.pk).update(during=shorter)
        Claim.objects.filter(pk=claim.pk).update(during=shorter)
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 4), (8, 0)]
        assert _taken(inner.pk, 0, 4) == [(0, 0), (4, 1), (0, 0)]


def test_nobody_works_in_another_tenants_reservation(
    pool: Pool, alice: Tenant, bob: Tenant
) -> None:
    with tenant_scope(alice.organisation.pk):
        claim = _claim(pool.profile_id, 4, 1, 3, alice.id, kind="reservation")
        inner = Profile.objects.get(backing=claim)
    with tenant_scope(bob.organisation.pk), pytest.raises(DatabaseError):
        _claim(inner.pk, 1, 1, 2, bob.id)
    with operator_scope():
        assert _taken(inner.pk, 1, 3) == [(4, 0)]
        with pytest.raises(DatabaseError), transaction.atomic():
            CapacityChange.objects.create(profile=inner, at=NOW, cards=99, reason="mine")


@pytest.mark.parametrize(
    "during",
    [
        Range(empty=True),
        Range(NOW, None),
        Range(None, NOW),
        Range(NOW, NOW + timedelta(hours=1), "[]"),
        Range(NOW, NOW + timedelta(hours=1), "()"),
    ],
)
def test_a_claim_needs_two_ends_and_is_half_open(pool: Pool, during: Range) -> None:
    with operator_scope(), pytest.raises(DatabaseError), transaction.atomic():
        Claim.objects.create(
            profile_id=pool.profile_id,
            cards=1,
            during=during,
            booked=during,
            kind=ClaimKind.MAINTENANCE,
            subject="test",
        )


def test_claims_that_touch_with_as_many_cards_are_one_segment_and_no_broken_rule(
    pool: Pool,
) -> None:
    with operator_scope():
        first = _claim(pool.profile_id, 3, 1, 2, kind="maintenance")
        _claim(pool.profile_id, 3, 2, 3, kind="maintenance")
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 3), (8, 0)]
        assert breaches() == ()
        Claim.objects.filter(pk=first.pk).update(during=Range(empty=True))
        assert _taken(pool.profile_id, 0, 4) == [(8, 0), (8, 3), (8, 0)]
        assert breaches() == ()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 8), st.integers(1, 5), st.integers(0, 13)),
        max_size=12,
    )
)
def test_whatever_is_asked_in_whatever_order_the_segments_are_what_counting_gives(
    pool: Pool, asked: list[tuple[int, int, int, int]]
) -> None:
    """Counting hour by hour is the model; each request is granted exactly when it would fit."""
    model = [0] * 20
    with operator_scope(), suppress(_UndoneError), transaction.atomic():
        for cards, start, length, cut in asked:
            fits = all(model[hour] + cards <= 8 for hour in range(start, start + length))
            try:
                claim = _claim(pool.profile_id, cards, start, start + length, kind="maintenance")
            except IntegrityError:
                assert not fits
                continue
            assert fits
            end = min(start + length, max(cut, start))
            if cut % 2:
                release(claim.pk, at=NOW + end * HOUR)
            else:
                end = start + length
            for hour in range(start, end):
                model[hour] += cards
        period = hours(0, 20)
        steps = steps_of([pool.profile_id], period)[pool.profile_id]
        counted = [
            next(s.taken for s in steps if s.period.start <= at.start < s.period.end)
            for at in period.hours()
        ]
        assert counted == model
        assert breaches() == ()
        raise _UndoneError


class _UndoneError(Exception):
    """Takes one example back before the next."""
