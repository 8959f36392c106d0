"""The tenant console: every page and every form, under /t/<code>/."""

from uuid import uuid4

from appliances.models import Deployment
from billing.models import CreditNote, Dispute, Fapiao, Invoice
from compute.models import Reservation
from tenants.models import ApiKey, Invitation, Membership, Project
from tests.access.table import EVERY_MEMBER, Expect, Names, Row

MAKERS = frozenset({"owner", "admin", "developer"})
MONEY = frozenset({"owner", "admin", "finance"})
MANAGERS = frozenset({"owner", "admin"})
OWNERS = frozenset({"owner"})


def _sent(names: Names) -> dict[str, object]:
    return {"idem": uuid4()}


def _viewer(names: Names) -> dict[str, object]:
    return {"idem": uuid4(), "role": "viewer"}


def _page(
    rest: str, who: frozenset[str], names: dict[str, type] | None = None, **fixed: object
) -> Row:
    """A page to look at."""
    return _row(rest, {"GET": Expect(who=who)}, names, fixed)


def _form(rest: str, who: frozenset[str], status: int, names: dict[str, type] | None = None) -> Row:
    """An address that only takes a form."""
    return _row(rest, {"POST": Expect(status, who=who, body=_sent)}, names, {})


def _row(
    rest: str, methods: dict[str, Expect], models: dict[str, type] | None, fixed: dict[str, object]
) -> Row:
    def parameters(names: Names) -> dict[str, object]:
        found = {name: names.pk(model) for name, model in (models or {}).items()}
        return {"tenant_code": names.code, **fixed, **found}

    return Row(f"t/<str:tenant_code>/{rest}", "tenant", methods, names=parameters)


RESERVATION = {"reservation_id": Reservation}
DEPLOYMENT = {"deployment_id": Deployment}
INVOICE = {"invoice_id": Invoice}
NOTE = {"note_id": CreditNote}
_reservation = "reservations/<uuid:reservation_id>/"
_deployment = "deployments/<uuid:deployment_id>/"
_invoice = "invoices/<uuid:invoice_id>/"
_note = "credit-notes/<uuid:note_id>/"

ROWS = [
    _page("", EVERY_MEMBER),
    _row(
        "reserve/",
        {
            "GET": Expect(who=MAKERS, suspended=403),
            "POST": Expect(422, who=MAKERS, body=_sent),
        },
        None,
        {},
    ),
    _page("reservations/", EVERY_MEMBER),
    _page(_reservation, EVERY_MEMBER, RESERVATION),
    _form(f"{_reservation}submit/", MAKERS, 409, RESERVATION),
    _form(f"{_reservation}cancel/", MAKERS, 302, RESERVATION),
    _form(f"{_reservation}end/", MAKERS, 409, RESERVATION),
    _page("catalogue/", EVERY_MEMBER),
    # The stage's appliance is not on sale, which is the same as missing.
    _row(
        "catalogue/<str:appliance_code>/",
        {"GET": Expect(404, who=EVERY_MEMBER)},
        None,
        {"appliance_code": "factory"},
    ),
    _row(
        "deploy/<str:appliance_code>/",
        {
            "GET": Expect(404, who=MAKERS, suspended=403),
            "POST": Expect(404, who=MAKERS, body=_sent),
        },
        None,
        {"appliance_code": "factory"},
    ),
    _page("usage/", EVERY_MEMBER),
    _page("usage/lines.csv", EVERY_MEMBER),
    _page("usage/rejected/", EVERY_MEMBER),
    _page("costs/", EVERY_MEMBER),
    _page("costs/days.csv", EVERY_MEMBER),
    _page("invoices/", MONEY),
    _page("invoices/focus/", MONEY),
    _page(_invoice, MONEY, INVOICE),
    _page(f"{_invoice}document.pdf", MONEY, INVOICE),
    _page(f"{_invoice}lines.csv", MONEY, INVOICE),
    _page(f"{_invoice}lines/<int:position>/", MONEY, INVOICE, position=1),
    _page("wallet/", MONEY),
    _page("prices/", EVERY_MEMBER),
    _row(
        "wallet/apply/",
        {"GET": Expect(who=MONEY), "POST": Expect(422, who=MONEY, body=_sent)},
        None,
        {},
    ),
    _page("deployments/", EVERY_MEMBER),
    _page(_deployment, EVERY_MEMBER, DEPLOYMENT),
    _page(f"{_deployment}status/", EVERY_MEMBER, DEPLOYMENT),
    _form(f"{_deployment}stop/", MAKERS, 302, DEPLOYMENT),
    _form(f"{_deployment}retry/", MAKERS, 409, DEPLOYMENT),
    _row(
        "keys/",
        {"GET": Expect(who=MAKERS), "POST": Expect(422, who=MANAGERS, body=_sent)},
        None,
        {},
    ),
    _form("keys/<uuid:key_id>/revoke/", MANAGERS, 302, {"key_id": ApiKey}),
    _page("members/", EVERY_MEMBER),
    _form("members/invite/", MANAGERS, 422),
    # The member is an owner, whom only owners may change.
    _row(
        "members/<uuid:member_id>/role/",
        {"POST": Expect(302, who=OWNERS, body=_viewer)},
        {"member_id": Membership},
        {},
    ),
    _form("members/<uuid:member_id>/remove/", OWNERS, 302, {"member_id": Membership}),
    _row(
        "projects/",
        {"GET": Expect(who=EVERY_MEMBER), "POST": Expect(422, who=MANAGERS, body=_sent)},
        None,
        {},
    ),
    _form("projects/<uuid:project_id>/archive/", MANAGERS, 302, {"project_id": Project}),
    _form(
        "members/invitations/<uuid:invitation_id>/revoke/",
        MANAGERS,
        302,
        {"invitation_id": Invitation},
    ),
    _page("audit/", MANAGERS),
    _page("fapiao/", MONEY),
    _page("fapiao/<uuid:fapiao_id>/", MONEY, {"fapiao_id": Fapiao}),
    _form("fapiao/profile/", MONEY, 422),
    _form("fapiao/request/", MONEY, 422),
    _page("statement/", MONEY),
    _page("statement/document.pdf", MONEY),
    _page("statement/rows.csv", MONEY),
    _page(_note, MONEY, NOTE),
    _page(f"{_note}document.pdf", MONEY, NOTE),
    _page(f"{_note}lines.csv", MONEY, NOTE),
    _row(
        f"{_invoice}lines/<int:position>/dispute/",
        {"POST": Expect(422, who=MONEY, body=_sent)},
        INVOICE,
        {"position": 1},
    ),
    _row(
        f"{_invoice}lines/<int:position>/disputes/<uuid:dispute_id>/withdraw/",
        {"POST": Expect(302, who=MONEY, body=_sent)},
        {"invoice_id": Invoice, "dispute_id": Dispute},
        {"position": 1},
    ),
]
