"""The tenant console's addresses, all under /t/<code>/."""

from django.urls import path

from portal.console.account_statement import (
    statement,
    statement_document,
    statement_rows,
)
from portal.console.budgets import budget_detail, budget_list, budget_remove
from portal.console.catalogue import appliance, catalogue
from portal.console.corrections import (
    credit_note,
    credit_note_document,
    credit_note_lines,
    dispute_open,
    dispute_withdraw,
)
from portal.console.costs import costs, costs_csv
from portal.console.deploy import deploy
from portal.console.deployments import (
    deployment_detail,
    deployment_list,
    deployment_retry,
    deployment_status,
    deployment_stop,
)
from portal.console.exports import focus_export
from portal.console.fapiao import (
    fapiao_detail,
    fapiao_list,
    fapiao_profile,
    fapiao_request,
)
from portal.console.home import home
from portal.console.invoices import (
    invoice,
    invoice_document,
    invoice_line,
    invoice_lines,
    invoice_list,
)
from portal.console.keys import key_list, key_revoke
from portal.console.members import (
    invitation_revoke,
    member_invite,
    member_list,
    member_remove,
    member_role,
)
from portal.console.notices import notice_list
from portal.console.prices import price_list
from portal.console.projects import project_archive, project_list
from portal.console.rejected import rejected
from portal.console.reservations import (
    reservation_cancel,
    reservation_detail,
    reservation_end,
    reservation_list,
    reservation_submit,
)
from portal.console.reserve import reserve
from portal.console.trail import audit
from portal.console.usage import usage, usage_csv
from portal.console.vouchers import voucher_apply
from portal.console.wallet import wallet
from portal.console.webhooks import (
    webhook,
    webhook_delivery,
    webhook_delivery_resend,
    webhook_list,
    webhook_remove,
    webhook_resend,
    webhook_secret,
    webhook_switch,
    webhook_test,
)

app_name = "console"

_reservation = "reservations/<uuid:reservation_id>/"
_deployment = "deployments/<uuid:deployment_id>/"
_invoice = "invoices/<uuid:invoice_id>/"
_budget = "budgets/<uuid:budget_id>/"
_webhook = "webhooks/<uuid:webhook_id>/"
_delivery = "webhooks/deliveries/<uuid:delivery_id>/"
_line = f"{_invoice}lines/<int:position>/"
_note = "credit-notes/<uuid:note_id>/"

urlpatterns = [
    path("", home, name="home"),
    path("reserve/", reserve, name="reserve"),
    path("reservations/", reservation_list, name="reservation-list"),
    path(_reservation, reservation_detail, name="reservation"),
    path(f"{_reservation}submit/", reservation_submit, name="reservation-submit"),
    path(f"{_reservation}cancel/", reservation_cancel, name="reservation-cancel"),
    path(f"{_reservation}end/", reservation_end, name="reservation-end"),
    path("catalogue/", catalogue, name="catalogue"),
    path("catalogue/<str:appliance_code>/", appliance, name="appliance"),
    path("deploy/<str:appliance_code>/", deploy, name="deploy"),
    path("deployments/", deployment_list, name="deployment-list"),
    path(_deployment, deployment_detail, name="deployment"),
    path(f"{_deployment}status/", deployment_status, name="deployment-status"),
    path(f"{_deployment}stop/", deployment_stop, name="deployment-stop"),
    path(f"{_deployment}retry/", deployment_retry, name="deployment-retry"),
    path("usage/", usage, name="usage"),
    path("usage/lines.csv", usage_csv, name="usage-csv"),
    path("usage/rejected/", rejected, name="usage-rejected"),
    path("costs/", costs, name="costs"),
    path("costs/days.csv", costs_csv, name="costs-csv"),
    path("budgets/", budget_list, name="budget-list"),
    path(_budget, budget_detail, name="budget"),
    path(f"{_budget}remove/", budget_remove, name="budget-remove"),
    path("invoices/", invoice_list, name="invoice-list"),
    path("invoices/focus/", focus_export, name="focus-export"),
    path(_invoice, invoice, name="invoice"),
    path(f"{_invoice}document.pdf", invoice_document, name="invoice-document"),
    path(f"{_invoice}lines.csv", invoice_lines, name="invoice-lines"),
    path(f"{_invoice}lines/<int:position>/", invoice_line, name="invoice-line"),
    path(f"{_line}dispute/", dispute_open, name="dispute-open"),
    path(f"{_line}disputes/<uuid:dispute_id>/withdraw/", dispute_withdraw, name="dispute-withdraw"),
    path(_note, credit_note, name="credit-note"),
    path(f"{_note}document.pdf", credit_note_document, name="credit-note-document"),
    path(f"{_note}lines.csv", credit_note_lines, name="credit-note-lines"),
    path("fapiao/", fapiao_list, name="fapiao-list"),
    path("fapiao/profile/", fapiao_profile, name="fapiao-profile"),
    path("fapiao/request/", fapiao_request, name="fapiao-request"),
    path("fapiao/<uuid:fapiao_id>/", fapiao_detail, name="fapiao"),
    path("statement/", statement, name="statement"),
    path("statement/document.pdf", statement_document, name="statement-document"),
    path("statement/rows.csv", statement_rows, name="statement-rows"),
    path("wallet/", wallet, name="wallet"),
    path("prices/", price_list, name="price-list"),
    path("wallet/apply/", voucher_apply, name="voucher-apply"),
    path("keys/", key_list, name="key-list"),
    path("keys/<uuid:key_id>/revoke/", key_revoke, name="key-revoke"),
    path("members/", member_list, name="member-list"),
    path("members/invite/", member_invite, name="member-invite"),
    path("members/<uuid:member_id>/role/", member_role, name="member-role"),
    path("members/<uuid:member_id>/remove/", member_remove, name="member-remove"),
    path(
        "members/invitations/<uuid:invitation_id>/revoke/",
        invitation_revoke,
        name="invitation-revoke",
    ),
    path("projects/", project_list, name="project-list"),
    path("projects/<uuid:project_id>/archive/", project_archive, name="project-archive"),
    path("audit/", audit, name="audit"),
    path("notices/", notice_list, name="notice-list"),
    path("webhooks/", webhook_list, name="webhook-list"),
    path(_webhook, webhook, name="webhook"),
    path(f"{_webhook}secret/", webhook_secret, name="webhook-secret"),
    path(f"{_webhook}switch/", webhook_switch, name="webhook-switch"),
    path(f"{_webhook}test/", webhook_test, name="webhook-test"),
    path(f"{_webhook}resend/", webhook_resend, name="webhook-resend"),
    path(f"{_webhook}remove/", webhook_remove, name="webhook-remove"),
    path(_delivery, webhook_delivery, name="webhook-delivery"),
    path(f"{_delivery}resend/", webhook_delivery_resend, name="webhook-delivery-resend"),
]
