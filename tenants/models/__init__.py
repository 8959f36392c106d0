"""Organisations, their people and programs, and what they did."""

from tenants.models.access import ApiKey, IdempotencyKey, OperatorAccess
from tenants.models.audit import AuditEntry
from tenants.models.base import TenantOwned
from tenants.models.notices import Notice, NoticeMail
from tenants.models.organisation import (
    Invitation,
    MemberRole,
    Membership,
    Organisation,
    OrganisationState,
    Project,
)
from tenants.models.user import OperatorRole, User
from tenants.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AuditEntry",
    "IdempotencyKey",
    "Invitation",
    "MemberRole",
    "Membership",
    "Notice",
    "NoticeMail",
    "OperatorAccess",
    "OperatorRole",
    "Organisation",
    "OrganisationState",
    "Project",
    "TenantOwned",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
