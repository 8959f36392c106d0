"""Invoice runs as operators watch them and as the worker takes them up; needs operator scope."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from billing.models import InvoiceRun, InvoiceRunItem, RunItemState, RunState
from billing.queries.currencies import own_currency
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require


def runs_to_work() -> tuple[tuple[UUID, bool], ...]:
    """The runs that are not done, oldest first, and whether each goes on by itself."""
    rows = InvoiceRun.objects.exclude(state=RunState.DONE).order_by("period_end")
    return tuple(rows.values_list("pk", "is_automatic"))


def tenants_waiting(run_id: UUID, state: str) -> tuple[UUID, ...]:
    """The tenants of a run that stand at one step, by code: that order gives out the numbers."""
    rows = InvoiceRunItem.objects.filter(run_id=run_id, state=state).order_by("tenant__code")
    return tuple(rows.values_list("tenant_id", flat=True))


@dataclass(frozen=True)
class RunGross:
    """What a run's invoices come to in one currency, with tax."""

    currency: str
    drafted: Decimal
    issued: Decimal


@dataclass(frozen=True)
class RunProgress:
    """A run and how many of its invoices stand where, and what they come to in each currency."""

    id: UUID
    period_end: datetime
    state: str
    is_automatic: bool
    is_late: bool
    created_at: datetime
    finished_at: datetime | None
    total: int
    pending: int
    drafted: int
    reviewed: int
    issued: int
    empty: int
    failed: int
    odd: int
    gross: tuple[RunGross, ...]

    @property
    def finished(self) -> int:
        return self.issued + self.empty

    @property
    def is_moving(self) -> bool:
        return self.state in {RunState.DRAFTING, RunState.ISSUING}


def invoice_runs(*, actor: Actor, limit: int = 50) -> tuple[RunProgress, ...]:
    """The latest runs; two statements. Raises: PermissionRefused."""
    require(actor, Permission.INVOICE_ISSUE)
    return _progress(_counted().order_by("-period_end")[:limit])


def invoice_run(*, actor: Actor, run_id: UUID) -> RunProgress:
    """One run; two statements. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.INVOICE_ISSUE)
    for one in _progress(_counted().filter(pk=run_id)):
        return one
    raise NotFound


def run_items(
    *, actor: Actor, run_id: UUID, state: str = "", cursor: str | None = None, limit: int = 50
) -> Page[InvoiceRunItem]:
    """The invoices of a run; the odd ones are asked for by the state "odd".

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.INVOICE_ISSUE)
    rows = InvoiceRunItem.objects.filter(run_id=run_id).annotate(currency=own_currency())
    rows = rows.select_related("tenant", "invoice")
    if state == "odd":
        rows = rows.exclude(oddities=[])
    elif state:
        rows = rows.filter(state=state)
    return newest_first(rows, cursor=cursor, limit=limit)


def _counted() -> QuerySet[InvoiceRun]:
    counts = {
        f"n_{state}": Count("items", filter=Q(items__state=state)) for state in RunItemState.values
    }
    return InvoiceRun.objects.annotate(
        n_total=Count("items"),
        n_odd=Count("items", filter=~Q(items__oddities=[])),
        **counts,
    )


def _progress(rows: QuerySet[InvoiceRun]) -> tuple[RunProgress, ...]:
    found = list(rows)
    sums = _gross([row.pk for row in found])
    return tuple(_one(row, tuple(sums[row.pk])) for row in found)


def _gross(run_ids: Sequence[UUID]) -> Mapping[UUID, list[RunGross]]:
    items = InvoiceRunItem.objects.filter(run_id__in=run_ids, gross__isnull=False)
    sums = items.annotate(currency=own_currency()).values("run_id", "currency")
    found: dict[UUID, list[RunGross]] = defaultdict(list)
    for row in sums.annotate(drafted=Sum("gross"), issued=Sum("invoice__gross")).order_by(
        "currency"
    ):
        issued = row["issued"] or Decimal(0)
        found[row["run_id"]].append(RunGross(row["currency"], row["drafted"], issued))
    return found


def _one(row: InvoiceRun, gross: tuple[RunGross, ...]) -> RunProgress:
    told = vars(row)
    return RunProgress(
        id=row.pk,
        period_end=row.period_end,
        state=row.state,
        is_automatic=row.is_automatic,
        is_late=row.is_late,
        created_at=row.created_at,
        finished_at=row.finished_at,
        total=told["n_total"],
        odd=told["n_odd"],
        gross=gross,
        **{state: told[f"n_{state}"] for state in RunItemState.values},
    )
