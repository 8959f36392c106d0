"""The API's resources of compute, appliances and billing."""

from datetime import timedelta

from appliances.models import Deployment
from billing.models import CreditNote, Dispute, Fapiao, Invoice
from compute.models import Reservation
from tenants.permissions import Permission
from tests.access.table import Expect, Names, Row
from tests.factories.desk import HOUR, event, minute, written

P = Permission


def _reservation(names: Names) -> dict[str, object]:
    # Said when it is asked: the rows are read long before.
    window = {
        "starts_at": written(minute(HOUR)),
        "ends_at": written(minute(timedelta(days=1))),
    }
    return {"project": "main", "pool": "no-such-pool", "cards": 1, **window}


def _deployment(names: Names) -> dict[str, object]:
    return {
        "project": "main",
        "appliance": "no-such-appliance",
        "name": "model",
        "reservation": str(names.pk(Reservation)),
    }


def _application(names: Names) -> dict[str, object]:
    return {"scheme": "no-such-scheme", "amount": "1.00"}


def _objection(names: Names) -> dict[str, object]:
    return {"line": 1, "reason": "Not ours"}


def _event(names: Names) -> dict[str, object]:
    return event()


def _correction(names: Names) -> dict[str, object]:
    said = {"source": "no-such", "id": "event"}
    return {"id": "c1", "source": "desk", "event": said, "kind": "void", "reason": "a trial"}


def _of_reservation(names: Names) -> dict[str, object]:
    return {"reservation_id": names.pk(Reservation)}


def _of_deployment(names: Names) -> dict[str, object]:
    return {"deployment_id": names.pk(Deployment)}


def _of_invoice(names: Names) -> dict[str, object]:
    return {"invoice_id": names.pk(Invoice)}


def _wanted(names: Names) -> dict[str, object]:
    return {"invoices": [str(names.pk(Invoice))]}


def _profile(names: Names) -> dict[str, object]:
    return {"buyer_name": "Another buyer", "kind": "digital_ordinary"}


def _of_line(names: Names) -> dict[str, object]:
    return {"invoice_id": names.pk(Invoice), "number": 1}


def _reading(route: str, scope: Permission, status: int = 200) -> Row:
    return Row(route, "api", {"GET": Expect(status, scope=scope)})


def _stepping(route: str, scope: Permission, status: int) -> Row:
    return Row(
        f"api/v1/reservations/<uuid:reservation_id>/{route}",
        "api",
        {"POST": Expect(status, scope=scope, suspended=403)},
        names=_of_reservation,
    )


ROWS = [
    _reading("api/v1/pools", P.POOL_READ),
    # Addresses whose query is missing are refused before anything is looked up.
    Row(
        "api/v1/pools/<slug:code>/availability",
        "api",
        {"GET": Expect(422, scope=P.POOL_READ)},
        names=lambda names: {"code": "shared"},
    ),
    Row(
        "api/v1/pools/<slug:code>/service-classes",
        "api",
        {"GET": Expect(200, scope=P.POOL_READ)},
        names=lambda names: {"code": "shared"},
    ),
    _reading("api/v1/offers", P.POOL_READ, status=422),
    Row(
        "api/v1/reservations",
        "api",
        {
            "GET": Expect(scope=P.RESERVATION_READ),
            "POST": Expect(404, scope=P.RESERVATION_CREATE, body=_reservation, suspended=403),
        },
    ),
    Row(
        "api/v1/reservations/<uuid:reservation_id>",
        "api",
        {"GET": Expect(scope=P.RESERVATION_READ)},
        names=_of_reservation,
    ),
    # The hold of the cast lapsed long ago, and nothing of it was ever active.
    _stepping("submit", P.RESERVATION_CREATE, 409),
    _stepping("cancel", P.RESERVATION_CANCEL, 200),
    _stepping("end", P.RESERVATION_CANCEL, 409),
    _reading("api/v1/appliances", P.CATALOGUE_READ),
    Row(
        "api/v1/appliances/<slug:code>",
        "api",
        {"GET": Expect(404, scope=P.CATALOGUE_READ)},
        names=lambda names: {"code": "no-such-appliance"},
    ),
    Row(
        "api/v1/deployments",
        "api",
        {
            "GET": Expect(scope=P.DEPLOYMENT_READ),
            "POST": Expect(404, scope=P.DEPLOYMENT_CREATE, body=_deployment, suspended=403),
        },
    ),
    Row(
        "api/v1/deployments/<uuid:deployment_id>",
        "api",
        {"GET": Expect(scope=P.DEPLOYMENT_READ)},
        names=_of_deployment,
    ),
    Row(
        "api/v1/deployments/<uuid:deployment_id>/stop",
        "api",
        {"POST": Expect(200, scope=P.DEPLOYMENT_STOP, suspended=403)},
        names=_of_deployment,
    ),
    Row(
        "api/v1/usage/events",
        "api",
        {
            "GET": Expect(scope=P.USAGE_READ),
            "POST": Expect(200, scope=P.USAGE_INGEST, body=_event, suspended=403),
        },
    ),
    Row(
        "api/v1/usage/corrections",
        "api",
        {"POST": Expect(200, scope=P.USAGE_CORRECT, body=_correction, suspended=403)},
    ),
    _reading("api/v1/usage/rejected", P.USAGE_READ),
    Row(
        "api/v1/usage/stream",
        "api",
        {"POST": Expect(415, scope=P.USAGE_INGEST, suspended=403)},
    ),
    _reading("api/v1/usage/summary", P.USAGE_READ),
    _reading("api/v1/costs", P.USAGE_READ),
    _reading("api/v1/costs.csv", P.USAGE_READ),
    _reading("api/v1/wallet", P.WALLET_READ),
    _reading("api/v1/wallet/movements", P.WALLET_READ),
    _reading("api/v1/statement", P.WALLET_READ),
    _reading("api/v1/forecast", P.BUDGET_READ),
    _reading("api/v1/standing", P.WALLET_READ),
    _reading("api/v1/credits", P.WALLET_READ),
    _reading("api/v1/vouchers", P.WALLET_READ),
    _reading("api/v1/voucher-schemes", P.WALLET_READ),
    Row(
        "api/v1/voucher-applications",
        "api",
        {
            "GET": Expect(scope=P.WALLET_READ),
            "POST": Expect(404, scope=P.VOUCHER_APPLY, body=_application, suspended=403),
        },
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/credits",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=_of_invoice,
    ),
    _reading("api/v1/prices", P.PRICE_READ),
    _reading("api/v1/contracts", P.CONTRACT_READ),
    _reading("api/v1/exports/focus", P.COST_EXPORT),
    _reading("api/v1/invoices", P.INVOICE_READ),
    _reading("api/v1/invoices/draft", P.INVOICE_READ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=_of_invoice,
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/lines/<int:number>/events",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=_of_line,
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/disputes",
        "api",
        {
            "GET": Expect(200, scope=P.INVOICE_READ),
            # The stage's line is disputed already.
            "POST": Expect(409, scope=P.DISPUTE_OPEN, body=_objection, suspended=403),
        },
        names=_of_invoice,
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/disputes/<uuid:dispute_id>/withdraw",
        "api",
        {"POST": Expect(200, scope=P.DISPUTE_OPEN, suspended=403)},
        names=lambda names: {"invoice_id": names.pk(Invoice), "dispute_id": names.pk(Dispute)},
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/document.pdf",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=_of_invoice,
    ),
    Row(
        "api/v1/invoices/<uuid:invoice_id>/lines.csv",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=_of_invoice,
    ),
    Row(
        "api/v1/fapiao",
        "api",
        {
            "GET": Expect(scope=P.FAPIAO_READ),
            # All of the stage's invoice stands on a fapiao already.
            "POST": Expect(409, scope=P.FAPIAO_REQUEST, body=_wanted, suspended=403),
        },
    ),
    Row(
        "api/v1/fapiao/<uuid:fapiao_id>",
        "api",
        {"GET": Expect(scope=P.FAPIAO_READ)},
        names=lambda names: {"fapiao_id": names.pk(Fapiao)},
    ),
    Row(
        "api/v1/tax-profile",
        "api",
        {
            "GET": Expect(scope=P.FAPIAO_READ),
            "PUT": Expect(200, scope=P.FAPIAO_REQUEST, body=_profile, suspended=403),
        },
    ),
    _reading("api/v1/credit-notes", P.INVOICE_READ),
    Row(
        "api/v1/credit-notes/<uuid:note_id>",
        "api",
        {"GET": Expect(scope=P.INVOICE_READ)},
        names=lambda names: {"note_id": names.pk(CreditNote)},
    ),
    *(
        Row(
            f"api/v1/credit-notes/<uuid:note_id>/{name}",
            "api",
            {"GET": Expect(scope=P.INVOICE_READ)},
            names=lambda names: {"note_id": names.pk(CreditNote)},
        )
        for name in ("document.pdf", "lines.csv")
    ),
]
