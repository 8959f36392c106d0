"""What of a tenant's draft an export of one month shows, as the facts that exports are made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from billing.charging import RatedLine
from billing.focus.facts import Bill, LineFact
from billing.models import LineKind
from billing.queries.adjusting import AdjustmentFact, open_periods
from billing.queries.draft_months import charge_month, first_month, true_up_month
from billing.queries.drafts import Draft, draft
from billing.queries.focus_draws import Draws, draft_draws
from billing.queries.focus_lines import full_title, line_fact, seller
from billing.queries.trueups import RatedTrueUp, true_up_line
from billing.rating import ChargeKey
from common.period import Period
from tenants.models import Organisation, Project


@dataclass(frozen=True)
class OpenUse:
    """The part of a draft that falls into one month. ``service`` is that of its adjustments."""

    bill: Bill
    lines: tuple[RatedLine, ...]
    true_ups: tuple[RatedTrueUp, ...]
    adjustments: tuple[AdjustmentFact, ...]
    service: Period
    places: Mapping[ChargeKey, str]
    draws: Draws


def open_use(tenant_id: UUID, month: Period, now: datetime) -> OpenUse | None:
    """The part of the draft that this month's export shows; no other month's shows it too."""
    if now <= month.start or (month.end <= now and _opens_after(tenant_id, month, now)):
        return None
    found = draft(tenant_id=tenant_id, until=now)
    lines = tuple(one for one in found.lines if charge_month(found, one.key) == month.start)
    true_ups = tuple(one for one in found.true_ups if true_up_month(found, one) == month.start)
    adjustments = found.adjustments if first_month(found) == month.start else ()
    if not (lines or true_ups or adjustments):
        return None
    amounts = (one.gross for part in (lines, true_ups, adjustments) for one in part)
    starts_at = max(found.period_start or month.start, month.start)
    places = {line.key: str(place) for place, line in enumerate(lines)}
    return OpenUse(
        bill=_bill(tenant_id, found, Period(starts_at, month.end), sum(amounts, Decimal(0))),
        lines=lines,
        true_ups=true_ups,
        adjustments=adjustments,
        service=Period(starts_at, min(now, month.end)),
        places=places,
        draws=draft_draws(found, places),
    )


def _opens_after(tenant_id: UUID, month: Period, now: datetime) -> bool:
    """Whether a draft, which is dear, would have nothing of the month; one statement."""
    starts_at = open_periods(tenant_id=tenant_id, until=now).starts_at
    return starts_at is not None and starts_at >= month.end


def _bill(tenant_id: UUID, found: Draft, period: Period, total: Decimal) -> Bill:
    account = Organisation.objects.get(pk=tenant_id)
    return Bill(
        number=None,
        issuer=seller(),
        account_code=account.code,
        account_name=account.legal_name or account.name,
        currency=found.currency,
        period=period,
        total=total,
        zone=settings.CENTRE_TIME_ZONE,
    )


def open_lines(tenant_id: UUID, of: OpenUse) -> Iterator[LineFact]:
    """In the order in which an invoice would have them; one statement."""
    projects = _projects(tenant_id, of.lines)
    for line in of.lines:
        yield _used(line, of.places[line.key], projects)
    for one in of.true_ups:
        yield replace(line_fact(true_up_line(one)), id=None)
    for fact in of.adjustments:
        yield _adjusted(fact, of.service)


def _projects(tenant_id: UUID, lines: tuple[RatedLine, ...]) -> Mapping[UUID, tuple[str, str]]:
    running = (line.key.running for line in lines)
    ids = {one.project_id for one in running if one.project_id is not None}
    rows = Project.objects.filter(tenant_id=tenant_id, pk__in=ids)
    return {pk: (code, name) for pk, code, name in rows.values_list("pk", "code", "name")}


def _used(line: RatedLine, charge: str, projects: Mapping[UUID, tuple[str, str]]) -> LineFact:
    running = line.key.running
    dimensions = dict(running.shown)
    project_id = running.project_id
    code, name = projects[project_id] if project_id is not None else ("", "")
    return LineFact(
        id=None,
        charge=charge,
        kind=LineKind.USAGE,
        meter=line.price.meter,
        sku=line.price.sku,
        price_id=str(line.price.id),
        title=full_title(line.price.title_en, dimensions),
        portion=line.portion,
        project_code=code,
        project_name=name,
        dimensions=dimensions,
        period=Period(line.service_from, line.service_to),
        is_late=line.key.is_late,
        quantity=line.quantity,
        priced_quantity=line.priced_quantity,
        list_unit_price=line.list_unit_price,
        unit_price=line.unit_price,
        unit_quantity=line.unit_quantity,
        tax_code=line.price.tax_code,
        tax_rate=running.tax_rate,
        net=line.net,
        tax=line.tax,
    )


def _adjusted(fact: AdjustmentFact, service: Period) -> LineFact:
    return LineFact(
        id=None,
        charge="",
        kind=LineKind.ADJUSTMENT,
        meter="",
        sku=LineKind.ADJUSTMENT,
        price_id="",
        title=fact.title_en,
        portion="",
        project_code="",
        project_name="",
        dimensions={},
        period=service,
        is_late=False,
        quantity=1,
        priced_quantity=1,
        list_unit_price=fact.net,
        unit_price=fact.net,
        unit_quantity=1,
        tax_code=fact.tax_code,
        tax_rate=fact.tax_rate,
        net=fact.net,
        tax=fact.tax,
    )
