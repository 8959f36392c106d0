"""How each state of the product looks: a tone, an icon and a word, never colour alone."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class StatusLook:
    """Shape: ``tone`` is one of ok, info, wait, bad, idle and special."""

    tone: str
    icon: str
    word: str | Promise


STATUSES: dict[str, StatusLook] = {
    # Reservations
    "held": StatusLook("wait", "hourglass", _("Held")),
    "awaiting_approval": StatusLook("wait", "clipboard-check", _("Awaiting approval")),
    "confirmed": StatusLook("info", "checks", _("Confirmed")),
    "activating": StatusLook("info", "progress", _("Activating")),
    "active": StatusLook("ok", "circle-check", _("Active")),
    "ending": StatusLook("info", "progress", _("Ending")),
    "ended": StatusLook("idle", "circle", _("Ended")),
    "rejected": StatusLook("bad", "ban", _("Rejected")),
    "expired": StatusLook("idle", "clock-pause", _("Expired")),
    "cancelled": StatusLook("idle", "circle-x", _("Cancelled")),
    "failed": StatusLook("bad", "alert-octagon", _("Failed")),
    # Deployments and jobs
    "requested": StatusLook("info", "circle-dashed", _("Requested")),
    "placing": StatusLook("info", "progress", _("Placing")),
    "queued": StatusLook("wait", "hourglass", _("Queued")),
    "starting": StatusLook("info", "progress", _("Starting")),
    "ready": StatusLook("ok", "circle-check", pgettext_lazy("state", "Ready")),
    "running": StatusLook("ok", "player-play", _("Running")),
    "degraded": StatusLook("wait", "alert-triangle", _("Degraded")),
    "stopping": StatusLook("info", "progress", _("Stopping")),
    "stopped": StatusLook("idle", "player-stop", _("Stopped")),
    "succeeded": StatusLook("ok", "check", _("Succeeded")),
    # Nodes and clusters
    "online": StatusLook("ok", "circle-check", _("Online")),
    "idle": StatusLook("ok", "circle-dot", _("Idle")),
    "free": StatusLook("ok", "circle-dot", pgettext_lazy("capacity", "Free")),
    "reserved": StatusLook("info", "calendar-event", _("Reserved")),
    "allocated": StatusLook("info", "player-play", _("Allocated")),
    "draining": StatusLook("wait", "transfer", _("Draining")),
    "drained": StatusLook("idle", "snowflake", _("Drained")),
    "up": StatusLook("ok", "circle-check", pgettext_lazy("node", "Up")),
    "down": StatusLook("bad", "alert-octagon", pgettext_lazy("node", "Down")),
    "unknown": StatusLook("idle", "help-circle", _("Not known")),
    "maintenance": StatusLook("special", "tool", _("Maintenance")),
    "unreachable": StatusLook("bad", "plug", _("Unreachable")),
    "offline": StatusLook("bad", "plug", _("Offline")),
    # Catalogue
    "draft": StatusLook("idle", "edit", _("Draft")),
    "submitted": StatusLook("wait", "upload", _("Submitted")),
    "certified": StatusLook("info", "shield-check", _("Certified")),
    "listed": StatusLook("ok", "circle-check", _("Listed")),
    "delisted": StatusLook("idle", "ban", _("Delisted")),
    # Invoices and payments
    "open": StatusLook("info", "circle-dot", pgettext_lazy("invoice", "Open")),
    "issued": StatusLook("info", "file-invoice", _("Issued")),
    "paid": StatusLook("ok", "circle-check", _("Paid")),
    "overdue": StatusLook("bad", "alert-triangle", _("Overdue")),
    "partly_credited": StatusLook("special", "rotate", _("Partly credited")),
    "void": StatusLook("idle", "ban", pgettext_lazy("invoice", "Void")),
    "written_off": StatusLook("idle", "ban", pgettext_lazy("invoice", "Written off")),
    # How a tenant stands with what it owes
    "normal": StatusLook("ok", "circle-check", pgettext_lazy("arrears", "Normal")),
    "warning": StatusLook("wait", "alert-triangle", pgettext_lazy("arrears", "Warning")),
    "urgent": StatusLook("wait", "alert-triangle", pgettext_lazy("arrears", "Urgent")),
    "grace": StatusLook("bad", "hourglass", pgettext_lazy("arrears", "Grace period")),
    "retention": StatusLook("bad", "snowflake", pgettext_lazy("arrears", "Retention")),
    "released": StatusLook("bad", "ban", pgettext_lazy("arrears", "Released")),
    # Fapiao
    "issuing": StatusLook("info", "progress", _("Being issued")),
    "red_pending": StatusLook("wait", "hourglass", _("Awaiting confirmation")),
    "red_issued": StatusLook("special", "receipt", _("Red letter issued")),
    # Runs, objections and adjustments
    "drafting": StatusLook("info", "progress", _("Drafting")),
    "review": StatusLook("wait", "clipboard-check", _("To be reviewed")),
    "done": StatusLook("ok", "circle-check", _("Done")),
    "drafted": StatusLook("wait", "edit", _("Drafted")),
    "reviewed": StatusLook("info", "checks", _("Reviewed")),
    "empty": StatusLook("idle", "circle-dashed", _("Nothing to invoice")),
    "withdrawn": StatusLook("idle", "circle-x", _("Withdrawn")),
    "proposed": StatusLook("wait", "hourglass", _("Proposed")),
    "approved": StatusLook("info", "check", _("Approved")),
    "invoiced": StatusLook("ok", "file-invoice", _("On an invoice")),
    "credit_note": StatusLook("special", "rotate", _("Credit note")),
    # Movements of money
    "top_up": StatusLook("ok", "cash", _("Top-up")),
    "invoice": StatusLook("info", "file-invoice", _("Invoice")),
    "settlement": StatusLook("idle", "receipt", _("Payment")),
    "top_up_reversal": StatusLook("bad", "rotate", _("Top-up taken back")),
    "pay_out": StatusLook("info", "transfer", _("Paid back")),
    "write_off": StatusLook("bad", "ban", _("Debt written off")),
    "write_off_recovery": StatusLook("ok", "cash", _("Written-off debt recovered")),
    "credit": StatusLook("ok", "receipt", _("Paid by a credit")),
    "credit_restored": StatusLook("info", "rotate", _("Given back to a credit")),
    "credit_lapsed": StatusLook("idle", "clock-pause", _("A credit lapsed")),
    "voucher_granted": StatusLook("ok", "receipt", _("Voucher granted")),
    "package_sold": StatusLook("ok", "stack-2", _("Package bought")),
    "package_used": StatusLook("idle", "stack-2", _("Package used")),
    "settlement_paid": StatusLook("ok", "cash", _("Paid by the city")),
    "settlement_returned": StatusLook("wait", "rotate", _("Claim lowered by the city")),
    "shortfall_paid": StatusLook("idle", "receipt", _("Payment of what was owed")),
    "settlement_clawed_back": StatusLook("bad", "rotate", _("Taken back by the city")),
    # Credits, applications and settlements
    "exhausted": StatusLook("idle", "check", _("Used up")),
    "granted": StatusLook("ok", "circle-check", _("Granted")),
    "clawed_back": StatusLook("bad", "rotate", _("Clawed back")),
    "reversed": StatusLook("idle", "rotate", _("Reversed")),
    "published": StatusLook("ok", "circle-check", _("Published")),
    "scheduled": StatusLook("info", "calendar-time", _("Scheduled")),
    "superseded": StatusLook("idle", "history", _("Superseded")),
    # Tenants, members and keys
    "invited": StatusLook("wait", "mail", _("Invited")),
    "accepted": StatusLook("ok", "circle-check", _("Accepted")),
    "suspended": StatusLook("bad", "lock", _("Suspended")),
    "closed": StatusLook("idle", "lock", _("Closed")),
    "revoked": StatusLook("idle", "ban", _("Revoked")),
    "removed": StatusLook("idle", "circle-x", _("Removed")),
    # Webhooks
    "enabled": StatusLook("ok", "circle-check", _("Enabled")),
    "disabled": StatusLook("idle", "player-pause", _("Disabled")),
    "auto_disabled": StatusLook("bad", "alert-octagon", _("Disabled after failing")),
    "failing": StatusLook("wait", "alert-triangle", _("Failing")),
    "pending": StatusLook("wait", "hourglass", _("Waiting")),
    "delivered": StatusLook("ok", "check", _("Delivered")),
    # How sure a number is
    "high": StatusLook("ok", "check", _("High")),
    "medium": StatusLook("info", "book", _("Medium")),
    "low": StatusLook("wait", "alert-triangle", _("Low")),
    "unverified": StatusLook("idle", "help-circle", _("Unverified")),
    "measured": StatusLook("ok", "check", _("Measured")),
    "documented": StatusLook("info", "book", _("Documented")),
    "estimated": StatusLook("wait", "scale", _("Estimated")),
    "assumed": StatusLook("idle", "help-circle", _("Assumed")),
}


def look_of(state: str) -> StatusLook:
    """The look of a state; an unknown one is shown plainly under its own name."""
    known = STATUSES.get(state)
    return known or StatusLook("idle", "circle", state.replace("_", " "))
