"""Addresses of the operators' console, under ``/ops/``."""

from django.urls import path

from portal.console import (
    operator_approvals,
    operator_audit,
    operator_catalogue,
    operator_chips,
    operator_corrections,
    operator_fapiao,
    operator_invoices,
    operator_jobs,
    operator_node,
    operator_nodes,
    operator_overview,
    operator_pools,
    operator_prices,
    operator_reservations,
    operator_runs,
    operator_tenant_access,
    operator_tenant_money,
    operator_tenants,
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
    path("tenants/<str:code>/visit/", operator_tenant_access.tenant_visit, name="tenant-visit"),
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
    path(
        "tenants/<str:code>/invoices/<uuid:invoice_id>/credit/",
        operator_corrections.credit_note_new,
        name="credit-note-new",
    ),
    path(
        "tenants/<str:code>/credit-notes/<uuid:note_id>/",
        operator_corrections.credit_note,
        name="credit-note",
    ),
    path(
        "tenants/<str:code>/credit-notes/<uuid:note_id>/lines/<int:position>/rebill/",
        operator_corrections.credit_note_rebill,
        name="credit-note-rebill",
    ),
    path("runs/", operator_runs.run_list, name="run-list"),
    path("runs/start/", operator_runs.run_start, name="run-start"),
    path("runs/<uuid:run_id>/", operator_runs.run, name="run"),
    path("runs/<uuid:run_id>/approve/", operator_runs.run_approve, name="run-approve"),
    path("runs/<uuid:run_id>/retry/", operator_runs.run_retry, name="run-retry"),
    path("disputes/", operator_corrections.dispute_list, name="dispute-list"),
    path(
        "disputes/<uuid:dispute_id>/<slug:step>/",
        operator_corrections.dispute_answer,
        name="dispute-answer",
    ),
    path("adjustments/", operator_corrections.adjustment_list, name="adjustment-list"),
    path(
        "adjustments/<uuid:adjustment_id>/<slug:step>/",
        operator_corrections.adjustment_decide,
        name="adjustment-decide",
    ),
    path("fapiao/", operator_fapiao.fapiao_list, name="fapiao-list"),
    path("fapiao/export/", operator_fapiao.fapiao_export, name="fapiao-export"),
    path("fapiao/file/", operator_fapiao.fapiao_file, name="fapiao-file"),
    path("fapiao/results/", operator_fapiao.fapiao_results, name="fapiao-results"),
    path("fapiao/basis/", operator_fapiao.fapiao_basis, name="fapiao-basis"),
    path("fapiao/<uuid:fapiao_id>/", operator_fapiao.fapiao, name="fapiao"),
    path("fapiao/<uuid:fapiao_id>/<slug:step>/", operator_fapiao.fapiao_step, name="fapiao-step"),
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
    path("prices/<uuid:version_id>/", operator_prices.price_version, name="price-version"),
    path("jobs/", operator_jobs.jobs, name="jobs"),
    path("audit/", operator_audit.audit, name="audit"),
]
