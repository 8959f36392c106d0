"""The operators' console: every address, and which of their roles may do what there."""

from tenants.permissions import OPERATOR_ROLES, Permission
from tests.access.table import Expect, Names, Row

NOBODYS = "00000000-0000-7000-8000-000000000000"


def those_with(permission: Permission) -> frozenset[str]:
    return frozenset(role for role, held in OPERATOR_ROLES.items() if permission in held)


def _page(route: str, permission: Permission, **more: object) -> Row:
    return Row(route, "operator", {"GET": Expect(who=those_with(permission))}, **more)  # type: ignore[arg-type]


def _form(route: str, permission: Permission, status: int, **more: object) -> Row:
    """A form sent empty or for nothing: who may send it learns so, the others are refused."""
    return Row(route, "operator", {"POST": Expect(status, who=those_with(permission))}, **more)  # type: ignore[arg-type]


def _tenant(names: Names) -> dict[str, object]:
    return {"code": names.code}


def _no_reservation(names: Names) -> dict[str, object]:
    return {"reservation_id": NOBODYS}


def _no_node(names: Names) -> dict[str, object]:
    return {"node_id": 0}


def _no_version(names: Names) -> dict[str, object]:
    return {"version_id": NOBODYS}


def _nothing_called_so(names: Names) -> dict[str, object]:
    return {"code": "no-such-thing"}


P = Permission
ROWS = [
    _page("ops/", P.TENANT_READ_ALL),
    _page("ops/approvals/", P.RESERVATION_APPROVE),
    _page("ops/reservations/", P.RESERVATION_READ),
    _page("ops/deployments/", P.DEPLOYMENT_READ),
    _page("ops/pools/", P.POOL_READ),
    _page("ops/nodes/", P.POOL_READ),
    _page("ops/nodes/wall/", P.POOL_READ),
    _page("ops/clusters/", P.POOL_READ),
    _page("ops/chips/", P.POOL_READ),
    _page("ops/tenants/", P.TENANT_READ_ALL),
    _page("ops/tenants/<str:code>/", P.TENANT_READ_ALL, names=_tenant),
    _page("ops/catalogue/", P.CATALOGUE_READ),
    _page("ops/prices/", P.PRICE_READ),
    _page("ops/invoices/", P.INVOICE_READ),
    _page("ops/revenue/", P.REVENUE_READ),
    _page("ops/revenue/days.csv", P.REVENUE_READ),
    _page("ops/revenue/leakage/", P.REVENUE_READ),
    _page("ops/revenue/leakage.csv", P.REVENUE_READ),
    _page("ops/arrears/", P.TENANT_READ_ALL),
    _page("ops/tenants/<str:code>/arrears/", P.TENANT_READ_ALL, names=_tenant),
    _page("ops/audit/", P.AUDIT_READ),
    Row(
        "ops/jobs/",
        "operator",
        {
            "GET": Expect(who=those_with(P.NODE_MANAGE)),
            "POST": Expect(who=those_with(P.NODE_MANAGE)),
        },
    ),
    Row(
        "ops/tenants/+new/",
        "operator",
        {
            "GET": Expect(who=those_with(P.TENANT_OPERATE)),
            "POST": Expect(422, who=those_with(P.TENANT_OPERATE)),
        },
    ),
    Row(
        "ops/prices/new/",
        "operator",
        {
            "GET": Expect(who=those_with(P.PRICE_PUBLISH)),
            "POST": Expect(422, who=those_with(P.PRICE_PUBLISH)),
        },
    ),
    Row(
        "ops/prices/taxes/",
        "operator",
        {
            "GET": Expect(who=those_with(P.PRICE_READ)),
            "POST": Expect(422, who=those_with(P.PRICE_PUBLISH)),
        },
    ),
    Row(
        "ops/prices/spot/",
        "operator",
        {
            "GET": Expect(who=those_with(P.PRICE_READ)),
            "POST": Expect(422, who=those_with(P.PRICE_PUBLISH)),
        },
    ),
    Row(
        "ops/tenants/<str:code>/contracts/",
        "operator",
        {
            "GET": Expect(who=those_with(P.CONTRACT_READ)),
            "POST": Expect(422, who=those_with(P.CONTRACT_MANAGE)),
        },
        names=_tenant,
    ),
    _page("ops/vouchers/", P.SETTLEMENT_READ),
    _page("ops/vouchers/applications/", P.VOUCHER_REVIEW),
    _page("ops/tenants/<str:code>/credits/", P.WALLET_READ, names=_tenant),
    _form("ops/tenants/<str:code>/credits/promo/", P.CREDIT_GRANT, 422, names=_tenant),
    _form("ops/tenants/<str:code>/credits/package/", P.CREDIT_GRANT, 422, names=_tenant),
    _form("ops/vouchers/examples/", P.SCHEME_MANAGE, 302),
    Row(
        "ops/settlements/",
        "operator",
        {
            "GET": Expect(who=those_with(P.SETTLEMENT_READ)),
            "POST": Expect(422, who=those_with(P.SETTLEMENT_MANAGE)),
        },
    ),
    Row(
        # A code that no scheme has yet is the page of a new one.
        "ops/vouchers/schemes/<slug:code>/",
        "operator",
        {
            "GET": Expect(who=those_with(P.SCHEME_MANAGE)),
            "POST": Expect(422, who=those_with(P.SCHEME_MANAGE)),
        },
        names=_nothing_called_so,
    ),
    _form("ops/tenants/<str:code>/top-up/", P.WALLET_TOP_UP, 422, names=_tenant),
    _page("ops/tenants/<str:code>/money-out/", P.MONEY_OUT_PROPOSE, names=_tenant),
    _form(
        "ops/tenants/<str:code>/money-out/<slug:kind>/",
        P.MONEY_OUT_PROPOSE,
        422,
        names=lambda names: {"code": names.code, "kind": "pay-out"},
    ),
    _form("ops/tenants/<str:code>/credit-limit/", P.WALLET_TOP_UP, 422, names=_tenant),
    _form("ops/tenants/<str:code>/currency/", P.WALLET_TOP_UP, 422, names=_tenant),
    _form("ops/prices/first/", P.PRICE_PUBLISH, 422),
    _form("ops/tenants/<str:code>/invoice/", P.INVOICE_ISSUE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/suspend/", P.TENANT_OPERATE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/reactivate/", P.TENANT_OPERATE, 422, names=_tenant),
    Row(
        "ops/arrears/tiers/",
        "operator",
        {
            "GET": Expect(who=those_with(P.TENANT_READ_ALL)),
            "POST": Expect(422, who=those_with(P.ARREARS_MANAGE)),
        },
    ),
    _form("ops/tenants/<str:code>/arrears/terms/", P.ARREARS_MANAGE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/arrears/exempt/", P.ARREARS_MANAGE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/arrears/exempt/end/", P.ARREARS_MANAGE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/arrears/delay/", P.ARREARS_MANAGE, 422, names=_tenant),
    _form("ops/tenants/<str:code>/visit/", P.TENANT_READ_ALL, 422, names=_tenant),
    # What stands on the centre's own rows is asked for by a name that nothing has.
    *(
        Row(route, "operator", {method: Expect(404, who=those_with(permission))}, names=names)
        for route, method, permission, names in (
            (
                "ops/reservations/<uuid:reservation_id>/",
                "GET",
                P.RESERVATION_READ,
                _no_reservation,
            ),
            (
                "ops/approvals/<uuid:reservation_id>/approve/",
                "POST",
                P.RESERVATION_APPROVE,
                _no_reservation,
            ),
            (
                "ops/tenants/<str:code>/invoices/<uuid:invoice_id>/",
                "GET",
                P.INVOICE_READ,
                lambda names: {"code": names.code, "invoice_id": NOBODYS},
            ),
            (
                "ops/tenants/<str:code>/invoices/<uuid:invoice_id>/document.pdf",
                "GET",
                P.INVOICE_READ,
                lambda names: {"code": names.code, "invoice_id": NOBODYS},
            ),
            (
                "ops/tenants/<str:code>/credits/<uuid:lot_id>/revoke/",
                "POST",
                P.CREDIT_GRANT,
                lambda names: {"code": names.code, "lot_id": NOBODYS},
            ),
            (
                "ops/tenants/<str:code>/credits/<uuid:lot_id>/approve/",
                "POST",
                P.CREDIT_GRANT,
                lambda names: {"code": names.code, "lot_id": NOBODYS},
            ),
            (
                "ops/tenants/<str:code>/credits/<uuid:lot_id>/reject/",
                "POST",
                P.CREDIT_GRANT,
                lambda names: {"code": names.code, "lot_id": NOBODYS},
            ),
            (
                "ops/vouchers/applications/<uuid:application_id>/<slug:step>/",
                "POST",
                P.VOUCHER_REVIEW,
                lambda names: {"application_id": NOBODYS, "step": "review"},
            ),
            (
                "ops/settlements/<uuid:batch_id>/",
                "GET",
                P.SETTLEMENT_READ,
                lambda names: {"batch_id": NOBODYS},
            ),
            (
                "ops/settlements/<uuid:batch_id>/file.csv",
                "GET",
                P.SETTLEMENT_READ,
                lambda names: {"batch_id": NOBODYS},
            ),
            (
                "ops/settlements/<uuid:batch_id>/<slug:step>/",
                "POST",
                P.SETTLEMENT_MANAGE,
                lambda names: {"batch_id": NOBODYS, "step": "submit"},
            ),
            ("ops/pools/<str:code>/", "GET", P.POOL_READ, _nothing_called_so),
            ("ops/pools/<str:code>/capacity/", "POST", P.POOL_MANAGE, _nothing_called_so),
            ("ops/pools/<str:code>/maintenance/", "POST", P.NODE_MANAGE, _nothing_called_so),
            (
                "ops/pools/<str:code>/maintenance/<uuid:claim_id>/end/",
                "POST",
                P.NODE_MANAGE,
                lambda names: {"code": "no-such-thing", "claim_id": NOBODYS},
            ),
            ("ops/nodes/<int:node_id>/", "GET", P.POOL_READ, _no_node),
            ("ops/nodes/<int:node_id>/drain/", "POST", P.NODE_MANAGE, _no_node),
            ("ops/nodes/<int:node_id>/resume/", "POST", P.NODE_MANAGE, _no_node),
            ("ops/chips/<str:code>/", "GET", P.POOL_READ, _nothing_called_so),
            ("ops/chips/<str:code>/sign-off/", "POST", P.CHIP_MANAGE, _nothing_called_so),
            ("ops/catalogue/<str:code>/", "GET", P.CATALOGUE_READ, _nothing_called_so),
            (
                "ops/catalogue/<str:code>/<slug:step>/",
                "POST",
                P.CATALOGUE_MANAGE,
                lambda names: {"code": "no-such-thing", "step": "list"},
            ),
            (
                "ops/prices/<uuid:version_id>/",
                "GET",
                P.PRICE_READ,
                lambda names: {"version_id": NOBODYS},
            ),
            ("ops/prices/<uuid:version_id>/prices.csv", "GET", P.PRICE_READ, _no_version),
            ("ops/prices/<uuid:version_id>/remove/", "POST", P.PRICE_PUBLISH, _no_version),
            (
                "ops/prices/<uuid:version_id>/step/<slug:step>/",
                "POST",
                P.PRICE_PUBLISH,
                lambda names: {"version_id": NOBODYS, "step": "publish"},
            ),
            ("ops/prices/<uuid:version_id>/describe/", "POST", P.PRICE_PUBLISH, _no_version),
            ("ops/prices/<uuid:version_id>/import/", "POST", P.PRICE_PUBLISH, _no_version),
            (
                "ops/prices/taxes/<uuid:change_id>/<slug:step>/",
                "POST",
                P.PRICE_PUBLISH,
                lambda names: {"change_id": NOBODYS, "step": "approve"},
            ),
            (
                "ops/tenants/<str:code>/contracts/<uuid:contract_id>/<slug:step>/",
                "POST",
                P.CONTRACT_MANAGE,
                lambda names: {
                    "code": names.code,
                    "contract_id": NOBODYS,
                    "step": "discard",
                },
            ),
        )
    ),
    *(
        Row(
            route,
            "operator",
            {
                "GET": Expect(404, who=those_with(reading)),
                "POST": Expect(404, who=those_with(writing)),
            },
            names=names,
        )
        for route, reading, writing, names in (
            (
                "ops/prices/<uuid:version_id>/price/",
                P.PRICE_PUBLISH,
                P.PRICE_PUBLISH,
                _no_version,
            ),
            (
                "ops/tenants/<str:code>/contracts/<uuid:contract_id>/",
                P.CONTRACT_READ,
                P.CONTRACT_MANAGE,
                lambda names: {"code": names.code, "contract_id": NOBODYS},
            ),
        )
    ),
    Row(
        "ops/approvals/<uuid:reservation_id>/reject/",
        "operator",
        # The reason is missing, which is said before anything is looked up.
        {"POST": Expect(422, who=those_with(P.RESERVATION_APPROVE))},
        names=_no_reservation,
    ),
    _page("ops/tenants/<str:code>/usage/", P.USAGE_READ, names=_tenant),
    _page("ops/tenants/<str:code>/usage/refused/", P.USAGE_READ, names=_tenant),
    Row(
        "ops/tenants/<str:code>/usage/event/",
        "operator",
        {
            # No event is named.
            "GET": Expect(404, who=those_with(P.USAGE_READ)),
            "POST": Expect(404, who=those_with(P.USAGE_CORRECT)),
        },
        names=_tenant,
    ),
    Row(
        "ops/tenants/<str:code>/usage/refused/<uuid:rejected_id>/count/",
        "operator",
        # Nobody counts late usage without saying why, which is said first.
        {"POST": Expect(422, who=those_with(P.USAGE_FORCE))},
        names=lambda names: {"code": names.code, "rejected_id": NOBODYS},
    ),
    _page("ops/runs/", P.INVOICE_ISSUE),
    _form("ops/runs/start/", P.INVOICE_ISSUE, 302),
    _page("ops/disputes/", P.DISPUTE_ANSWER),
    Row(
        "ops/adjustments/",
        "operator",
        {
            "GET": Expect(who=those_with(P.ADJUSTMENT_PROPOSE)),
            "POST": Expect(422, who=those_with(P.ADJUSTMENT_PROPOSE)),
        },
    ),
    _page("ops/fapiao/", P.FAPIAO_ISSUE),
    _page("ops/fapiao/file/", P.FAPIAO_ISSUE),
    _form("ops/fapiao/export/", P.FAPIAO_ISSUE, 422),
    _form("ops/fapiao/results/", P.FAPIAO_ISSUE, 422),
    _form("ops/fapiao/basis/", P.FAPIAO_ISSUE, 422),
    *(
        Row(
            route,
            "operator",
            {method: Expect(404, who=those_with(permission))},
            names=lambda _names, more=more: dict(more),
        )
        for route, method, permission, more in (
            ("ops/runs/<uuid:run_id>/", "GET", P.INVOICE_ISSUE, {"run_id": NOBODYS}),
            (
                "ops/runs/<uuid:run_id>/<str:code>/draft/",
                "GET",
                P.INVOICE_ISSUE,
                {"run_id": NOBODYS, "code": "no-such-thing"},
            ),
            ("ops/runs/<uuid:run_id>/approve/", "POST", P.INVOICE_ISSUE, {"run_id": NOBODYS}),
            ("ops/runs/<uuid:run_id>/retry/", "POST", P.INVOICE_ISSUE, {"run_id": NOBODYS}),
            (
                "ops/disputes/<uuid:dispute_id>/<slug:step>/",
                "POST",
                P.DISPUTE_ANSWER,
                {"dispute_id": NOBODYS, "step": "no-such-step"},
            ),
            (
                "ops/adjustments/<uuid:adjustment_id>/<slug:step>/",
                "POST",
                P.ADJUSTMENT_APPROVE,
                {"adjustment_id": NOBODYS, "step": "approve"},
            ),
            (
                "ops/money-out/<uuid:decision_id>/<slug:step>/",
                "POST",
                P.MONEY_OUT_APPROVE,
                {"decision_id": NOBODYS, "step": "approve"},
            ),
            ("ops/fapiao/<uuid:fapiao_id>/", "GET", P.FAPIAO_ISSUE, {"fapiao_id": NOBODYS}),
            (
                "ops/fapiao/<uuid:fapiao_id>/<slug:step>/",
                "POST",
                P.FAPIAO_ISSUE,
                {"fapiao_id": NOBODYS, "step": "deliver"},
            ),
            (
                "ops/tenants/<str:code>/credit-notes/<uuid:note_id>/",
                "GET",
                P.INVOICE_READ,
                {"code": "no-such-thing", "note_id": NOBODYS},
            ),
            (
                "ops/tenants/<str:code>/credit-notes/<uuid:note_id>/lines/<int:position>/rebill/",
                "POST",
                P.ADJUSTMENT_PROPOSE,
                {"code": "no-such-thing", "note_id": NOBODYS, "position": 1},
            ),
            (
                "ops/tenants/<str:code>/invoices/<uuid:invoice_id>/credit/",
                "POST",
                P.INVOICE_VOID,
                {"code": "no-such-thing", "invoice_id": NOBODYS},
            ),
        )
    ),
]
