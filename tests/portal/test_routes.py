"""The routes: who becomes which actor, what is kept of a view, and how a refusal looks."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, override_settings

from common.trace import request_id
from portal.logs import JsonLines
from tenants.models import OperatorAccess, Organisation, Project, User
from tenants.scoping import operator_scope
from tests.factories.tenants import member, operator

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.portal.route_urls")]


@pytest.fixture
def alice() -> Organisation:
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice")
        bob = Organisation.objects.create(code="bob", name="Bob")
        for owner in (alice, bob):
            Project.objects.create(tenant=owner, code="main", name=f"CANARY-{owner.code}")
    return alice


def _browser(person: User | None = None) -> Client:
    client = Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client


def _codes() -> list[str]:
    with operator_scope():
        return sorted(Project.objects.values_list("code", flat=True))


def _body(response: object) -> bytes:
    return response.content.replace(response["X-Request-ID"].encode(), b"")


def test_a_member_sees_their_tenants_rows_only(alice: Organisation) -> None:
    answer = _browser(member(alice, "viewer")).get("/t/alice/probe/")
    assert answer.json() == {"projects": ["CANARY-alice"], "kind": "member", "actor": "viewer"}
    assert "no-store" in answer["Cache-Control"]


def test_foreign_unknown_and_unvisited_are_one_page(alice: Organisation) -> None:
    answers = [
        _browser(member(alice, "owner")).get("/t/bob/probe/"),
        _browser(member(alice, "viewer")).get("/t/nobody/probe/"),
        _browser(operator("finance")).get("/t/alice/probe/"),
        _browser(member(alice, "admin")).get("/t/bob/nowhere/"),
        _browser(member(alice, "finance")).get("/ops/probe/"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({_body(answer) for answer in answers}) == 1


def test_a_stranger_is_sent_to_sign_in_whatever_the_code(alice: Organisation) -> None:
    for path in ("/t/alice/probe/", "/t/nobody/probe/", "/ops/probe/"):
        answer = _browser().get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")
    fragment = _browser().get("/t/alice/probe/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (204, "/accounts/login/")


def test_an_operator_sees_everybodys_rows(alice: Organisation) -> None:
    answer = _browser(operator("support")).get("/ops/probe/")
    assert answer.json()["projects"] == ["CANARY-alice", "CANARY-bob"]


def test_a_visit_is_for_looking(alice: Organisation) -> None:
    person = operator("support")
    now = datetime.now(UTC)
    with operator_scope():
        visit = OperatorAccess.objects.create(
            tenant=alice,
            operator=person,
            reason="Ticket 7",
            starts_at=now - timedelta(minutes=1),
            ends_at=now + timedelta(minutes=10),
        )
    browser = _browser(person)
    assert browser.get("/t/alice/probe/").json()["projects"] == ["CANARY-alice"]
    assert browser.post("/t/alice/write/200/").status_code == 403
    assert _codes() == ["main", "main"]
    with operator_scope():
        OperatorAccess.objects.filter(pk=visit.pk).update(ends_at=now - timedelta(seconds=1))
    assert browser.get("/t/alice/probe/").status_code == 404


@pytest.mark.parametrize(
    ("ending", "status", "kept"),
    [
        ("200", 200, True),
        ("422", 422, True),
        ("500", 500, False),
        ("bug", 500, False),
        ("database", 503, False),
        ("missing", 404, True),
        ("forbidden", 403, True),
        ("refused", 409, True),
    ],
)
def test_nothing_is_kept_of_a_view_that_failed(
    alice: Organisation, ending: str, status: int, kept: bool
) -> None:
    answer = _browser(member(alice, "owner")).post(f"/t/alice/write/{ending}/")
    assert answer.status_code == status
    assert (f"half-{ending}" in _codes()) is kept
    if ending in {"bug", "database"}:
        assert b"ZeroDivisionError" not in answer.content
        assert b"gone" not in answer.content
        assert answer["X-Request-ID"].encode() in answer.content


def test_another_sites_page_changes_nothing(alice: Organisation) -> None:
    browser = _browser(member(alice, "owner"))
    for site in ("cross-site", "same-site"):
        answer = browser.post("/t/alice/write/200/", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert _codes() == ["main", "main"]
    browser.post("/t/alice/write/200/", headers={"Sec-Fetch-Site": "same-origin"})
    assert "half-200" in _codes()


def test_a_form_without_its_token_is_refused(alice: Organisation) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member(alice, "owner"))
    assert browser.post("/t/alice/write/200/").status_code == 403
    assert _codes() == ["main", "main"]


@override_settings(MFA_REQUIRED=True)
@pytest.mark.parametrize(
    ("role", "status"),
    [("owner", 302), ("admin", 302), ("finance", 302), ("developer", 200), ("viewer", 200)],
)
def test_people_near_money_set_up_a_second_factor_first(
    alice: Organisation, role: str, status: int
) -> None:
    answer = _browser(member(alice, role)).get("/t/alice/probe/")
    assert answer.status_code == status
    if status == 302:
        assert answer["Location"] == "/accounts/2fa/"


@override_settings(MFA_REQUIRED=True)
def test_operators_set_up_a_second_factor_first(alice: Organisation) -> None:
    answer = _browser(operator("support")).get("/ops/probe/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/")


def test_a_request_keeps_a_well_formed_name_and_gets_one_otherwise() -> None:
    kept = _browser().get("/healthz", headers={"X-Request-ID": "abc-12345"})
    assert kept["X-Request-ID"] == "abc-12345"
    for wrong in ("short", "x" * 65, "with space", "<script>"):
        answer = _browser().get("/healthz", headers={"X-Request-ID": wrong})
        assert len(answer["X-Request-ID"]) == 32
    assert request_id.get() == ""


def test_a_log_line_names_its_request_and_hides_secrets() -> None:
    token = request_id.set("r-1")
    record = logging.makeLogRecord({"msg": "mail.unsent", "api_token": "acp_x", "pool": "a"})
    line = json.loads(JsonLines().format(record))
    request_id.reset(token)
    assert (line["event"], line["request_id"], line["pool"]) == ("mail.unsent", "r-1", "a")
    assert "acp_x" not in str(line)
