"""What holds for every resource: keys, problems, idempotency, strict input, pages, rates."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from django.core.cache import cache
from django.db import connection

from tenants.models import ApiKey, AuditEntry, IdempotencyKey, Organisation, Project
from tenants.permissions import Permission
from tenants.scoping import operator_scope
from tests.database import wait_for_a_blocked_session
from tests.factories.program import Program, program

GOOD = {"code": "research", "name": "研究 🚀"}


@pytest.fixture
def alice(db: None) -> Organisation:
    cache.clear()
    with operator_scope():
        return Organisation.objects.create(code="alice", name="Alice")


@pytest.fixture
def api(alice: Organisation) -> Program:
    return program(alice)


def _projects() -> list[str]:
    with operator_scope():
        return sorted(Project.objects.values_list("code", flat=True))


def _problem(response: object, status: int, code: str) -> dict[str, object]:
    """The problem document of a refusal, its fixed members checked."""
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert set(document) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "errors",
        "request_id",
        "retryable",
    }
    assert document["title"] == HTTPStatus(status).phrase
    assert document["request_id"] == response["X-Request-ID"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer acp_x", "Bearer " + "é" * 43, "Bearer a b"],
)
def test_a_request_without_a_key_in_force_is_unauthorised(api: Program, header: str) -> None:
    response = api.get("projects", headers={"Authorization": header})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response["Content-Type"] == "application/problem+json"


def test_every_dead_key_gets_the_same_answer(alice: Organisation, api: Program) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    bodies = set()
    for secret in (
        program(alice, revoked_at=past).secret,
        program(alice, expires_at=past).secret,
        "acp_" + "0" * 32 + "_000000",
    ):
        response = Program(secret=secret).get("projects")
        document = _problem(response, 401, "key_refused")
        bodies.add(json.dumps({**document, "request_id": "", "instance": ""}))
    assert len(bodies) == 1


def test_a_key_without_the_scope_is_forbidden(alice: Organisation) -> None:
    weak = program(alice, {Permission.PROJECT_READ.value})
    assert weak.get("projects").status_code == 200
    _problem(weak.post("projects", GOOD), 403, "permission_refused")
    # The scope comes before the input: what is wrong with it is not this caller's business.
    _problem(weak.post("projects", {}), 403, "permission_refused")
    assert _projects() == []


def test_what_is_missing_is_a_problem_too(api: Program) -> None:
    _problem(api.get("nonsense"), 404, "not_found")
    _problem(api.get("projects/not-a-uuid"), 404, "not_found")
    _problem(api.get("projects/01980000-0000-7000-8000-000000000000"), 404, "not_found")


def test_a_method_nobody_has_is_refused_with_those_there_are(api: Program) -> None:
    response = api.delete("projects")
    _problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, POST, HEAD"


def test_an_answer_the_caller_cannot_read_is_not_given(api: Program) -> None:
    _problem(api.get("projects", headers={"Accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "parse_error"),
        (b"\xff\xfe", "parse_error"),
        (b'{"code": NaN, "name": "x"}', "parse_error"),
        (b"[" * 100_000, "parse_error"),
    ],
)
def test_a_body_that_is_not_json_is_a_bad_request(api: Program, body: bytes, code: str) -> None:
    _problem(api.post("projects", body), 400, code)
    assert _projects() == []


def test_another_media_type_is_refused(api: Program) -> None:
    response = api.post("projects", b"code=x", content_type="text/plain")
    _problem(response, 415, "unsupported_media_type")


def test_a_body_too_large_is_refused(api: Program) -> None:
    big = json.dumps({"code": "x", "name": "x" * 3_000_000}).encode()
    _problem(api.post("projects", big), 413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"name": "x"}, "/code", "required"),
        ({**GOOD, "colour": "red"}, "/colour", "unknown_field"),
        ({**GOOD, "tenant_id": "x"}, "/tenant_id", "unknown_field"),
        ({**GOOD, "a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        ({**GOOD, "name": 7}, "/name", "not_text"),
        ({**GOOD, "name": None}, "/name", "null"),
        ({**GOOD, "name": ""}, "/name", "blank"),
        ({**GOOD, "name": "x" * 101}, "/name", "max_length"),
        ({**GOOD, "name": "a\x00b"}, "/name", "control_character"),
        ({**GOOD, "name": "a\ud800"}, "/name", "control_character"),
        ({**GOOD, "code": "Not A Code"}, "/code", "invalid_code"),
        ([GOOD], "/", "invalid"),
        ("text", "/", "invalid"),
        (None, "/", "null"),
    ],
)
def test_wrong_input_is_pointed_at(api: Program, body: object, pointer: str, code: str) -> None:
    document = _problem(api.post("projects", body), 422, "invalid_input")
    errors = document["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, code)]
    assert _projects() == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("expires_at", "2030-01-01T00:00:00", "no_offset"),
        ("expires_at", "2030-01-01", "no_offset"),
        ("expires_at", "2030-13-01T00:00:00Z", "no_offset"),
        ("expires_at", "0001-01-01T00:00:00+23:59", "no_offset"),
        ("expires_at", 1893456000, "no_offset"),
        ("expires_at", "2020-01-01T00:00:00Z", "in_the_past"),
        ("requests_per_minute", "5", "not_integer"),
        ("requests_per_minute", 5.0, "not_integer"),
        ("requests_per_minute", True, "not_integer"),
        ("requests_per_minute", 0, "min_value"),
        ("requests_per_minute", 10**30, "max_value"),
        ("project_id", "x", "invalid"),
        ("project_id", 5, "invalid"),
    ],
)
def test_numbers_and_times_are_taken_literally(
    api: Program, field: str, value: object, code: str
) -> None:
    body = {"name": "k", "scopes": ["tenants:project:read"], field: value}
    document = _problem(api.post("keys", body), 422, "invalid_input")
    assert [(e["pointer"], e["code"]) for e in document["errors"]] == [(f"/{field}", code)]


def test_an_error_inside_a_list_is_pointed_at(api: Program) -> None:
    body = {"name": "k", "scopes": ["tenants:project:read", "nonsense"]}
    document = _problem(api.post("keys", body), 422, "invalid_input")
    assert [e["pointer"] for e in document["errors"]] == ["/scopes/1"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=%00", "cursor=zzz", "colour=red"],
)
def test_a_wrong_query_is_refused(api: Program, query: str) -> None:
    _problem(api.get(f"projects?{query}"), 422, "invalid_input")


def test_the_callers_language_is_spoken(api: Program) -> None:
    chinese = _problem_text(api.get("projects?limit=0", headers={"Accept-Language": "zh-CN"}))
    english = _problem_text(api.get("projects?limit=0", headers={"Accept-Language": "en"}))
    assert english == "Some of the input is not valid."
    assert "输入" in chinese


def _problem_text(response: object) -> str:
    return str(json.loads(response.content)["detail"])


def test_pages_lead_through_every_row(api: Program) -> None:
    for number in range(5):
        assert api.post("projects", {"code": f"p{number}", "name": "x"}).status_code == 201
    seen: list[str] = []
    path = "projects?limit=2"
    for _page in range(3):
        page = api.get(path).json()
        seen += [item["code"] for item in page["items"]]
        path = f"projects?limit=2&cursor={page['next']}"
    assert page["next"] is None
    assert sorted(seen) == ["p0", "p1", "p2", "p3", "p4"]


def test_a_list_costs_the_same_at_any_length(
    api: Program, alice: Organisation, django_assert_max_num_queries: object
) -> None:
    api.get("projects")
    with operator_scope():
        Project.objects.bulk_create(
            Project(tenant=alice, code=f"p{number}", name="x") for number in range(300)
        )
    with django_assert_max_num_queries(10):
        assert len(api.get("projects?limit=100").json()["items"]) == 100


def test_a_post_needs_an_idempotency_key(api: Program) -> None:
    for wrong in (" ", "x" * 256, "käse"):
        response = api.post("projects", GOOD, key=wrong)
        _problem(response, 400, "idempotency_key_required")
    assert _projects() == []


def test_the_same_key_gives_the_same_answer_and_one_effect(api: Program) -> None:
    first = api.post("projects", GOOD, key="once")
    second = api.post("projects", GOOD, key="once")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert (first.has_header("Idempotent-Replayed"), second["Idempotent-Replayed"]) == (
        False,
        "true",
    )
    with operator_scope():
        assert AuditEntry.objects.filter(action="tenants.project.created").count() == 1


def test_a_new_keys_secret_survives_a_repeat_and_is_not_stored_in_the_clear(api: Program) -> None:
    body = {"name": "k", "scopes": ["tenants:project:read"]}
    first, second = api.post("keys", body, key="k1"), api.post("keys", body, key="k1")
    secret = first.json()["secret"]
    assert second.json()["secret"] == secret
    assert Program(secret=secret).get("projects").status_code == 200
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT i::text FROM tenants_idempotencykey i")
        assert secret[4:36] not in str(cursor.fetchall())
        stored = IdempotencyKey.objects.get()
        assert secret.encode() not in bytes(stored.sealed_answer or b"")


def test_a_key_used_for_another_request_is_refused(api: Program) -> None:
    api.post("projects", GOOD, key="once")
    other = api.post("projects", {**GOOD, "code": "other"}, key="once")
    _problem(other, 422, "idempotency_key_reused")
    _problem(api.post("keys", GOOD, key="once"), 422, "idempotency_key_reused")
    assert _projects() == ["research"]


def test_a_refused_request_leaves_its_key_free(api: Program) -> None:
    _problem(api.post("projects", {"code": "x"}, key="once"), 422, "invalid_input")
    assert api.post("projects", GOOD, key="once").status_code == 201
    _problem(api.post("projects", GOOD, key="twice"), 409, "code_taken")
    assert api.post("projects", {**GOOD, "code": "y"}, key="twice").status_code == 201


def test_a_revoked_key_is_out_with_its_next_request(alice: Organisation, api: Program) -> None:
    other = program(alice, {Permission.PROJECT_READ.value})
    assert other.get("projects").status_code == 200
    with operator_scope():
        row = ApiKey.objects.get(last_four=other.secret[-4:])
    assert api.delete(f"keys/{row.pk}").status_code == 204
    assert other.get("projects").status_code == 401


def test_a_key_that_asks_too_often_is_told_to_wait(alice: Organisation) -> None:
    slow = program(alice, requests_per_minute=2)
    first = slow.get("projects")
    assert first["RateLimit-Policy"] == '"key";q=2;w=60'
    assert first["RateLimit"].startswith('"key";r=1;t=')
    answers = [slow.get("projects") for _ in range(3)]
    refused = answers[-1]
    document = _problem(refused, 429, "rate_limited")
    assert document["retryable"] is True
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_answers_are_not_kept_by_anyone_on_the_way(api: Program) -> None:
    assert "no-store" in api.get("projects")["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_a_second_request_beside_the_first_is_told_to_wait() -> None:
    cache.clear()
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice")
    api = program(alice)
    answers: list[object] = []
    with operator_scope():
        # Somebody else holds the same project code: the first request waits for them.
        Project.objects.create(tenant=alice, code="research", name="x")
        first = threading.Thread(target=_post_and_close, args=(api, answers))
        first.start()
        wait_for_a_blocked_session()
        second: list[object] = []
        other = threading.Thread(target=_post_and_close, args=(api, second))
        other.start()
        other.join(10)
        document = _problem(second[0], 409, "request_in_flight")
        assert document["retryable"] is True
        assert second[0]["Retry-After"] == "1"
    first.join(10)
    _problem(answers[0], 409, "code_taken")


def _post_and_close(api: Program, answers: list[object]) -> None:
    try:
        answers.append(Program(secret=api.secret).post("projects", GOOD, key="same"))
    finally:
        connection.close()
