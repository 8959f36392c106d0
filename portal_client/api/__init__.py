"""AI computing centre: metered billing API, as methods.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from portal_client.api.appliances import AppliancesApi
from portal_client.api.audit import AuditApi
from portal_client.api.budgets import BudgetsApi
from portal_client.api.contracts import ContractsApi
from portal_client.api.costs import CostsApi
from portal_client.api.costs_csv import CostsCsvApi
from portal_client.api.credit_notes import CreditNotesApi
from portal_client.api.credits import CreditsApi
from portal_client.api.deployments import DeploymentsApi
from portal_client.api.exports import ExportsApi
from portal_client.api.fapiao import FapiaoApi
from portal_client.api.forecast import ForecastApi
from portal_client.api.invoices import InvoicesApi
from portal_client.api.keys import KeysApi
from portal_client.api.members import MembersApi
from portal_client.api.notices import NoticesApi
from portal_client.api.offers import OffersApi
from portal_client.api.organisation import OrganisationApi
from portal_client.api.pools import PoolsApi
from portal_client.api.prices import PricesApi
from portal_client.api.projects import ProjectsApi
from portal_client.api.reservations import ReservationsApi
from portal_client.api.standing import StandingApi
from portal_client.api.statement import StatementApi
from portal_client.api.tax_profile import TaxProfileApi
from portal_client.api.usage import UsageApi
from portal_client.api.voucher_applications import VoucherApplicationsApi
from portal_client.api.voucher_schemes import VoucherSchemesApi
from portal_client.api.vouchers import VouchersApi
from portal_client.api.wallet import WalletApi
from portal_client.api.webhook_deliveries import WebhookDeliveriesApi
from portal_client.api.webhooks import WebhooksApi
from portal_client.transport import Transport


class Api:
    """Every resource of the API."""

    def __init__(self, transport: Transport) -> None:
        self.appliances = AppliancesApi(transport)
        self.audit = AuditApi(transport)
        self.budgets = BudgetsApi(transport)
        self.contracts = ContractsApi(transport)
        self.costs = CostsApi(transport)
        self.costs_csv = CostsCsvApi(transport)
        self.credit_notes = CreditNotesApi(transport)
        self.credits = CreditsApi(transport)
        self.deployments = DeploymentsApi(transport)
        self.exports = ExportsApi(transport)
        self.fapiao = FapiaoApi(transport)
        self.forecast = ForecastApi(transport)
        self.invoices = InvoicesApi(transport)
        self.keys = KeysApi(transport)
        self.members = MembersApi(transport)
        self.notices = NoticesApi(transport)
        self.offers = OffersApi(transport)
        self.organisation = OrganisationApi(transport)
        self.pools = PoolsApi(transport)
        self.prices = PricesApi(transport)
        self.projects = ProjectsApi(transport)
        self.reservations = ReservationsApi(transport)
        self.standing = StandingApi(transport)
        self.statement = StatementApi(transport)
        self.tax_profile = TaxProfileApi(transport)
        self.usage = UsageApi(transport)
        self.voucher_applications = VoucherApplicationsApi(transport)
        self.voucher_schemes = VoucherSchemesApi(transport)
        self.vouchers = VouchersApi(transport)
        self.wallet = WalletApi(transport)
        self.webhook_deliveries = WebhookDeliveriesApi(transport)
        self.webhooks = WebhooksApi(transport)


# The document's name of each operation, and where it is here.
OPERATIONS = {
    "listAppliances": ("appliances", "list"),
    "getAppliance": ("appliances", "get"),
    "listAudit": ("audit", "list"),
    "listBudgets": ("budgets", "list"),
    "makeBudgets": ("budgets", "create"),
    "getBudget": ("budgets", "get"),
    "makeBudget": ("budgets", "change"),
    "endBudget": ("budgets", "delete"),
    "listContracts": ("contracts", "list"),
    "getCosts": ("costs", "get"),
    "getCostsFile": ("costs_csv", "get"),
    "listCreditNotes": ("credit_notes", "list"),
    "getCreditNote": ("credit_notes", "get"),
    "getCreditNoteDocument": ("credit_notes", "get_document_pdf"),
    "getCreditNoteLines": ("credit_notes", "get_lines_csv"),
    "listCredits": ("credits", "list"),
    "listDeployments": ("deployments", "list"),
    "makeDeployments": ("deployments", "create"),
    "getDeployment": ("deployments", "get"),
    "makeDeploymentStop": ("deployments", "stop"),
    "getFocusExport": ("exports", "get_focus"),
    "listFapiaoList": ("fapiao", "list"),
    "makeFapiaoList": ("fapiao", "create"),
    "getFapiao": ("fapiao", "get"),
    "getOrganisationForecast": ("forecast", "get"),
    "listInvoices": ("invoices", "list"),
    "getDraftInvoice": ("invoices", "get_draft"),
    "getInvoice": ("invoices", "get"),
    "listInvoiceCredits": ("invoices", "list_credits"),
    "listDisputes": ("invoices", "list_disputes"),
    "makeDisputes": ("invoices", "disputes"),
    "makeDisputeWithdraw": ("invoices", "disputes_withdraw"),
    "getInvoiceDocument": ("invoices", "get_document_pdf"),
    "getInvoiceLines": ("invoices", "get_lines_csv"),
    "listLineEvents": ("invoices", "list_lines_events"),
    "listKeys": ("keys", "list"),
    "makeKeys": ("keys", "create"),
    "endKey": ("keys", "delete"),
    "listMembers": ("members", "list"),
    "listNotices": ("notices", "list"),
    "getOffers": ("offers", "get"),
    "getOrganisation": ("organisation", "get"),
    "listPools": ("pools", "list"),
    "getPoolAvailability": ("pools", "get_availability"),
    "getPoolServiceClasses": ("pools", "get_service_classes"),
    "listPrices": ("prices", "list"),
    "listProjects": ("projects", "list"),
    "makeProjects": ("projects", "create"),
    "getProject": ("projects", "get"),
    "listReservations": ("reservations", "list"),
    "makeReservations": ("reservations", "create"),
    "getReservation": ("reservations", "get"),
    "makeReservationCancel": ("reservations", "cancel"),
    "makeReservationEnd": ("reservations", "end"),
    "makeReservationSubmit": ("reservations", "submit"),
    "getStanding": ("standing", "get"),
    "getStatement": ("statement", "get"),
    "getTaxProfile": ("tax_profile", "get"),
    "replaceTaxProfile": ("tax_profile", "replace"),
    "makeUsageCorrections": ("usage", "create_corrections"),
    "listUsageEvents": ("usage", "list_events"),
    "makeUsageEvents": ("usage", "create_events"),
    "listRejectedEvents": ("usage", "list_rejected"),
    "makeUsageStream": ("usage", "create_stream"),
    "listUsageSummary": ("usage", "list_summary"),
    "listApplications": ("voucher_applications", "list"),
    "makeApplications": ("voucher_applications", "create"),
    "listSchemes": ("voucher_schemes", "list"),
    "listVouchers": ("vouchers", "list"),
    "getWallet": ("wallet", "get"),
    "listWalletMovements": ("wallet", "list_movements"),
    "getWebhookDelivery": ("webhook_deliveries", "get"),
    "makeWebhookDeliveryResend": ("webhook_deliveries", "resend"),
    "listWebhooks": ("webhooks", "list"),
    "makeWebhooks": ("webhooks", "create"),
    "getWebhook": ("webhooks", "get"),
    "makeWebhook": ("webhooks", "change"),
    "endWebhook": ("webhooks", "delete"),
    "listWebhookDeliveries": ("webhooks", "list_deliveries"),
    "makeWebhookDisable": ("webhooks", "disable"),
    "makeWebhookEnable": ("webhooks", "enable"),
    "makeWebhookResend": ("webhooks", "resend"),
    "makeWebhookSecret": ("webhooks", "secret"),
    "makeWebhookTest": ("webhooks", "test"),
}
