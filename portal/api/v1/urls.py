"""Every address of the metered billing API, version 1; addresses have no slash at the end."""

from django.urls import URLPattern, path

from portal.api.v1 import (
    appliances,
    corrections,
    deployments,
    invoices,
    offers,
    pools,
    prices,
    reservations,
    tenants,
    usage,
    wallet,
)

_RESERVATION = "reservations/<uuid:reservation_id>"
_DEPLOYMENT = "deployments/<uuid:deployment_id>"
_INVOICE = "invoices/<uuid:invoice_id>"

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
    path("usage/corrections", corrections.UsageCorrections.as_view(), name="usage-corrections"),
    path("usage/stream", usage.UsageStream.as_view(), name="usage-stream"),
    path("usage/rejected", usage.RejectedEvents.as_view(), name="usage-rejected"),
    path("usage/summary", usage.UsageSummary.as_view(), name="usage-summary"),
    path("wallet", wallet.Wallet.as_view(), name="wallet"),
    path("prices", prices.Prices.as_view(), name="prices"),
    path("invoices", invoices.Invoices.as_view(), name="invoices"),
    path(_INVOICE, invoices.Invoice.as_view(), name="invoice"),
    path(f"{_INVOICE}/lines/<int:number>/events", invoices.LineEvents.as_view(), name="line"),
    path(f"{_INVOICE}/document.pdf", invoices.InvoiceDocument.as_view(), name="invoice-pdf"),
    path(f"{_INVOICE}/lines.csv", invoices.InvoiceLines.as_view(), name="invoice-csv"),
]
