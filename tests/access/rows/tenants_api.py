"""The API's resources of the tenants app."""

from tenants.models import ApiKey, Project
from tenants.permissions import Permission
from tests.access.table import Expect, Names, Row


def _new_project(names: Names) -> dict[str, object]:
    return {"code": "another", "name": "Another 项目"}


def _new_key(names: Names) -> dict[str, object]:
    return {
        "name": "nightly",
        "scopes": [Permission.PROJECT_READ.value],
        "project_id": str(names.pk(Project)),
    }


ROWS = [
    Row("api/v1/organisation", "api", {"GET": Expect(scope=Permission.ORGANISATION_READ)}),
    Row(
        "api/v1/projects",
        "api",
        {
            "GET": Expect(scope=Permission.PROJECT_READ),
            "POST": Expect(201, scope=Permission.PROJECT_MANAGE, body=_new_project, suspended=403),
        },
    ),
    Row(
        "api/v1/projects/<uuid:project_id>",
        "api",
        {"GET": Expect(scope=Permission.PROJECT_READ)},
        names=lambda names: {"project_id": names.pk(Project)},
    ),
    Row("api/v1/members", "api", {"GET": Expect(scope=Permission.MEMBER_READ)}),
    Row(
        "api/v1/keys",
        "api",
        {
            "GET": Expect(scope=Permission.KEY_READ),
            "POST": Expect(201, scope=Permission.KEY_MANAGE, body=_new_key, suspended=403),
        },
    ),
    Row(
        "api/v1/keys/<uuid:key_id>",
        "api",
        {"DELETE": Expect(204, scope=Permission.KEY_MANAGE, suspended=403)},
        names=lambda names: {"key_id": names.pk(ApiKey)},
    ),
    Row("api/v1/audit", "api", {"GET": Expect(scope=Permission.AUDIT_READ)}),
]
