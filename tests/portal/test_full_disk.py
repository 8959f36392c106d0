"""A disk without space under the database: refused in the user's words, and nothing half done.

The database itself raises its own "disk full" where the row would be written, which is what a
full volume makes it do.
"""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.test import Client

from tenants.models import IdempotencyKey, Project
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def alice() -> Customer:
    desk.open_desk(cards=8)
    return desk.program("alice", credit="1000")


@pytest.fixture
def full_disk(alice: Customer) -> Iterator[None]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file: No space left on device' "
            "USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER no_space BEFORE INSERT ON tenants_project "
            "FOR EACH ROW EXECUTE FUNCTION no_space()"
        )
    try:
        yield
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.execute("DROP FUNCTION no_space CASCADE")


def _kept() -> tuple[int, int]:
    with operator_scope():
        return Project.objects.count(), IdempotencyKey.objects.count()


@pytest.mark.usefixtures("full_disk")
def test_the_api_says_try_again_and_keeps_nothing(alice: Customer) -> None:
    before = _kept()
    answer = alice.post("projects", {"code": "new", "name": "New"}, key="once")
    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["retryable"]) == ("unavailable", True)
    assert "No space" not in answer.content.decode()
    assert _kept() == before


def test_the_same_request_goes_through_once_there_is_space(
    alice: Customer, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("full_disk")
    assert alice.post("projects", {"code": "new", "name": "New"}, key="once").status_code == 503
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP TRIGGER no_space ON tenants_project")
    assert alice.post("projects", {"code": "new", "name": "New"}, key="once").status_code == 201


@pytest.mark.usefixtures("full_disk")
def test_pages_that_only_read_stay_open(alice: Customer) -> None:
    assert alice.get("projects").status_code == 200
    assert Client().get("/accounts/login/").status_code == 200
