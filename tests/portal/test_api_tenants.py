"""The tenants' resources, member by member."""

import json
from datetime import UTC, datetime

import pytest
from django.core.cache import cache

from tenants.models import ApiKey, Organisation, Project
from tenants.scoping import operator_scope
from tests.factories.program import Program, program
from tests.factories.tenants import member


@pytest.fixture
def alice(db: None) -> Organisation:
    cache.clear()
    with operator_scope():
        return Organisation.objects.create(
            code="alice", name="Alice 智算", legal_name="Alice Ltd", credit_code="91110000X"
        )


@pytest.fixture
def api(alice: Organisation) -> Program:
    return program(alice)


def test_the_organisation_is_shown(alice: Organisation, api: Program) -> None:
    shown = api.get("organisation").json()
    assert shown == {
        "id": str(alice.pk),
        "code": "alice",
        "name": "Alice 智算",
        "legal_name": "Alice Ltd",
        "credit_code": "91110000X",
        "state": "active",
        "created_at": shown["created_at"],
    }
    assert datetime.fromisoformat(shown["created_at"]) == alice.created_at
    assert shown["created_at"].endswith("Z")


def test_a_project_is_made_shown_and_listed(api: Program) -> None:
    made = api.post("projects", {"code": "lab", "name": "实验室"}).json()
    assert (made["code"], made["name"], made["archived_at"]) == ("lab", "实验室", None)
    assert api.get(f"projects/{made['id']}").json() == made
    assert api.get("projects").json() == {"items": [made], "next": None}


def test_members_are_listed_with_their_roles(alice: Organisation, api: Program) -> None:
    member(alice, "owner", "li")
    (shown,) = api.get("members").json()["items"]
    assert (shown["email"], shown["name"], shown["role"]) == ("li@alice.example", "li", "owner")
    assert set(shown) == {"id", "email", "name", "role", "created_at"}


def test_a_key_is_made_listed_and_revoked(api: Program) -> None:
    body = {
        "name": "nightly",
        "scopes": ["tenants:project:read"],
        "allowed_models": ["qwen"],
        "expires_at": "2099-01-01T08:00:00+08:00",
        "requests_per_minute": 10,
    }
    made = api.post("keys", body).json()
    assert made["expires_at"] == "2099-01-01T00:00:00Z"
    secret = made.pop("secret")
    assert (made["prefix"], made["last_four"]) == (secret[:12], secret[-4:])
    listed = api.get("keys").json()["items"]
    assert made in listed
    assert all("secret" not in key for key in listed)
    assert api.delete(f"keys/{made['id']}").content == b""
    with operator_scope():
        assert ApiKey.objects.get(pk=made["id"]).revoked_at <= datetime.now(UTC)


def test_the_trail_tells_what_a_program_did(api: Program) -> None:
    made = api.post("projects", {"code": "lab", "name": "Lab"})
    (entry,) = api.get("audit?action=tenants.project.").json()["items"]
    assert (entry["action"], entry["actor_kind"]) == ("tenants.project.created", "api_key")
    assert entry["subject"] == f"tenants.project:{made.json()['id']}"
    assert entry["request_id"] == made["X-Request-ID"]
    assert entry["detail"] == {"code": "lab", "name": "Lab"}


def test_a_key_of_one_project_sees_that_one_only(alice: Organisation) -> None:
    with operator_scope():
        mine = Project.objects.create(tenant=alice, code="mine", name="Mine")
        other = Project.objects.create(tenant=alice, code="other", name="Other")
    narrow = program(alice, project=mine)
    assert [p["code"] for p in narrow.get("projects").json()["items"]] == ["mine"]
    assert narrow.get(f"projects/{other.pk}").status_code == 404
    refused = narrow.post("projects", {"code": "third", "name": "Third"})
    assert json.loads(refused.content)["code"] == "permission_refused"
