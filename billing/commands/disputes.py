"""Disputes: a tenant objects to an invoice line, an operator answers."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.credit_notes import issue_credit_note
from billing.models import (
    DISPUTE_TRANSITIONS,
    CreditNote,
    Dispute,
    DisputeState,
    InvoiceLine,
)
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import Actor, Permission, require


class DisputeOpen(DomainError):
    """One open objection a line: a second one would be answered twice."""

    code = "dispute_open"
    status = 409
    message = _("This line is disputed already.")


class DisputeAnswered(DomainError):
    """Somebody answered it, or the tenant took it back."""

    code = "dispute_answered"
    status = 409
    message = _("This objection is closed already.")


@transaction.atomic
def open_dispute(
    *,
    actor: Actor,
    tenant_id: UUID,
    invoice_id: UUID,
    position: int,
    reason: str,
    now: datetime,
) -> Dispute:
    """Object to one line of an invoice. Nothing is owed less until it is accepted.

    Raises: PermissionRefused, NotFound, InvalidInput, DisputeOpen.
    """
    require(actor, Permission.DISPUTE_OPEN, tenant_id)
    line = InvoiceLine.objects.filter(
        tenant_id=tenant_id, invoice_id=invoice_id, position=position
    ).first()
    if line is None:
        raise NotFound
    said = _said(reason)
    try:
        with transaction.atomic():
            dispute = Dispute.objects.create(
                tenant_id=tenant_id,
                invoice_line=line,
                reason=said,
                opened_at=now,
                opened_by=actor.name[:200],
            )
    except IntegrityError as error:
        raise DisputeOpen from error
    _record(actor, dispute, "opened")
    return dispute


@transaction.atomic
def withdraw_dispute(
    *, actor: Actor, tenant_id: UUID, invoice_id: UUID, dispute_id: UUID, now: datetime
) -> Dispute:
    """Take an objection back. Raises: PermissionRefused, NotFound, DisputeAnswered."""
    require(actor, Permission.DISPUTE_OPEN, tenant_id)
    own = Dispute.objects.filter(tenant_id=tenant_id, invoice_line__invoice_id=invoice_id)
    dispute = own.select_related("invoice_line").filter(pk=dispute_id).first()
    if dispute is None:
        raise NotFound
    _close(actor, dispute, DisputeState.WITHDRAWN, "", None, now)
    return own.select_related("invoice_line").get(pk=dispute_id)


@transaction.atomic
def accept_dispute(
    *,
    actor: Actor,
    dispute_id: UUID,
    answer: str,
    net: Decimal | None = None,
    now: datetime,
) -> CreditNote:
    """Agree, and credit the line, or a net amount of it, at once.

    Raises: PermissionRefused, NotFound, InvalidInput, DisputeAnswered, CreditNoteRefused,
    InvoiceNotCreditable, AccountBusy.
    """
    require(actor, Permission.DISPUTE_ANSWER)
    said = _said(answer)
    dispute = _waiting(dispute_id)
    line = dispute.invoice_line
    nets: Mapping[int, Decimal] = {line.position: line.net if net is None else net}
    note = issue_credit_note(
        actor=actor,
        tenant_id=dispute.tenant_id,
        invoice_id=line.invoice_id,
        reason=said,
        nets=nets,
        now=now,
    )
    _close(actor, dispute, DisputeState.ACCEPTED, said, note, now)
    return note


@transaction.atomic
def reject_dispute(*, actor: Actor, dispute_id: UUID, answer: str, now: datetime) -> None:
    """Disagree and say why; the tenant reads it.

    Raises: PermissionRefused, NotFound, InvalidInput, DisputeAnswered.
    """
    require(actor, Permission.DISPUTE_ANSWER)
    _close(actor, _waiting(dispute_id), DisputeState.REJECTED, _said(answer), None, now)


def _said(text: str) -> str:
    if not text.strip():
        raise InvalidInput(errors=[FieldError("/reason", "required", str(_("Say why.")))])
    return text.strip()[:1000]


def _waiting(dispute_id: UUID) -> Dispute:
    rows = Dispute.objects.select_for_update(of=("self",)).select_related("invoice_line__invoice")
    dispute = rows.filter(pk=dispute_id).first()
    if dispute is None:
        raise NotFound
    if dispute.state != DisputeState.OPEN:
        raise DisputeAnswered
    return dispute


def _close(
    actor: Actor,
    dispute: Dispute,
    to: str,
    answer: str,
    note: CreditNote | None,
    now: datetime,
) -> None:
    closed = Dispute.objects.filter(pk=dispute.pk, state__in=DISPUTE_TRANSITIONS[to]).update(
        state=to,
        answer=answer,
        answered_at=now,
        answered_by=actor.name[:200],
        credit_note=note,
    )
    if not closed:
        raise DisputeAnswered
    _record(actor, dispute, str(to))
    if to != DisputeState.WITHDRAWN:
        number = dispute.invoice_line.invoice.number
        post(
            tenant_id=dispute.tenant_id,
            kind="dispute.answered",
            key=f"dispute.answered:{dispute.pk}",
            detail={"number": number, "answer": answer, "outcome": str(to)},
            now=now,
        )


def _record(actor: Actor, dispute: Dispute, verb: str) -> None:
    record(
        actor,
        f"billing.dispute.{verb}",
        subject=f"billing.dispute:{dispute.pk}",
        tenant_id=dispute.tenant_id,
        detail={"line": str(dispute.invoice_line_id)},
    )
