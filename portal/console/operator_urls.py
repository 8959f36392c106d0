"""Addresses of the operators' console, under ``/ops/``."""

from django.urls import path

from portal.console import (
    operator_approvals,
    operator_invoices,
    operator_reservations,
    operator_tenant_access,
    operator_tenant_money,
    operator_tenants,
)

app_name = "ops"

urlpatterns = [
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
]
