"""Every address of the metered billing API, version 1; addresses have no slash at the end."""

from django.urls import URLPattern, path

from portal.api.v1 import (
    appliances,
    arrears,
    contracts,
    credits,
    deployments,
    fapiao,
    invoices,
    offers,
    pools,
    prices,
    reservations,
    tenants,
    usage,
    wallet,
    webhooks,
)

_RESERVATION = "reservations/<uuid:reservation_id>"
_DEPLOYMENT = "deployments/<uuid:deployment_id>"
_INVOICE = "invoices/<uuid:invoice_id>"
_WEBHOOK = "webhooks/<uuid:webhook_id>"
_DELIVERY = "webhook-deliveries/<uuid:delivery_id>"
_NOTE = "credit-notes/<uuid:note_id>"

urlpatterns: list[URLPattern] = [
    path("organisation", tenants.Organisation.as_view(), name="organisation"),
    path("projects", tenants.Projects.as_view(), name="projects"),
    path("projects/<uuid:project_id>", tenants.Project.as_view(), name="project"),
    path("members", tenants.Members.as_view(), name="members"),
    path("keys", tenants.Keys.as_view(), name="keys"),
    path("keys/<uuid:key_id>", tenants.Key.as_view(), name="key"),
    path("audit", tenants.Audit.as_view(), name="audit"),
    path("pools", pools.Pools.as_view(), name="pools"),
    path("pools/<slug:code>/availability", pools.PoolAvailability.as_view(), name="pool-steps"),
    path("offers", offers.Offers.as_view(), name="offers"),
    path("reservations", reservations.Reservations.as_view(), name="reservations"),
    path(_RESERVATION, reservations.Reservation.as_view(), name="reservation"),
    path(f"{_RESERVATION}/submit", reservations.ReservationSubmit.as_view(), name="submit"),
    path(f"{_RESERVATION}/cancel", reservations.ReservationCancel.as_view(), name="cancel"),
    path(f"{_RESERVATION}/end", reservations.ReservationEnd.as_view(), name="end"),
    path("appliances", appliances.Appliances.as_view(), name="appliances"),
    path("appliances/<slug:code>", appliances.Appliance.as_view(), name="appliance"),
    path("deployments", deployments.Deployments.as_view(), name="deployments"),
    path(_DEPLOYMENT, deployments.Deployment.as_view(), name="deployment"),
    path(f"{_DEPLOYMENT}/stop", deployments.DeploymentStop.as_view(), name="deployment-stop"),
    path("usage/events", usage.UsageEvents.as_view(), name="usage-events"),
    path("usage/summary", usage.UsageSummary.as_view(), name="usage-summary"),
    path("wallet", wallet.Wallet.as_view(), name="wallet"),
    path("standing", arrears.Standing.as_view(), name="standing"),
    path("contracts", contracts.Contracts.as_view(), name="contracts"),
    path("credits", credits.Credits.as_view(), name="credits"),
    path("vouchers", credits.Vouchers.as_view(), name="vouchers"),
    path("voucher-schemes", credits.Schemes.as_view(), name="voucher-schemes"),
    path("voucher-applications", credits.Applications.as_view(), name="voucher-applications"),
    path("prices", prices.Prices.as_view(), name="prices"),
    path("invoices", invoices.Invoices.as_view(), name="invoices"),
    path(_INVOICE, invoices.Invoice.as_view(), name="invoice"),
    path(f"{_INVOICE}/lines/<int:number>/events", invoices.LineEvents.as_view(), name="line"),
    path(f"{_INVOICE}/credits", credits.InvoiceCredits.as_view(), name="invoice-credits"),
    path(f"{_INVOICE}/document.pdf", invoices.InvoiceDocument.as_view(), name="invoice-pdf"),
    path(f"{_INVOICE}/lines.csv", invoices.InvoiceLines.as_view(), name="invoice-csv"),
    path("notices", webhooks.Notices.as_view(), name="notices"),
    path("webhooks", webhooks.Webhooks.as_view(), name="webhooks"),
    path(_WEBHOOK, webhooks.Webhook.as_view(), name="webhook"),
    path(f"{_WEBHOOK}/secret", webhooks.WebhookSecret.as_view(), name="webhook-secret"),
    path(f"{_WEBHOOK}/enable", webhooks.WebhookEnable.as_view(), name="webhook-enable"),
    path(f"{_WEBHOOK}/disable", webhooks.WebhookDisable.as_view(), name="webhook-disable"),
    path(f"{_WEBHOOK}/test", webhooks.WebhookTest.as_view(), name="webhook-test"),
    path(f"{_WEBHOOK}/resend", webhooks.WebhookResend.as_view(), name="webhook-resend"),
    path(f"{_WEBHOOK}/deliveries", webhooks.WebhookDeliveries.as_view(), name="deliveries"),
    path(_DELIVERY, webhooks.WebhookDelivery.as_view(), name="delivery"),
    path(f"{_DELIVERY}/resend", webhooks.WebhookDeliveryResend.as_view(), name="resend"),
    path("fapiao", fapiao.FapiaoList.as_view(), name="fapiao-list"),
    path("fapiao/<uuid:fapiao_id>", fapiao.Fapiao.as_view(), name="fapiao"),
    path("credit-notes", fapiao.CreditNotes.as_view(), name="credit-notes"),
    path(f"{_NOTE}/document.pdf", fapiao.CreditNoteDocument.as_view(), name="note-pdf"),
    path(f"{_NOTE}/lines.csv", fapiao.CreditNoteLines.as_view(), name="note-csv"),
]
