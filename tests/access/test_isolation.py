"""The rules of isolation that operators can ask for hold, and each is heard when it is broken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from billing.models import Series
from compute.models import Claim, Profile
from tenants.models import ApiKey, Organisation, Project
from tenants.queries.invariants import CHECKS, ROWS_RULE, Breach, breaches
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest
from tests.database import as_owner
from tests.factories import World, full_world, tenant_models
from tests.factories import billing as make
from tests.factories.compute import ENGINES

# Partitions of millions of rows carry no references; a rule of billing asks them.
NO_KEYS = {"billing_usageevent.series_id", "billing_usageevent.period_id"}
REFERENCES = "a reference to a tenant's row carries the tenant"
WALLS = "every tenant's table is behind its walls"
KEY = "tenants_apikey_project_id_tenant_fk"
ADD_KEY = f"""
ALTER TABLE tenants_apikey ADD CONSTRAINT {KEY} FOREIGN KEY (tenant_id, project_id)
    REFERENCES tenants_project (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
"""


@pytest.fixture(autouse=True)
def _engines(settings: Any) -> None:
    settings.COMPUTE_ENGINES = ENGINES


@pytest.mark.django_db
def test_with_two_tenants_and_one_row_of_everything_every_rule_holds() -> None:
    full_world("alice")
    full_world("bob")
    assert breaches() == ()


@pytest.mark.django_db
def test_every_reference_between_tenants_rows_is_asked() -> None:
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(CHECKS[ROWS_RULE])
        (asked,) = cursor.fetchone() or ("",)
    tables = tenant_models()
    expected = {
        f"'{model._meta.db_table}.{field.column} '"
        for model in tables
        for field in model._meta.fields
        if field.related_model in tables and f"{model._meta.db_table}.{field.column}" not in NO_KEYS
    }
    assert {name for name in expected if name not in asked} == set()


def give(key: object, project: object) -> None:
    """An operator writes one tenant's project into another one's key, past every command."""
    with operator_scope():
        QuerySet(ApiKey).filter(pk=key).update(project_id=project)


@pytest.mark.django_db(transaction=True)
def test_a_row_smuggled_in_once_its_key_is_gone_is_heard_and_the_key_refuses_it() -> None:
    alice, bob = (world_of_keys(code) for code in ("alice", "bob"))
    own = alice.pk(Project)
    with pytest.raises(IntegrityError, match=KEY):
        give(alice.pk(ApiKey), bob.pk(Project))
    assert breaches() == ()
    as_owner(f"ALTER TABLE tenants_apikey DROP CONSTRAINT {KEY}")
    try:
        assert breaches() == (Breach(REFERENCES, ("tenants_apikey.project_id",)),)
        give(alice.pk(ApiKey), bob.pk(Project))
        assert breaches() == (
            Breach(ROWS_RULE, (f"tenants_apikey.project_id {bob.pk(Project)}",)),
            Breach(REFERENCES, ("tenants_apikey.project_id",)),
        )
    finally:
        give(alice.pk(ApiKey), own)
        as_owner(ADD_KEY)
    assert breaches() == ()


def world_of_keys(code: str) -> World:
    with operator_scope():
        world = World(Organisation.objects.create(code=code, name=code))
        world.one(ApiKey)
    return world


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("owned", "refusal"),
    [
        (True, "compute_profile_backing_id_tenant_fk"),
        # A calendar may belong to nobody; one with a claim behind it may not.
        (False, "compute_profile_backed_is_owned"),
    ],
)
def test_a_calendar_backed_by_another_tenants_claim_is_refused(owned: bool, refusal: str) -> None:
    alice, bob = full_world("alice"), full_world("bob")
    tenant = alice.organisation if owned else None
    with operator_scope():
        claim = Claim.objects.get(tenant=bob.organisation, backed_profile__isnull=True)
        before = Profile.objects.count()
        with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
            Profile.objects.create(tenant=tenant, backing=claim)
        assert Profile.objects.count() == before
    assert breaches() == ()


@pytest.mark.django_db
def test_an_event_in_another_tenants_series_is_heard() -> None:
    """The tables of events carry no foreign keys."""
    alice, bob = make.make_tenant("alice"), make.make_tenant("bob")
    ingest(bob, make.tokens("bobs", 10))
    assert broken() == ()
    with operator_scope():
        bobs = Series.objects.get(tenant=bob).pk
    with taken_back():
        with tenant_scope(alice.pk), connection.cursor() as cursor:
            cursor.execute(SMUGGLED_EVENT, [alice.pk, bobs, make.NOW - make.HOUR])
        assert "each event is in a series and a period of its own tenant" in {
            breach.invariant for breach in broken()
        }
    assert broken() == ()


SMUGGLED_EVENT = """
INSERT INTO billing_usageevent (key, tenant_id, series_id, at, quantity, source, event_id, subject)
VALUES (gen_random_uuid(), %s, %s, %s, 10, 'gateway', 'smuggled', '')
"""


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "DROP POLICY tenant_wall ON tenants_project",
            "tenants_project: acp_app is not held to one tenant",
        ),
        (
            "CREATE POLICY second ON tenants_project TO acp_app USING (true)",
            "tenants_project: acp_app is not held to one tenant",
        ),
        (
            "DROP POLICY operator_view ON tenants_project",
            "tenants_project: acp_operator has no policy",
        ),
        (
            "CREATE POLICY hole ON tenants_project USING (true)",
            "tenants_project: a policy is for everybody",
        ),
        (
            "ALTER TABLE tenants_organisation NO FORCE ROW LEVEL SECURITY",
            "tenants_organisation: row security is off or does not bind the owner",
        ),
        (
            "ALTER TABLE tenants_project DISABLE ROW LEVEL SECURITY",
            "tenants_project: row security is off or does not bind the owner",
        ),
        (
            "GRANT SELECT ON billing_usageevent_shut TO acp_app",
            "billing_usageevent_shut: a partition is open under its own name",
        ),
    ],
)
def test_a_gap_in_a_wall_is_heard(owner: Any, damage: str, said: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE billing_usageevent_shut PARTITION OF billing_usageevent "
            "FOR VALUES FROM ('1990-01-01') TO ('1990-02-01');"
            "REVOKE ALL ON billing_usageevent_shut FROM acp_app, acp_operator"
        )
        cursor.execute(CHECKS[WALLS])
        assert cursor.fetchall() == []
        cursor.execute(damage)
        cursor.execute(CHECKS[WALLS])
        assert cursor.fetchall() == [(said,)]
