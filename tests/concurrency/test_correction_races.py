"""Many corrections and samples at once, and controls without the locks that order them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError

from billing.commands import corrections, gauging, usage
from billing.commands.corrections import correct_usage
from billing.corrections import Correction
from billing.meters import Aggregation
from billing.models import Correction as CorrectionRow
from billing.models import UsageBucket
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest
from tests.billing.test_aggregations import START, event
from tests.concurrency.crowd import at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)


def void(tenant: Organisation, number: int, ref: str = "e1") -> str:
    said = Correction(f"c{number}", "desk", "probe", ref, "void", None, "twice")
    with tenant_scope(tenant.pk):
        (result,) = correct_usage(
            actor=SYSTEM, tenant_id=tenant.pk, corrections=[said], now=make.NOW
        )
    return result.code or result.status.value


def counted(tenant: Organisation) -> int:
    with tenant_scope(tenant.pk):
        return sum(UsageBucket.objects.values_list("quantity", flat=True))


def test_many_voids_of_one_event_at_once_take_it_back_once() -> None:
    alice = make.make_tenant("alice")
    ingest(alice, make.tokens("e1", 700, source="probe"))
    results = at_once(8, lambda index: void(alice, index))
    assert sorted(map(str, results)) == ["accepted"] + ["already_void"] * 7
    assert counted(alice) == 0
    assert broken() == ()


def test_without_the_lock_the_database_still_refuses_a_second_void(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: the rows themselves leave room for one void only."""
    monkeypatch.setattr(corrections, "_lock", lambda _tenant: None)
    refused = 0
    for attempt in range(10):
        alice = make.make_tenant(f"alice-{attempt}")
        ingest(alice, make.tokens("e1", 700, source="probe"))
        results = at_once(6, lambda index, tenant=alice: void(tenant, index))
        assert results.count("accepted") == 1
        assert counted(alice) == 0
        refused += sum(isinstance(result, IntegrityError) for result in results)
        if refused:
            break
    assert refused
    with operator_scope():
        assert CorrectionRow.objects.filter(kind="void").count() == attempt + 1
    assert broken() == ()


def sample(tenant: Organisation, index: int) -> str:
    # Half an hour apart: each changes hours in which it is not itself counted.
    at = START + timedelta(minutes=30 * index)
    kinds = (Aggregation.TIME_WEIGHTED, Aggregation.MAX, Aggregation.UNIQUE)
    # Each in another order, which must not make any two wait in a circle.
    turned = [kinds[(index + turn) % 3] for turn in range(3)]
    ((_, status, _), *_rest) = ingest(
        tenant, *[event(kind, f"{kind.value}-{index}", index, at) for kind in turned]
    )
    return status


def test_samples_that_come_at_once_end_at_what_they_come_to() -> None:
    alice = make.make_tenant("alice")
    results = at_once(10, lambda index: sample(alice, index))
    assert results == ["accepted"] * 10
    assert broken() == ()


def test_without_the_lock_of_the_series_hours_come_out_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: two who work out the same hours at once each miss the other's sample."""
    for module in (usage, gauging):
        monkeypatch.setattr(module, "lock_series", lambda _tenant, _gauges: None)
    for attempt in range(15):
        alice = make.make_tenant(f"alice-{attempt}")
        at_once(8, lambda index, tenant=alice: sample(tenant, index))
        if broken():
            break
    assert any(breach.invariant.startswith("the hours of") for breach in broken())
