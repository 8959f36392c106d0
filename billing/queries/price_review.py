"""What a second pair of eyes looks at: faults of a draft and the contracts it touches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.models import ContractState, ContractTerm, PriceVersion, TermKind, VersionState
from billing.queries.desk import Change, PriceFact
from billing.queries.price_faults import (
    coverage_faults,
    line_faults,
    naming_faults,
    overlap_faults,
    tax_faults,
    time_faults,
)
from billing.queries.price_lines import lines_of
from common.errors import FieldError, NotFound


@dataclass(frozen=True)
class AffectedContract:
    """An active contract with terms about prices that change."""

    id: UUID
    number: str
    title: str
    tenant_code: str
    tenant_name: str
    skus: tuple[str, ...]


def price_version_of(version_id: UUID) -> PriceVersion:
    """Raises: NotFound."""
    found = PriceVersion.objects.filter(pk=version_id).first()
    if found is None:
        raise NotFound
    return found


def version_before(version: PriceVersion) -> PriceVersion | None:
    """The published list of the same currency that this one follows."""
    published = PriceVersion.objects.filter(
        state=VersionState.PUBLISHED,
        currency=version.currency,
        effective_at__lt=version.effective_at,
    )
    return published.order_by("-effective_at").first()


def publishing_faults(version: PriceVersion, now: datetime) -> tuple[FieldError, ...]:
    """Why this draft could not be published now; needs operator scope."""
    lines = lines_of(version.pk)
    return (
        *time_faults(version.effective_at, now, version.currency),
        *line_faults(lines),
        *tax_faults(lines, version.effective_at),
        *naming_faults(lines),
        *overlap_faults(lines),
        *coverage_faults(lines, now, version.currency),
    )


def affected_contracts(
    changed: Sequence[Change], at: datetime, currency: str
) -> tuple[AffectedContract, ...]:
    """Active contracts whose rates are made of prices that change; needs operator scope."""
    terms = (
        ContractTerm.objects.filter(
            contract__state=ContractState.ACTIVE,
            contract__currency=currency,
            kind__in=[TermKind.DISCOUNT, TermKind.PRICE],
            in_force__endswith__gt=at,
        )
        .select_related("contract", "tenant")
        .order_by("contract__number")
    )
    found: dict[UUID, AffectedContract] = {}
    for term in terms:
        skus = {one.fact.sku for one in changed if _is_about(term, one.fact)}
        if not skus:
            continue
        known = found.get(term.contract_id)
        found[term.contract_id] = AffectedContract(
            id=term.contract_id,
            number=term.contract.number,
            title=term.contract.title,
            tenant_code=term.tenant.code,
            tenant_name=term.tenant.name,
            skus=tuple(sorted(skus.union(known.skus if known else ()))),
        )
    return tuple(found.values())


def _is_about(term: ContractTerm, fact: PriceFact) -> bool:
    return (
        term.meter in ("", fact.meter)
        and term.sku in ("", fact.sku)
        and all(fact.match.get(name, value) == value for name, value in term.match.items())
    )
