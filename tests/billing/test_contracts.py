"""Contracts, their terms and what they make of a price; spot quotes and tax rates beside them."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from billing import contract_tasks
from billing.commands import contracts as agree
from billing.commands.contracts import TermLine
from billing.commands.spot import SpotQuoteRefused, quote_spot
from billing.commands.taxes import (
    TaxChangeDecided,
    TaxChangeRefused,
    approve_tax_rate,
    propose_tax_rate,
    reject_tax_rate,
)
from billing.four_eyes import FourEyesRequired
from billing.models import Contract, ContractTerm, PriceVersion, SpotPrice, TaxRate
from billing.pricing import Terms, Tier
from billing.pricing.agreed import AgreedTerm, agreed_price, discounted
from billing.queries.contracts import agreements, contracts
from billing.queries.prices import Quote, QuoteLine, quote
from common.errors import DomainError, NotFound
from tenants.models import AuditEntry, Notice, Organisation
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_price_drafts import ANNA, BORIS, person
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
FROM = make.MONTH_START
TO = make.MONTH_END
LINE = QuoteLine("test.tokens_in", {"model": "tiny", "key": "k1"}, 1_000_000)


def discount(percent: str = "10", **changed: Any) -> TermLine:
    term = TermLine("discount", FROM, TO, discount_percent=Decimal(percent))
    return replace(term, **changed)


def fixed(price: str, **changed: Any) -> TermLine:
    term = TermLine(
        "price",
        FROM,
        TO,
        sku="test.tokens_in",
        model="flat",
        unit_price=Decimal(price),
        unit_quantity=1_000_000,
    )
    return replace(term, **changed)


def spend(amount: str, kind: str = "commitment", **changed: Any) -> TermLine:
    term = TermLine(kind, FROM, TO, amount=Decimal(amount), interval="month", tax_code="it_service")
    return replace(term, **changed)


def drafted(tenant: Organisation, *terms: TermLine, number: str = "HT-1") -> UUID:
    with operator_scope():
        contract = agree.draft_contract(
            actor=ANNA,
            tenant_id=tenant.pk,
            number=number,
            title="Frame agreement",
            starts_at=FROM,
            ends_at=TO,
            now=make.NOW,
        )
        for term in terms:
            agree.add_term(actor=ANNA, tenant_id=tenant.pk, contract_id=contract.pk, term=term)
    return contract.pk


def activate(tenant: Organisation, contract_id: UUID) -> Contract:
    with operator_scope():
        return agree.activate_contract(
            actor=BORIS, tenant_id=tenant.pk, contract_id=contract_id, now=make.NOW
        )


def end(tenant: Organisation, contract_id: UUID, at: datetime) -> Contract:
    with operator_scope():
        return agree.end_contract(
            actor=ANNA, tenant_id=tenant.pk, contract_id=contract_id, ends_at=at, now=make.NOW
        )


def quoted(tenant: Organisation, line: QuoteLine = LINE, at: datetime = make.NOW) -> Quote:
    with tenant_scope(tenant.pk):
        return quote(tenant_id=tenant.pk, lines=[line], at=at)


def codes(refused: pytest.ExceptionInfo[DomainError]) -> set[str]:
    return {error.code for error in refused.value.errors}


def test_a_quote_shows_the_list_the_discount_and_what_is_paid(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, discount("12.5")))
    line = quoted(alice).lines[0]
    assert (line.list_unit_price, line.unit_price) == (1, Decimal("0.875"))
    assert (str(line.list_net), str(line.discount), str(line.net)) == ("1.00", "0.12", "0.88")
    assert (str(line.tax), line.contract_number) == ("0.05", "HT-1")
    other = quoted(bob).lines[0]
    assert (str(other.net), other.discount, other.contract_number) == ("1.00", 0, "")


def test_a_contract_holds_from_its_first_hour_to_before_its_last(
    alice: Organisation, prices: PriceVersion
) -> None:
    first, last = make.NOW - 2 * make.HOUR, make.NOW + 2 * make.HOUR
    activate(alice, drafted(alice, discount("50", starts_at=first, ends_at=last)))
    moments = (first - timedelta(seconds=1), first, last - timedelta(seconds=1), last)
    told = [str(quoted(alice, at=at).net) for at in moments]
    assert told == ["1.00", "0.50", "0.50", "1.00"]


def test_a_draft_counts_for_nothing_and_a_fixed_price_for_its_sku_alone(
    alice: Organisation, prices: PriceVersion
) -> None:
    contract_id = drafted(alice, fixed("0.40"), discount("10"))
    assert str(quoted(alice).net) == "1.00"
    activate(alice, contract_id)
    assert str(quoted(alice).net) == "0.40"
    tokens_out = QuoteLine("test.tokens_out", LINE.dimensions, 1_000_000)
    assert str(quoted(alice, tokens_out).net) == "3.60"


def test_a_fixed_price_may_have_another_model(alice: Organisation, prices: PriceVersion) -> None:
    tiers = (Tier(1_000_000, Decimal("0.90")), Tier(None, Decimal("0.50")))
    activate(alice, drafted(alice, fixed("0.90", model="graduated", tiers=tiers)))
    three = replace(LINE, quantity=3_000_000)
    assert str(quoted(alice, three).net) == "1.90"


def test_an_ended_contract_stops_at_its_end(alice: Organisation, prices: PriceVersion) -> None:
    contract_id = drafted(alice, discount("50"))
    activate(alice, contract_id)
    ended = end(alice, contract_id, make.NOW + make.HOUR)
    assert (ended.state, ended.ends_at) == ("ended", make.NOW + make.HOUR)
    assert str(quoted(alice).net) == "0.50"
    assert str(quoted(alice, at=make.NOW + make.HOUR).net) == "1.00"
    with pytest.raises(agree.ContractNotActive):
        end(alice, contract_id, make.NOW)


def test_two_agreed_terms_never_hold_for_one_thing_at_once(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, discount("10")))
    second = drafted(alice, discount("20", starts_at=make.NOW), number="HT-2")
    with pytest.raises(agree.TermsOverlap):
        activate(alice, second)
    activate(bob, drafted(bob, discount("20"), number="HT-3"))
    both = drafted(alice, fixed("1"), discount("5", sku="test.tokens_in"), number="HT-4")
    with pytest.raises(agree.TermsOverlap):
        activate(alice, both)
    with operator_scope():
        states = dict(Contract.objects.values_list("number", "state"))
    assert states == {"HT-1": "active", "HT-2": "draft", "HT-3": "active", "HT-4": "draft"}


def test_a_follow_up_contract_begins_where_the_first_was_ended(
    alice: Organisation, prices: PriceVersion
) -> None:
    first = drafted(alice, discount("10"))
    activate(alice, first)
    end(alice, first, make.NOW)
    activate(alice, drafted(alice, discount("20", starts_at=make.NOW), number="HT-2"))
    before = make.NOW - timedelta(seconds=1)
    assert [str(quoted(alice, at=at).net) for at in (before, make.NOW)] == ["0.90", "0.80"]


def test_a_contract_never_reaches_into_a_closed_period(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, at=FROM))
    running = drafted(alice, discount("10", ends_at=TO))
    early = drafted(alice, discount("20", sku="test.tokens_out"), number="HT-2")
    activate(alice, running)
    issue(alice, until=make.NOW)
    with pytest.raises(agree.PeriodClosed):
        activate(alice, early)
    with pytest.raises(agree.PeriodClosed):
        end(alice, running, make.NOW - make.HOUR)
    with (
        operator_scope(),
        pytest.raises(DatabaseError, match="closed period"),
        transaction.atomic(),
    ):
        Contract.objects.filter(pk=early).update(state="active")
    with operator_scope():
        states = dict(Contract.objects.values_list("number", "state"))
    assert states == {"HT-1": "active", "HT-2": "draft"}
    assert end(alice, running, make.NOW).state == "ended"


@pytest.mark.parametrize(
    ("term", "code"),
    [
        (discount("0"), "percent"),
        (discount("100.1"), "percent"),
        (discount("NaN"), "percent"),
        (discount(meter="nothing"), "meter"),
        (discount(meter="test.tokens_in", match={"chip": "x"}), "match"),
        (discount(starts_at=FROM - make.HOUR), "outside"),
        (discount(ends_at=TO + make.HOUR), "outside"),
        (discount(starts_at=FROM + timedelta(minutes=1)), "not_whole_hour"),
        (discount(starts_at=TO, ends_at=TO), "order"),
        (fixed("-1"), "amount"),
        (fixed("1", sku=""), "subject"),
        (fixed("1", model="spot"), "model"),
        (fixed("1", model="volume"), "tiers"),
        (spend("0", "minimum"), "amount"),
        (spend("1", "minimum", interval="term"), "interval"),
        (spend("1", tax_code="none"), "tax_code"),
        (spend("Infinity"), "amount"),
        (TermLine("gift", FROM, TO), "kind"),
    ],
)
def test_a_wrong_term_does_not_enter_a_contract(
    alice: Organisation, prices: PriceVersion, term: TermLine, code: str
) -> None:
    contract_id = drafted(alice)
    with pytest.raises(agree.ContractRefused) as refused, operator_scope():
        agree.add_term(actor=ANNA, tenant_id=alice.pk, contract_id=contract_id, term=term)
    assert codes(refused) == {code}
    with operator_scope():
        assert ContractTerm.objects.count() == 0


def test_an_agreed_contract_is_ended_and_never_edited(
    alice: Organisation, prices: PriceVersion
) -> None:
    contract_id = drafted(alice, discount("10"))
    activate(alice, contract_id)
    with operator_scope(), pytest.raises(agree.ContractNotDraft):
        agree.add_term(actor=ANNA, tenant_id=alice.pk, contract_id=contract_id, term=fixed("0.10"))
    for statement in (
        "UPDATE billing_contractterm SET discount_percent = 99",
        "DELETE FROM billing_contractterm",
        "DELETE FROM billing_contract",
        "UPDATE billing_contract SET starts_at = starts_at - interval '1 hour'",
        "UPDATE billing_contract SET ends_at = ends_at + interval '1 hour'",
        "UPDATE billing_contract SET state = 'draft'",
    ):
        with (
            operator_scope(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert str(quoted(alice).net) == "0.90"


def test_a_number_stands_for_one_contract(alice: Organisation, bob: Organisation) -> None:
    drafted(alice)
    with pytest.raises(agree.ContractNumberTaken):
        drafted(bob)


def member(tenant: Organisation, role: str) -> Actor:
    return Actor(ActorKind.MEMBER, UUID(int=9), role, tenant.pk, MEMBER_ROLES[role])


def test_a_tenant_reads_what_was_agreed_with_it_and_writes_nothing(
    alice: Organisation, bob: Organisation, prices: PriceVersion
) -> None:
    activate(alice, drafted(alice, discount("10")))
    drafted(alice, discount("20"), number="HT-2")
    activate(bob, drafted(bob, discount("30"), number="HT-3"))
    with tenant_scope(alice.pk):
        seen = contracts(actor=member(alice, "finance"), tenant_id=alice.pk)
        assert [one.number for one in seen] == ["HT-1"]
        assert Contract.objects.filter(number="HT-3").count() == 0
        with pytest.raises(PermissionRefused):
            contracts(actor=member(alice, "developer"), tenant_id=alice.pk)
        with pytest.raises(NotFound):
            contracts(actor=member(alice, "finance"), tenant_id=bob.pk)
        for statement in (
            "INSERT INTO billing_contract SELECT * FROM billing_contract",
            "UPDATE billing_contract SET title = ''",
            "DELETE FROM billing_contractterm",
        ):
            with (
                pytest.raises(DatabaseError, match="permission denied"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
    with operator_scope(), pytest.raises(PermissionRefused):
        agree.activate_contract(
            actor=person("support"), tenant_id=alice.pk, contract_id=UUID(int=1), now=make.NOW
        )


def test_whoever_wrote_a_contract_does_not_activate_it(
    alice: Organisation, prices: PriceVersion
) -> None:
    ids = [drafted(alice, discount("10"), number=f"HT-{n}") for n in range(2)]
    with operator_scope():
        agree.add_term(
            actor=BORIS, tenant_id=alice.pk, contract_id=ids[1], term=fixed("2", sku="other")
        )
        for contract_id, actor in ((ids[0], ANNA), (ids[1], ANNA), (ids[1], BORIS)):
            with pytest.raises(FourEyesRequired):
                agree.activate_contract(
                    actor=actor, tenant_id=alice.pk, contract_id=contract_id, now=make.NOW
                )
        for program in (SYSTEM, replace(ANNA, id=None)):
            with pytest.raises((FourEyesRequired, PermissionRefused)):
                agree.activate_contract(
                    actor=program, tenant_id=alice.pk, contract_id=ids[0], now=make.NOW
                )
        with pytest.raises(PermissionRefused):
            agree.discard_contract(actor=person("support"), tenant_id=alice.pk, contract_id=ids[0])
        states = Contract.objects.values_list("state", "activated_by_id", "activated_at")
        assert set(states) == {("draft", None, None)}
    activated = activate(alice, ids[0])
    assert (activated.authors, activated.activated_by_id) == ([ANNA.id], BORIS.id)
    assert broken() == ()


def test_the_database_refuses_a_contract_activated_by_its_author(
    alice: Organisation, prices: PriceVersion
) -> None:
    contract_id = drafted(alice, discount("10"))
    active: dict[str, object] = {"state": "active", "activated_at": make.NOW}

    def move(**columns: object) -> None:
        with operator_scope(), transaction.atomic():
            Contract.objects.filter(pk=contract_id).update(**columns)

    def moved(**columns: object) -> str:
        with pytest.raises(DatabaseError) as caught:
            move(**columns)
        return str(caught.value)

    assert "billing_contract_four_eyes" in moved(**active, activated_by_id=ANNA.id)
    assert "billing_contract_four_eyes" in moved(**active)
    assert "is not forgotten" in moved(authors=[])
    move(**active, activated_by_id=BORIS.id)
    assert "only ends" in moved(state="ended", activated_by_id=ANNA.id)


def test_a_contract_whose_time_is_over_ends_by_itself_and_once(
    alice: Organisation, prices: PriceVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = activate(alice, drafted(alice, discount("50")))
    coming = drafted(alice, discount("50", sku="other"), number="HT-2")
    ingest(alice, make.tokens("t1", 1_000_000, at=make.MONTH_START))
    for now, state in (
        (TO - timedelta(seconds=1), "active"),
        (TO, "ended"),
        (TO + make.HOUR, "ended"),
    ):
        monkeypatch.setattr(contract_tasks, "utc_now", lambda now=now: now)
        contract_tasks.end_run_out_contracts()
        with operator_scope():
            assert Contract.objects.get(pk=contract.pk).state == state
    with operator_scope():
        ended = Contract.objects.get(pk=contract.pk)
        assert (ended.ended_by, ended.ended_at, ended.ends_at) == (SYSTEM.name, TO, TO)
        assert Contract.objects.get(pk=coming).state == "draft"
        entries = AuditEntry.objects.filter(action="billing.contract.ended")
        assert entries.count() == 1
        notices = Notice.objects.filter(tenant=alice, kind__startswith="contract.")
        assert [(one.kind, one.detail["number"]) for one in notices.order_by("at")] == [
            ("contract.activated", "HT-1"),
            ("contract.ended", "HT-1"),
        ]
    # What was used in its time is priced by it, whenever it is invoiced.
    assert issue(alice, until=TO, now=TO + make.HOUR).net == Decimal("0.50")
    assert broken() == ()


def test_what_was_agreed_is_read_in_one_statement(
    alice: Organisation, prices: PriceVersion, django_assert_num_queries: Any
) -> None:
    activate(alice, drafted(alice, discount("10"), fixed("1"), spend("100", interval="term")))
    with tenant_scope(alice.pk), django_assert_num_queries(1):
        found = agreements(alice.pk)
    assert (len(found.rates), [str(one.amount) for one in found.spends]) == (2, ["100.00"])


def agreed(number: int, **fields: Any) -> AgreedTerm:
    basis = AgreedTerm(UUID(int=number), "", "", "", {}, FROM, TO, Decimal(number))
    return replace(basis, **fields)


def test_the_term_that_says_most_precisely_what_it_is_for_applies_alone() -> None:
    every, meter = agreed(1), agreed(2, meter="m")
    matched = agreed(3, meter="m", match={"chip": "a"})
    sku = agreed(4, sku="s")
    price = agreed(5, sku="s", discount_percent=None, model="flat", terms=Terms(Decimal(7), 1))

    def applied(*terms: AgreedTerm) -> UUID | None:
        found = agreed_price(
            terms,
            meter="m",
            sku="s",
            dimensions={"chip": "a", "pool": "p"},
            at=make.NOW,
            model="flat",
            list_terms=Terms(Decimal(10), 1),
        )
        return None if found.term is None else found.term.id

    assert applied(every, meter, matched, sku, price) == price.id
    assert applied(every, meter, matched, sku) == sku.id
    assert applied(every, meter, matched) == matched.id
    assert applied(every, meter) == meter.id
    assert applied(every) == every.id
    assert applied(agreed(6, sku="other"), agreed(7, starts_at=TO, ends_at=TO)) is None


amounts = st.decimals(min_value=0, max_value=10**14, places=15)
percents = st.decimals(min_value=0, max_value=100, places=4)


@given(price=amounts, percent=percents)
def test_a_discounted_price_is_the_exact_one_to_fifteen_places(
    price: Decimal, percent: Decimal
) -> None:
    terms = Terms(price, 1, (Tier(None, price, price),))
    made = discounted(terms, percent)
    exact = Fraction(price) * (100 - Fraction(percent)) / 100
    assert abs(Fraction(made.unit_price) - exact) <= Fraction(1, 2 * 10**15)
    assert made.tiers == (Tier(None, made.unit_price, made.unit_price),)


def spot_list() -> None:
    make.make_tax()
    card = make.price_line("test.card_seconds", "3.60", 3600, {"service_class": "spot"}, "spot")
    make.publish([*make.STANDARD_LINES, replace(card, model="spot")])


SPOT = QuoteLine("test.card_seconds", {"chip": "c1", "service_class": "spot"}, 3600)


def quote_from(hours: int, price: str, sku: str = "spot") -> SpotPrice:
    with operator_scope():
        return quote_spot(
            actor=ANNA,
            sku=sku,
            starts_at=make.NOW + hours * make.HOUR,
            unit_price=Decimal(price),
            now=make.NOW,
        )


def test_a_spot_quote_holds_from_its_hour_until_the_next(alice: Organisation) -> None:
    spot_list()
    quote_from(1, "1.20")
    quote_from(3, "2.40")
    told = [str(quoted(alice, SPOT, make.NOW + n * make.HOUR).net) for n in range(5)]
    assert told == ["3.60", "1.20", "1.20", "2.40", "2.40"]
    activate(alice, drafted(alice, discount("50")))
    assert str(quoted(alice, SPOT, make.NOW + make.HOUR).net) == "0.60"


@pytest.mark.parametrize(
    ("hours", "price", "sku", "code"),
    [
        (-1, "1", "spot", "starts_at"),
        (1, "3.61", "spot", "amount"),
        (1, "-0.01", "spot", "amount"),
        (1, "NaN", "spot", "amount"),
        (1, "1", "test.tokens_in", "sku"),
        (2, "1", "spot", "taken"),
    ],
)
def test_a_wrong_spot_quote_is_refused(hours: int, price: str, sku: str, code: str) -> None:
    spot_list()
    quote_from(2, "1")
    with pytest.raises(SpotQuoteRefused) as refused:
        quote_from(hours, price, sku)
    assert codes(refused) == {code}
    assert SpotPrice.objects.count() == 1


def test_a_spot_quote_is_never_changed_and_never_dated_back(alice: Organisation) -> None:
    spot_list()
    quote_from(1, "1.20")
    for statement in (
        "UPDATE billing_spotprice SET unit_price = 0",
        "DELETE FROM billing_spotprice",
        "INSERT INTO billing_spotprice (id, sku, starts_at, unit_price, quoted_at, quoted_by) "
        "SELECT gen_random_uuid(), sku, date_trunc('hour', quoted_at) - interval '1 hour', 0, "
        "quoted_at, '' FROM billing_spotprice",
    ):
        with (
            operator_scope(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    with (
        tenant_scope(alice.pk),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
    ):
        SpotPrice.objects.create(
            sku="spot", starts_at=make.NOW + 9 * make.HOUR, unit_price=0, quoted_at=make.NOW
        )


def propose(rate: str = "0.13", hours: int = 24, code: str = "it_service") -> UUID:
    with operator_scope():
        return propose_tax_rate(
            actor=ANNA,
            tax_code=code,
            rate=Decimal(rate),
            starts_at=make.NOW + hours * make.HOUR,
            title_en="Leasing",
            title_zh="租赁",
            reason="Notice 12 of the tax office.",
            now=make.NOW,
        ).pk


def approve(change_id: UUID, actor: Actor = BORIS) -> TaxRate:
    with operator_scope():
        return approve_tax_rate(actor=actor, change_id=change_id, now=make.NOW)


def test_a_tax_rate_changes_at_its_hour_once_a_second_person_agrees(
    alice: Organisation, prices: PriceVersion
) -> None:
    change_id = propose()
    with pytest.raises(FourEyesRequired):
        approve(change_id, ANNA)
    assert TaxRate.objects.count() == 1
    approve(change_id)
    turn = make.NOW + 24 * make.HOUR
    million = replace(LINE, quantity=100_000_000)
    taxes = [str(quoted(alice, million, at).tax) for at in (turn - timedelta(seconds=1), turn)]
    assert taxes == ["6.00", "13.00"]
    with pytest.raises(TaxChangeDecided):
        approve(change_id)


def test_a_rejected_rate_never_comes(prices: PriceVersion) -> None:
    change_id = propose()
    with operator_scope():
        reject_tax_rate(actor=ANNA, change_id=change_id, now=make.NOW)
    with pytest.raises(TaxChangeDecided):
        approve(change_id)
    assert TaxRate.objects.count() == 1


@pytest.mark.parametrize(
    ("rate", "hours", "code", "why"),
    [
        ("1", 24, "it_service", "rate"),
        ("-0.01", 24, "it_service", "rate"),
        ("0.000001", 24, "it_service", "rate"),
        ("0.13", -1, "it_service", "starts_at"),
        ("0.13", 24, "it service", "tax_code"),
    ],
)
def test_a_wrong_tax_rate_is_not_proposed(
    prices: PriceVersion, rate: str, hours: int, code: str, why: str
) -> None:
    with pytest.raises(TaxChangeRefused) as refused:
        propose(rate, hours, code)
    assert codes(refused) == {why}


def test_the_database_keeps_four_eyes_on_tax_rates_and_their_past(prices: PriceVersion) -> None:
    change_id = propose()
    approved = propose(hours=48)
    approve(approved)
    for statement in (
        "UPDATE billing_taxchange SET state = 'approved', decided_at = now(), "
        f"decided_by_id = proposed_by_id WHERE id = '{change_id}'",
        f"UPDATE billing_taxchange SET state = 'rejected' WHERE id = '{approved}'",
        "INSERT INTO billing_taxrate (id, tax_code, rate, during, title_en, title_zh, change_id) "
        "SELECT gen_random_uuid(), tax_code, rate, tstzrange(starts_at, null), '', '', id "
        f"FROM billing_taxchange WHERE id = '{change_id}'",
        "UPDATE billing_taxrate SET rate = 0",
        "DELETE FROM billing_taxrate",
        "UPDATE billing_taxrate SET during = tstzrange(lower(during), lower(during) + "
        "interval '1 hour') WHERE upper(during) IS NOT NULL",
    ):
        with (
            operator_scope(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
