"""Searching for cards."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import InvalidInput
from common.period import Period
from compute.commands.reservations import hold
from compute.queries.offers import Label, OfferRequest, OfferResult, find_offers
from tenants.scoping import tenant_scope
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool

pytestmark = pytest.mark.django_db


def search(tenant: Tenant, **more: object) -> OfferResult:
    values: dict[str, object] = {
        "chip": "nvidia-h20",
        "petaflops": None,
        "cards": 4,
        "seconds": 2 * 3600,
        "window": hours(1, 12),
        **more,
    }
    with tenant_scope(tenant.organisation.pk):
        return find_offers(
            actor=tenant.actor,
            request=OfferRequest(**values),  # type: ignore[arg-type]
            now=NOW,
        )


def fill(tenant: Tenant, pool: str, cards: int, period: Period) -> None:
    with tenant_scope(tenant.organisation.pk):
        hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code=pool,
            cards=cards,
            period=period,
            now=NOW,
        )


def test_the_exact_offer_is_the_earliest_and_the_cheapest_when_nothing_is_taken(
    alice: Tenant,
) -> None:
    make_pool()
    result = search(alice)
    (offer,) = result.offers
    assert offer.labels == (Label.EXACT, Label.EARLIEST, Label.CHEAPEST)
    assert offer.period == hours(1, 3)
    assert (offer.net, offer.gross) == (Decimal("42.00"), Decimal("44.52"))
    assert result.refused == ()


def test_a_full_start_gives_the_earliest_time_after_it(alice: Tenant) -> None:
    make_pool()
    fill(alice, "h20", 6, hours(0, 5))
    (offer,) = search(alice).offers
    assert offer.period == hours(5, 7)
    assert offer.labels == (Label.EARLIEST, Label.CHEAPEST)


def test_other_chips_that_fit_are_offered_by_price_and_losers_say_why(alice: Tenant) -> None:
    make_pool()
    make_pool("a800", "nvidia-a800-80g-sxm", cards=8)
    make_pool("p910", "ascend-910b3", cards=8)
    make_pool("tiny", "nvidia-l20", cards=2)
    make_pool("doubt", "hygon-z100", cards=8)
    result = search(alice)
    assert [(offer.pool_code, offer.labels) for offer in result.offers] == [
        ("h20", (Label.EXACT, Label.EARLIEST, Label.CHEAPEST)),
        ("p910", (Label.OTHER_CHIP,)),
        ("a800", (Label.OTHER_CHIP,)),
    ]
    assert {one.pool_code: one.code for one in result.refused} == {
        "tiny": "too_few_cards",
        "doubt": "not_sold",
    }
    assert "2" in str(next(one for one in result.refused if one.pool_code == "tiny"))
    assert [offer.pool_code for offer in search(alice, flexible=False).offers] == ["h20"]


def test_p_becomes_whole_cards_of_each_chip(alice: Tenant) -> None:
    make_pool()
    make_pool("p910", "ascend-910b3", cards=8)
    make_pool("k100", "hygon-k100", cards=8)
    result = search(alice, chip=None, petaflops=Decimal("0.6"), cards=0)
    # 0.148 P a card needs five, 0.313 P a card needs two.
    assert {offer.pool_code: offer.cards for offer in result.offers} == {"h20": 5, "p910": 2}
    assert {one.pool_code: one.code for one in result.refused} == {"k100": "unknown_p"}


def test_no_more_than_six_and_the_others_are_said_to_be_outdone(alice: Tenant) -> None:
    for number in range(9):
        make_pool(f"h20-{number}")
    result = search(alice)
    assert len(result.offers) == 6
    assert [one.code for one in result.refused] == ["outdone"] * 3


def test_a_budget_and_centres_narrow_the_search(alice: Tenant) -> None:
    make_pool()
    make_pool("west-h20", centre="west")
    assert [one.code for one in search(alice, budget=Decimal(40)).refused] == ["over_budget"] * 2
    (offer,) = search(alice, centres=("west",)).offers
    assert offer.pool_code == "west-h20"


def test_a_length_that_is_never_free_together_says_so(alice: Tenant) -> None:
    make_pool()
    fill(alice, "h20", 6, hours(4, 5))
    fill(alice, "h20", 6, hours(8, 9))
    result = search(alice, seconds=5 * 3600)
    assert result.offers == ()
    assert [one.code for one in result.refused] == ["never_so_long"]


@pytest.mark.parametrize(
    "more",
    [
        {"cards": 0},
        {"cards": -3},
        {"seconds": 0},
        {"seconds": 90},
        {"seconds": 12 * 3600},
        {"petaflops": Decimal(-1)},
        {"window": Period(NOW - 5 * HOUR, NOW - 2 * HOUR)},
        {"window": Period(NOW, NOW + timedelta(days=2000))},
    ],
)
def test_absurd_searches_are_refused(alice: Tenant, more: dict[str, object]) -> None:
    make_pool()
    with pytest.raises(InvalidInput):
        search(alice, **more)


def test_the_number_of_statements_does_not_grow_with_the_pools(alice: Tenant) -> None:
    make_pool("h20-0")
    with CaptureQueriesContext(
        connection,
    ) as few:
        search(alice)
    for number in range(1, 12):
        make_pool(f"h20-{number}")
    with CaptureQueriesContext(connection) as many:
        search(alice)
    assert len(few) == len(many)
