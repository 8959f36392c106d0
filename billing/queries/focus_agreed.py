"""Agreed spend as commitments of a contract: what cost exports say about it."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from billing.focus.facts import CommitmentFact
from billing.focus.parts import duration
from billing.models import ContractTerm, TermInterval, TermKind
from billing.queries.contracts import agreed_spend
from billing.queries.focus_lines import CHUNK, seller
from billing.trueup import intervals
from common.period import Period

KINDS = {TermKind.MINIMUM: "Minimum Spend", TermKind.COMMITMENT: "Committed Spend"}
INTERVALS = {
    TermInterval.MONTH: ("Monthly", "each month"),
    TermInterval.TERM: ("Full Period", "over the whole period"),
}


def spend_commitments(
    *, tenant_id: UUID | None, month: Period, now: datetime
) -> Iterator[CommitmentFact]:
    """The amounts agreed for part of a month; every tenant's where None is given.

    One statement, read in portions.
    """
    rows = ContractTerm.objects.filter(
        kind__in=KINDS, in_force__overlap=(month.start, month.end)
    ).select_related("contract", "tenant")
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    for term in rows.order_by("starts_at", "pk").iterator(chunk_size=CHUNK):
        yield _fact(term, now)


def _fact(term: ContractTerm, now: datetime) -> CommitmentFact:
    contract, spend = term.contract, agreed_spend(term)
    interval, said = INTERVALS[TermInterval(term.interval)]
    created_at = contract.activated_at or contract.drafted_at
    zone = settings.CENTRE_TIME_ZONE
    return CommitmentFact(
        contract_id=contract.number,
        contract_period=Period(contract.starts_at, contract.ends_at),
        id=str(term.pk),
        issuer=seller(),
        currency=contract.currency,
        category="Spend",
        type=KINDS[TermKind(term.kind)],
        description=f"{contract.title}: {spend.amount} {contract.currency} {said}",
        period=Period(spend.starts_at, spend.ends_at),
        created_at=created_at,
        updated_at=contract.ended_at or created_at,
        status=_status(spend.starts_at, spend.ends_at, term.ends_at, now),
        duration=duration(Period(term.starts_at, term.ends_at), zone),
        unit=None,
        quantity=None,
        cost=sum((one.due for one in intervals(spend, zone)), Decimal(0)),
        applies_to={
            "InclusionOperator": "And",
            "Inclusions": [
                {
                    "Dimension": "BillingAccountId",
                    "Operator": "In",
                    "Values": [term.tenant.code],
                },
                {"Dimension": "ChargeCategory", "Operator": "In", "Values": ["Usage", "Purchase"]},
            ],
        },
        model="Discontinuous",
        offer="Negotiated",
        benefit="Other",
        fulfillment=interval,
    )


def _status(starts_at: datetime, ends_at: datetime, agreed: datetime, now: datetime) -> str:
    if ends_at <= now:
        return "Canceled" if ends_at < agreed else "Expired"
    return "Active" if starts_at <= now else "Pending"
