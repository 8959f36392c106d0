"""Charging, pure: what a running total costs beyond what earlier invoices booked of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from billing.money import round_to_fen, tax_on
from billing.payment_order import Covered, LotFact, cover
from billing.pricing import Portion, portions
from billing.rating import ChargeKey, Plan, PriceFact, RunningKey


@dataclass(frozen=True)
class Counted:
    """What open usage adds to a running total, and the first and last hour of it."""

    quantity: int
    first_hour: datetime
    last_hour: datetime

    def joined(self, other: "Counted") -> "Counted":
        """Both as one."""
        return Counted(
            self.quantity + other.quantity,
            min(self.first_hour, other.first_hour),
            max(self.last_hour, other.last_hour),
        )


class PortionKey(NamedTuple):
    """A portion at one unit price: when the price of a portion changes, it is another."""

    key: str
    unit_price: Decimal
    unit_quantity: int


@dataclass(frozen=True)
class Booked:
    """What stands booked for a portion of a running total, over all invoices so far."""

    quantity: int = 0
    priced_quantity: int = 0
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    list_unit_price: Decimal | None = None


@dataclass(frozen=True)
class RatedLine:
    """The difference between what a portion should come to and what is booked of it, in fen."""

    key: ChargeKey
    price: PriceFact
    portion: str
    quantity: int
    priced_quantity: int
    list_unit_price: Decimal
    unit_price: Decimal
    unit_quantity: int
    service_from: datetime
    service_to: datetime
    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True)
class RatedCharge:
    """One charge with its lines; one that nets to nothing has none and is still counted."""

    key: ChargeKey
    price: PriceFact
    quantity: int
    service_from: datetime
    service_to: datetime
    lines: tuple[RatedLine, ...]
    covered: tuple[Covered, ...] = ()


# The portion that packages cover: it costs nothing and says what its use would have cost.
COVERED = "covered"


@dataclass(frozen=True)
class Packages:
    """The packages that may cover use before it is priced.

    Shape: ``coverable`` says, by (charge, package), how much of a charge was used in the
    package's time, where that is not all of it.
    """

    lots: tuple[LotFact, ...] = ()
    coverable: Mapping[tuple[ChargeKey, UUID], int] = field(default_factory=dict)


NONE = Packages()


def rate(
    planned: Plan,
    counted: Mapping[ChargeKey, Counted],
    booked: Mapping[RunningKey, Mapping[PortionKey, Booked]],
    packages: Packages = NONE,
) -> tuple[RatedCharge, ...]:
    """Price each charge as the difference its quantity makes to its running total.

    Amounts are rounded here, once, and as running totals: half up of the total after, less what is
    booked. So the fen of a month are the same however it was cut into invoices. Where a running
    total has use on time and late, the part on time comes first.
    """
    standing = {running: dict(parts) for running, parts in booked.items()}
    charges = []
    left = {lot.id: int(lot.remaining) for lot in packages.lots}
    # One order for all: which charge a package covers does not hang on how rows came.
    for key in sorted(counted, key=lambda one: (one.is_late, _place(one, planned, counted))):
        before = standing.setdefault(key.running, {})
        price, due = planned.prices[key.running], counted[key]
        service = (due.first_hour, due.last_hour + timedelta(hours=1))
        covered = _cover(key, price, due, service, packages, left)
        after = _target(
            key.running, price, due.quantity, before, sum(part.quantity for part in covered)
        )
        lines = _lines(key, price, before, after, service)
        charges.append(RatedCharge(key, price, due.quantity, *service, lines, covered))
        standing[key.running] = after
    return tuple(sorted(charges, key=_reading_order))


def _place(
    key: ChargeKey, planned: Plan, counted: Mapping[ChargeKey, Counted]
) -> tuple[object, ...]:
    price = planned.prices[key.running]
    return (counted[key].first_hour, price.meter, price.sku, str(key.running.digest))


def _cover(
    key: ChargeKey,
    price: PriceFact,
    due: Counted,
    service: tuple[datetime, datetime],
    packages: Packages,
    left: dict[UUID, int],
) -> tuple[Covered, ...]:
    """Which packages cover how much of what is new, and take it from what they have left."""
    if not packages.lots or due.quantity <= 0 or not price.terms.unit_price:
        return ()
    room = {
        lot_id: min(amount, packages.coverable.get((key, lot_id), due.quantity))
        for lot_id, amount in left.items()
    }
    covered = cover(
        packages.lots,
        meter=price.meter,
        dimensions=dict(key.running.shown),
        project_id=key.running.project_id,
        service_from=service[0],
        service_to=service[1],
        quantity=due.quantity,
        left=room,
    )
    for part in covered:
        left[part.lot_id] -= part.quantity
    return covered


def _target(
    running: RunningKey,
    price: PriceFact,
    added: int,
    before: Mapping[PortionKey, Booked],
    newly_covered: int,
) -> dict[PortionKey, Booked]:
    """What each portion comes to once ``added`` has joined the running total.

    What packages cover is taken off before the rest is priced; use taken back below what they
    covered gives it back to them.
    """
    total = sum(part.quantity for part in before.values()) + added
    known = sum(part.quantity for key, part in before.items() if key.key == COVERED)
    covered = min(known + newly_covered, max(total, 0))
    target = {}
    if covered:
        listed_price = price.list_terms.unit_price
        target[PortionKey(COVERED, Decimal(0), price.terms.unit_quantity)] = Booked(
            quantity=covered,
            list_unit_price=listed_price
            * price.terms.unit_quantity
            / price.list_terms.unit_quantity,
        )
    total -= covered
    parts = portions(price.model, price.terms, total)
    is_agreed = (price.model, price.terms) != (price.listed_as, price.list_terms)
    as_listed = portions(price.listed_as, price.list_terms, total) if is_agreed else parts
    listed = {part.key: part for part in as_listed}
    for part in parts:
        net = round_to_fen(part.net)
        target[PortionKey(part.key, part.unit_price, part.unit_quantity)] = Booked(
            quantity=part.quantity,
            priced_quantity=part.priced_quantity,
            net=net,
            tax=tax_on(net, running.tax_rate),
            list_unit_price=_list_price(part, listed),
        )
    return target


def _list_price(part: Portion, listed: Mapping[str, Portion]) -> Decimal:
    """The list's unit price in the portion's own units; its own where the list has no such part.

    A fixed price of another model stands beside a list that has one price for everything.
    """
    same = listed.get(part.key)
    if same is None and part.quantity and len(listed) == 1:
        (same,) = listed.values()
    if same is None:
        return part.unit_price
    return same.unit_price * part.unit_quantity / same.unit_quantity


def _lines(
    key: ChargeKey,
    price: PriceFact,
    before: Mapping[PortionKey, Booked],
    after: Mapping[PortionKey, Booked],
    service: tuple[datetime, datetime],
) -> tuple[RatedLine, ...]:
    """One line for each portion that changed; one that is priced anew is reversed first."""
    nothing = Booked()
    lines = []
    for part in sorted({*before, *after}, key=lambda one: (one.key, one in after, one.unit_price)):
        old, new = before.get(part, nothing), after.get(part, nothing)
        if (old.quantity, old.priced_quantity, old.net) == (
            new.quantity,
            new.priced_quantity,
            new.net,
        ):
            continue
        list_price = new.list_unit_price if part in after else old.list_unit_price
        lines.append(
            RatedLine(
                key=key,
                price=price,
                portion=part.key,
                quantity=new.quantity - old.quantity,
                priced_quantity=new.priced_quantity - old.priced_quantity,
                list_unit_price=part.unit_price if list_price is None else list_price,
                unit_price=part.unit_price,
                unit_quantity=part.unit_quantity,
                service_from=service[0],
                service_to=service[1],
                net=new.net - old.net,
                tax=new.tax - old.tax,
            )
        )
    return tuple(lines)


def _reading_order(charge: RatedCharge) -> tuple[object, ...]:
    """As a reader expects them: late ones last, then by meter, SKU, project and time."""
    running = charge.key.running
    return (
        charge.key.is_late,
        charge.price.meter,
        charge.price.sku,
        str(running.project_id or ""),
        running.shown,
        charge.service_from,
        str(running.price_id),
        str(running.contract_term_id or ""),
        running.tax_rate,
    )


def lines_of(charges: Iterable[RatedCharge]) -> tuple[RatedLine, ...]:
    """All lines, charge by charge."""
    return tuple(line for charge in charges for line in charge.lines)
