"""Correcting and voiding what was counted: always by a new event, never by changing one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.gauging import Touched, lock_series, recompute
from billing.commands.periods import OpenPeriod, open_periods
from billing.commands.rejected import Refused, keep_rejected
from billing.commands.staging import placing
from billing.commands.usage import CONFLICT, DUPLICATE, NOTHING
from billing.corrections import (
    VOID,
    Corrected,
    Correction,
    CorrectionResult,
    Effect,
    form_fault,
    read_corrections,
)
from billing.meters import Aggregation
from billing.models import Correction as CorrectionRow
from billing.models import EventKey, UsageBatch
from billing.queries.usage_corrections import Found, found_events
from billing.usage import EventStatus, identity
from common.errors import DomainError
from common.period import floor_hour
from tenants.permissions import Actor, ActorKind, Permission, require

__all__ = ["Correction", "CorrectionResult", "correct_usage"]
MOST_CORRECTIONS = 1_000


class TooManyCorrections(DomainError):
    """More corrections at once than one request may carry."""

    code = "batch_too_large"
    status = 422
    message = _("Send at most %(most)s corrections at once; this batch has %(count)s.")


@dataclass(frozen=True)
class CorrectionReceipt:
    """What became of a batch: one result per correction, in order, and how many of each."""

    results: tuple[CorrectionResult, ...]

    @property
    def counts(self) -> Mapping[EventStatus, int]:
        return Counter(result.status for result in self.results)


class Link(NamedTuple):
    """A correction about to be written, and the state of its event before and after it."""

    position: int
    key: UUID
    payload: UUID
    said: Correction
    event: Found
    before: Corrected
    after: Corrected

    @property
    def difference(self) -> int:
        return self.after.quantity - self.before.quantity


@dataclass
class _Sorted:
    """A batch sorted into what is to be written and what is not, by position."""

    faults: dict[int, tuple[EventStatus, str]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)


@transaction.atomic
def correct_usage(
    *,
    actor: Actor,
    tenant_id: UUID,
    corrections: Sequence[Correction],
    now: datetime,
    unreadable: Mapping[int, str] = NOTHING,
) -> tuple[CorrectionResult, ...]:
    """Book what counted events should have said, each correction on its own.

    Shape: one result per correction, in order. The difference is counted in the event's own hour,
    in the period that is open for it. Corrections of one event follow one another; after a void
    there is none. What is refused is kept as a rejected event. ``unreadable`` names by position
    what the caller could not make out, with the code of the reason.
    Locks: the tenant's corrections; its billing periods, shared; series, keys, buckets in order.
    Raises: PermissionRefused, TooManyCorrections.
    Idempotent: by (tenant, source, id), which corrections share with events.
    """
    require(actor, Permission.USAGE_CORRECT, tenant_id)
    if len(corrections) > MOST_CORRECTIONS:
        raise TooManyCorrections(most=MOST_CORRECTIONS, count=len(corrections))
    _lock(tenant_id)
    batch, written = _written(actor, tenant_id, corrections, unreadable, now)
    results = tuple(_result(index, said, batch, written) for index, said in enumerate(corrections))
    refused = keep_rejected(
        tenant_id,
        (
            Refused(said.source, said.id, result.code, vars(said))
            for said, result in zip(corrections, results, strict=True)
            if result.status in {EventStatus.CONFLICT, EventStatus.REJECTED}
        ),
        now,
    )
    if written:
        UsageBatch.objects.create(
            tenant_id=tenant_id, received_at=now, accepted=len(written), rejected=refused
        )
    return results


@transaction.atomic
def correct_items(
    *, actor: Actor, tenant_id: UUID, items: Sequence[object], now: datetime
) -> CorrectionReceipt:
    """Correct what a program's JSON asks for; as ``correct_usage`` in everything.

    Raises: PermissionRefused, TooManyCorrections.
    """
    require(actor, Permission.USAGE_CORRECT, tenant_id)
    read = read_corrections(items)
    results = correct_usage(
        actor=actor,
        tenant_id=tenant_id,
        corrections=read.corrections,
        now=now,
        unreadable=read.unreadable,
    )
    return CorrectionReceipt(results)


def _lock(tenant_id: UUID) -> None:
    """Have the tenant's corrections alone until the transaction ends: they are few."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('billing.corrections:' || %s, 0))",
            [str(tenant_id)],
        )


class _Raced(Exception):
    """An event took a correction's identity after it was looked for."""


def _written(
    actor: Actor,
    tenant_id: UUID,
    corrections: Sequence[Correction],
    unreadable: Mapping[int, str],
    now: datetime,
) -> tuple[_Sorted, dict[int, tuple[Link, Effect]]]:
    while True:
        batch = _sorted(actor, tenant_id, corrections, unreadable)
        if not batch.links:
            return batch, {}
        try:
            # A part of the transaction, so that a lost race leaves nothing of it.
            with transaction.atomic():
                effects = _write(actor, tenant_id, batch.links, now)
        except _Raced:
            continue
        return batch, {
            link.position: (link, effect) for link, effect in zip(batch.links, effects, strict=True)
        }


def _sorted(
    actor: Actor,
    tenant_id: UUID,
    corrections: Sequence[Correction],
    unreadable: Mapping[int, str],
) -> _Sorted:
    batch = _Sorted()
    is_ours = actor.kind in {ActorKind.OPERATOR, ActorKind.SYSTEM}
    well_formed = {}
    for index, said in enumerate(corrections):
        if code := unreadable.get(index) or form_fault(said, may_touch_own=is_ours):
            batch.faults[index] = (EventStatus.REJECTED, code)
        else:
            well_formed[index] = said
    keys = {i: identity(tenant_id, said.source, said.id) for i, said in well_formed.items()}
    refs = {i: identity(tenant_id, said.ref_source, said.ref_id) for i, said in well_formed.items()}
    rows = EventKey.objects.filter(tenant_id=tenant_id, key__in=set(keys.values()))
    known = dict(rows.values_list("key", "payload"))
    events = found_events(tenant_id=tenant_id, keys=set(refs.values()))
    states = {key: event.state for key, event in events.items()}
    for index, said in well_formed.items():
        key, payload = keys[index], _payload(said, refs[index])
        event = events.get(refs[index])
        if key in known:
            batch.faults[index] = DUPLICATE if known[key] == payload else CONFLICT
        elif event is None or actor.project_id not in {None, event.state.project_id}:
            batch.faults[index] = (EventStatus.REJECTED, "unknown_event")
        elif code := _fault(said, event, states[event.key]):
            batch.faults[index] = (EventStatus.REJECTED, code)
        else:
            before = states[event.key]
            after = _after(said, before)
            states[event.key], known[key] = after, payload
            batch.links.append(Link(index, key, payload, said, event, before, after))
    return batch


def _fault(said: Correction, event: Found, before: Corrected) -> str:
    if before.is_void:
        return "already_void"
    return "bad_quantity" if (said.quantity or 0) > event.largest else ""


def _after(said: Correction, before: Corrected) -> Corrected:
    return replace(
        before,
        quantity=said.quantity or 0,
        number=before.number + 1,
        is_void=said.kind == VOID,
    )


def _payload(said: Correction, corrects: UUID) -> UUID:
    content = f"{said.kind}|{corrects.int}|{said.quantity}|{said.reason}"
    return UUID(bytes=hashlib.md5(content.encode(), usedforsecurity=False).digest())


KEYS = """
INSERT INTO billing_eventkey (key, tenant_id, payload, at)
SELECT key, %(tenant)s, payload, at
FROM unnest(%(key)s::uuid[], %(payload)s::uuid[], %(at)s::timestamptz[]) AS one (key, payload, at)
ORDER BY key ON CONFLICT (key) DO NOTHING
"""
EVENTS = """
WITH link AS (
    SELECT one.*, date_bin('1 hour', at, 'epoch') AS hour
    FROM unnest(%(key)s::uuid[], %(series)s::bigint[], %(at)s::timestamptz[],
        %(difference)s::bigint[], %(amount)s::bigint[], %(source)s::text[], %(id)s::text[],
        %(subject)s::text[], %(kind)s::text[])
        AS one (key, series_id, at, difference, amount, source, event_id, subject, kind)
),
placed AS (
    SELECT link.*, coalesce(period.id, %(oldest)s) AS period_id
    FROM link LEFT JOIN unnest(%(period)s::bigint[], %(starts)s::timestamptz[],
        %(ends)s::timestamptz[]) AS period (id, starts_at, ends_at)
        ON hour >= period.starts_at AND hour < period.ends_at
),
kept AS (
    INSERT INTO billing_usageevent
        (key, tenant_id, series_id, period_id, at, quantity, source, event_id, subject, kind)
    SELECT key, %(tenant)s, series_id, period_id, at, difference, source, event_id, subject, kind
    FROM placed
)
INSERT INTO billing_usagebucket AS bucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series_id, hour, period_id, %(tenant)s, sum(amount), count(*)
FROM placed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (series_id, hour, period_id) DO UPDATE
    SET quantity = bucket.quantity + excluded.quantity, events = bucket.events + excluded.events
"""


def _write(actor: Actor, tenant_id: UUID, links: Sequence[Link], now: datetime) -> list[Effect]:
    touched = [Touched(one.event.series, one.event.at) for one in links]
    periods = open_periods(
        tenant_id, min(one.at for one in touched), max(one.until for one in touched)
    )
    lock_series(tenant_id, {one.series for one in touched})
    values = {
        "tenant": tenant_id,
        **placing(periods),
        "key": [link.key for link in links],
        "payload": [link.payload for link in links],
        "series": [link.event.series.id for link in links],
        "at": [link.event.at for link in links],
        "difference": [link.difference for link in links],
        "amount": [_amount(link) for link in links],
        "source": [link.said.source for link in links],
        "id": [link.said.id for link in links],
        "subject": [link.event.subject for link in links],
        "kind": [link.said.kind for link in links],
    }
    with connection.cursor() as cursor:
        cursor.execute(KEYS, values)
        if cursor.rowcount != len(links):
            raise _Raced
        cursor.execute(EVENTS, values)
    CorrectionRow.objects.bulk_create(_rows(actor, tenant_id, links, now))
    recompute(tenant_id, touched, periods)
    return [_effect(link.event, periods) for link in links]


def _amount(link: Link) -> int:
    """What a correction adds to its bucket at once; other kinds of meter are worked out anew."""
    if link.event.series.aggregation == Aggregation.SUM:
        return link.difference
    if link.event.series.aggregation == Aggregation.COUNT and link.after.is_void:
        return -1
    return 0


def _rows(
    actor: Actor, tenant_id: UUID, links: Iterable[Link], now: datetime
) -> Iterable[CorrectionRow]:
    for link in links:
        is_first = link.before.number == 0
        yield CorrectionRow(
            tenant_id=tenant_id,
            key=link.key,
            corrects=link.event.key,
            number=link.after.number,
            kind=link.said.kind,
            before=link.before.quantity,
            after=link.after.quantity,
            previous_number=None if is_first else link.before.number,
            previous_kind=None if is_first else "correct",
            series_id=link.event.series.id,
            at=link.event.at,
            reason=link.said.reason,
            actor_name=actor.name[:200],
            received_at=now,
        )


def _effect(event: Found, periods: Sequence[OpenPeriod]) -> Effect:
    """An event that no invoice has billed yet changes the draft; others the next invoice."""
    hour = floor_hour(event.at)
    is_open = any(
        period.id == event.period_id or period.starts_at <= hour < period.ends_at
        for period in periods
    )
    return Effect.DRAFT_UPDATED if is_open else Effect.NEXT_INVOICE_CORRECTION


def _result(
    index: int,
    said: Correction,
    batch: _Sorted,
    written: Mapping[int, tuple[Link, Effect]],
) -> CorrectionResult:
    if index in batch.faults:
        status, code = batch.faults[index]
        return CorrectionResult(id=said.id, source=said.source, status=status, code=code)
    link, effect = written[index]
    return CorrectionResult(
        id=said.id,
        source=said.source,
        status=EventStatus.ACCEPTED,
        effect=effect,
        difference=link.difference,
    )
