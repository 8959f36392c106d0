"""Works bills out again from plain facts, without a line of the product: only Python's own library.

    python month.py facts.json                 facts to money, as JSON
    python month.py --trace FILE.csv IN OUT    a trace of model calls at two prices a million

The facts are what happened, in the order in which the centre heard of it (``happenings``), and what
was agreed beforehand (lists, taxes, meters). The rules are those of docs/algorithms: this page is
written from them and not from the program, holds every quantity in memory, and rounds fractions.
Instants are RFC 3339; amounts are decimals in text.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
Facts = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", nargs="?")
    parser.add_argument("--trace", nargs=3, metavar=("FILE", "IN", "OUT"))
    arguments = parser.parse_args()
    if arguments.trace:
        json.dump(trace_money(*arguments.trace), sys.stdout)
        return
    text = Path(arguments.facts).read_text() if arguments.facts else sys.stdin.read()
    json.dump(Book(json.loads(text)).tell(), sys.stdout, ensure_ascii=False)


# Numbers.


def fen(amount: Fraction) -> Fraction:
    """Half up to the fen, away from zero below zero."""
    sign = -1 if amount < 0 else 1
    return sign * Fraction(int(abs(amount) * 100 + Fraction(1, 2)), 100)


def fen_down(amount: Fraction) -> Fraction:
    return Fraction((amount * 100).__floor__(), 100)


def fen_up(amount: Fraction) -> Fraction:
    return -fen_down(-amount)


def money(amount: Fraction) -> str:
    whole = amount * 100
    assert whole.denominator == 1, amount
    sign, digits = "-" if whole < 0 else "", f"{abs(whole.numerator):03d}"
    return f"{sign}{digits[:-2]}.{digits[-2:]}"


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def seconds(length: timedelta) -> Fraction:
    return Fraction(length // timedelta(microseconds=1), 1_000_000)


def pieces(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """A stretch cut at the clock's hours."""
    cuts = [start]
    while cuts[-1] < end:
        cuts.append(min(hour_of(cuts[-1]) + HOUR, end))
    return list(zip(cuts, cuts[1:], strict=False))


# What stands booked of one portion of a running total: how much, its net and its tax.
Part = tuple[int, Fraction, Fraction]
UNBOOKED: Part = (0, Fraction(0), Fraction(0))
COVERED = ("covered", Fraction(0))


def portions(price: Facts, quantity: int) -> list[tuple[str, Fraction, int, Fraction]]:
    """A month's quantity by the price's model: name, unit price, quantity and exact net."""
    if quantity < 0:
        return [(name, unit, -q, -net) for name, unit, q, net in portions(price, -quantity)]
    per, model = price["per"], price.get("model", "flat")
    if model == "flat":
        unit = Fraction(price["price"])
        return [("flat", unit, quantity, unit * quantity / per)]
    found, start = [], 0
    for number, tier in enumerate(price["tiers"]):
        unit, fee = Fraction(tier["price"]), Fraction(tier["fee"])
        is_last = tier["up_to"] is None or quantity <= tier["up_to"]
        if model == "volume" and not is_last:
            continue
        inside = quantity - start if is_last else tier["up_to"] - start
        if fee and quantity:
            found.append((f"fee {number}", fee, 0, fee))
        name = model if model == "volume" else f"{model} {number}"
        found.append((name, unit, inside, unit * inside / per))
        start += inside
        if is_last:
            break
    return found


class Line:
    """What one invoice says of one portion: how much, for how much, in which hours."""

    def __init__(
        self, price: Facts, rate: Fraction, look: tuple, hours: dict[datetime, int], *, late: bool
    ) -> None:
        self.price, self.rate, self.look, self.late = price, rate, look, late
        self.hours = hours
        self.quantity = 0
        self.net = self.tax = Fraction(0)
        self.credited_net = self.credited_tax = Fraction(0)
        self.uses: list[list] = []  # [lot, amount still standing], in the order of payment
        self.restored = Fraction(0)

    gross = property(lambda self: self.net + self.tax)
    starts = property(lambda self: min(self.hours))
    ends = property(lambda self: max(self.hours) + HOUR)


class Invoice:
    def __init__(self, until: datetime, at: datetime, lines: list[Line]) -> None:
        self.until, self.at, self.lines = until, at, lines
        self.paid = self.taken_off = Fraction(0)

    net = property(lambda self: sum((line.net for line in self.lines), Fraction(0)))
    tax = property(lambda self: sum((line.tax for line in self.lines), Fraction(0)))
    gross = property(lambda self: self.net + self.tax)

    @property
    def due(self) -> Fraction:
        return max(self.gross, Fraction(0)) - self.paid - self.taken_off


class Book:
    """One tenant's facts, gone through one by one."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.zone = timedelta(minutes=facts["zone_minutes"])
        self.lists = sorted(facts["lists"], key=lambda one: when(one["from"]))
        self.by_id = {price["id"]: price for one in self.lists for price in one["prices"]}
        # Used and on no invoice yet: (meter, dimensions, quoted price) by hour.
        self.open: dict[tuple, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
        # Levels as they were last said: series -> subject -> id -> (instant, level).
        self.levels: dict[tuple, dict[str, dict[str, tuple[datetime, int]]]] = {}
        self.level_hours: dict[tuple, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
        self.counted: dict[tuple, list] = {}  # (id, meter) -> [series, instant, quantity]
        # What invoices booked: running totals by portion, true-ups, and the package they used.
        self.running: dict[tuple, dict[tuple, Part]] = {}
        self.lacked: dict[tuple, Fraction] = {}
        self.package: Facts | None = None
        self.adjustments: list[Facts] = []
        self.billed_until: datetime | None = None
        self.invoices: list[Invoice] = []
        self.wallet = self.owed = self.limit = self.unbilled = Fraction(0)
        self.lots: list[Facts] = []
        self.readings: list[tuple[datetime, Fraction]] = []
        self.standing: Facts = {"state": "normal", "deadlines": None}
        self.told: list[Facts] = []

    def tell(self) -> Facts:
        for happening in self.facts["happenings"]:
            act = getattr(self, happening["what"].replace(" ", "_"))
            act(happening, when(happening["at"]))
        return {
            "invoices": [
                {
                    "net": money(one.net),
                    "tax": money(one.tax),
                    "gross": money(one.gross),
                    "due": money(one.due),
                    "lines": sorted(
                        [
                            line.price["sku"],
                            line.late,
                            line.quantity,
                            money(line.net),
                            money(line.tax),
                        ]
                        for line in one.lines
                    ),
                }
                for one in self.invoices
            ],
            "wallet": money(self.wallet),
            "owed": money(self.owed),
            "unbilled": money(self.unbilled),
            "credits": {lot["name"]: money(lot["left"]) for lot in self.lots},
            "package": self.package and self._package_left(self.running),
            "assessed": self.told,
        }

    # What was used.

    def _series(self, meter: str, dimensions: dict[str, str], quoted: str = "") -> tuple:
        return (meter, tuple(sorted(dimensions.items())), quoted)

    def _count(self, name: str, series: tuple, at: datetime, quantity: int) -> None:
        key = (name, series[0])
        if key in self.counted:
            assert self.counted[key] == [series, at, quantity], f"{key} was said otherwise before"
            return
        self.counted[key] = [series, at, quantity]
        self.open[series][hour_of(at)] += quantity

    def cards(self, said: Facts, _at: datetime) -> None:
        """Cards held or used from one instant to another; ``thousandths`` where it is a share."""
        series = self._series(said["meter"], said["dimensions"], said.get("price", ""))
        for start, end in pieces(when(said["from"]), when(said["to"])):
            amount = said["cards"] * int(seconds(end - start)) * said.get("thousandths", 1)
            self._count(f"{said['id']}:{start}", series, start, amount)

    def call(self, said: Facts, _at: datetime) -> None:
        """One call of a model: so many tokens in and out."""
        for meter, quantity in said["tokens"].items():
            if quantity:
                series = self._series(meter, said["dimensions"])
                self._count(said["id"], series, when(said["time"]), quantity)

    def level(self, said: Facts, _at: datetime) -> None:
        """A level at an instant; it holds until the next one of its subject, or for a while."""
        series = self._series(said["meter"], said["dimensions"])
        of_subject = self.levels.setdefault(series, defaultdict(dict))[said["subject"]]
        of_subject[said["id"]] = (when(said["time"]), said["level"])

    def correction(self, said: Facts, _at: datetime) -> None:
        """An event was another quantity (``quantity``), or never was (null)."""
        for series, subjects in self.levels.items():
            for of_subject in subjects.values():
                if series[0] == said["meter"] and said["of"] in of_subject:
                    self._correct_level(of_subject, said)
                    return
        counted = self.counted[said["of"], said["meter"]]
        series, at, before = counted
        after = said["quantity"] or 0
        self.open[series][hour_of(at)] += after - before
        counted[2] = after

    def _correct_level(self, of_subject: dict, said: Facts) -> None:
        if said["quantity"] is None:
            del of_subject[said["of"]]
        else:
            of_subject[said["of"]] = (of_subject[said["of"]][0], said["quantity"])

    def _hold_levels(self) -> None:
        """Bring the hours of levels up to date; what changed is open use of its hour."""
        for series, subjects in self.levels.items():
            holds = timedelta(seconds=self.facts["meters"][series[0]]["holds_seconds"])
            exact: dict[datetime, Fraction] = defaultdict(Fraction)
            for of_subject in subjects.values():
                samples = sorted(of_subject.values())
                for place, (start, level) in enumerate(samples):
                    end = start + holds
                    if place + 1 < len(samples):
                        end = min(end, samples[place + 1][0])
                    for first, last in pieces(start, end):
                        exact[hour_of(first)] += level * seconds(last - first)
            booked = self.level_hours[series]
            for hour in {*exact, *booked}:
                difference = int(exact[hour]) - booked[hour]
                if difference:
                    self.open[series][hour] += difference
                    booked[hour] += difference

    # What it costs.

    def _price(self, series: tuple, hour: datetime) -> Facts:
        meter, dimensions, quoted = series
        if quoted:
            return self.by_id[quoted]
        in_force = [one for one in self.lists if when(one["from"]) <= hour][-1]
        fitting = [
            price
            for price in in_force["prices"]
            if price["meter"] == meter and price["match"].items() <= dict(dimensions).items()
        ]
        return min(fitting, key=lambda price: (-len(price["match"]), price["sku"]))

    def _rate(self, price: Facts, hour: datetime) -> Fraction:
        for tax in self.facts["taxes"]:
            starts, ends = tax.get("from"), tax.get("to")
            begun = not starts or when(starts) <= hour
            if tax["code"] == price["tax"] and begun and (not ends or hour < when(ends)):
                return Fraction(tax["rate"])
        raise LookupError(price["tax"])

    def _month(self, hour: datetime) -> tuple[int, int]:
        local = hour + self.zone
        return local.year, local.month

    def _month_start(self, hour: datetime) -> datetime:
        local = (hour + self.zone).replace(day=1, hour=0)
        return local - self.zone

    def _lines(
        self, until: datetime
    ) -> tuple[list[Line], dict[tuple, dict], dict[tuple, Fraction]]:
        """The lines of what is open before an instant, and all that is booked after them."""
        self._hold_levels()
        found: dict[tuple, tuple[Facts, dict[datetime, int]]] = {}
        for series, hours in self.open.items():
            shown = self.facts["meters"][series[0]]["shown"]
            said = dict(series[1])
            look = tuple((name, said[name]) for name in shown)
            for hour, quantity in hours.items():
                if hour >= until:
                    continue
                price = self._agreed(self._price(series, hour), hour)
                rate = self._rate(price, hour)
                late = self.billed_until is not None and hour < hour_of(self.billed_until)
                # A price that depends on how much is used counts all of it together.
                seen = look if price.get("model", "flat") == "flat" else ()
                key = (price["id"], rate, seen, self._month(hour))
                _price, used = found.setdefault((key, late), (price, defaultdict(int)))
                used[hour] += quantity
        totals = {key: dict(parts) for key, parts in self.running.items()}
        lines: list[Line] = []
        # What is on time comes first, and what was used earlier: so packages are used up.
        for (key, late), (price, used) in sorted(
            found.items(), key=lambda one: (one[0][1], min(one[1][1]))
        ):
            covered = self._newly_covered(price, key[2], used, totals)
            parts = totals.setdefault(key, {})
            for part, change in self._changes(price, key[1], parts, sum(used.values()), covered):
                line = Line(price, key[1], key[2], used, late=late)
                line.quantity, line.net, line.tax = change
                parts[part] = tuple(map(sum, zip(parts.get(part, UNBOOKED), change, strict=True)))
                lines.append(line)
        lacked = dict(self.lacked)
        lines += self._true_ups(totals, lacked, until)
        for said in self.adjustments:
            lines.append(self._amount("adjustment", Fraction(said["net"]), said["tax"], until))
            lines[-1].quantity = 1
        return sorted(lines, key=self._place), totals, lacked

    @staticmethod
    def _changes(
        price: Facts, rate: Fraction, before: dict[tuple, Part], added: int, covered: int
    ) -> list[tuple[tuple, Part]]:
        """How each portion changes when more joins the total; each net and tax is rounded."""
        total = sum(quantity for quantity, _net, _tax in before.values()) + added
        covered = min(before.get(COVERED, UNBOOKED)[0] + covered, max(total, 0))
        after: dict[tuple, Part] = {COVERED: (covered, Fraction(0), Fraction(0))}
        for name, unit, quantity, net in portions(price, total - covered):
            after[name, unit] = (quantity, fen(net), fen(fen(net) * rate))
        found = []
        for part in {**before, **after}:
            old, new = before.get(part, UNBOOKED), after.get(part, UNBOOKED)
            if old != new:
                found.append((part, (new[0] - old[0], new[1] - old[1], new[2] - old[2])))
        return found

    def _newly_covered(
        self, price: Facts, look: tuple, used: dict[datetime, int], totals: dict[tuple, dict]
    ) -> int:
        """What the package covers of new use of its meter that has a price."""
        package = self.package
        if package is None or price["meter"] != package["meter"] or not Fraction(price["price"]):
            return 0
        if not package["match"].items() <= dict(look).items():
            return 0
        return max(min(self._package_left(totals), sum(used.values())), 0)

    def _package_left(self, totals: dict[tuple, dict]) -> int:
        assert self.package is not None
        used = (parts.get(COVERED, UNBOOKED)[0] for parts in totals.values())
        return self.package["quantity"] - sum(used)

    # What was agreed.

    def _agreed(self, price: Facts, hour: datetime) -> Facts:
        """The list's price, or what the one term that is most precise about it makes of it."""
        terms = [
            (place, term)
            for place, term in enumerate(self.facts.get("contract", []))
            if term["kind"] in ("discount", "price")
            and when(term["from"]) <= hour < when(term["to"])
            and term["sku"] in ("", price["sku"])
        ]
        if not terms:
            return price
        place, term = min(terms, key=lambda one: (not one[1]["sku"], one[1]["kind"] != "price"))
        changed = {**price, "id": f"{price['id']} by {place}"}
        if term["kind"] == "price":
            return {**changed, "price": term["price"], "per": term["per"], "model": "flat"}
        tiers = [
            {**tier, "price": self._less(tier["price"], term), "fee": self._less(tier["fee"], term)}
            for tier in price.get("tiers", [])
        ]
        return {**changed, "price": self._less(price["price"], term), "tiers": tiers}

    @staticmethod
    def _less(amount: str, term: Facts) -> Fraction:
        """Less by so many per cent, to the fifteen decimals that a price has."""
        exact = Fraction(amount) * (100 - Fraction(term["percent"])) / 100
        return Fraction(int(exact * 10**15 + Fraction(1, 2)), 10**15)

    def _true_ups(
        self, totals: dict[tuple, dict], lacked: dict[tuple, Fraction], until: datetime
    ) -> list[Line]:
        """What agreed amounts lack of months that are over, less what was booked for them."""
        spent: dict[tuple, Fraction] = defaultdict(Fraction)
        for key, parts in totals.items():
            spent[key[3]] += sum((net for _quantity, net, _tax in parts.values()), Fraction(0))
        topped: dict[tuple, Fraction] = defaultdict(Fraction)
        lines = []
        spends = [one for one in self.facts.get("contract", []) if "interval" in one]
        for term in sorted(spends, key=lambda one: one["interval"] == "term"):
            for start, months, ends, due in self._intervals(term):
                if ends > until:
                    continue
                reached = sum((spent[month] for month in months), Fraction(0))
                if term["interval"] == "term":
                    reached += sum((topped[month] for month in months), Fraction(0))
                lacking = max(due - reached, Fraction(0))
                if term["interval"] == "month":
                    topped[months[0]] += lacking
                key = (term["kind"], term["interval"], start)
                difference = lacking - lacked.get(key, Fraction(0))
                if difference:
                    lacked[key] = lacking
                    sku = f"contract.{term['kind']}"
                    lines.append(self._amount(sku, difference, term["tax"], start))
        return lines

    def _intervals(self, term: Facts) -> list[tuple[datetime, list[tuple], datetime, Fraction]]:
        """Each month of a term, one that it holds in part in proportion; or the term as one."""
        first, last = when(term["from"]), when(term["to"])
        found = []
        at = first
        while at < last:
            begins = self._month_start(at)
            ends = self._month_start(begins + 32 * DAY)
            held = min(ends, last) - at
            due = fen(Fraction(term["amount"]) * seconds(held) / seconds(ends - begins))
            found.append((at, [self._month(at)], ends, due))
            at = ends
        if term["interval"] == "month":
            return found
        months = [month for _at, one, _ends, _due in found for month in one]
        return [(first, months, found[-1][2], Fraction(term["amount"]))]

    def _amount(self, sku: str, net: Fraction, tax: str, at: datetime) -> Line:
        """A line of an amount and not of a quantity."""
        price = {"sku": sku, "meter": "", "tax": tax}
        line = Line(price, self._rate(price, at), (), {hour_of(at): 0}, late=False)
        line.net, line.tax = net, fen(net * line.rate)
        return line

    def package_bought(self, said: Facts, at: datetime) -> None:
        """Paid from the wallet at once; what it holds is taken off use before that is priced."""
        assert self.package is None, "one package a story"
        self.package = said
        net = Fraction(said["price"])
        self.wallet -= net + fen(net * self._rate({"tax": said["tax"]}, at))

    def adjustment(self, said: Facts, _at: datetime) -> None:
        self.adjustments.append(said)

    @staticmethod
    def _place(line: Line) -> tuple:
        return (line.late, line.price["meter"], line.price["sku"], line.look, line.starts)

    def _draft_gross(self, until: datetime) -> Fraction:
        lines, _totals, _lacked = self._lines(until)
        return max(sum((line.gross for line in lines), Fraction(0)), Fraction(0))

    def accrued(self, _said: Facts, at: datetime) -> None:
        self.unbilled = self._draft_gross(at)

    # Invoices and payment.

    def invoice(self, said: Facts, at: datetime) -> None:
        until = when(said["until"])
        lines, self.running, self.lacked = self._lines(until)
        self.adjustments = []
        for hours in self.open.values():
            for hour in [one for one in hours if one < until]:
                del hours[hour]
        self.billed_until = until
        invoice = Invoice(until, at, lines)
        self.invoices.append(invoice)
        if invoice.gross < 0:
            self.wallet -= invoice.gross
        else:
            self.owed += invoice.gross
            self._pay_by_credits(invoice)
        self._settle()
        self.unbilled = self._draft_gross(at)

    def paid_in(self, said: Facts, at: datetime) -> None:
        self.wallet += Fraction(said["amount"])
        self._settle()
        self.assessed(said, at, tell=False)

    def credit_limit(self, said: Facts, at: datetime) -> None:
        self.limit = Fraction(said["amount"])
        self.assessed(said, at, tell=False)

    def _settle(self) -> None:
        """The wallet pays what is open, the oldest invoice first."""
        for invoice in sorted(self.invoices, key=lambda one: one.until):
            part = min(invoice.due, fen_down(self.wallet))
            if part > 0:
                invoice.paid += part
                self.wallet -= part
                self.owed -= part

    def voucher(self, said: Facts, _at: datetime) -> None:
        self.lots.append({**said, "kind": 0, "left": Fraction(said["amount"])})

    def promotion(self, said: Facts, _at: datetime) -> None:
        shares = {"share_domestic": "1", "share_other": "1"}
        self.lots.append({**shares, **said, "kind": 1, "left": Fraction(said["amount"])})

    def _pay_by_credits(self, invoice: Invoice) -> None:
        asked = self._asked(invoice.lines)
        left = dict(asked)
        for lot in sorted(self.lots, key=self._rank):
            for line in invoice.lines:
                if asked[line] <= 0 or not self._may_pay(lot, line):
                    continue
                share = Fraction(lot[self._origin(line)]) * self._part_in_time(lot, line)
                part = min(fen_down(asked[line] * share), left[line], lot["left"])
                if part > 0:
                    left[line] -= part
                    lot["left"] -= part
                    line.uses.append([lot, part])
                    invoice.paid += part
                    self.owed -= part

    @staticmethod
    def _rank(lot: Facts) -> tuple:
        ends = lot.get("to") or "9999-12-31T00:00:00+00:00"
        wide = 2 if lot.get("services") else 3
        return (lot["kind"], lot.get("priority", 50), wide, when(ends), lot["left"])

    def _asked(self, lines: list[Line]) -> dict[Line, Fraction]:
        """What each line asks for, once lines below zero have been set off against the others."""
        asked = {line: max(line.gross, Fraction(0)) for line in lines}
        for back in (line for line in lines if line.gross < 0):
            to_take = -back.gross
            alike = (
                [line for line in lines if line.price["sku"] == back.price["sku"]],
                [line for line in lines if line.price["meter"] == back.price["meter"]],
                lines,
            )
            for group in alike:
                for line in group:
                    part = min(to_take, asked[line])
                    asked[line] -= part
                    to_take -= part
        return asked

    def _may_pay(self, lot: Facts, line: Line) -> bool:
        service = self.facts["meters"][line.price["meter"]]["service"]
        if lot.get("services") and service not in lot["services"]:
            return False
        if line.ends <= when(lot["from"]):
            return False
        return not lot.get("to") or line.starts < when(lot["to"])

    def _origin(self, line: Line) -> str:
        is_domestic = dict(line.look).get("chip") in self.facts["domestic_chips"]
        return "share_domestic" if is_domestic else "share_other"

    @staticmethod
    def _part_in_time(lot: Facts, line: Line) -> Fraction:
        ends = when(lot["to"]) if lot.get("to") else None
        inside = sum(
            quantity
            for hour, quantity in line.hours.items()
            if when(lot["from"]) <= hour and (ends is None or hour < ends)
        )
        return Fraction(max(inside, 0), sum(line.hours.values()))

    def refund(self, said: Facts, _at: datetime) -> None:
        """Money of an invoice's lines is given back: all that is left, or a net part of one."""
        invoice = self.invoices[said["invoice"]]
        gross = Fraction(0)
        for line in invoice.lines:
            wanted = said.get("net")
            named = [line.price["sku"], line.price["price"], line.late]
            if said.get("line", named) != named:
                continue
            left_net, left_tax = line.net - line.credited_net, line.tax - line.credited_tax
            net = left_net if wanted is None else Fraction(wanted)
            tax = left_tax if net == left_net else min(fen(net * line.rate), left_tax)
            line.credited_net += net
            line.credited_tax += tax
            gross += net + tax
            self._give_back(invoice, line)
        from_due = min(gross, invoice.due)
        invoice.taken_off += from_due
        self.owed -= from_due
        self.wallet += gross - from_due
        self._settle()

    def _give_back(self, invoice: Invoice, line: Line) -> None:
        """Credits get their share of what is credited so far, the last to pay first."""
        used = sum((part for _lot, part in line.uses), Fraction(0)) + line.restored
        if not used:
            return
        share = (line.credited_net + line.credited_tax) / line.gross
        back = fen_up(used * share) - line.restored
        line.restored += back
        for use in reversed(line.uses):
            part = min(use[1], back)
            use[1] -= part
            use[0]["left"] += part
            invoice.paid -= part
            self.owed += part
            back -= part

    # How the tenant stands.

    def assessed(self, _said: Facts, at: datetime, *, tell: bool = True) -> None:
        terms = self.facts["arrears"]
        spent = sum((one.gross for one in self.invoices), Fraction(0)) + self.unbilled
        base = self._base(at)
        if not any(hour_of(then) == hour_of(at) for then, _spent in self.readings):
            self.readings.append((at, spent))
        pace = Fraction(0)
        if base is not None:
            length = max(at - base[0], HOUR)
            pace = max(spent - base[1], Fraction(0)) * 86_400 / int(seconds(length))
        funds = self.wallet - self.owed + self.limit - self.unbilled
        overdue = sum(
            (
                one.due
                for one in self.invoices
                if one.at + terms["payment_days"] * DAY <= at and one.due > 0
            ),
            Fraction(0),
        )
        needed = fen_up(max(-funds, overdue, Fraction(0)))
        self._move(at, funds < 0 or overdue > 0, funds, pace)
        if tell:
            self.told.append(
                {
                    "at": at.isoformat(),
                    "state": self.standing["state"],
                    "needed": money(needed),
                    "days_left": self._days_left(funds, pace),
                    "deadlines": {
                        name: then.isoformat()
                        for name, then in (self.standing["deadlines"] or {}).items()
                    },
                }
            )

    def _base(self, at: datetime) -> tuple[datetime, Fraction] | None:
        """The latest reading that is three days old, else the first there is."""
        old = [one for one in self.readings if one[0] <= at - 3 * DAY]
        return old[-1] if old else (self.readings[0] if self.readings else None)

    @staticmethod
    def _days_left(funds: Fraction, pace: Fraction) -> str | None:
        return money(fen_down(max(funds, Fraction(0)) / pace)) if pace > 0 else None

    def _move(self, at: datetime, owing: bool, funds: Fraction, pace: Fraction) -> None:  # noqa: FBT001
        terms, standing = self.facts["arrears"], self.standing
        if not owing:
            left = max(funds, Fraction(0)) / pace if pace > 0 else None
            state = "normal"
            if left is not None and left < terms["warning_days"]:
                state = "urgent" if left < terms["urgent_days"] else "warning"
            self.standing = {"state": state, "deadlines": None}
            return
        if standing["deadlines"] is None:
            on_demand = at + terms["on_demand_grace_hours"] * HOUR
            reserved = at + terms["reserved_grace_hours"] * HOUR
            standing = {
                "state": "grace",
                "deadlines": {
                    "on_demand_freeze_at": on_demand,
                    "on_demand_release_at": on_demand + terms["on_demand_retention_hours"] * HOUR,
                    "reserved_freeze_at": reserved,
                    "reserved_release_at": reserved + terms["reserved_retention_hours"] * HOUR,
                },
            }
        ends = standing["deadlines"]
        first = min(ends["on_demand_freeze_at"], ends["reserved_freeze_at"])
        if standing["state"] == "grace" and first <= at:
            kept = {
                f"{kind}_release_at": max(at, ends[f"{kind}_freeze_at"])
                + terms[f"{kind}_retention_hours"] * HOUR
                for kind in ("on_demand", "reserved")
            }
            ends = {**ends, **kept}
            standing = {"state": "retention", "deadlines": ends}
        last = max(ends["on_demand_release_at"], ends["reserved_release_at"])
        if standing["state"] == "retention" and last <= at:
            standing = {"state": "released", "deadlines": ends}
        self.standing = standing


def trace_money(path: str, price_in: str, price_out: str) -> Facts:
    """What the calls of a public trace cost at two prices a million, before tax."""
    tokens = {"ContextTokens": 0, "GeneratedTokens": 0}
    calls = 0
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            calls += 1
            for column in tokens:
                tokens[column] += int(row[column])
    prices = {"ContextTokens": price_in, "GeneratedTokens": price_out}
    nets = {name: fen(Fraction(prices[name]) * tokens[name] / 1_000_000) for name in tokens}
    return {
        "calls": calls,
        **{name: [tokens[name], money(nets[name])] for name in tokens},
        "net": money(sum(nets.values(), Fraction(0))),
    }


if __name__ == "__main__":
    main()
