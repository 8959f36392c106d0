"""Two hundred attempts from twenty tenants at the last cards, and what stands without the lock."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier, Lock

import pytest
from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable
from pytest_django import Settings

from compute.commands import holding
from compute.commands.claims import NotEnoughCapacity, take
from compute.commands.holding import hold
from compute.locks import PoolBusy
from compute.models import Claim, Pool, Reservation
from compute.queries.invariants import breaches
from compute.queries.profiles import steps_of
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import (
    ENGINES,
    HOUR,
    NOW,
    Tenant,
    hours,
    make_catalogue,
    make_pool,
    make_tenant,
)

pytestmark = pytest.mark.django_db(transaction=True)

TENANTS = 20
ATTEMPTS = 200
CARDS = 64
CONNECTIONS = 20


@pytest.fixture
def market(settings: Settings) -> tuple[Pool, list[Tenant]]:
    settings.COMPUTE_ENGINES = ENGINES
    make_catalogue()
    pool = make_pool(cards=CARDS)
    return pool, [make_tenant(f"tenant-{number}") for number in range(TENANTS)]


class Results:
    """What became of each attempt, written by many threads."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.outcomes: Counter[str] = Counter()
        self.next_free: set[tuple[datetime, ...]] = set()
        self.refused_by_database = 0

    def write(self, outcome: str, next_free: tuple[datetime, ...] = ()) -> None:
        with self.lock:
            self.outcomes[outcome] += 1
            if outcome == "refused":
                self.next_free.add(next_free)


def attempt(tenants: list[Tenant], results: Results, start: Barrier, number: int) -> None:
    tenant = tenants[number % TENANTS]
    if number < CONNECTIONS:
        start.wait(timeout=60)
    try:
        with tenant_scope(tenant.organisation.pk):
            _hold_in_the_end(tenant)
        results.write("held")
    except NotEnoughCapacity as refused:
        results.write("refused", refused.params["next_free"])  # type: ignore[arg-type]
    finally:
        connection.close()


def _hold_in_the_end(tenant: Tenant) -> None:
    """Where the queue at the pool, or without its lock at the cards, is too long, try again.

    Nothing was taken then.
    """
    while True:
        try:
            hold(
                actor=tenant.actor,
                project_id=tenant.project.pk,
                pool_code="h20",
                cards=1,
                period=hours(1, 2),
                now=NOW,
            )
        except PoolBusy:
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            continue
        return


def rush(tenants: list[Tenant]) -> Results:
    results = Results()
    start = Barrier(CONNECTIONS)
    with ThreadPoolExecutor(max_workers=CONNECTIONS) as threads:
        attempts = [
            threads.submit(attempt, tenants, results, start, number) for number in range(ATTEMPTS)
        ]
        for one in attempts:
            one.result()
    return results


def assert_sold_exactly_to_capacity(pool: Pool, results: Results) -> None:
    assert results.outcomes == {"held": CARDS, "refused": ATTEMPTS - CARDS}
    # The cards are free again when the period that everybody wanted is over.
    assert results.next_free == {(NOW + 2 * HOUR,)}
    with operator_scope():
        assert Claim.objects.count() == CARDS
        assert Reservation.objects.count() == CARDS
        steps = steps_of([pool.profile_id], hours(1, 2))[pool.profile_id]
        assert [(step.capacity, step.taken) for step in steps] == [(CARDS, CARDS)]
    assert breaches() == ()


def test_the_last_cards_are_sold_once_and_the_others_hear_the_next_free_times(
    market: tuple[Pool, list[Tenant]],
) -> None:
    pool, tenants = market
    assert_sold_exactly_to_capacity(pool, rush(tenants))


def counting(results: list[int]) -> Callable[..., Claim]:
    """The real taking of cards, counting how often the database was the one to refuse."""

    def take_and_count(**asked: object) -> Claim:
        try:
            return take(**asked)  # type: ignore[arg-type]
        except NotEnoughCapacity:
            results.append(1)
            raise

    return take_and_count


def test_without_the_lock_the_database_still_refuses(
    market: tuple[Pool, list[Tenant]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, tenants = market
    refusals: list[int] = []
    monkeypatch.setattr(holding, "lock_pool", lambda _pool_id: None)
    monkeypatch.setattr(holding, "take", counting(refusals))
    assert_sold_exactly_to_capacity(pool, rush(tenants))
    print(f"without the lock the database itself refused {len(refusals)} of {ATTEMPTS} attempts")


def test_without_lock_and_reading_the_database_refuses_everyone_it_must(
    market: tuple[Pool, list[Tenant]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, tenants = market
    refusals: list[int] = []
    monkeypatch.setattr(holding, "lock_pool", lambda _pool_id: None)
    monkeypatch.setattr(holding, "shortage", lambda **_asked: None)
    monkeypatch.setattr(holding, "take", counting(refusals))
    assert_sold_exactly_to_capacity(pool, rush(tenants))
    assert len(refusals) == ATTEMPTS - CARDS
