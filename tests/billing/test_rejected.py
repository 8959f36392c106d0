"""Refused usage is listed by its reason, and late usage counted when an operator says why."""

from datetime import timedelta
from uuid import uuid4

import pytest

from billing.commands.forced import NotForced, ReasonMissing, force_late_event
from billing.meters import Meter, register
from billing.models import UsageBucket
from billing.queries.rejected import RejectedCount, rejected_counts, rejected_page
from billing.usage import EventResult
from common.errors import NotFound
from tenants.models import AuditEntry, Organisation
from tenants.permissions import SYSTEM, Actor, ActorKind, Permission, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
OLD = make.NOW - timedelta(days=90)
FRESH = register(
    Meter("test.fresh", "unit", "Fresh", (), "units", 1, latest_accepted=timedelta(days=2))
)


def operator(*permissions: Permission) -> Actor:
    return Actor(ActorKind.OPERATOR, uuid4(), "Olga", None, frozenset(permissions))


FORCING = operator(Permission.USAGE_FORCE)


def counted(tenant: Organisation) -> int:
    with tenant_scope(tenant.pk):
        return sum(UsageBucket.objects.values_list("quantity", flat=True))


def refused(tenant: Organisation, **filters: str) -> list[tuple[str, str]]:
    with tenant_scope(tenant.pk):
        page = rejected_page(actor=SYSTEM, tenant_id=tenant.pk, **filters)  # type: ignore[arg-type]
    return [(row.id, row.code) for row in page.items]


def force(
    tenant: Organisation, reason: str = "the probe was offline", actor: Actor = FORCING
) -> EventResult:
    with operator_scope():
        (row,) = rejected_page(actor=SYSTEM, tenant_id=tenant.pk, limit=1).items
        return force_late_event(
            actor=actor, tenant_id=tenant.pk, rejected_id=row.row_id, reason=reason, now=make.NOW
        )


def test_what_was_refused_is_listed_and_counted_by_reason(alice: Organisation) -> None:
    ingest(
        alice,
        make.tokens("a", -1),
        make.tokens("b", -1, source="probe"),
        make.tokens("c", 1, OLD),
        make.tokens("d", 1),
    )
    assert sorted(refused(alice)) == [
        ("a", "bad_quantity"),
        ("b", "bad_quantity"),
        ("c", "too_old"),
    ]
    assert refused(alice, source="probe") == [("b", "bad_quantity")]
    assert refused(alice, code="too_old") == [("c", "too_old")]
    with tenant_scope(alice.pk):
        counts = rejected_counts(actor=SYSTEM, tenant_id=alice.pk)
        later = rejected_counts(
            actor=SYSTEM, tenant_id=alice.pk, since=make.NOW + timedelta(seconds=1)
        )
    assert counts == (RejectedCount("bad_quantity", 2), RejectedCount("too_old", 1))
    assert later == ()


def test_each_meter_says_how_late_its_events_may_come(alice: Organisation) -> None:
    event = make.tokens("a", 1, make.NOW - timedelta(days=3))
    fresh = type(event)("probe", "b", FRESH.code, "", event.at, 1, {})
    assert ingest(alice, event, fresh) == [("a", "accepted", ""), ("b", "rejected", "too_old")]


def test_an_operator_counts_late_usage_and_says_why(alice: Organisation) -> None:
    ingest(alice, make.tokens("c", 700, OLD))
    assert force(alice).status == "accepted"
    assert counted(alice) == 700
    with operator_scope():
        entry = AuditEntry.objects.get(action="billing.usage.forced")
    assert (entry.tenant_id, entry.actor_name) == (alice.pk, "Olga")
    assert entry.detail == {"reason": "the probe was offline"}
    assert force(alice).status == "duplicate"
    assert counted(alice) == 700
    assert broken() == ()


def test_late_usage_is_not_counted_without_a_reason_or_the_right(alice: Organisation) -> None:
    ingest(alice, make.tokens("c", 700, OLD))
    with pytest.raises(ReasonMissing):
        force(alice, reason=" ")
    with pytest.raises(PermissionRefused):
        force(alice, actor=operator(Permission.USAGE_INGEST))
    with operator_scope(), pytest.raises(NotFound):
        force_late_event(
            actor=FORCING, tenant_id=alice.pk, rejected_id=uuid4(), reason="r", now=make.NOW
        )
    assert counted(alice) == 0


def test_only_what_was_merely_late_is_forced(alice: Organisation) -> None:
    ingest(alice, make.tokens("a", -1))
    with pytest.raises(NotForced):
        force(alice)
    ingest(alice, make.tokens("b", 1, make.NOW - timedelta(days=401)))
    with operator_scope():
        rows = rejected_page(actor=SYSTEM, tenant_id=alice.pk, code="too_old").items
        with pytest.raises(NotForced):
            force_late_event(
                actor=FORCING,
                tenant_id=alice.pk,
                rejected_id=rows[0].row_id,
                reason="r",
                now=make.NOW,
            )
    assert counted(alice) == 0


def test_a_key_of_one_project_sees_nothing_of_others(alice: Organisation) -> None:
    key = Actor(
        ActorKind.API_KEY, uuid4(), "k", alice.pk, frozenset({Permission.USAGE_READ}), uuid4()
    )
    with tenant_scope(alice.pk), pytest.raises(PermissionRefused):
        rejected_page(actor=key, tenant_id=alice.pk)
