"""The centre's limits, changed by an operator and kept at the next hold."""

import pytest

from common.errors import InvalidInput
from compute.commands.holding import TooManyUnused
from compute.commands.policy import change_policy
from compute.commands.reservations import hold
from compute.models import ReservationPolicy
from tenants.models import AuditEntry
from tenants.permissions import PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import NOW, Tenant, hours, make_pool, operator

pytestmark = pytest.mark.django_db

LIMITS = {"hold_minutes": 5, "unused_per_tenant": 1, "longest_days": 30, "furthest_days": 7}


def test_new_limits_count_from_the_next_hold_on(alice: Tenant) -> None:
    make_pool()
    with operator_scope():
        for _again in range(2):
            change_policy(actor=operator(), **LIMITS)
        assert AuditEntry.objects.filter(action="compute.policy.changed").count() == 2
    with tenant_scope(alice.organisation.pk):
        asked = {"actor": alice.actor, "project_id": alice.project.pk, "pool_code": "h20"}
        first = hold(**asked, cards=1, period=hours(1, 2), now=NOW)
        assert (first.hold_expires_at - NOW).total_seconds() == 300
        with pytest.raises(TooManyUnused):
            hold(**asked, cards=1, period=hours(1, 2), now=NOW)


def test_absurd_limits_and_other_roles_are_refused() -> None:
    with operator_scope():
        with pytest.raises(InvalidInput):
            change_policy(actor=operator(), **{**LIMITS, "hold_minutes": 0})
        with pytest.raises(PermissionRefused):
            change_policy(actor=operator("finance"), **LIMITS)
        assert ReservationPolicy.objects.count() == 0
