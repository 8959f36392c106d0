"""The next price list: drafted by one, published by another, whole, and never in the past."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.price_csv import PriceFileRefused, price_csv, read_price_csv
from billing.commands import price_drafts as drafts
from billing.commands.prices import PriceListRefused, publish_version
from billing.four_eyes import FourEyesRequired
from billing.models import Price, PriceVersion, TaxRate
from billing.pricing import Tier
from billing.queries.desk import changes, price_list
from billing.queries.price_faults import PriceLine
from billing.queries.price_lines import lines_of
from common.errors import DomainError
from tenants.models import AuditEntry, Organisation
from tenants.permissions import (
    OPERATOR_ROLES,
    SYSTEM,
    Actor,
    ActorKind,
    PermissionRefused,
)
from tenants.scoping import operator_scope
from tests.billing.shorthand import ingest
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
SOON = make.NOW + 24 * make.HOUR


def person(role: str = "finance", number: int = 1) -> Actor:
    return Actor(
        kind=ActorKind.OPERATOR,
        id=UUID(int=number),
        name=f"{role}-{number}",
        tenant_id=None,
        permissions=OPERATOR_ROLES[role],
    )


ANNA, BORIS = person(number=1), person(number=2)


def begun(effective_at: datetime = SOON, lines: list[PriceLine] | None = None) -> UUID:
    with operator_scope():
        return drafts.begin_draft(
            actor=ANNA, effective_at=effective_at, now=make.NOW, title="Next", lines=lines
        ).pk


def put(version_id: UUID, line: PriceLine, actor: Actor = ANNA, was: str = "") -> None:
    with operator_scope():
        drafts.set_price(actor=actor, version_id=version_id, line=line, was=was)


def submit(version_id: UUID, now: datetime = make.NOW) -> None:
    with operator_scope():
        drafts.submit_draft(actor=ANNA, version_id=version_id, now=now)


def publish(version_id: UUID, actor: Actor = BORIS, now: datetime = make.NOW) -> PriceVersion:
    with operator_scope():
        return drafts.publish_draft(actor=actor, version_id=version_id, now=now)


def state_of(version_id: UUID) -> str:
    return PriceVersion.objects.get(pk=version_id).state


def refusal_codes(refused: pytest.ExceptionInfo[DomainError]) -> set[str]:
    return {error.code for error in refused.value.errors}


def test_a_draft_is_a_copy_that_another_person_publishes(prices: PriceVersion) -> None:
    version_id = begun()
    assert lines_of(version_id) == lines_of(prices.pk)
    submit(version_id)
    published = publish(version_id)
    assert (published.state, published.published_by) == ("published", "finance-2")
    assert published.authors == [ANNA.id]
    with operator_scope():
        told = list(
            AuditEntry.objects.filter(action__startswith="billing.price_version.")
            .order_by("pk")
            .values_list("action", "actor_name")
        )
    assert told[-3:] == [
        ("billing.price_version.drafted", "finance-1"),
        ("billing.price_version.submitted", "finance-1"),
        ("billing.price_version.published", "finance-2"),
    ]


def test_who_changed_a_list_never_publishes_it(prices: PriceVersion) -> None:
    version_id = begun()
    put(version_id, make.price_line("test.tokens_in", "0.90", 1_000_000), actor=BORIS)
    submit(version_id)
    for author in (ANNA, BORIS):
        with pytest.raises(FourEyesRequired):
            publish(version_id, actor=author)
    assert state_of(version_id) == "submitted"
    assert publish(version_id, actor=person(number=3)).state == "published"


def test_a_person_cannot_go_round_the_draft(prices: PriceVersion) -> None:
    with operator_scope(), pytest.raises(FourEyesRequired):
        publish_version(actor=ANNA, lines=make.STANDARD_LINES, effective_at=SOON, now=make.NOW)
    with operator_scope(), pytest.raises(PermissionRefused):
        drafts.begin_draft(actor=SYSTEM, effective_at=SOON, now=make.NOW)
    assert PriceVersion.objects.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_priceversion SET state = 'published', published_at = now(), "
        "published_by_id = authors[1] WHERE id = %s",
        "UPDATE billing_priceversion SET state = 'published', published_at = now(), "
        "published_by_id = NULL WHERE id = %s",
        "UPDATE billing_priceversion SET authors = '{}' WHERE id = %s",
        "UPDATE billing_priceversion SET effective_at = effective_at + interval '1 hour' "
        "WHERE id = %s",
        "UPDATE billing_priceversion SET state = 'published', published_at = effective_at + "
        "interval '1 second', published_by_id = gen_random_uuid() WHERE id = %s",
        "DELETE FROM billing_price WHERE version_id = %s",
        "UPDATE billing_price SET unit_price = 0 WHERE version_id = %s",
        "DELETE FROM billing_priceversion WHERE id = %s",
    ],
)
def test_the_database_itself_keeps_four_eyes_on_a_submitted_list(
    prices: PriceVersion, statement: str
) -> None:
    version_id = begun()
    submit(version_id)
    with (
        operator_scope(),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [version_id])
    assert state_of(version_id) == "submitted"
    assert lines_of(version_id) == lines_of(prices.pk)


def test_the_database_publishes_no_draft_and_no_list_that_never_was_one(
    prices: PriceVersion,
) -> None:
    version_id = begun()
    for statement in (
        "UPDATE billing_priceversion SET state = 'published', published_at = now(), "
        f"published_by_id = gen_random_uuid() WHERE id = '{version_id}'",
        "INSERT INTO billing_priceversion (id, state, title, currency, effective_at, published_by,"
        " authors, drafted_by, submitted_by, note) VALUES (gen_random_uuid(), 'published', '', "
        "'CNY', '2030-01-01T00:00Z', '', '{}', '', '', '')",
        f"UPDATE billing_price SET version_id = '{prices.pk}' WHERE version_id = '{version_id}'",
    ):
        with (
            operator_scope(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert state_of(version_id) == "draft"


def test_a_draft_is_edited_price_by_price(prices: PriceVersion) -> None:
    version_id = begun()
    tiered = replace(
        make.price_line("test.tokens_in", "1", 1_000_000, sku="in"),
        model="graduated",
        tiers=(Tier(10**9, Decimal(1)), Tier(None, Decimal("0.5"), Decimal(3))),
    )
    put(version_id, tiered, was="test.tokens_in")
    with operator_scope():
        drafts.remove_price(actor=ANNA, version_id=version_id, sku="test.tokens_out")
        drafts.remove_price(actor=ANNA, version_id=version_id, sku="test.tokens_out")
    found = {line.sku: line for line in lines_of(version_id)}
    assert found["in"] == tiered
    assert sorted(found) == ["in", "test.card_seconds.c1.on_demand", "test.card_seconds.covered"]
    difference = {
        one.fact.sku: (one.before, one.after)
        for one in changes(price_list(prices.pk), price_list(version_id))
    }
    assert difference == {
        "in": (None, 1),
        "test.tokens_in": (1, None),
        "test.tokens_out": (4, None),
    }


def test_a_difference_names_what_else_than_the_price_changed(prices: PriceVersion) -> None:
    version_id = begun()
    put(version_id, make.price_line("test.tokens_in", "1.10", 1_000_000))
    put(version_id, make.price_line("test.tokens_out", "4.00", 1_000))
    first, second = changes(price_list(prices.pk), price_list(version_id))
    assert (first.fact.sku, first.share, first.parts) == ("test.tokens_in", Decimal("0.1"), ())
    assert (second.share, second.parts) == (0, ("unit_quantity",))


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (make.price_line("test.tokens_in", "-1", 1), {"amount"}),
        (make.price_line("no.such.meter", "1", 1), {"meter"}),
        (make.price_line("test.tokens_in", "1", 1, {"chip": "x"}), {"match"}),
        (replace(make.price_line("test.tokens_in", "1", 1), tax_code="none"), {"tax_code"}),
        (replace(make.price_line("test.tokens_in", "1", 1), model="guess"), {"model"}),
        (replace(make.price_line("test.tokens_in", "1", 1), model="volume"), {"tiers"}),
        (replace(make.price_line("test.tokens_in", "1", 1), title_zh=""), {"title"}),
        (make.price_line("test.tokens_in", "1", 1, sku="other"), {"twice"}),
        (make.price_line("test.tokens_in", "1", 10**16), {"amount"}),
    ],
)
def test_a_wrong_price_does_not_enter_a_draft(
    prices: PriceVersion, line: PriceLine, codes: set[str]
) -> None:
    version_id = begun()
    with pytest.raises(PriceListRefused) as refused:
        put(version_id, line)
    assert refusal_codes(refused) == codes
    assert lines_of(version_id) == lines_of(prices.pk)


def test_two_prices_that_fit_equally_well_cannot_be_published(prices: PriceVersion) -> None:
    version_id = begun()
    put(version_id, make.price_line("test.tokens_in", "2", 1, {"model": "m"}))
    put(version_id, make.price_line("test.tokens_in", "3", 1, {"key": "k"}))
    with pytest.raises(PriceListRefused) as refused:
        submit(version_id)
    assert refusal_codes(refused) == {"ambiguous"}
    assert state_of(version_id) == "draft"
    put(version_id, make.price_line("test.tokens_in", "4", 1, {"model": "m", "key": "k"}))
    submit(version_id)
    assert publish(version_id).state == "published"


def test_a_list_that_begins_before_the_rate_of_its_tax_code_cannot_be_published(
    prices: PriceVersion,
) -> None:
    version_id = begun()
    with operator_scope():
        starts_at = PriceVersion.objects.get(pk=version_id).effective_at

    def rated(start: datetime, end: datetime | None) -> None:
        with operator_scope():
            TaxRate.objects.create(
                tax_code="leasing",
                rate=Decimal("0.13"),
                during=(start, end),
                title_en="Leasing",
                title_zh="租赁",
            )

    rated(starts_at + make.HOUR, None)
    put(version_id, replace(make.price_line("test.tokens_in", "1", 1), tax_code="leasing"))
    with pytest.raises(PriceListRefused) as refused:
        submit(version_id)
    assert refusal_codes(refused) == {"untaxed"}
    assert state_of(version_id) == "draft"
    rated(starts_at, starts_at + make.HOUR)
    submit(version_id)
    assert state_of(version_id) == "submitted"


def test_a_list_without_a_price_for_what_is_in_use_cannot_be_published(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("t1", 1_000_000, model="tiny"))
    version_id = begun()
    put(
        version_id,
        make.price_line("test.tokens_in", "1", 1, {"model": "big"}),
        was="test.tokens_in",
    )
    with pytest.raises(PriceListRefused) as refused:
        submit(version_id)
    assert refusal_codes(refused) == {"gap"}
    put(version_id, make.price_line("test.tokens_in", "1", 1, {"model": "tiny"}))
    submit(version_id)
    # What is in use counts when it is published, not when it was submitted.
    ingest(alice, make.tokens("t2", 1, model="new"))
    with pytest.raises(PriceListRefused) as refused:
        publish(version_id)
    assert refusal_codes(refused) == {"gap"}
    assert state_of(version_id) == "submitted"


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (make.NOW - make.HOUR, "past"),
        (make.NOW + timedelta(minutes=30), "not_whole_hour"),
        (make.LONG_AGO, "taken"),
    ],
)
def test_a_draft_starts_on_a_free_whole_hour_to_come(
    prices: PriceVersion, at: datetime, code: str
) -> None:
    with pytest.raises(PriceListRefused) as refused:
        begun(at)
    assert refusal_codes(refused) == {code}
    assert PriceVersion.objects.count() == 1


def test_a_list_that_waited_too_long_is_not_published_late(prices: PriceVersion) -> None:
    version_id = begun()
    submit(version_id)
    with pytest.raises(PriceListRefused) as refused:
        publish(version_id, now=SOON + timedelta(minutes=1))
    assert refusal_codes(refused) == {"past"}


def test_a_submitted_list_is_given_back_before_it_is_edited(prices: PriceVersion) -> None:
    version_id = begun()
    submit(version_id)
    with pytest.raises(drafts.PriceListNotEditable):
        put(version_id, make.price_line("test.tokens_in", "9", 1))
    with operator_scope():
        drafts.return_draft(actor=BORIS, version_id=version_id, note="Too dear.")
    assert PriceVersion.objects.get(pk=version_id).note == "Too dear."
    with operator_scope(), pytest.raises(drafts.PriceListNotSubmitted):
        drafts.return_draft(actor=BORIS, version_id=version_id, note="Again.")
    with pytest.raises(drafts.PriceListNotSubmitted):
        publish(version_id)
    put(version_id, make.price_line("test.tokens_in", "0.80", 1_000_000))
    submit(version_id)
    assert publish(version_id).state == "published"


def test_a_draft_can_be_thrown_away_and_a_submitted_one_cannot(prices: PriceVersion) -> None:
    kept, gone = begun(), begun(SOON + make.HOUR)
    submit(kept)
    with operator_scope(), pytest.raises(drafts.PriceListNotEditable):
        drafts.discard_draft(actor=ANNA, version_id=kept)
    with operator_scope():
        drafts.discard_draft(actor=ANNA, version_id=gone)
    assert not Price.objects.filter(version_id=gone).exists()
    assert set(PriceVersion.objects.values_list("pk", flat=True)) == {prices.pk, kept}


@pytest.mark.parametrize("role", ["support", "capacity"])
def test_only_finance_and_administrators_touch_the_price_book(
    prices: PriceVersion, role: str
) -> None:
    with operator_scope(), pytest.raises(PermissionRefused):
        drafts.begin_draft(actor=person(role), effective_at=SOON, now=make.NOW)
    assert PriceVersion.objects.count() == 1


def test_tiers_out_of_order_are_refused_by_the_database_itself(prices: PriceVersion) -> None:
    version_id = begun()
    for model, tiers in (
        ("graduated", []),
        ("graduated", [{"up_to": 5, "unit_price": "1", "fee": "0"}]),
        ("volume", [{"up_to": None, "unit_price": "-1", "fee": "0"}]),
        ("volume", [{"up_to": None, "unit_price": "NaN", "fee": "0"}]),
        (
            "graduated",
            [
                {"up_to": 5, "unit_price": "1", "fee": "0"},
                {"up_to": 5, "unit_price": "1", "fee": "0"},
                {"up_to": None, "unit_price": "1", "fee": "0"},
            ],
        ),
        ("flat", [{"up_to": None, "unit_price": "1", "fee": "0"}]),
        ("guess", []),
    ):
        with (
            operator_scope(),
            pytest.raises(IntegrityError, match="tiers_sound"),
            transaction.atomic(),
        ):
            Price.objects.filter(version_id=version_id).update(model=model, tiers=tiers)


def test_a_list_goes_out_as_a_file_and_comes_back_the_same(prices: PriceVersion) -> None:
    lines = [
        *lines_of(prices.pk),
        replace(
            make.price_line("test.tokens_out", "1.5", 1000, {"model": "m", "key": "k"}, "t"),
            title_en='=cmd|"calc"!A1, "quoted"',
            model="volume",
            tiers=(Tier(7, Decimal("1.5"), Decimal("0.1")), Tier(None, Decimal("1E-15"))),
        ),
    ]
    content = price_csv(lines)
    assert b"\n=" not in content
    assert b",=" not in content
    assert b"'=cmd" in content
    assert read_price_csv(content) == tuple(lines)
    version_id = begun()
    with operator_scope():
        drafts.replace_prices(actor=ANNA, version_id=version_id, lines=read_price_csv(content))
    assert {line.sku: line for line in lines_of(version_id)} == {line.sku: line for line in lines}


@given(title=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_no_cell_of_a_price_file_is_a_formula(title: str) -> None:
    line = replace(make.price_line("test.tokens_in", "1", 1), title_en=f"x{title}".strip())
    back = read_price_csv(price_csv([line]))[0]
    assert back == line


HEADING = "meter,sku,title_en,title_zh,model,unit_price,unit_quantity,tax_code,match,tiers\r\n"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xfe", "unreadable"),
        (b"", "columns"),
        (b"a,b\r\n", "columns"),
        (f"{HEADING}m,s,e,z,flat,dear,1,t,,\r\n".encode(), "row"),
        (f"{HEADING}m,s,e,z,flat,1,1.5,t,,\r\n".encode(), "row"),
        (f"{HEADING}m,s,e,z,flat,1,1,t,chip,\r\n".encode(), "row"),
        (f"{HEADING}m,s,e,z,volume,1,1,t,,1:2:3:4\r\n".encode(), "row"),
        (f"{HEADING}m,s\r\n".encode(), "row"),
        (b"x" * 2_000_001, "too_large"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused_with_the_place(content: bytes, code: str) -> None:
    with pytest.raises(PriceFileRefused) as refused:
        read_price_csv(content)
    assert refusal_codes(refused) == {code}


def test_an_unknown_version_is_not_found(prices: PriceVersion) -> None:
    with pytest.raises(DomainError) as refused:
        submit(uuid4())
    assert refused.value.code == "not_found"
