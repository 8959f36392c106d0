"""A month of mixed use as plain facts, and tenants on every step of arrears: JSON and nothing else.

The oracle beside this page turns the facts into money by itself; ``product.py`` has them happen to
the product. Neither sees more than what stands in the facts.
"""

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# The centre's November of 2026, by its own calendar.
MONTH_START = datetime(2026, 10, 31, 16, tzinfo=UTC)
MONTH_END = datetime(2026, 11, 30, 16, tzinfo=UTC)
PRICES_CHANGE = datetime(2026, 11, 15, 16, tzinfo=UTC)
CUT = datetime(2026, 11, 18, 4, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

DOMESTIC, OTHER = "ascend-910b3", "nvidia-h20"
CARDS, RESERVED = "compute.card_seconds", "compute.reserved_card_seconds"
SHARES, STORAGE = "compute.shared_card_milliseconds", "compute.storage"
TOKENS_IN, TOKENS_OUT = "appliances.tokens_in", "appliances.tokens_out"
GIB_MONTH = 1024 * 730 * 3600

METERS: Facts = {
    CARDS: {"shown": ["chip", "pool", "service_class"], "service": "compute"},
    RESERVED: {"shown": ["chip", "pool", "service_class", "reservation"], "service": "compute"},
    SHARES: {"shown": ["chip", "pool", "service_class"], "service": "compute"},
    STORAGE: {
        "shown": ["pool", "storage_class"],
        "service": "storage",
        "holds_seconds": 7200,
    },
    TOKENS_IN: {"shown": ["model"], "service": "models"},
    TOKENS_OUT: {"shown": ["model"], "service": "models"},
}
# The standard tier as published.
ARREARS: Facts = {
    "payment_days": 15,
    "warning_days": 3,
    "urgent_days": 1,
    "on_demand_grace_hours": 24,
    "on_demand_retention_hours": 168,
    "reserved_grace_hours": 168,
    "reserved_retention_hours": 168,
}


def price(name: str, meter: str, amount: str, per: int, tax: str = "it", **match: str) -> Facts:
    return {"sku": name, "meter": meter, "price": amount, "per": per, "tax": tax, "match": match}


def price_list(from_: datetime, prices: Iterable[Facts]) -> Facts:
    named = [{**one, "id": f"{from_.date()}/{one['sku']}"} for one in prices]
    return {"from": from_.isoformat(), "prices": named}


def lists(*, changed: bool) -> list[Facts]:
    """Last year's prices and, from the middle of the month, dearer tokens and cheaper cards."""
    old = {
        "910b3": ("3.60", 3600),
        "h20": ("7.50", 3600),
        "in": ("1.00", 1_000_000),
        "out": ("4.00", 1_000_000),
        "storage": ("0.35", GIB_MONTH),
    }
    new = {
        **old,
        "910b3": ("3.33", 3600),
        "in": ("1.20", 1_000_000),
        "storage": ("0.30", GIB_MONTH),
    }
    found = [price_list(LONG_AGO, _prices(old))]
    return [*found, price_list(PRICES_CHANGE, _prices(new))] if changed else found


def _prices(of: dict[str, tuple[str, int]]) -> list[Facts]:
    amount, per = of["910b3"]
    return [
        price("card.910b3", CARDS, amount, per, chip=DOMESTIC, service_class="on_demand"),
        price("card.h20", CARDS, *of["h20"], chip=OTHER, service_class="on_demand"),
        price("card.covered", CARDS, "0", 3600, service_class="covered"),
        price("reserved.910b3", RESERVED, "2.52", 3600, "lease", chip=DOMESTIC),
        price("share.910b3", SHARES, amount, per * 1000, chip=DOMESTIC),
        price("tokens.in", TOKENS_IN, *of["in"]),
        price("tokens.out", TOKENS_OUT, *of["out"]),
        price("tokens.out.large", TOKENS_OUT, "12.50", 1_000_000, model="large"),
        price("storage", STORAGE, *of["storage"]),
    ]


def facts(happenings: Iterable[Facts], *, changed: bool = True) -> Facts:
    return {
        "zone_minutes": 480,
        "taxes": [{"code": "it", "rate": "0.06"}, {"code": "lease", "rate": "0.13"}],
        "lists": lists(changed=changed),
        "meters": METERS,
        "domestic_chips": [DOMESTIC],
        "arrears": ARREARS,
        "happenings": sorted(happenings, key=lambda one: one["at"]),
    }


# What happens.


def happens(what: str, at: datetime, **said: object) -> Facts:
    return {"what": what, "at": at.isoformat(), **said}


def job(
    name: str,
    start: datetime,
    length: timedelta,
    cards: int = 1,
    *,
    chip: str = DOMESTIC,
    told: datetime | None = None,
    reservation: str = "",
) -> Facts:
    """Cards that worked; inside a reservation they are shown and cost nothing more."""
    said = {
        "chip": chip,
        "pool": "east",
        "service_class": "covered" if reservation else "on_demand",
        "reservation": reservation,
        "workload": name,
    }
    return _held(name, CARDS, start, length, told, said, cards=cards)


def quarter(name: str, start: datetime, length: timedelta) -> Facts:
    """A quarter of a card."""
    said = {"chip": DOMESTIC, "pool": "east", "service_class": "on_demand", "workload": name}
    return _held(name, SHARES, start, length, None, said, cards=1, thousandths=250)


def reserved(name: str, start: datetime, length: timedelta, cards: int) -> Facts:
    """Cards that were reserved at the old list's price, used or not."""
    said = {"chip": DOMESTIC, "pool": "east", "service_class": "committed", "reservation": name}
    quoted = f"{LONG_AGO.date()}/reserved.910b3"
    return _held(name, RESERVED, start, length, None, said, cards=cards, price=quoted)


def _held(
    name: str,
    meter: str,
    start: datetime,
    length: timedelta,
    told: datetime | None,
    dimensions: Facts,
    **more: object,
) -> Facts:
    return happens(
        "cards",
        told or start + length,
        id=name,
        meter=meter,
        dimensions=dimensions,
        **{"from": start.isoformat(), "to": (start + length).isoformat()},
        **more,
    )


def call(
    name: str,
    at: datetime,
    tokens_in: int,
    tokens_out: int,
    *,
    model: str = "small",
    told: datetime | None = None,
) -> Facts:
    return happens(
        "call",
        told or at,
        id=name,
        time=at.isoformat(),
        tokens={TOKENS_IN: tokens_in, TOKENS_OUT: tokens_out},
        dimensions={"model": model, "deployment": "d1", "key": "k1"},
    )


def level(volume: str, at: datetime, mib: int, *, told: datetime | None = None) -> Facts:
    return happens(
        "level",
        told or at,
        id=f"{volume}@{at.isoformat()}",
        meter=STORAGE,
        time=at.isoformat(),
        level=mib,
        subject=volume,
        dimensions={"pool": "east", "storage_class": "ssd", "volume": volume},
    )


def invoice(until: datetime, at: datetime | None = None) -> Facts:
    return happens("invoice", at or until + HOUR, until=until.isoformat())


def paid_in(at: datetime, amount: str) -> Facts:
    return happens("paid in", at, amount=amount)


def correction(at: datetime, of: str, meter: str, quantity: int | None) -> Facts:
    return happens("correction", at, of=of, meter=meter, quantity=quantity)


def voucher(at: datetime, amount: str, until: datetime) -> Facts:
    return happens(
        "voucher",
        at,
        name="city",
        amount=amount,
        share_domestic="0.30",
        share_other="0.20",
        services=["compute", "models"],
        **{"from": at.isoformat(), "to": until.isoformat()},
    )


def promotion(at: datetime, amount: str) -> Facts:
    return happens("promotion", at, name="welcome", amount=amount, **{"from": at.isoformat()})


# The month.

Call = tuple[datetime, int, int]


def stand_in(number: int = 600) -> list[Call]:
    """Calls as a trace has them, made up: many small ones and a few long ones."""
    chance = random.Random(20231116)
    return [
        (
            MONTH_START + timedelta(seconds=chance.random() * 29 * 86_400),
            int(chance.lognormvariate(10, 1.2)) + 1,
            int(chance.lognormvariate(7, 1.1)),
        )
        for _ in range(number)
    ]


def of_trace(path: Path) -> list[Call]:
    """The calls of a public trace, spread over the month in their own order."""
    with path.open(newline="") as file:
        rows = [
            (int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)
        ]
    step = 29 * DAY / len(rows)
    return [(MONTH_START + step * place, *tokens) for place, tokens in enumerate(rows)]


def month(calls: Iterable[Call]) -> Facts:
    """Everything at once, in one tenant."""
    return facts([*_beginning(), *_work(), *_calls(calls), *_storage(), *_mending(), *_end()])


def _beginning() -> Iterator[Facts]:
    yield paid_in(MONTH_START + HOUR, "700.00")
    yield voucher(MONTH_START + 2 * HOUR, "260.00", datetime(2026, 12, 31, 16, tzinfo=UTC))
    yield promotion(MONTH_START + 9 * DAY, "45.00")


def _work() -> Iterator[Facts]:
    """Cards by the hour, quarters of cards, a reservation that is used in part."""
    for day in range(0, 29, 3):
        start = MONTH_START + day * DAY + timedelta(minutes=17, seconds=41)
        yield job(f"job-{day}", start, timedelta(hours=5, minutes=23, seconds=7), 1 + day % 4)
        yield job(f"other-{day}", start + 6 * HOUR, timedelta(minutes=50, seconds=1), chip=OTHER)
    # One that works on while the prices change.
    yield job("across", PRICES_CHANGE - timedelta(minutes=95), timedelta(hours=4), 2)
    for number in range(4):
        start = MONTH_START + 5 * DAY + number * timedelta(minutes=7)
        yield quarter(f"quarter-{number}", start, timedelta(hours=3, seconds=number))
    yield quarter("quarter-late", PRICES_CHANGE - HOUR, timedelta(hours=2, minutes=1))
    start = MONTH_START + 11 * DAY + timedelta(minutes=20)
    # Counted day by day, as a reservation that goes on is.
    for day in range(7):
        yield reserved("reservation-1", start + day * DAY, DAY, 4)
    yield job(
        "inside-1", start + 3 * HOUR, timedelta(hours=30, seconds=3), 4, reservation="reservation-1"
    )
    yield job("inside-2", start + 90 * HOUR, timedelta(hours=9), 2, reservation="reservation-1")


def _calls(calls: Iterable[Call]) -> Iterator[Facts]:
    """Calls as they are made; some are told days later."""
    for number, (at, tokens_in, tokens_out) in enumerate(calls):
        is_late = number % 41 == 7 and at < CUT
        yield call(
            f"call-{number}",
            at.replace(microsecond=0),
            tokens_in,
            tokens_out,
            model="large" if number % 5 == 0 else "small",
            told=CUT + 2 * DAY if is_late else _heard(at),
        )


def _heard(at: datetime) -> datetime:
    """When the centre hears of small things: twice a day."""
    half_days = -(-(at - MONTH_START) // (12 * HOUR))
    return MONTH_START + half_days * 12 * HOUR


def _storage() -> Iterator[Facts]:
    """Three volumes, measured each half an hour; one probe is silent for two days."""
    for number, volume in enumerate(("home", "data", "scratch")):
        for half_hour in range(0, 40 * 24, 1 + number):
            at = MONTH_START + half_hour * timedelta(minutes=30) + timedelta(minutes=number * 7)
            silent = volume == "data" and 6 * DAY < at - MONTH_START < 8 * DAY
            if silent or at >= MONTH_END:
                continue
            mib = 50_000 * (number + 1) + (half_hour // 96) * 1_024 * (3 - number) + half_hour % 7
            # A probe's readings of one night come in only after the invoice.
            held_back = CUT - 30 * HOUR < at < CUT - 20 * HOUR and volume == "home"
            yield level(volume, at, mib, told=CUT + 26 * HOUR if held_back else _heard(at))


def _mending() -> Iterator[Facts]:
    """An invoice in mid-month, then late use, and corrections of what it billed."""
    yield invoice(CUT)
    yield paid_in(CUT + 3 * HOUR, "120.00")
    late = CUT - 40 * HOUR + timedelta(minutes=3)
    yield job("told-late", late, timedelta(hours=2, minutes=11), 3, told=CUT + DAY)
    yield correction(CUT + 3 * DAY, "call-10", TOKENS_IN, 17)
    yield correction(CUT + 3 * DAY + HOUR, f"job-3:{_piece(3, 2)}", CARDS, 1)
    home = MONTH_START + 48 * timedelta(minutes=30)
    yield correction(CUT + 3 * DAY + 2 * HOUR, f"home@{home.isoformat()}", STORAGE, 9_000_000)
    yield correction(CUT + 4 * DAY, f"job-18:{_piece(18, 1)}", CARDS, None)


def _piece(day: int, hour: int) -> datetime:
    """When the second, third, ... piece of a day's job begins."""
    start = MONTH_START + day * DAY + timedelta(minutes=17, seconds=41)
    return start.replace(minute=0, second=0) + hour * HOUR


def _end() -> Iterator[Facts]:
    """The month's invoice, money given back for both, a late correction, one invoice below zero."""
    yield invoice(MONTH_END)
    yield happens(
        "refund", MONTH_END + 5 * HOUR, invoice=0, line=["card.910b3", "3.60", False], net="37.77"
    )
    yield happens(
        "refund",
        MONTH_END + 6 * HOUR,
        invoice=1,
        line=["tokens.out.large", "12.50", False],
        net=None,
    )
    yield paid_in(MONTH_END + DAY, "5000.00")
    yield job("december", MONTH_END + 2 * DAY, timedelta(hours=1, minutes=1), chip=OTHER)
    yield correction(MONTH_END + 3 * DAY, f"job-27:{_piece(27, 1)}", CARDS, 3_601)
    yield invoice(MONTH_END + 4 * DAY)
    for hour in range(1, 5):
        yield correction(MONTH_END + 5 * DAY, f"job-15:{_piece(15, hour)}", CARDS, None)
    yield invoice(MONTH_END + 6 * DAY)
    yield happens("refund", MONTH_END + 7 * DAY, invoice=1, net=None)


# A month under contract.

# The centre's December ends here, and the contract with it.
AGREED_END = datetime(2026, 12, 31, 16, tzinfo=UTC)


def tiered(model: str, *tiers: tuple[int | None, str, str]) -> Facts:
    said = [{"up_to": up_to, "price": amount, "fee": fee} for up_to, amount, fee in tiers]
    return {"model": model, "tiers": said}


def agreed() -> Facts:
    """Tiered prices, a contract with every kind of term, a package bought and two adjustments."""
    said = facts([*_agreed_beginning(), *_agreed_use(), *_agreed_end()])
    out = tiered(
        "graduated", (300_000, "4.00", "0"), (600_000, "3.10", "1.50"), (None, "2.45", "0")
    )
    into = tiered(
        "volume", (5_000_000, "1.00", "2.00"), (9_000_000, "0.85", "0"), (None, "0.8", "0")
    )
    prices = [
        price("card.910b3", CARDS, "3.60", 3600, chip=DOMESTIC, service_class="on_demand"),
        price("card.h20", CARDS, "7.50", 3600, chip=OTHER, service_class="on_demand"),
        {**price("tokens.in", TOKENS_IN, "1.00", 1_000_000), **into},
        {**price("tokens.out", TOKENS_OUT, "4.00", 1_000_000), **out},
    ]
    return {**said, "lists": [price_list(LONG_AGO, prices)], "contract": list(_terms())}


def _terms() -> Iterator[Facts]:
    """From the middle of November on, and an amount for both months together."""
    whole = {"from": MONTH_START.isoformat(), "to": AGREED_END.isoformat()}
    late = {**whole, "from": PRICES_CHANGE.isoformat()}
    yield {**late, "kind": "discount", "sku": "tokens.out", "percent": "12.5"}
    yield {**late, "kind": "discount", "sku": "", "percent": "3.333"}
    yield {**late, "kind": "price", "sku": "card.h20", "price": "5.55", "per": 3600}
    yield {**late, "kind": "minimum", "amount": "900.00", "interval": "month", "tax": "it"}
    yield {**whole, "kind": "commitment", "amount": "2000.00", "interval": "term", "tax": "it"}


def _agreed_beginning() -> Iterator[Facts]:
    start = MONTH_START + HOUR
    yield paid_in(start, "1500.00")
    yield happens(
        "package bought",
        start + timedelta(minutes=1),
        meter=CARDS,
        match={"chip": DOMESTIC},
        quantity=20 * 3600 + 1,
        price="61.11",
        tax="it",
    )
    yield happens("adjustment", CUT - DAY, net="-12.34", tax="it")
    yield happens("adjustment", MONTH_END - DAY, net="7.77", tax="lease")


def _agreed_use() -> Iterator[Facts]:
    for day in range(1, 29, 4):
        start = MONTH_START + day * DAY + timedelta(minutes=17, seconds=41)
        yield job(f"job-{day}", start, timedelta(hours=3, minutes=23, seconds=7))
        yield job(f"other-{day}", start + 6 * HOUR, timedelta(minutes=50, seconds=1), chip=OTHER)
    yield from _calls((at, a, b) for at, a, b in stand_in(300) if at < MONTH_END - 2 * DAY)
    yield job("told-late", CUT - DAY, timedelta(hours=2), told=CUT + DAY)
    yield correction(CUT + 3 * DAY, "call-10", TOKENS_IN, 17)


def _agreed_end() -> Iterator[Facts]:
    """Invoices in mid-month and at both ends, and use of both months that is told after them."""
    yield invoice(CUT)
    yield happens("accrued", CUT + 5 * DAY)
    yield invoice(MONTH_END)
    yield call("november", MONTH_END - DAY, 900_001, 90_000, told=MONTH_END + DAY)
    yield job("november-job", MONTH_END - DAY, timedelta(hours=1), told=MONTH_END + DAY)
    yield job("december", MONTH_END + 3 * DAY, timedelta(hours=4, seconds=1), chip=OTHER)
    yield call("december-call", MONTH_END + 4 * DAY, 6_000_000, 700_000)
    yield invoice(AGREED_END)
    yield job("last", AGREED_END - DAY, timedelta(hours=2), chip=OTHER, told=AGREED_END + DAY)
    yield invoice(AGREED_END + 2 * DAY)


# Arrears.

STATES = ("normal", "warning", "urgent", "grace", "retention", "released")
# What each tenant pays in at first, and after how many days its standing is looked at.
_PAID_IN = {"normal": "2000", "warning": "350", "urgent": "280"}


def in_arrears(state: str) -> Facts:
    """Mixed use with a voucher, an invoice and a refund, and too little money for the state."""
    start = MONTH_START + 10 * HOUR
    happenings = [
        paid_in(start, _PAID_IN.get(state, "180") + ".00"),
        voucher(start + timedelta(minutes=1), "40.00", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        happens("assessed", start + timedelta(minutes=2)),
        job("work", start + HOUR, timedelta(hours=20, seconds=11), 2),
        call("talk", start + 2 * HOUR, 9_000_001, 1_234_567),
        happens("accrued", start + DAY),
        happens("assessed", start + DAY + timedelta(minutes=1)),
        invoice(start + DAY, start + DAY + timedelta(minutes=30)),
        happens(
            "refund",
            start + DAY + HOUR,
            invoice=0,
            line=["tokens.in", "1.00", False],
            net="2.01",
        ),
        job("more", start + DAY + 2 * HOUR, timedelta(hours=10), 2),
        happens("accrued", start + 2 * DAY),
        happens("assessed", start + 2 * DAY),
    ]
    if state == "grace":
        happenings += [
            paid_in(start + 2 * DAY + HOUR, "10.00"),
            happens("assessed", start + 2 * DAY + 2 * HOUR),
        ]
    owing = start + 2 * DAY
    if state in {"retention", "released"}:
        happenings.append(happens("assessed", owing + DAY + HOUR))
    if state == "released":
        happenings += [
            happens("assessed", owing + 8 * DAY),
            happens("assessed", owing + 14 * DAY + HOUR),
        ]
    return facts(happenings, changed=False)


def credited_debt() -> Facts:
    """A bill past its day that was taken back whole, beside one that is not due yet."""
    start = MONTH_START + 10 * HOUR
    return facts(
        [
            happens("credit limit", start, amount="1000.00"),
            job("first", start + HOUR, timedelta(hours=10)),
            invoice(start + DAY),
            happens("refund", start + 2 * DAY, invoice=0, net=None),
            job("second", start + 12 * DAY, timedelta(hours=10)),
            invoice(start + 13 * DAY),
            happens("assessed", start + 17 * DAY),
        ],
        changed=False,
    )
