"""What must always hold, checked on demand; the audit trail keeps when, by whom and the result."""

from dataclasses import dataclass
from datetime import datetime

from billing.queries import invariants as of_billing
from compute.queries import invariants as of_compute
from tenants.audit import record
from tenants.permissions import Actor, Permission, require
from tenants.queries import invariants as of_tenants
from tenants.queries.trail import audit_entries
from tenants.scoping import operator_scope

CHECKED = "portal.invariants.checked"
SUBJECT = "portal.invariants:all"


@dataclass(frozen=True)
class RuleResult:
    """One rule; ``rows`` are some of what breaks it and empty where it holds."""

    area: str
    rule: str
    rows: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.rows


@dataclass(frozen=True)
class LastCheck:
    """The latest check on record."""

    at: datetime
    by: str
    rules: int
    broken: tuple[str, ...]


def check_everything(*, actor: Actor) -> tuple[RuleResult, ...]:
    """Every rule of money, capacity and isolation with what breaks it, in one transaction."""
    require(actor, Permission.TENANT_READ_ALL)
    with operator_scope():
        money = {b.invariant: tuple(" ".join(row) for row in b.rows) for b in of_billing.breaches()}
        cards = {b.rule: b.subjects for b in of_compute.breaches()}
        walls = {b.rule: b.subjects for b in of_tenants.breaches()}
        results = (
            *(RuleResult("billing", rule, money.get(rule, ())) for rule in of_billing.INVARIANTS),
            *(RuleResult("compute", rule, cards.get(rule, ())) for rule in of_compute.CHECKS),
            *(RuleResult("tenants", rule, walls.get(rule, ())) for rule in of_tenants.CHECKS),
        )
        record(
            actor,
            CHECKED,
            subject=SUBJECT,
            detail={"rules": len(results), "broken": [r.rule for r in results if not r.holds]},
        )
    return results


def last_check(*, actor: Actor) -> LastCheck | None:
    """The latest check, None before the first; one statement."""
    found = audit_entries(actor=actor, tenant_id=None, subject=SUBJECT, limit=1).items
    if not found:
        return None
    detail = found[0].detail
    return LastCheck(
        at=found[0].at,
        by=found[0].actor_name,
        rules=int(detail["rules"]),
        broken=tuple(detail["broken"]),
    )
