"""Permission names, the role table, actors, and the check every command begins with."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound


class Permission(StrEnum):
    """What may be done, as ``app:noun:verb``; names carry no data."""

    # What a tenant's people and programs may do.
    ORGANISATION_READ = "tenants:organisation:read"
    ORGANISATION_MANAGE = "tenants:organisation:manage"
    MEMBER_READ = "tenants:member:read"
    MEMBER_MANAGE = "tenants:member:manage"
    PROJECT_READ = "tenants:project:read"
    PROJECT_MANAGE = "tenants:project:manage"
    KEY_READ = "tenants:key:read"
    KEY_MANAGE = "tenants:key:manage"
    AUDIT_READ = "tenants:audit:read"
    NOTICE_READ = "tenants:notice:read"
    WEBHOOK_READ = "tenants:webhook:read"
    WEBHOOK_MANAGE = "tenants:webhook:manage"
    POOL_READ = "compute:pool:read"
    RESERVATION_READ = "compute:reservation:read"
    RESERVATION_CREATE = "compute:reservation:create"
    RESERVATION_CANCEL = "compute:reservation:cancel"
    CATALOGUE_READ = "appliances:catalogue:read"
    DEPLOYMENT_READ = "appliances:deployment:read"
    DEPLOYMENT_CREATE = "appliances:deployment:create"
    DEPLOYMENT_STOP = "appliances:deployment:stop"
    MODEL_CALL = "appliances:model:call"
    USAGE_READ = "billing:usage:read"
    USAGE_INGEST = "billing:usage:ingest"
    USAGE_CORRECT = "billing:usage:correct"
    PRICE_READ = "billing:price:read"
    CONTRACT_READ = "billing:contract:read"
    WALLET_READ = "billing:wallet:read"
    FUNDS_HOLD = "billing:funds:hold"
    INVOICE_READ = "billing:invoice:read"
    VOUCHER_APPLY = "billing:voucher:apply"
    DISPUTE_OPEN = "billing:dispute:open"
    FAPIAO_READ = "billing:fapiao:read"
    FAPIAO_REQUEST = "billing:fapiao:request"
    COST_EXPORT = "billing:cost_export:read"
    BUDGET_READ = "billing:budget:read"
    BUDGET_MANAGE = "billing:budget:manage"
    # What only the centre's operators may do.
    TENANT_READ_ALL = "tenants:organisation:read_all"
    TENANT_OPERATE = "tenants:organisation:operate"
    RESERVATION_APPROVE = "compute:reservation:approve"
    POOL_MANAGE = "compute:pool:manage"
    NODE_MANAGE = "compute:node:manage"
    CHIP_MANAGE = "compute:chip:manage"
    CATALOGUE_MANAGE = "appliances:catalogue:manage"
    PRICE_PUBLISH = "billing:price:publish"
    CONTRACT_MANAGE = "billing:contract:manage"
    WALLET_TOP_UP = "billing:wallet:top_up"
    INVOICE_ISSUE = "billing:invoice:issue"
    ARREARS_MANAGE = "billing:arrears:manage"
    CREDIT_GRANT = "billing:credit:grant"
    VOUCHER_REVIEW = "billing:voucher:review"
    SCHEME_MANAGE = "billing:scheme:manage"
    SETTLEMENT_READ = "billing:settlement:read"
    SETTLEMENT_MANAGE = "billing:settlement:manage"
    REVENUE_READ = "billing:revenue:read"
    INVOICE_VOID = "billing:invoice:void"
    ADJUSTMENT_PROPOSE = "billing:adjustment:propose"
    ADJUSTMENT_APPROVE = "billing:adjustment:approve"
    MONEY_OUT_PROPOSE = "billing:money_out:propose"
    MONEY_OUT_APPROVE = "billing:money_out:approve"
    DISPUTE_ANSWER = "billing:dispute:answer"
    FAPIAO_ISSUE = "billing:fapiao:issue"
    USAGE_FORCE = "billing:usage:force"


P = Permission

_VIEWER = frozenset(
    {
        P.ORGANISATION_READ,
        P.MEMBER_READ,
        P.PROJECT_READ,
        P.POOL_READ,
        P.RESERVATION_READ,
        P.CATALOGUE_READ,
        P.DEPLOYMENT_READ,
        P.USAGE_READ,
        P.PRICE_READ,
    }
)
_DEVELOPER = _VIEWER | {
    P.RESERVATION_CREATE,
    P.RESERVATION_CANCEL,
    P.DEPLOYMENT_CREATE,
    P.DEPLOYMENT_STOP,
    P.MODEL_CALL,
    P.KEY_READ,
    # Reserving and deploying promise money: whoever may do those may place a hold.
    P.FUNDS_HOLD,
}
# Notices speak of money, so those who may see money read them.
_MONEY_READ = _VIEWER | {
    P.WALLET_READ,
    P.INVOICE_READ,
    P.CONTRACT_READ,
    P.FAPIAO_READ,
    P.NOTICE_READ,
    P.COST_EXPORT,
    P.BUDGET_READ,
}
_FINANCE = _MONEY_READ | {
    P.DISPUTE_OPEN,
    P.FAPIAO_REQUEST,
    P.VOUCHER_APPLY,
    P.BUDGET_MANAGE,
}
_ADMIN = (
    _DEVELOPER
    | _FINANCE
    | {P.MEMBER_MANAGE, P.PROJECT_MANAGE, P.KEY_MANAGE, P.AUDIT_READ}
    | {P.USAGE_INGEST, P.USAGE_CORRECT}
    | {P.WEBHOOK_READ, P.WEBHOOK_MANAGE}
)
_OWNER = _ADMIN | {P.ORGANISATION_MANAGE}

MEMBER_ROLES: dict[str, frozenset[Permission]] = {
    "owner": frozenset(_OWNER),
    "admin": frozenset(_ADMIN),
    "developer": frozenset(_DEVELOPER),
    "finance": frozenset(_FINANCE),
    "viewer": _VIEWER,
}

_OPERATOR_READ = _MONEY_READ | {
    P.TENANT_READ_ALL,
    P.KEY_READ,
    P.AUDIT_READ,
    P.WEBHOOK_READ,
    P.SETTLEMENT_READ,
}
# Credits are the centre's and the city's money: finance gives, reviews and settles them.
_CREDITS = frozenset({P.CREDIT_GRANT, P.VOUCHER_REVIEW, P.SCHEME_MANAGE, P.SETTLEMENT_MANAGE})
# Correcting what was billed, and the tax documents over it.
_BILLING_DESK = frozenset(
    {
        P.INVOICE_VOID,
        P.ADJUSTMENT_PROPOSE,
        P.ADJUSTMENT_APPROVE,
        P.MONEY_OUT_PROPOSE,
        P.MONEY_OUT_APPROVE,
        P.DISPUTE_ANSWER,
        P.FAPIAO_ISSUE,
    }
)
OPERATOR_ROLES: dict[str, frozenset[Permission]] = {
    "support": frozenset(_OPERATOR_READ),
    "capacity": frozenset(
        _OPERATOR_READ
        | {
            P.RESERVATION_APPROVE,
            P.POOL_MANAGE,
            P.NODE_MANAGE,
            P.CHIP_MANAGE,
            P.CATALOGUE_MANAGE,
            P.FUNDS_HOLD,
        }
    ),
    "finance": frozenset(
        _OPERATOR_READ
        | {
            P.PRICE_PUBLISH,
            P.CONTRACT_MANAGE,
            P.WALLET_TOP_UP,
            P.INVOICE_ISSUE,
            P.ARREARS_MANAGE,
            P.REVENUE_READ,
            P.FUNDS_HOLD,
            P.USAGE_CORRECT,
            P.USAGE_FORCE,
        }
        | _CREDITS
        | _BILLING_DESK
    ),
    "admin": frozenset(
        _OPERATOR_READ
        | _BILLING_DESK
        | {
            P.RESERVATION_APPROVE,
            P.POOL_MANAGE,
            P.NODE_MANAGE,
            P.CHIP_MANAGE,
            P.CATALOGUE_MANAGE,
            P.PRICE_PUBLISH,
            P.CONTRACT_MANAGE,
            P.WALLET_TOP_UP,
            P.INVOICE_ISSUE,
            P.ARREARS_MANAGE,
            P.REVENUE_READ,
            P.TENANT_OPERATE,
            P.FUNDS_HOLD,
            P.USAGE_CORRECT,
            P.USAGE_FORCE,
        }
        | _CREDITS
    ),
}

# What a tenant may give to an API key; a key never holds more than its maker. A key that may make
# keys cannot pass that on, so that the chain ends at the second link.
KEY_SCOPES: frozenset[Permission] = frozenset(_ADMIN - {P.MEMBER_MANAGE})

# What looking involves: all that is left to a suspended tenant.
LOOKING: frozenset[Permission] = frozenset(p for p in Permission if p.value.endswith(":read"))

# What an operator sees as a guest in a tenant's console.
VISITOR: frozenset[Permission] = frozenset(_MONEY_READ | {P.AUDIT_READ, P.KEY_READ, P.WEBHOOK_READ})

# Taking cards sets money aside and giving them back lets go of it: whoever may do the one may do
# the other, also a key that was given nothing but this one scope.
_MOVES_MONEY = frozenset(
    {P.RESERVATION_CREATE, P.RESERVATION_CANCEL, P.DEPLOYMENT_CREATE, P.DEPLOYMENT_STOP}
)


def with_implied(permissions: frozenset[Permission]) -> frozenset[Permission]:
    """These permissions and what doing them involves."""
    return permissions | {P.FUNDS_HOLD} if permissions & _MOVES_MONEY else permissions


# What a key of one project may do: its commands and queries keep to the project, or are of what
# everybody shares, such as the catalogue and the price of a unit. Whatever is not named here is
# the whole organisation's, so that a new permission is closed to such keys until it is.
WITHIN_A_PROJECT: frozenset[Permission] = frozenset(
    {
        P.ORGANISATION_READ,
        P.PROJECT_READ,
        P.PROJECT_MANAGE,
        P.KEY_READ,
        P.KEY_MANAGE,
        P.POOL_READ,
        P.RESERVATION_READ,
        P.RESERVATION_CREATE,
        P.RESERVATION_CANCEL,
        P.CATALOGUE_READ,
        P.DEPLOYMENT_READ,
        P.DEPLOYMENT_CREATE,
        P.DEPLOYMENT_STOP,
        P.MODEL_CALL,
        P.USAGE_READ,
        P.USAGE_INGEST,
        P.USAGE_CORRECT,
        P.PRICE_READ,
        P.FUNDS_HOLD,
        P.BUDGET_READ,
        P.BUDGET_MANAGE,
    }
)


class ActorKind(StrEnum):
    MEMBER = "member"
    API_KEY = "api_key"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """Who acts, for which tenant, and what they may do.

    Shape: ``tenant_id`` is None for operators and the system, who may act on any tenant their
    permissions reach; ``project_id`` narrows an API key to one project.
    """

    kind: ActorKind
    id: UUID | None
    name: str
    tenant_id: UUID | None
    permissions: frozenset[Permission] = field(repr=False)
    project_id: UUID | None = None
    on_behalf_of: UUID | None = None


SYSTEM = Actor(
    kind=ActorKind.SYSTEM,
    id=None,
    name="system",
    tenant_id=None,
    permissions=frozenset(Permission),
)


class PermissionRefused(DomainError):
    """The actor is known but may not do this."""

    code = "permission_refused"
    status = 403
    message = _("Your role does not allow this.")


class WholeTenantRefused(PermissionRefused):
    """A key of one project asked for what is the whole organisation's."""

    message = _("This key is for one project; this belongs to the whole organisation.")


def allows(actor: Actor, permission: Permission) -> bool:
    """Whether the actor may do this at all, of its own tenant."""
    return permission in actor.permissions and (
        actor.project_id is None or permission in WITHIN_A_PROJECT
    )


def require(actor: Actor, permission: Permission, tenant_id: UUID | None = None) -> None:
    """Refuse unless the actor may do this, for this tenant where one is given.

    Raises: NotFound for another tenant's things, as if they did not exist; PermissionRefused;
    WholeTenantRefused for a key of one project that reaches beyond it.
    """
    if tenant_id is not None and actor.tenant_id is not None and actor.tenant_id != tenant_id:
        raise NotFound
    if permission not in actor.permissions:
        raise PermissionRefused
    if permission not in WITHIN_A_PROJECT:
        require_whole_tenant(actor)


def require_whole_tenant(actor: Actor) -> None:
    """Refuse a key of one project, where a permission within a project asks for more than that.

    Raises: WholeTenantRefused.
    """
    if actor.project_id is not None:
        raise WholeTenantRefused
