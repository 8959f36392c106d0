"""The second and third wall, each with the other off."""

import pytest
from django.db import DatabaseError, connection, transaction

from tenants.models import Organisation, Project
from tenants.scoping import ScopeMissing, operator_scope, tenant_scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_tenants() -> tuple[Organisation, Organisation]:
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice")
        bob = Organisation.objects.create(code="bob", name="Bob")
        for owner in (alice, bob):
            Project.objects.create(tenant=owner, code="main", name=f"CANARY-{owner.code}")
    return alice, bob


def _raw_project_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM tenants_project ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


def test_a_query_outside_any_scope_raises(two_tenants: object) -> None:
    with pytest.raises(ScopeMissing):
        Project.objects.count()


def test_raw_sql_outside_any_scope_sees_no_rows(two_tenants: object) -> None:
    assert _raw_project_names() == []


def test_raw_sql_sees_only_the_rows_of_its_tenant(
    two_tenants: tuple[Organisation, Organisation],
) -> None:
    with tenant_scope(two_tenants[0].pk):
        assert _raw_project_names() == ["CANARY-alice"]


def test_the_scope_ends_with_its_block(two_tenants: tuple[Organisation, Organisation]) -> None:
    with operator_scope():
        with tenant_scope(two_tenants[0].pk):
            assert Project.objects.count() == 1
        assert _raw_project_names() == ["CANARY-alice", "CANARY-bob"]
    assert _raw_project_names() == []


def test_a_scope_left_by_an_error_is_left_all_the_same(
    two_tenants: tuple[Organisation, Organisation],
) -> None:
    with pytest.raises(ZeroDivisionError), tenant_scope(two_tenants[0].pk):
        1 / 0  # noqa: B018
    assert _raw_project_names() == []


def test_a_row_for_another_tenant_is_refused_by_the_database(
    two_tenants: tuple[Organisation, Organisation],
) -> None:
    alice, bob = two_tenants
    with tenant_scope(alice.pk), pytest.raises(DatabaseError), transaction.atomic():
        Project.objects.create(tenant=bob, code="intruder", name="x")
    with operator_scope():
        assert Project.objects.filter(tenant=bob).count() == 1
