"""Has a story's facts happen to the product, badly sent, and reads off what it says of them."""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from billing.commands import contracts
from billing.commands.accrual import accrue
from billing.commands.adjustments import approve_adjustment, propose_adjustment
from billing.commands.arrears import reassess
from billing.commands.contracts import TermLine
from billing.commands.corrections import correct_usage
from billing.commands.credit_lots import LotTerms, PackageTerms, grant_package
from billing.commands.credit_notes import issue_credit_note
from billing.commands.wallet import set_credit_limit
from billing.corrections import Correction
from billing.models import Account, CreditLot, Invoice, InvoiceLine, TaxRate
from billing.money import CURRENCY
from billing.pricing import Tier
from billing.queries.dues import with_due
from billing.queries.price_faults import PriceLine
from billing.usage import UsageEvent
from common.ids import uuid7
from compute.commands.chips import load_chips
from compute.metering import chargeable
from tenants.models import Organisation
from tenants.permissions import SYSTEM, Actor, ActorKind, Permission
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.arrears_stage import install_tiers
from tests.billing.shorthand import bill_in, ingest, issue, pay_in
from tests.billing.test_price_drafts import ANNA, BORIS
from tests.factories import billing as make
from tests.factories import compute
from tests.factories import credits as give

Facts = dict[str, Any]
USES = {"cards", "call", "level"}


def _clerk(name: str) -> Actor:
    """A person of the centre, where two of them have to agree."""
    return Actor(
        kind=ActorKind.OPERATOR,
        id=uuid7(),
        name=name,
        tenant_id=None,
        permissions=frozenset({Permission.ADJUSTMENT_PROPOSE, Permission.ADJUSTMENT_APPROVE}),
    )


class Product:
    """One tenant of the product, billed in some currency, to which the facts happen."""

    def __init__(self, facts: Facts, code: str = "alice", currency: str = CURRENCY) -> None:
        self.facts = facts
        self.currency = currency
        self.chance = random.Random(code)
        self.prices: dict[str, UUID] = {}
        self.sent: list[UsageEvent] = []
        self.assessed_as: list[Facts] = []
        self.lots: dict[str, UUID] = {}
        self.package: UUID | None = None
        with operator_scope():
            load_chips(actor=SYSTEM, facts=compute.seed())
        install_tiers()
        self._publish()
        self.tenant: Organisation = give.verified(code)
        bill_in(self.tenant, currency)
        if "contract" in facts:
            self._agree(facts["contract"])

    def _publish(self) -> None:
        with operator_scope():
            for tax in self.facts["taxes"]:
                TaxRate.objects.create(
                    tax_code=tax["code"],
                    rate=Decimal(tax["rate"]),
                    during=(make.LONG_AGO, None),
                    title_en=tax["code"],
                    title_zh=tax["code"],
                )
        for one in self.facts["lists"]:
            version = make.publish(
                [_price_line(price) for price in one["prices"]],
                effective_at=datetime.fromisoformat(one["from"]),
                now=make.MONTH_START,
                currency=self.currency,
            )
            with operator_scope():
                ids = dict(version.prices.values_list("sku", "pk"))
            self.prices |= {price["id"]: ids[price["sku"]] for price in one["prices"]}

    def _agree(self, terms: Iterable[Facts]) -> None:
        lines = [_term_line(term) for term in terms]
        ids = {"actor": ANNA, "tenant_id": self.tenant.pk}
        with operator_scope():
            contract = contracts.draft_contract(
                **ids,
                number="HT-1",
                title="Frame agreement",
                starts_at=min(line.starts_at for line in lines),
                ends_at=max(line.ends_at for line in lines),
                now=make.MONTH_START,
            )
            for line in lines:
                contracts.add_term(**ids, contract_id=contract.pk, term=line)
            contracts.activate_contract(
                **{**ids, "actor": BORIS}, contract_id=contract.pk, now=make.MONTH_START
            )

    def live(self) -> Facts:
        """Everything happens, in its order; gives what the product says in the end."""
        happenings = self.facts["happenings"]
        for (is_use, at), group in groupby(
            happenings, key=lambda one: (one["what"] in USES, one["at"])
        ):
            moment = datetime.fromisoformat(at)
            if is_use:
                self._send([event for said in group for event in self._events(said)], moment)
                continue
            for said in group:
                getattr(self, said["what"].replace(" ", "_"))(said, moment)
        return self._tell()

    def _send(self, events: list[UsageEvent], now: datetime) -> None:
        """Shuffled, some of it twice, with some that was sent long before."""
        # Only what may still be sent again: the product refuses what is weeks old.
        self.sent = [event for event in self.sent if (now - event.at).days < 30]
        again = self.chance.sample(events, len(events) // 3)
        again += self.chance.sample(self.sent, min(3, len(self.sent)))
        batch = [*events, *again]
        self.chance.shuffle(batch)
        told = [status for _id, status, _code in ingest(self.tenant, *batch, now=now)]
        assert told.count("accepted") == len(events), told
        assert set(told) <= {"accepted", "duplicate"}
        self.sent += events

    def _events(self, said: Facts) -> Iterable[UsageEvent]:
        if said["what"] == "cards":
            start, end = (datetime.fromisoformat(said[way]) for way in ("from", "to"))
            for piece in chargeable(
                started_at=start, ended_at=end, vouched_until=end, charged_until=None
            ):
                seconds = piece.seconds * said["cards"] * said.get("thousandths", 1)
                yield self._event(said, f"{said['id']}:{piece.start}", piece.start, seconds)
        elif said["what"] == "call":
            for meter, quantity in said["tokens"].items():
                if quantity:
                    # The gateway names both directions of a call after it.
                    name = f"{said['id']}:{meter}"
                    at = datetime.fromisoformat(said["time"])
                    yield self._event({**said, "meter": meter}, name, at, quantity)
        else:
            at = datetime.fromisoformat(said["time"])
            yield self._event(said, said["id"], at, said["level"])

    def _event(self, said: Facts, name: str, at: datetime, quantity: int) -> UsageEvent:
        quoted = said.get("price")
        return UsageEvent(
            source="oracle",
            id=name,
            meter=said["meter"],
            subject=said.get("subject", said["id"]),
            at=at.astimezone(UTC),
            quantity=quantity,
            dimensions=said["dimensions"],
            price_id=self.prices[quoted] if quoted else None,
        )

    def correction(self, said: Facts, now: datetime) -> None:
        is_call = said["of"].startswith("call-")
        about = Correction(
            id=f"{said['of']}:{now.isoformat()}",
            source="desk",
            ref_source="oracle",
            ref_id=f"{said['of']}:{said['meter']}" if is_call else said["of"],
            kind="void" if said["quantity"] is None else "correct",
            quantity=said["quantity"],
            reason="measured wrongly",
        )
        with tenant_scope(self.tenant.pk):
            for status in ("accepted", "duplicate"):
                (result,) = correct_usage(
                    actor=SYSTEM, tenant_id=self.tenant.pk, corrections=[about], now=now
                )
                assert result.status == status, result

    def invoice(self, said: Facts, now: datetime) -> None:
        issue(self.tenant, until=datetime.fromisoformat(said["until"]), now=now)

    def paid_in(self, said: Facts, now: datetime) -> None:
        for _twice in range(2):
            pay_in(self.tenant, said["amount"], key=now.isoformat(), now=now)

    def credit_limit(self, said: Facts, now: datetime) -> None:
        with operator_scope():
            set_credit_limit(
                actor=SYSTEM, tenant_id=self.tenant.pk, amount=Decimal(said["amount"]), now=now
            )

    def voucher(self, said: Facts, now: datetime) -> None:
        give.scheme(
            said["name"],
            share_domestic=Decimal(said["share_domestic"]),
            share_other=Decimal(said["share_other"]),
            scope_services=tuple(said["services"]),
            excluded_services=(),
            valid_until=datetime.fromisoformat(said["to"]),
        )
        application = give.ask(self.tenant, said["amount"], said["name"], now=now)
        lot = give.lot_of(application)
        assert (lot.effective_at.isoformat(), lot.expires_at) == (
            said["from"],
            datetime.fromisoformat(said["to"]),
        )
        self.lots[said["name"]] = lot.pk

    def promotion(self, said: Facts, now: datetime) -> None:
        effective_at = datetime.fromisoformat(said["from"])
        lot = give.promo(
            self.tenant, said["amount"], key=said["name"], effective_at=effective_at, now=now
        )
        self.lots[said["name"]] = lot.pk

    def package_bought(self, said: Facts, now: datetime) -> None:
        package = PackageTerms(
            meter=said["meter"],
            quantity=said["quantity"],
            match=said["match"],
            price_net=Decimal(said["price"]),
            tax_code=said["tax"],
        )
        terms = LotTerms(title="Cards", effective_at=now, expires_on=None)
        with tenant_scope(self.tenant.pk):
            lot = grant_package(
                actor=SYSTEM,
                tenant_id=self.tenant.pk,
                package=package,
                terms=terms,
                key="cards",
                now=now,
            )
        self.package = lot.pk

    def adjustment(self, said: Facts, now: datetime) -> None:
        with operator_scope():
            made = propose_adjustment(
                actor=_clerk("first"),
                tenant_id=self.tenant.pk,
                net=Decimal(said["net"]),
                tax_code=said["tax"],
                title_en="Adjustment",
                title_zh="调整",
                reason="agreed by telephone",
                now=now,
            )
            if made.needs_two:
                approve_adjustment(actor=_clerk("second"), adjustment_id=made.pk, now=now)

    def refund(self, said: Facts, now: datetime) -> None:
        with operator_scope():
            invoice = Invoice.objects.filter(tenant=self.tenant).order_by("year", "sequence")[
                said["invoice"]
            ]
            wanted: dict[int, Decimal] | None = None
            if said.get("line"):
                sku, unit_price, is_late = said["line"]
                line = invoice.lines.get(sku=sku, unit_price=Decimal(unit_price), is_late=is_late)
                wanted = {line.position: line.net if said["net"] is None else Decimal(said["net"])}
        with tenant_scope(self.tenant.pk):
            issue_credit_note(
                actor=SYSTEM,
                tenant_id=self.tenant.pk,
                invoice_id=invoice.pk,
                reason="goodwill",
                nets=wanted,
                now=now,
            )

    def accrued(self, _said: Facts, now: datetime) -> None:
        with tenant_scope(self.tenant.pk):
            accrue(tenant_id=self.tenant.pk, now=now)

    def assessed(self, _said: Facts, now: datetime) -> None:
        with tenant_scope(self.tenant.pk):
            found = reassess(tenant_id=self.tenant.pk, now=now)
        deadlines = vars(found.deadlines) if found.deadlines else {}
        self.assessed_as.append(
            {
                "at": now.isoformat(),
                "state": found.state.value,
                "needed": f"{found.amount_needed:.2f}",
                "days_left": None if found.days_left is None else f"{found.days_left:.2f}",
                "deadlines": {name: at.isoformat() for name, at in deadlines.items()},
            }
        )

    def _tell(self) -> Facts:
        with operator_scope():
            invoices = with_due(Invoice.objects.filter(tenant=self.tenant)).order_by(
                "year", "sequence"
            )
            account = Account.objects.get(tenant=self.tenant)
            lots = dict(CreditLot.objects.values_list("pk", "remaining"))
            return {
                "invoices": [
                    {
                        "net": f"{one.net:.2f}",
                        "tax": f"{one.tax:.2f}",
                        "gross": f"{one.gross:.2f}",
                        "due": f"{one.outstanding if one.gross > 0 else 0:.2f}",
                        "lines": sorted(_line(line) for line in one.lines.all()),
                    }
                    for one in invoices
                ],
                "wallet": f"{account.wallet:.2f}",
                "owed": f"{account.receivable:.2f}",
                "unbilled": f"{account.unbilled:.2f}",
                "credits": {name: f"{lots[pk]:.2f}" for name, pk in self.lots.items()},
                "package": None if self.package is None else int(lots[self.package]),
                "assessed": self.assessed_as,
            }


def _line(line: InvoiceLine) -> list[object]:
    return [line.sku, line.is_late, line.quantity, f"{line.net:.2f}", f"{line.tax:.2f}"]


def _price_line(said: Mapping[str, Any]) -> PriceLine:
    return PriceLine(
        meter=said["meter"],
        sku=said["sku"],
        title_en=said["sku"],
        title_zh=said["sku"],
        unit_price=Decimal(said["price"]),
        unit_quantity=said["per"],
        tax_code=said["tax"],
        match=said["match"],
        model=said.get("model", "flat"),
        tiers=tuple(
            Tier(tier["up_to"], Decimal(tier["price"]), Decimal(tier["fee"]))
            for tier in said.get("tiers", ())
        ),
    )


def _term_line(said: Facts) -> TermLine:
    per = said.get("per")
    amounts = {
        ours: Decimal(said[theirs]) if theirs in said else None
        for ours, theirs in (
            ("discount_percent", "percent"),
            ("unit_price", "price"),
            ("amount", "amount"),
        )
    }
    return TermLine(
        kind=said["kind"],
        starts_at=datetime.fromisoformat(said["from"]),
        ends_at=datetime.fromisoformat(said["to"]),
        sku=said.get("sku", ""),
        model="flat" if per else "",
        unit_quantity=per,
        interval=said.get("interval", ""),
        tax_code=said.get("tax", ""),
        **amounts,
    )
