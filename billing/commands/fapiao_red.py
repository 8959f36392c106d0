"""Red letters: taking an issued fapiao back, whole or in part, confirmation form first."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.fapiao import new_serial, write_lines
from billing.commands.fapiao_desk import FapiaoMoved, fapiao_row
from billing.fapiao.capital_words import in_capital_words
from billing.fapiao.lines import FapiaoLineFact, Goods, line_of, spread, totals
from billing.models import (
    Fapiao,
    FapiaoCover,
    FapiaoDirection,
    FapiaoState,
    RedInitiator,
)
from billing.money import FEN
from common.errors import DomainError, FieldError, InvalidInput
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


class RedLetterRefused(DomainError):
    """A red letter takes back at most what its original still stands for."""

    code = "red_letter_refused"
    status = 422
    message = _("At most %(left)s of this fapiao can be taken back.")


@transaction.atomic
def request_red(
    *,
    actor: Actor,
    fapiao_id: UUID,
    reason: str,
    initiator: str,
    amount: Decimal | None = None,
    now: datetime,
) -> Fapiao:
    """Begin a red letter over an issued fapiao: all that is left of it, or an amount with tax.

    Locks: the original, so that two red letters of one fapiao queue.
    Raises: PermissionRefused, NotFound, InvalidInput, FapiaoMoved, RedLetterRefused.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    errors = []
    if not reason.strip():
        errors.append(FieldError("/reason", "required", str(_("Say why."))))
    if initiator not in RedInitiator.values:
        errors.append(FieldError("/initiator", "unknown", initiator[:40]))
    if errors:
        raise InvalidInput(errors=errors)
    original = fapiao_row(fapiao_id)
    if original.direction != FapiaoDirection.BLUE or original.state not in {
        FapiaoState.ISSUED,
        FapiaoState.DELIVERED,
    }:
        raise FapiaoMoved
    left = original.gross + taken_back(original)
    wanted = left if amount is None else amount
    if not wanted.is_finite() or not 0 < wanted <= left or wanted != wanted.quantize(FEN):
        raise RedLetterRefused(left=left)
    red = _write(original, wanted, reason.strip(), initiator, actor, now)
    record(
        actor,
        "billing.fapiao.red_requested",
        subject=f"billing.fapiao:{red.pk}",
        tenant_id=red.tenant_id,
        detail={"original": original.number, "gross": str(red.gross), "initiator": initiator},
    )
    return red


@transaction.atomic
def confirm_red(*, actor: Actor, fapiao_id: UUID, confirmation_number: str) -> None:
    """Write down the confirmation form's number; only then can a red letter be issued.

    Raises: PermissionRefused, NotFound, InvalidInput, FapiaoMoved.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    number = confirmation_number.strip()
    if not number or len(number) > 40:
        needed = str(_("Give the number of the confirmation form."))
        raise InvalidInput(errors=[FieldError("/confirmation_number", "required", needed)])
    red = fapiao_row(fapiao_id)
    waiting = Fapiao.objects.filter(
        pk=red.pk, state=FapiaoState.RED_PENDING, red_confirmation_number=""
    )
    if not waiting.update(red_confirmation_number=number):
        raise FapiaoMoved
    record(
        actor,
        "billing.fapiao.red_confirmed",
        subject=f"billing.fapiao:{red.pk}",
        tenant_id=red.tenant_id,
        detail={"serial": red.serial, "confirmation": number},
    )


def taken_back(original: Fapiao) -> Decimal:
    """What red letters take of a fapiao, those under way included; zero or below."""
    red = original.red_letters.exclude(state=FapiaoState.FAILED)
    return sum(red.values_list("gross", flat=True), Decimal(0))


def _write(
    original: Fapiao, amount: Decimal, reason: str, initiator: str, actor: Actor, now: datetime
) -> Fapiao:
    lines = _lines(original, amount)
    net, tax, gross = totals(lines)
    red = Fapiao.objects.create(
        tenant_id=original.tenant_id,
        serial=new_serial(now),
        kind=original.kind,
        basis=original.basis,
        direction=FapiaoDirection.RED,
        state=FapiaoState.RED_PENDING,
        buyer_name=original.buyer_name,
        buyer_tax_number=original.buyer_tax_number,
        buyer_address_phone=original.buyer_address_phone,
        buyer_bank_account=original.buyer_bank_account,
        seller_name=original.seller_name,
        seller_tax_number=original.seller_tax_number,
        seller_address_phone=original.seller_address_phone,
        seller_bank_account=original.seller_bank_account,
        drawer=original.drawer,
        net=net,
        tax=tax,
        gross=gross,
        gross_words=in_capital_words(gross),
        requested_at=now,
        requested_by=actor.name[:200],
        original=original,
        red_reason=reason[:200],
        red_initiator=initiator,
    )
    write_lines(red, lines)
    _cover(original, red, amount)
    return red


def _lines(original: Fapiao, amount: Decimal) -> tuple[FapiaoLineFact, ...]:
    blue = {str(line.position): line for line in original.lines.order_by("position")}
    shares = spread(amount, _left_of_lines(original))
    facts = []
    for position, share in sorted(shares.items(), key=lambda pair: int(pair[0])):
        line = blue[position]
        goods = Goods(line.goods_code, line.item, line.unit, line.zero_rate)
        fact = line_of(goods, line.tax_rate, -share)
        # The whole line is taken back as it stood, to the fen of its tax.
        if share == line.gross:
            fact = FapiaoLineFact(
                goods, -line.quantity, line.price, -line.net, line.tax_rate, -line.tax
            )
        facts.append(fact)
    return tuple(facts)


def _left_of_lines(original: Fapiao) -> dict[str, Decimal]:
    """What each line still stands for, by its position; goods and rate tell red lines apart."""
    left = {str(line.position): line.gross for line in original.lines.order_by("position")}
    places = {(line.goods_code, line.tax_rate): str(line.position) for line in original.lines.all()}
    for red in original.red_letters.exclude(state=FapiaoState.FAILED).prefetch_related("lines"):
        for line in red.lines.all():
            left[places[line.goods_code, line.tax_rate]] += line.gross
    return {position: gross for position, gross in left.items() if gross > 0}


def _cover(original: Fapiao, red: Fapiao, amount: Decimal) -> None:
    """Say of which invoices, or top-ups, this much is taken back."""
    covers = {str(cover.pk): cover for cover in original.covers.all()}
    left = {key: cover.amount for key, cover in covers.items()}
    things = {(c.invoice_id, c.top_up_id): key for key, c in covers.items()}
    before = FapiaoCover.objects.filter(fapiao__original=original).exclude(
        fapiao__state=FapiaoState.FAILED
    )
    for taken in before:
        left[things[taken.invoice_id, taken.top_up_id]] += taken.amount
    shares = spread(amount, {key: size for key, size in left.items() if size > 0})
    FapiaoCover.objects.bulk_create(
        FapiaoCover(
            tenant_id=red.tenant_id,
            fapiao=red,
            invoice_id=covers[key].invoice_id,
            top_up_id=covers[key].top_up_id,
            amount=-share,
        )
        for key, share in shares.items()
    )
