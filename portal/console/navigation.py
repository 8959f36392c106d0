"""The side navigation of both consoles: one row per area, shown to those who may go there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.permissions import Permission


@dataclass(frozen=True)
class NavigationItem:
    """One row; ``url_name`` takes the tenant's code in the tenant console and nothing in the
    operators' one. ``exact`` marks a row whose address is a prefix of the others'.
    """

    label: str | Promise
    url_name: str
    icon: str
    permission: Permission | None = None
    exact: bool = False


@dataclass(frozen=True)
class NavigationGroup:
    """Rows under one small heading; the first group usually has none."""

    label: str | Promise
    items: tuple[NavigationItem, ...]


@dataclass(frozen=True)
class NavigationLink:
    """A row as the template shows it."""

    label: str | Promise
    href: str
    icon: str
    current: bool


@dataclass(frozen=True)
class NavigationSection:
    """A group as the template shows it; never empty."""

    label: str | Promise
    links: tuple[NavigationLink, ...]


TENANT_NAVIGATION: tuple[NavigationGroup, ...] = (
    NavigationGroup("", (NavigationItem(_("Home"), "console:home", "home", exact=True),)),
    NavigationGroup(
        _("Compute"),
        (
            NavigationItem(
                _("Reserve"), "console:reserve", "calendar-plus", Permission.RESERVATION_CREATE
            ),
            NavigationItem(
                _("Reservations"),
                "console:reservation-list",
                "calendar-event",
                Permission.RESERVATION_READ,
            ),
        ),
    ),
    NavigationGroup(
        _("Models"),
        (
            NavigationItem(_("Catalogue"), "console:catalogue", "apps", Permission.CATALOGUE_READ),
            NavigationItem(
                _("Deployments"), "console:deployment-list", "rocket", Permission.DEPLOYMENT_READ
            ),
            NavigationItem(_("API keys"), "console:key-list", "key", Permission.KEY_READ),
        ),
    ),
    NavigationGroup(
        _("Billing"),
        (
            NavigationItem(
                _("Usage and cost"), "console:usage", "chart-bar", Permission.USAGE_READ
            ),
            NavigationItem(_("Costs"), "console:costs", "chart-area-line", Permission.USAGE_READ),
            NavigationItem(_("Budgets"), "console:budget-list", "coin", Permission.BUDGET_READ),
            NavigationItem(
                _("Invoices"), "console:invoice-list", "file-invoice", Permission.INVOICE_READ
            ),
            NavigationItem(_("Fapiao"), "console:fapiao-list", "receipt", Permission.FAPIAO_READ),
            NavigationItem(
                _("Statement"), "console:statement", "list-details", Permission.WALLET_READ
            ),
            NavigationItem(_("Wallet"), "console:wallet", "wallet", Permission.WALLET_READ),
            NavigationItem(
                _("Prices and contract"), "console:price-list", "tags", Permission.PRICE_READ
            ),
        ),
    ),
    NavigationGroup(
        _("Organisation"),
        (
            NavigationItem(
                _("Projects"), "console:project-list", "folders", Permission.PROJECT_READ
            ),
            NavigationItem(_("Members"), "console:member-list", "users", Permission.MEMBER_READ),
            NavigationItem(_("Notices"), "console:notice-list", "bell", Permission.NOTICE_READ),
            NavigationItem(
                _("Webhooks"), "console:webhook-list", "webhook", Permission.WEBHOOK_READ
            ),
            NavigationItem(_("Audit trail"), "console:audit", "history", Permission.AUDIT_READ),
        ),
    ),
)

OPERATOR_NAVIGATION: tuple[NavigationGroup, ...] = (
    NavigationGroup(
        "", (NavigationItem(_("Overview"), "ops:overview", "layout-dashboard", exact=True),)
    ),
    NavigationGroup(
        _("Capacity"),
        (
            NavigationItem(
                _("Approvals"),
                "ops:approval-list",
                "clipboard-check",
                Permission.RESERVATION_APPROVE,
            ),
            NavigationItem(
                _("Reservations"),
                "ops:reservation-list",
                "calendar-event",
                Permission.RESERVATION_READ,
            ),
            NavigationItem(
                _("Deployments"), "ops:deployment-list", "rocket", Permission.DEPLOYMENT_READ
            ),
            NavigationItem(_("Pools"), "ops:pool-list", "stack-2", Permission.POOL_READ),
            NavigationItem(_("Nodes"), "ops:node-list", "server-2", Permission.POOL_READ),
            NavigationItem(_("Clusters"), "ops:cluster-list", "plug", Permission.POOL_READ),
            NavigationItem(_("Chip models"), "ops:chip-list", "cpu", Permission.POOL_READ),
        ),
    ),
    NavigationGroup(
        _("Commerce"),
        (
            NavigationItem(_("Tenants"), "ops:tenant-list", "building", Permission.TENANT_READ_ALL),
            NavigationItem(_("Catalogue"), "ops:catalogue", "apps", Permission.CATALOGUE_READ),
            NavigationItem(_("Price book"), "ops:price-book", "tags", Permission.PRICE_READ),
            NavigationItem(
                _("Invoices"), "ops:invoice-list", "file-invoice", Permission.INVOICE_READ
            ),
            NavigationItem(_("Revenue"), "ops:revenue", "coins", Permission.REVENUE_READ),
            NavigationItem(_("Arrears"), "ops:arrears", "scale", Permission.TENANT_READ_ALL),
            NavigationItem(_("Vouchers"), "ops:scheme-list", "receipt", Permission.SETTLEMENT_READ),
            NavigationItem(
                _("Settlements"), "ops:settlement-list", "transfer", Permission.SETTLEMENT_READ
            ),
            NavigationItem(
                _("Invoice runs"), "ops:run-list", "progress-check", Permission.INVOICE_ISSUE
            ),
            NavigationItem(
                _("Adjustments"),
                "ops:adjustment-list",
                "adjustments",
                Permission.ADJUSTMENT_PROPOSE,
            ),
            NavigationItem(
                _("Objections"), "ops:dispute-list", "message", Permission.DISPUTE_ANSWER
            ),
            NavigationItem(_("Fapiao"), "ops:fapiao-list", "receipt", Permission.FAPIAO_ISSUE),
        ),
    ),
    NavigationGroup(
        _("Operations"),
        (
            NavigationItem(_("Jobs and queues"), "ops:jobs", "activity", Permission.NODE_MANAGE),
            NavigationItem(_("Audit trail"), "ops:audit", "history", Permission.AUDIT_READ),
        ),
    ),
)


def sections_for(
    groups: Sequence[NavigationGroup],
    *,
    permissions: Collection[Permission],
    path: str,
    tenant_code: str = "",
) -> tuple[NavigationSection, ...]:
    """The rows this viewer may follow, the current one marked; empty groups are left out.

    A row whose page does not exist yet is left out too; a test names those rows, so that none is
    forgotten.
    """
    sections = []
    for group in groups:
        links = tuple(
            _link(item, href, path)
            for item in group.items
            if (item.permission is None or item.permission in permissions)
            and (href := address_of(item, tenant_code))
        )
        if links:
            sections.append(NavigationSection(group.label, links))
    return tuple(sections)


def address_of(item: NavigationItem, tenant_code: str = "") -> str:
    """Where a row leads, or nothing while its page does not exist."""
    try:
        return reverse(item.url_name, args=[tenant_code] if tenant_code else [])
    except NoReverseMatch:
        return ""


def _link(item: NavigationItem, href: str, path: str) -> NavigationLink:
    current = path == href if item.exact else path.startswith(href)
    return NavigationLink(item.label, href, item.icon, current)
