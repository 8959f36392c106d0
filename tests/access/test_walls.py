"""The walls one by one, each with the others taken down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Model

from common.ids import uuid7
from compute.models import Profile
from tenants import scoping
from tenants.models import ApiKey, Organisation, Project
from tenants.scoping import OPERATOR_ROLE, ScopeMissing, operator_scope, tenant_scope
from tests.access.walls import OPEN_BY_DESIGN, faults, unargued
from tests.access.worlds import Stage
from tests.factories import with_factory, without_factory

# A model without a factory has a test of its own to answer to.
# Profiles of pools belong to nobody and are everybody's to read: they have a test of their own.
SHARED_IN_PART = {"compute_profile"}
MODELS = [model for model in with_factory() if model._meta.db_table not in SHARED_IN_PART]


def by_label(model: type[Model]) -> str:
    return model._meta.label


def _unscoped(model: type[Model]) -> models.QuerySet[Any]:
    """The model's rows with the second wall taken away."""
    return models.QuerySet(model)


def test_every_tenant_owned_model_has_a_factory() -> None:
    assert without_factory() == []


@pytest.mark.django_db
def test_the_third_and_fourth_wall_stand_on_every_table() -> None:
    assert unargued(faults(connection)) == []


@pytest.mark.django_db
def test_every_argued_gap_is_still_there() -> None:
    assert {fault.split(":")[0] for fault in faults(connection)} == set(OPEN_BY_DESIGN)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            "DROP POLICY tenant_wall ON tenants_project",
            "tenants_project: acp_app is not held to one tenant",
        ),
        (
            "DROP POLICY operator_view ON tenants_project",
            "tenants_project: operators have no policy",
        ),
        (
            "ALTER TABLE tenants_project NO FORCE ROW LEVEL SECURITY",
            "tenants_project: row security is not forced on the owner",
        ),
        (
            "ALTER TABLE tenants_project DISABLE ROW LEVEL SECURITY",
            "tenants_project: row security is off",
        ),
        (
            "ALTER TABLE tenants_apikey DROP CONSTRAINT tenants_apikey_project_id_tenant_fk",
            "tenants_apikey.project_id: the reference does not carry its tenant",
        ),
        (
            "CREATE POLICY hole ON tenants_project USING (true)",
            "tenants_project: a policy is for everybody",
        ),
        (
            "CREATE TABLE forgotten (id bigint, tenant_id uuid)",
            "forgotten has a tenant_id and belongs to no tenant-owned model",
        ),
        (
            "REVOKE SELECT ON tenants_project FROM acp_app",
            "tenants_project: a role has no grant",
        ),
    ],
)
def test_one_gap_in_a_wall_is_found(owner: Any, damage: str, fault: str) -> None:
    before = faults(owner)
    with owner.cursor() as cursor:
        cursor.execute(damage)
    assert sorted(set(faults(owner)) - set(before)) == [fault]


@pytest.mark.parametrize("model", MODELS, ids=by_label)
def test_without_a_scope_the_manager_raises(model: type[Model]) -> None:
    with pytest.raises(ScopeMissing):
        model._default_manager.count()


@pytest.mark.parametrize("model", MODELS, ids=by_label)
def test_without_a_scope_and_without_the_manager_there_are_no_rows(
    stage: Stage, model: type[Model]
) -> None:
    assert _unscoped(model).count() == 0


@pytest.mark.parametrize("model", MODELS, ids=by_label)
def test_row_security_alone_holds(stage: Stage, model: type[Model]) -> None:
    """The manager is by-passed: reading, changing, deleting and taking over find nothing."""
    with tenant_scope(stage.alice.organisation.pk):
        rows = _unscoped(model)
        foreign = rows.filter(tenant_id=stage.bob.organisation.pk)
        assert rows.exclude(tenant_id=stage.alice.organisation.pk).count() == 0
        assert rows.filter(pk=stage.bob.pk(model)).exists() is False
        assert rows.filter(pk=stage.alice.pk(model)).exists() is True
        with _refused_or_nothing():
            assert foreign.update(tenant_id=stage.alice.organisation.pk) == 0
        with _refused_or_nothing():
            assert foreign._raw_delete(foreign.db) == 0
    with operator_scope():
        assert _unscoped(model).filter(pk=stage.bob.pk(model)).exists() is True


@pytest.mark.parametrize("model", MODELS, ids=by_label)
def test_a_row_cannot_be_given_to_another_tenant(stage: Stage, model: type[Model]) -> None:
    """WITH CHECK: one's own row, with the foreign tenant's id written into it."""
    with tenant_scope(stage.alice.organisation.pk), _refused():
        _unscoped(model).filter(pk=stage.alice.pk(model)).update(
            tenant_id=stage.bob.organisation.pk
        )


@pytest.mark.parametrize("model", MODELS, ids=by_label)
def test_the_manager_alone_holds(
    stage: Stage, model: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row security is taken away: the tenant's scope works under the role that sees every row."""
    monkeypatch.setattr(scoping, "APP_ROLE", OPERATOR_ROLE)
    with tenant_scope(stage.alice.organisation.pk):
        seen = set(model._default_manager.values_list("tenant_id", flat=True))
        assert seen == {stage.alice.organisation.pk}
        assert not model._default_manager.filter(pk=stage.bob.pk(model)).exists()
        # The control: without the manager the foreign row is there now.
        assert _unscoped(model).filter(pk=stage.bob.pk(model)).exists()


def test_a_reference_across_tenants_is_refused_even_to_an_operator(stage: Stage) -> None:
    """The fourth wall: row security does not guard references, the composite key does."""
    with operator_scope(), _refused():
        _unscoped(ApiKey).filter(pk=stage.alice.pk(ApiKey)).update(project=stage.bob.pk(Project))


def test_an_insert_for_another_tenant_is_refused(stage: Stage) -> None:
    with tenant_scope(stage.alice.organisation.pk), _refused():
        Project.objects.create(pk=uuid7(), tenant=stage.bob.organisation, code="intruder", name="x")


def test_a_tenant_sees_no_other_organisation(stage: Stage) -> None:
    with tenant_scope(stage.alice.organisation.pk):
        assert [o.pk for o in Organisation.objects.all()] == [stage.alice.organisation.pk]


@contextmanager
def _refused() -> Iterator[None]:
    """The database says no, at once or when its deferred checks are asked for."""
    refused = False
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except DatabaseError:
        refused = True
    assert refused, "The database let it through."


@contextmanager
def _refused_or_nothing() -> Iterator[None]:
    """An append-only table refuses outright, every other one finds no row: both are right."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        refusal = str(error)
    else:
        refusal = "permission denied"
    assert "permission denied" in refusal


def test_profiles_of_reservations_are_their_tenants_own_and_those_of_pools_are_everybodys(
    stage: Stage,
) -> None:
    with tenant_scope(stage.alice.organisation.pk):
        owners = set(Profile.objects.values_list("tenant_id", flat=True))
    assert owners == {None, stage.alice.organisation.pk}
    assert set(Profile.objects.values_list("tenant_id", flat=True)) == {None}
    with operator_scope():
        everybody = set(Profile.objects.values_list("tenant_id", flat=True))
    assert everybody >= {None, stage.alice.organisation.pk, stage.bob.organisation.pk}
