"""Addresses of the operators' console, under ``/ops/``."""

from django.urls import path

from portal.console import (
    operator_approvals,
    operator_arrears,
    operator_audit,
    operator_catalogue,
    operator_chips,
    operator_contracts,
    operator_credits,
    operator_invoices,
    operator_jobs,
    operator_node,
    operator_nodes,
    operator_overview,
    operator_pools,
    operator_price_drafts,
    operator_prices,
    operator_reservations,
    operator_settlements,
    operator_taxes,
    operator_tenant_access,
    operator_tenant_money,
    operator_tenants,
    operator_vouchers,
)

app_name = "ops"

urlpatterns = [
    path("", operator_overview.overview, name="overview"),
    path("approvals/", operator_approvals.approval_list, name="approval-list"),
    path(
        "approvals/<uuid:reservation_id>/approve/",
        operator_approvals.approval_approve,
        name="approval-approve",
    ),
    path(
        "approvals/<uuid:reservation_id>/reject/",
        operator_approvals.approval_reject,
        name="approval-reject",
    ),
    path("tenants/", operator_tenants.tenant_list, name="tenant-list"),
    path("tenants/+new/", operator_tenants.tenant_new, name="tenant-new"),
    path("tenants/<str:code>/", operator_tenants.tenant, name="tenant"),
    path("tenants/<str:code>/top-up/", operator_tenant_money.tenant_top_up, name="tenant-top-up"),
    path(
        "tenants/<str:code>/credit-limit/",
        operator_tenant_money.tenant_credit_limit,
        name="tenant-credit-limit",
    ),
    path(
        "tenants/<str:code>/invoice/", operator_tenant_money.tenant_invoice, name="tenant-invoice"
    ),
    path(
        "tenants/<str:code>/suspend/", operator_tenant_access.tenant_suspend, name="tenant-suspend"
    ),
    path(
        "tenants/<str:code>/reactivate/",
        operator_tenant_access.tenant_reactivate,
        name="tenant-reactivate",
    ),
    path("tenants/<str:code>/contracts/", operator_contracts.contract_list, name="contract-list"),
    path(
        "tenants/<str:code>/contracts/<uuid:contract_id>/",
        operator_contracts.contract_detail,
        name="contract",
    ),
    path(
        "tenants/<str:code>/contracts/<uuid:contract_id>/<slug:step>/",
        operator_contracts.contract_step,
        name="contract-step",
    ),
    path("tenants/<str:code>/visit/", operator_tenant_access.tenant_visit, name="tenant-visit"),
    path("tenants/<str:code>/credits/", operator_credits.tenant_credits, name="tenant-credits"),
    path(
        "tenants/<str:code>/credits/promo/",
        operator_credits.promo_grant,
        name="promo-grant",
    ),
    path(
        "tenants/<str:code>/credits/package/",
        operator_credits.package_grant,
        name="package-grant",
    ),
    path(
        "tenants/<str:code>/credits/<uuid:lot_id>/revoke/",
        operator_credits.credit_revoke,
        name="credit-revoke",
    ),
    path("vouchers/", operator_vouchers.scheme_list, name="scheme-list"),
    path("vouchers/examples/", operator_vouchers.scheme_examples, name="scheme-examples"),
    path("vouchers/applications/", operator_vouchers.application_list, name="application-list"),
    path(
        "vouchers/applications/<uuid:application_id>/<slug:step>/",
        operator_vouchers.application_step,
        name="application-step",
    ),
    path("vouchers/schemes/<slug:code>/", operator_vouchers.scheme, name="scheme"),
    path("settlements/", operator_settlements.settlement_list, name="settlement-list"),
    path("settlements/<uuid:batch_id>/", operator_settlements.settlement, name="settlement"),
    path(
        "settlements/<uuid:batch_id>/file.csv",
        operator_settlements.settlement_file,
        name="settlement-file",
    ),
    path(
        "settlements/<uuid:batch_id>/<slug:step>/",
        operator_settlements.settlement_step,
        name="settlement-step",
    ),
    path("reservations/", operator_reservations.reservation_list, name="reservation-list"),
    path(
        "reservations/<uuid:reservation_id>/",
        operator_reservations.reservation,
        name="reservation",
    ),
    path("deployments/", operator_reservations.deployment_list, name="deployment-list"),
    path("invoices/", operator_invoices.invoices, name="invoice-list"),
    path(
        "tenants/<str:code>/invoices/<uuid:invoice_id>/", operator_invoices.invoice, name="invoice"
    ),
    path(
        "tenants/<str:code>/invoices/<uuid:invoice_id>/document.pdf",
        operator_invoices.invoice_document,
        name="invoice-document",
    ),
    path("arrears/", operator_arrears.arrears_list, name="arrears"),
    path("arrears/tiers/", operator_arrears.arrears_tiers, name="arrears-tiers"),
    path("tenants/<str:code>/arrears/", operator_arrears.arrears_tenant, name="arrears-tenant"),
    path("tenants/<str:code>/arrears/terms/", operator_arrears.arrears_terms, name="arrears-terms"),
    path(
        "tenants/<str:code>/arrears/exempt/", operator_arrears.arrears_exempt, name="arrears-exempt"
    ),
    path(
        "tenants/<str:code>/arrears/exempt/end/",
        operator_arrears.arrears_exempt_end,
        name="arrears-exempt-end",
    ),
    path("tenants/<str:code>/arrears/delay/", operator_arrears.arrears_delay, name="arrears-delay"),
    path("pools/", operator_pools.pool_list, name="pool-list"),
    path("pools/<str:code>/", operator_pools.pool, name="pool"),
    path("pools/<str:code>/capacity/", operator_pools.pool_capacity, name="pool-capacity"),
    path("pools/<str:code>/maintenance/", operator_pools.pool_maintenance, name="pool-maintenance"),
    path(
        "pools/<str:code>/maintenance/<uuid:claim_id>/end/",
        operator_pools.pool_maintenance_end,
        name="pool-maintenance-end",
    ),
    path("nodes/", operator_nodes.node_list, name="node-list"),
    path("nodes/wall/", operator_nodes.node_wall, name="node-wall"),
    path("nodes/<int:node_id>/", operator_node.node, name="node"),
    path("nodes/<int:node_id>/drain/", operator_node.node_drain, name="node-drain"),
    path("nodes/<int:node_id>/resume/", operator_node.node_resume, name="node-resume"),
    path("clusters/", operator_nodes.cluster_list, name="cluster-list"),
    path("chips/", operator_chips.chip_list, name="chip-list"),
    path("chips/<str:code>/", operator_chips.chip, name="chip"),
    path("chips/<str:code>/sign-off/", operator_chips.chip_sign_off, name="chip-sign-off"),
    path("catalogue/", operator_catalogue.catalogue, name="catalogue"),
    path("catalogue/<str:code>/", operator_catalogue.appliance, name="appliance"),
    path(
        "catalogue/<str:code>/<slug:step>/",
        operator_catalogue.appliance_step,
        name="appliance-step",
    ),
    path("prices/", operator_prices.price_book, name="price-book"),
    path("prices/new/", operator_prices.price_new, name="price-new"),
    path("prices/taxes/", operator_taxes.taxes, name="tax-list"),
    path("prices/taxes/<uuid:change_id>/<slug:step>/", operator_taxes.tax_step, name="tax-step"),
    path("prices/spot/", operator_taxes.spot, name="spot-list"),
    path("prices/<uuid:version_id>/", operator_price_drafts.price_version, name="price-version"),
    path(
        "prices/<uuid:version_id>/describe/",
        operator_price_drafts.price_describe,
        name="price-describe",
    ),
    path("prices/<uuid:version_id>/price/", operator_price_drafts.price_edit, name="price-edit"),
    path(
        "prices/<uuid:version_id>/remove/",
        operator_price_drafts.price_remove,
        name="price-remove",
    ),
    path(
        "prices/<uuid:version_id>/prices.csv",
        operator_price_drafts.price_export,
        name="price-export",
    ),
    path(
        "prices/<uuid:version_id>/import/",
        operator_price_drafts.price_import,
        name="price-import",
    ),
    path(
        "prices/<uuid:version_id>/step/<slug:step>/",
        operator_price_drafts.price_step,
        name="price-step",
    ),
    path("jobs/", operator_jobs.jobs, name="jobs"),
    path("audit/", operator_audit.audit, name="audit"),
]
