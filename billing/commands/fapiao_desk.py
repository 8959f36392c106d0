"""Fapiao in the centre's hands: out to the tax software, its answer, delivery."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.models import FAPIAO_TRANSITIONS, Fapiao, FapiaoDirection, FapiaoState
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.notices import JSON, post
from tenants.permissions import Actor, Permission, require

# The tax system answers within the day; after that somebody looks.
ANSWER_DUE = timedelta(days=1)
NUMBER = re.compile(r"[0-9]{20}", re.ASCII)
MOST_AT_ONCE = 500


class FapiaoMoved(DomainError):
    """Somebody was first, or the fapiao is not at this step."""

    code = "fapiao_moved"
    status = 409
    message = _("This fapiao is at another step now. Load the page again.")


class FapiaoNumberRefused(DomainError):
    """Not the tax system's number, or one that another fapiao has."""

    code = "fapiao_number_refused"
    status = 422
    message = _("A fapiao number has twenty digits and stands on one fapiao only.")


@dataclass(frozen=True)
class FapiaoResult:
    """The tax software's answer to one row of an export, under our serial."""

    serial: str
    number: str
    issued_at: datetime
    pdf_reference: str = ""
    ofd_reference: str = ""


@dataclass(frozen=True)
class ResultOutcome:
    """What became of one answer; ``code`` is empty where it was recorded, now or before."""

    serial: str
    code: str
    text: str


def fapiao_row(fapiao_id: UUID) -> Fapiao:
    """One fapiao, locked until the transaction ends. Raises: NotFound."""
    found = Fapiao.objects.select_for_update(of=("self",)).filter(pk=fapiao_id).first()
    if found is None:
        raise NotFound
    return found


def move(fapiao: Fapiao, to: str, actor: Actor, **columns: object) -> None:
    """Move one fapiao on, with its audit entry. Raises: FapiaoMoved where it stands elsewhere."""
    moved = Fapiao.objects.filter(pk=fapiao.pk, state__in=FAPIAO_TRANSITIONS[to]).update(
        state=to, **columns
    )
    if not moved:
        raise FapiaoMoved
    record(
        actor,
        f"billing.fapiao.{to}",
        subject=f"billing.fapiao:{fapiao.pk}",
        tenant_id=fapiao.tenant_id,
        detail={"serial": fapiao.serial, "from": fapiao.state},
    )


@transaction.atomic
def export_fapiao(*, actor: Actor, fapiao_ids: Iterable[UUID], now: datetime) -> tuple[UUID, ...]:
    """Hand requested fapiao to the tax software: from here on it may issue them.

    Shape: the ids that were handed over; the file itself is read from them and can be read again.
    Raises: PermissionRefused, InvalidInput, FapiaoMoved where none was waiting.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    wanted = sorted(set(fapiao_ids))
    if not 1 <= len(wanted) <= MOST_AT_ONCE:
        raise InvalidInput(errors=[FieldError("/fapiao", "out_of_range", str(len(wanted)))])
    waiting = Fapiao.objects.select_for_update(of=("self",)).order_by("pk")
    rows = list(waiting.filter(pk__in=wanted, state=FapiaoState.REQUESTED))
    if not rows:
        raise FapiaoMoved
    for row in rows:
        due = {"exported_at": now, "deadline_at": now + ANSWER_DUE}
        move(row, FapiaoState.ISSUING, actor, **due)
    return tuple(row.pk for row in rows)


@transaction.atomic
def record_result(*, actor: Actor, result: FapiaoResult) -> Fapiao:
    """Write down the number the tax system gave; blue letters become issued, red ones red-issued.

    Raises: PermissionRefused, NotFound, FapiaoMoved, FapiaoNumberRefused.
    Idempotent: the same answer again changes nothing.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    found = Fapiao.objects.select_for_update(of=("self",)).filter(serial=result.serial).first()
    if found is None:
        raise NotFound
    if found.number == result.number and found.number:
        return found
    if not NUMBER.fullmatch(result.number):
        raise FapiaoNumberRefused
    red = found.direction == FapiaoDirection.RED
    if red and not found.red_confirmation_number:
        raise FapiaoMoved
    try:
        with transaction.atomic():
            move(
                found,
                FapiaoState.RED_ISSUED if red else FapiaoState.ISSUED,
                actor,
                number=result.number,
                issued_at=result.issued_at,
                pdf_reference=result.pdf_reference[:500],
                ofd_reference=result.ofd_reference[:500],
                deadline_at=None,
                is_overdue=False,
            )
    except IntegrityError as error:
        raise FapiaoNumberRefused from error
    _tell(found, "fapiao.red" if red else "fapiao.issued", result.number, result.issued_at)
    return Fapiao.objects.get(pk=found.pk)


def record_results(*, actor: Actor, results: Sequence[FapiaoResult]) -> tuple[ResultOutcome, ...]:
    """Take in the tax software's answers one by one: a bad row never stops the others.

    Raises: PermissionRefused, InvalidInput for more than a file may hold.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    if len(results) > MOST_AT_ONCE:
        raise InvalidInput(errors=[FieldError("/results", "out_of_range", str(len(results)))])
    outcomes = []
    for result in results:
        try:
            record_result(actor=actor, result=result)
        except DomainError as refusal:
            outcomes.append(ResultOutcome(result.serial, refusal.code, str(refusal)))
        else:
            outcomes.append(ResultOutcome(result.serial, "", ""))
    return tuple(outcomes)


@transaction.atomic
def fail_fapiao(*, actor: Actor, fapiao_id: UUID, reason: str, now: datetime) -> None:
    """Give a fapiao up before it is issued; what it stood for may be asked for again.

    Raises: PermissionRefused, NotFound, InvalidInput, FapiaoMoved.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    if not reason.strip():
        raise InvalidInput(errors=[FieldError("/reason", "required", str(_("Say why.")))])
    found = fapiao_row(fapiao_id)
    failed = {"failure": reason.strip()[:500], "deadline_at": None, "is_overdue": False}
    move(found, FapiaoState.FAILED, actor, **failed)
    detail: dict[str, JSON] = {
        "serial": found.serial,
        "gross": str(found.gross),
        "reason": reason.strip()[:500],
    }
    post(
        tenant_id=found.tenant_id,
        kind="fapiao.failed",
        key=f"fapiao.failed:{found.pk}",
        detail=detail,
        now=now,
    )


@transaction.atomic
def deliver_fapiao(*, actor: Actor, fapiao_id: UUID, now: datetime) -> None:
    """Say that the tenant has the document. Raises: PermissionRefused, NotFound, FapiaoMoved."""
    require(actor, Permission.FAPIAO_ISSUE)
    move(fapiao_row(fapiao_id), FapiaoState.DELIVERED, actor, delivered_at=now)


@transaction.atomic
def mark_overdue_fapiao(*, now: datetime) -> int:
    """Mark what the tax software has had for too long; gives how many are new.

    Nothing is taken back by itself: the document may have been issued out there, and asking again
    would tax the same money twice. Needs operator scope.
    """
    late = Fapiao.objects.filter(state=FapiaoState.ISSUING, deadline_at__lte=now, is_overdue=False)
    return late.update(is_overdue=True)


def _tell(fapiao: Fapiao, kind: str, number: str, now: datetime) -> None:
    post(
        tenant_id=fapiao.tenant_id,
        kind=kind,
        key=f"{kind}:{fapiao.pk}",
        detail={"number": number, "serial": fapiao.serial, "gross": str(fapiao.gross)},
        now=now,
    )
