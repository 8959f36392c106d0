"""What an invoice says, as plain values: what consoles show and the document adapters print."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.utils.functional import Promise

SIX_PLACES = Decimal("0.000001")


# Invoices of this version and later say on paper what credits paid and when they are due; what was
# issued before is printed as it always was.
SHOWS_CREDITS_FROM = 3
# From this version on a class of service stands there in words and not as its code.
NAMES_CLASSES_FROM = 4
NEWEST_FORM = NAMES_CLASSES_FROM


@dataclass(frozen=True)
class CreditPart:
    """What one voucher, promotional credit or package did for a line, less what was given back.

    Units: money with tax; a package's in ``unit``, which is empty for money.
    """

    kind: str
    code: str
    title: str
    amount: Decimal
    unit: str | Promise = ""

    @property
    def is_package(self) -> bool:
        return self.kind == "package"


def summed(parts: Iterable[CreditPart]) -> tuple[CreditPart, ...]:
    """One part for each credit: packages first, as they come before money, then by first use."""
    by_code: dict[str, CreditPart] = {}
    for part in parts:
        known = by_code.get(part.code)
        amount = part.amount if known is None else known.amount + part.amount
        by_code[part.code] = replace(part, amount=amount)
    return tuple(sorted(by_code.values(), key=lambda part: not part.is_package))


@dataclass(frozen=True)
class LineDetail:
    """One line of an invoice or a draft.

    Units: ``quantity`` in base units; ``amount`` and ``price_per_unit`` in ``display_unit`` and
    for reading only, ``net`` was never computed from them. ``id`` is None in a draft. ``form`` is
    the version of its invoice, the newest for what stands on none.
    """

    id: UUID | None
    position: int
    kind: str
    meter: str
    sku: str
    title_en: str
    title_zh: str
    project_id: UUID | None
    project_name: str
    dimensions: tuple[tuple[str, str], ...]
    service_from: datetime
    service_to: datetime
    is_late: bool
    portion: str
    quantity: int
    priced_quantity: int
    list_unit_price: Decimal
    unit_price: Decimal
    unit_quantity: int
    display_unit: str | Promise
    display_divisor: int
    tax_code: str
    tax_rate: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal
    # What vouchers and promotional credit pay of it; what packages cover is a line of its own.
    credits: Decimal = Decimal(0)
    credit_parts: tuple[CreditPart, ...] = ()
    form: int = NEWEST_FORM

    @property
    def names_classes(self) -> bool:
        return self.form >= NAMES_CLASSES_FROM

    @property
    def payable(self) -> Decimal:
        """What is left for the wallet."""
        return self.gross - self.credits

    @property
    def amount(self) -> Decimal:
        return (Decimal(self.quantity) / self.display_divisor).quantize(SIX_PLACES)

    @property
    def price_per_unit(self) -> Decimal:
        return (self.unit_price * self.display_divisor / self.unit_quantity).quantize(SIX_PLACES)

    @property
    def list_price_per_unit(self) -> Decimal:
        price = self.list_unit_price * self.display_divisor / self.unit_quantity
        return price.quantize(SIX_PLACES)

    def title(self, language: str) -> str:
        return self.title_zh if language.startswith("zh") else self.title_en


class InvoiceState(StrEnum):
    """What has become of an issued invoice; it is derived, and stored nowhere."""

    OPEN = "open"
    OVERDUE = "overdue"
    PARTLY_CREDITED = "partly_credited"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written_off"


def invoice_state(
    *,
    gross: Decimal,
    credited: Decimal,
    written_off: Decimal,
    due: Decimal,
    due_at: datetime,
    as_of: datetime,
) -> InvoiceState:
    """The one state that an invoice is shown in.

    Void is one that credit notes took back whole, whether or not it had been paid. Of one written
    off something is booked as lost: it is open no more, and not paid either. Paid is one of which
    nothing is left to pay, also one that was below zero and was paid out at its issue. What is
    still to be paid is overdue from its day on, as arrears count it, then partly credited where
    less is owed than was issued, and else open.
    """
    if 0 < gross <= credited:
        return InvoiceState.VOID
    if written_off > 0:
        return InvoiceState.WRITTEN_OFF
    if due <= 0:
        return InvoiceState.PAID
    if due_at <= as_of:
        return InvoiceState.OVERDUE
    return InvoiceState.PARTLY_CREDITED if credited > 0 else InvoiceState.OPEN


@dataclass(frozen=True)
class InvoiceDetail:
    """An issued invoice with its lines.

    Shape: ``paid`` is what was settled, ``credited`` what credit notes took back, ``written_off``
    what was booked as lost, and ``due`` what is still to be paid. ``form`` is the version the
    invoice was issued in, which says what its documents show. ``as_of`` is when it was read, and
    says only whether it is overdue.
    """

    id: UUID
    number: str
    currency: str
    period_start: datetime
    period_end: datetime
    issued_at: datetime
    buyer_code: str
    buyer_name: str
    buyer_credit_code: str
    seller_name: str
    seller_credit_code: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    paid: Decimal
    credited: Decimal
    written_off: Decimal
    due: Decimal
    due_at: datetime
    form: int
    content_hash: str
    previous_hash: str
    lines: tuple[LineDetail, ...]
    as_of: datetime

    @property
    def state(self) -> InvoiceState:
        return invoice_state(
            gross=self.gross,
            credited=self.credited,
            written_off=self.written_off,
            due=self.due,
            due_at=self.due_at,
            as_of=self.as_of,
        )

    @property
    def shows_credits(self) -> bool:
        return self.form >= SHOWS_CREDITS_FROM

    @property
    def credit_parts(self) -> tuple[CreditPart, ...]:
        """What each credit did for the invoice as a whole."""
        return summed(part for line in self.lines for part in line.credit_parts)

    @property
    def credits(self) -> Decimal:
        """What vouchers and promotional credit paid."""
        return sum((line.credits for line in self.lines), Decimal(0))

    @property
    def payable(self) -> Decimal:
        """What is left for the wallet."""
        return self.gross - self.credits

    @property
    def paid_from_wallet(self) -> Decimal:
        return self.paid - self.credits

    @property
    def to_wallet(self) -> Decimal:
        """What came back to the wallet: paid before it was credited, or of an invoice below zero.

        Shape: gross − credits − paid from the wallet − credited − written off + this is what is
        due.
        """
        if self.gross < 0:
            return -self.gross
        return self.credited + self.paid + self.written_off + self.due - self.gross

    @property
    def tax_by_rate(self) -> Mapping[Decimal, tuple[Decimal, Decimal]]:
        """Net and tax of each rate, as a tax page lists them."""
        sums: dict[Decimal, tuple[Decimal, Decimal]] = {}
        for line in self.lines:
            net, tax = sums.get(line.tax_rate, (Decimal(0), Decimal(0)))
            sums[line.tax_rate] = (net + line.net, tax + line.tax)
        return sums


@dataclass(frozen=True)
class DraftDetail:
    """What would be invoiced now; the next issue gives exactly these lines."""

    currency: str
    period_start: datetime | None
    until: datetime
    net: Decimal
    tax: Decimal
    gross: Decimal
    lines: tuple[LineDetail, ...]
    unpriced_meters: tuple[str, ...]

    @property
    def credit_parts(self) -> tuple[CreditPart, ...]:
        """What each credit would pay."""
        return summed(part for line in self.lines for part in line.credit_parts)

    @property
    def credits(self) -> Decimal:
        """What vouchers and promotional credit would pay."""
        return sum((line.credits for line in self.lines), Decimal(0))

    @property
    def payable(self) -> Decimal:
        """What would be left for the wallet."""
        return self.gross - self.credits
