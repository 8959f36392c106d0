"""Budgets: the API's resources and the console's pages."""

from uuid import uuid4

from billing.models import Budget
from tenants.permissions import Permission
from tests.access.table import Expect, Names, Row

MONEY = frozenset({"owner", "admin", "finance"})
READ = Expect(scope=Permission.BUDGET_READ)


def _budget(names: Names) -> dict[str, object]:
    return {"budget_id": names.pk(Budget)}


def _page(names: Names) -> dict[str, object]:
    return {"tenant_code": names.code, **_budget(names)}


def _new(names: Names) -> dict[str, object]:
    return {"scope": "tenant", "amount": "5000.00"}


def _amount(names: Names) -> dict[str, object]:
    return {"amount": "7000.00"}


def _sent(names: Names) -> dict[str, object]:
    return {"idem": uuid4()}


def _manage(status: int, body: object) -> Expect:
    return Expect(status, scope=Permission.BUDGET_MANAGE, suspended=403, body=body)  # type: ignore[arg-type]


ROWS = [
    Row("api/v1/budgets", "api", {"GET": READ, "POST": _manage(201, _new)}),
    Row(
        "api/v1/budgets/<uuid:budget_id>",
        "api",
        {
            "GET": READ,
            "POST": _manage(200, _amount),
            "DELETE": Expect(204, scope=Permission.BUDGET_MANAGE, suspended=403),
        },
        names=_budget,
    ),
    Row(
        "t/<str:tenant_code>/budgets/",
        "tenant",
        {"GET": Expect(who=MONEY), "POST": Expect(422, who=MONEY, body=_sent)},
        names=lambda names: {"tenant_code": names.code},
    ),
    Row(
        "t/<str:tenant_code>/budgets/<uuid:budget_id>/",
        "tenant",
        {"GET": Expect(who=MONEY), "POST": Expect(422, who=MONEY, body=_sent)},
        names=_page,
    ),
    Row(
        "t/<str:tenant_code>/budgets/<uuid:budget_id>/remove/",
        "tenant",
        {"POST": Expect(302, who=MONEY, body=_sent)},
        names=_page,
    ),
]
