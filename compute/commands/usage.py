"""Engines' own accounting, kept once and turned into usage events exactly once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.commands.holds import set_hold
from billing.commands.usage import EventStatus, UsageEvent, record_usage
from common.period import Period
from compute.commands.workload_moves import settle_money
from compute.engines import UsageFact, UsagePage
from compute.metering import chargeable, remaining_money, whole_second
from compute.meters import CARD_SECONDS
from compute.models import Cluster, EngineUsage, Workload
from compute.models.workloads import TERMINAL
from tenants.permissions import SYSTEM

SOURCE = "compute.engine"
WORKLOAD_PREFIX = "acp-w-"
CHANGING = ("ended_at", "seen_until", "node", "cards", "reason")


class CursorMoved(Exception):  # noqa: N818 - an outcome between workers, never shown
    """Another worker has read this page; what this one found is dropped."""


@transaction.atomic
def record_page(*, cluster_id: int, cursor: str, page: UsagePage, now: datetime) -> int:
    """Keep a page of facts, charge what became certain, and move the cursor, all or nothing.

    Shape: ``cursor`` is the one the page was asked for with. Says how many events were accepted.
    Idempotent: pages overlap, and a killed worker's page is read again.
    Raises: CursorMoved.
    """
    rows = _keep(cluster_id, page.facts)
    accepted = _charge(cluster_id, rows, now)
    moved = Cluster.objects.filter(pk=cluster_id, usage_cursor=cursor).update(
        usage_cursor=page.cursor, usage_read_at=now
    )
    if not moved:
        raise CursorMoved
    return accepted


def _keep(cluster_id: int, facts: Sequence[UsageFact]) -> list[EngineUsage]:
    """Insert new rows and follow known ones; nothing an engine says moves time backwards."""
    # One page may name a record twice; the later word counts.
    latest = {fact.record_key: fact for fact in facts}
    known = {
        row.record_key: row
        for row in EngineUsage.objects.select_for_update()
        .filter(cluster_id=cluster_id, record_key__in=latest)
        .order_by("pk")
    }
    owners = _owners(latest.values())
    fresh, changed = [], []
    for key, fact in latest.items():
        row = known.get(key)
        if row is None:
            fresh.append(_row(cluster_id, fact, owners.get(fact.workload_key)))
        elif _follow(row, fact):
            changed.append(row)
    EngineUsage.objects.bulk_create(fresh)
    EngineUsage.objects.bulk_update(changed, CHANGING)
    return [*known.values(), *fresh]


def _owners(facts: Iterable[UsageFact]) -> Mapping[str, Workload]:
    ids = [
        UUID(hex=fact.workload_key.removeprefix(WORKLOAD_PREFIX))
        for fact in facts
        if _is_ours(fact.workload_key)
    ]
    return {row.engine_key: row for row in Workload.objects.filter(pk__in=ids)}


def _is_ours(workload_key: str) -> bool:
    name = workload_key.removeprefix(WORKLOAD_PREFIX)
    return name != workload_key and len(name) == 32 and all(c in "0123456789abcdef" for c in name)


def _row(cluster_id: int, fact: UsageFact, workload: Workload | None) -> EngineUsage:
    return EngineUsage(
        tenant_id=workload.tenant_id if workload else None,
        cluster_id=cluster_id,
        workload=workload,
        record_key=fact.record_key,
        workload_key=fact.workload_key[:200],
        reservation_key=fact.reservation_key or "",
        engine_job_id=fact.engine_job_id,
        node=fact.node,
        gres=fact.gres,
        cards=fact.cards,
        started_at=whole_second(fact.started_at),
        ended_at=whole_second(fact.ended_at) if fact.ended_at else None,
        seen_until=whole_second(fact.seen_until),
        reason="" if workload else "unknown_workload",
    )


def _follow(row: EngineUsage, fact: UsageFact) -> bool:
    """Bring a row up to date; says whether anything changed."""
    before = [getattr(row, field) for field in CHANGING]
    row.seen_until = max(row.seen_until, whole_second(fact.seen_until))
    if fact.ended_at is not None and row.ended_at is None:
        row.ended_at = whole_second(fact.ended_at)
    row.node = fact.node or row.node
    if row.ended_at and row.billed_until and row.ended_at < row.billed_until:
        # The engine vouched for time it now says did not happen: an operator's case.
        row.reason = "charged_past_end"
    if fact.cards != row.cards:
        if row.billed_until is None:
            row.cards = fact.cards
        else:
            row.reason = "cards_changed"
    return before != [getattr(row, field) for field in CHANGING]


def _charge(cluster_id: int, rows: Sequence[EngineUsage], now: datetime) -> int:
    """Make events of what became certain, tenant by tenant, and remember how far."""
    cluster_code = Cluster.objects.values_list("code", flat=True).get(pk=cluster_id)
    workload_ids = {row.workload_id for row in rows if row.workload_id}
    workloads = {
        workload.pk: workload
        for workload in Workload.objects.select_related("pool", "claim").filter(pk__in=workload_ids)
    }
    events: dict[UUID, list[UsageEvent]] = defaultdict(list)
    charged = []
    for row in rows:
        workload = workloads.get(row.workload_id) if row.workload_id else None
        pieces = chargeable(
            started_at=row.started_at,
            ended_at=row.ended_at,
            vouched_until=row.seen_until,
            charged_until=row.billed_until,
        )
        if workload is None:
            continue
        if not pieces:
            if row.billed_until is None and row.ended_at == row.started_at:
                # Over within one second: there is nothing to charge, and that is all of it.
                row.billed_until = row.ended_at
                charged.append(row)
            continue
        events[workload.tenant_id] += [
            _event(cluster_code, row, workload, piece) for piece in pieces
        ]
        row.billed_until = pieces[-1].end
        charged.append(row)
    accepted = 0
    for tenant_id, batch in events.items():
        results = record_usage(actor=SYSTEM, tenant_id=tenant_id, events=batch, now=now)
        accepted += sum(result.status == EventStatus.ACCEPTED for result in results)
        _mark_refused(charged, {r.id: r.code for r in results if _refused(r.status)})
    EngineUsage.objects.bulk_update(charged, ["billed_until", "reason"])
    for workload in workloads.values():
        _let_go(workload, now)
    return accepted


def _refused(status: EventStatus) -> bool:
    return status not in {EventStatus.ACCEPTED, EventStatus.DUPLICATE}


def _mark_refused(rows: Sequence[EngineUsage], refused: Mapping[str, str]) -> None:
    """Usage billing would not take is listed as unbilled with billing's reason, never dropped."""
    for row in rows:
        codes = [code for id_, code in refused.items() if f":{row.record_key}:" in id_]
        if codes:
            row.reason = codes[0][:200]


def _event(cluster_code: str, row: EngineUsage, workload: Workload, piece: Period) -> UsageEvent:
    covered = workload.reservation_id is not None
    dimensions = {
        "chip": workload.pool.chip_id,
        "pool": workload.pool.code,
        "service_class": workload.service_class,
        "reservation": str(workload.reservation_id) if covered else "",
        "workload": str(workload.pk),
    }
    return UsageEvent(
        source=SOURCE,
        id=f"{cluster_code}:{row.record_key}:{piece.start.isoformat()}",
        meter=CARD_SECONDS,
        subject=workload.audit_subject,
        at=piece.start,
        quantity=row.cards * piece.seconds,
        dimensions=dimensions,
        project_id=workload.project_id,
        price_id=None if covered else workload.price_id,
    )


def _let_go(workload: Workload, now: datetime) -> None:
    """Lower the money set aside by what has been charged; let go of it when all has been."""
    settle_money(workload_id=workload.pk, now=now)
    if workload.gross is None or workload.state in TERMINAL:
        return
    asked = workload.claim.booked
    total = workload.cards * Period(asked.lower, asked.upper).seconds
    charged = sum(
        row.cards * int((row.billed_until - row.started_at).total_seconds())
        for row in EngineUsage.objects.filter(workload=workload, billed_until__isnull=False)
        if row.billed_until
    )
    set_hold(
        actor=SYSTEM,
        tenant_id=workload.tenant_id,
        key=workload.money_key,
        amount=remaining_money(workload.gross, total=total, charged=charged),
        expires_at=None,
        now=now,
    )
