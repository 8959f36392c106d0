"""A key of one project, at every address of the API: its project's rows, or a refusal.

The key stands in a project of its own without a row in it, so whatever it is shown of the rest of
its organisation it should not see.
"""

import json
from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client

from tenants.models import ApiKey, Project
from tenants.permissions import KEY_SCOPES, WITHIN_A_PROJECT
from tenants.scoping import operator_scope
from tests.access.table import Names, Row, address, table
from tests.access.worlds import Browser, Stage, fingerprint
from tests.factories import Nowhere
from tests.factories.tenants import key

API_ROWS = [row for row in table() if row.kind == "api" and not row.exempt]

# What the centre shows everybody, or the organisation all of its own: no row here is a project's.
SHARED = {
    "api/v1/organisation": "the organisation a key is of, by name and code",
    "api/v1/pools": "the centre's cards",
    "api/v1/pools/<slug:code>/availability": "the centre's cards",
    "api/v1/pools/<slug:code>/service-classes": "the centre's classes",
    "api/v1/offers": "the centre's cards at the prices a reservation would have",
    "api/v1/appliances": "the centre's catalogue",
    "api/v1/appliances/<slug:code>": "the centre's catalogue",
    "api/v1/prices": "what a unit costs, in whichever project it is used",
}

# Refused although the permission is one within a project.
BEYOND = {
    ("api/v1/usage/rejected", "GET"): "what was refused belongs to no project",
    ("api/v1/forecast", "GET"): "the whole organisation's month",
    ("api/v1/projects", "POST"): "a project makes no others",
}
# Answered with what became of each part, and counted for the key's own project.
IN_PARTS = {"api/v1/usage/events", "api/v1/usage/corrections"}


@dataclass(frozen=True)
class Narrowed:
    """The stage with a key of everything in a project of alice's that holds nothing."""

    stage: Stage
    key: Browser


@pytest.fixture(scope="module")
def narrowed(stage: Stage) -> Narrowed:
    alice = stage.alice.organisation
    with operator_scope():
        elsewhere = Project.objects.create(tenant=alice, code="elsewhere", name="Elsewhere")
        row, secret = key(alice, project=elsewhere)
        ApiKey.objects.filter(pk=row.pk).update(name="of one project")
    headers = {"Authorization": f"Bearer {secret}"}
    scopes = frozenset(scope.value for scope in KEY_SCOPES)
    client = Client(raise_request_exception=False)
    # A key's first request notes when it was used.
    assert client.get("/api/v1/organisation", headers=headers).status_code == 200
    return Narrowed(stage, Browser("narrowed key", client, "", scopes, headers))


@dataclass(frozen=True)
class Seen:
    """What can be told apart from outside; the request's own number is left out."""

    status: int
    code: str
    body: str


def _ask(browser: Browser, method: str, row: Row, names: Names) -> Seen:
    expect = row.methods[method]
    sent: dict[str, object] = {}
    if method in {"POST", "PUT"}:
        sent = {"data": json.dumps(expect.body(names)), "content_type": "application/json"}
    headers = {**browser.headers, "Idempotency-Key": str(uuid4())}
    path = address(row.route, row.names(names))
    response = browser.client.generic(method, path, headers=headers, **sent)
    body = response.getvalue().decode(errors="replace")
    code = json.loads(body)["code"] if response.status_code >= 400 else ""
    return Seen(response.status_code, code, body.replace(response["X-Request-ID"], ""))


def _is_refused(row: Row, method: str) -> bool:
    return row.methods[method].scope not in WITHIN_A_PROJECT or (row.route, method) in BEYOND


def _is_of_an_object(row: Row) -> bool:
    return bool(set(row.names(Nowhere())) - {"code"})


def _spoken(case: object) -> str:
    return case.route if isinstance(case, Row) else str(case)


EVERYTHING = [(row, method) for row in API_ROWS for method in row.methods]
REFUSED = [case for case in EVERYTHING if _is_refused(*case)]
READ = [(row, method) for row, method in EVERYTHING if method == "GET"]
SHOWN = [case for case in READ if case not in REFUSED and case[0].route in SHARED]
NARROWED = [case for case in READ if case not in REFUSED and case[0].route not in SHARED]
WRITTEN = [case for case in EVERYTHING if case not in REFUSED and case not in READ]


def test_the_exceptions_are_addresses_of_the_api() -> None:
    assert {row.route for row, _method in SHOWN} == set(SHARED)
    assert {(row.route, method) for row, method in REFUSED} >= set(BEYOND)
    assert {row.route for row, _method in WRITTEN} >= IN_PARTS


@pytest.mark.parametrize(("row", "method"), REFUSED, ids=_spoken)
def test_what_is_the_whole_organisations_is_refused(
    narrowed: Narrowed, row: Row, method: str
) -> None:
    alice = narrowed.stage.alice
    before = fingerprint(alice)
    answer = _ask(narrowed.key, method, row, alice)
    assert (answer.status, answer.code) == (403, "permission_refused")
    assert fingerprint(alice) == before


@pytest.mark.parametrize(("row", "method"), NARROWED, ids=_spoken)
def test_of_what_is_a_projects_other_projects_keys_are_shown_nothing(
    narrowed: Narrowed, row: Row, method: str
) -> None:
    alice = narrowed.stage.alice
    answer = _ask(narrowed.key, method, row, alice)
    whole = _ask(narrowed.stage.full_key, method, row, alice)
    assert whole.status == 200
    assert alice.canary not in answer.body
    if _is_of_an_object(row):
        assert answer == _ask(narrowed.key, method, row, Nowhere())
        assert (answer.status, answer.code) == (404, "not_found")
    else:
        assert answer.status == 200
        assert answer != whole


@pytest.mark.parametrize(("row", "method"), SHOWN, ids=_spoken)
def test_what_is_shared_is_the_same_for_every_key(
    narrowed: Narrowed, row: Row, method: str
) -> None:
    alice = narrowed.stage.alice
    answer = _ask(narrowed.key, method, row, alice)
    assert answer == _ask(narrowed.stage.full_key, method, row, alice)


@pytest.mark.parametrize(("row", "method"), WRITTEN, ids=_spoken)
def test_of_what_is_a_projects_other_projects_keys_change_nothing(
    narrowed: Narrowed, row: Row, method: str
) -> None:
    alice = narrowed.stage.alice
    before, used_before = fingerprint(alice), _used_elsewhere(narrowed)
    with transaction.atomic():
        answer = _ask(narrowed.key, method, row, alice)
        after, used_after = fingerprint(alice), _used_elsewhere(narrowed)
        transaction.set_rollback(True)
    assert alice.canary not in answer.body
    assert used_after == used_before
    if row.route in IN_PARTS:
        assert answer.status == 200
    else:
        assert answer.status in {403, 404, 415}
        assert after == before


def _used_elsewhere(narrowed: Narrowed) -> list[object]:
    """What the organisation used outside the key's own project."""
    whole = narrowed.stage.full_key
    answer = whole.client.get("/api/v1/usage/summary?group_by=project", headers=whole.headers)
    return [one for one in answer.json()["items"] if one["value"] != "elsewhere"]
