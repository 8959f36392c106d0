"""What was counted is corrected and voided by new events, once each, and the money follows."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.commands.corrections import TooManyCorrections, correct_usage
from billing.commands.usage import record_usage
from billing.corrections import Correction, CorrectionResult
from billing.models import Correction as CorrectionRow
from billing.models import Invoice, InvoiceLine, PriceVersion, UsageBucket
from billing.queries.invoices import unbilled
from billing.queries.line_events import line_events
from billing.queries.rejected import rejected_events
from tenants.models import Organisation, Project
from tenants.permissions import SYSTEM, Actor, ActorKind, Permission, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue, pay_in, rows, stands
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def said(
    ref: str = "e1",
    *,
    kind: str = "void",
    quantity: int | None = None,
    id: str = "c1",  # noqa: A002 - CloudEvents' own name
    source: str = "probe",
    reason: str = "counted a test run",
) -> Correction:
    return Correction(
        id=id,
        source="desk",
        ref_source=source,
        ref_id=ref,
        kind=kind,
        quantity=quantity,
        reason=reason,
    )


def correct(
    tenant: Organisation, *corrections: Correction, now: datetime = make.NOW, actor: Actor = SYSTEM
) -> list[CorrectionResult]:
    with tenant_scope(tenant.pk):
        return list(
            correct_usage(actor=actor, tenant_id=tenant.pk, corrections=corrections, now=now)
        )


def told(results: list[CorrectionResult]) -> list[tuple[str, str]]:
    return [(result.status.value, result.code) for result in results]


def counted(tenant: Organisation) -> int:
    with tenant_scope(tenant.pk):
        return sum(UsageBucket.objects.values_list("quantity", flat=True))


def used(tenant: Organisation, event_id: str = "e1", quantity: int = 1_000_000) -> None:
    assert ingest(tenant, make.tokens(event_id, quantity, source="probe"))[0][1] == "accepted"


def test_a_void_takes_an_event_back_and_the_draft_says_so(
    alice: Organisation, prices: PriceVersion
) -> None:
    used(alice)
    used(alice, "e2", 2_000_000)
    (result,) = correct(alice, said())
    assert (result.status, result.effect, result.difference) == (
        "accepted",
        "draft_updated",
        -1_000_000,
    )
    with tenant_scope(alice.pk):
        assert unbilled(tenant_id=alice.pk, until=make.NOW).net == Decimal("2.00")
    assert broken() == ()


def test_corrections_of_one_event_follow_one_another_and_a_void_ends_them(
    alice: Organisation,
) -> None:
    used(alice, quantity=700)
    results = correct(
        alice,
        said(kind="correct", quantity=500),
        said(id="c2", kind="correct", quantity=900),
        said(id="c3"),
        said(id="c4", kind="correct", quantity=1),
        said(id="c5"),
    )
    assert [result.difference for result in results] == [-200, 400, -900, 0, 0]
    assert told(results) == [("accepted", "")] * 3 + [("rejected", "already_void")] * 2
    assert counted(alice) == 0
    with tenant_scope(alice.pk):
        kept = [row.code for row in rejected_events(tenant_id=alice.pk)]
    assert kept == ["already_void", "already_void"]
    assert broken() == ()


def test_a_correction_sent_again_is_a_duplicate_and_other_content_a_conflict(
    alice: Organisation,
) -> None:
    used(alice, quantity=700)
    first = said(kind="correct", quantity=500)
    assert told(correct(alice, first, first)) == [("accepted", ""), ("duplicate", "")]
    assert told(correct(alice, first, replace(first, quantity=1))) == [
        ("duplicate", ""),
        ("conflict", "other_content"),
    ]
    assert ingest(alice, make.tokens("c1", 7, source="desk")) == [
        ("c1", "conflict", "other_content")
    ]
    assert counted(alice) == 500
    assert broken() == ()


BAD = {
    "unknown_event": [
        said("e2"),
        said(source="other"),
        said(""),
    ],
    "bad_quantity": [
        said(kind="correct"),
        said(kind="correct", quantity=-1),
        said(kind="correct", quantity=10**15 + 1),
        said(kind="correct", quantity=True),
        said(quantity=0),
    ],
    "bad_kind": [said(kind="undo")],
    "bad_reason": [said(reason=""), said(reason=" "), said(reason="x" * 501)],
    "bad_id": [said(id="")],
}


@pytest.mark.parametrize(
    ("code", "bad"), [(code, bad) for code, cases in BAD.items() for bad in cases]
)
def test_a_bad_correction_is_refused_alone(alice: Organisation, code: str, bad: Correction) -> None:
    used(alice, quantity=700)
    results = correct(alice, bad, said(id="good", kind="correct", quantity=600))
    assert told(results) == [("rejected", code), ("accepted", "")]
    assert counted(alice) == 600
    assert broken() == ()


def test_a_correction_cannot_be_corrected_and_another_tenants_event_is_unknown(
    alice: Organisation, bob: Organisation
) -> None:
    used(alice, quantity=700)
    correct(alice, said(kind="correct", quantity=600))
    assert told(correct(alice, said("c1", source="desk", id="c2"))) == [
        ("rejected", "unknown_event")
    ]
    assert told(correct(bob, said())) == [("rejected", "unknown_event")]
    assert counted(alice) == 600


def key_of(tenant: Organisation, **fields: object) -> Actor:
    return Actor(
        ActorKind.API_KEY,
        uuid4(),
        "key",
        tenant.pk,
        frozenset({Permission.USAGE_CORRECT}),
        **fields,  # type: ignore[arg-type]  # only project_id
    )


def test_a_program_cannot_take_back_what_the_product_measured(alice: Organisation) -> None:
    ingest(alice, make.tokens("e1", 700, source="gateway"))
    refused = correct(alice, said(source="gateway"), actor=key_of(alice))
    assert told(refused) == [("rejected", "reserved_source")]
    assert told(correct(alice, said(source="gateway"))) == [("accepted", "")]


def test_a_key_of_one_project_reaches_that_projects_events_only(alice: Organisation) -> None:
    with operator_scope():
        own = Project.objects.create(tenant=alice, code="own", name="Own")
    used(alice)
    ingest(alice, make.tokens("mine", 5, source="probe", project_id=own.pk))
    results = correct(alice, said(), said("mine", id="c2"), actor=key_of(alice, project_id=own.pk))
    assert told(results) == [("rejected", "unknown_event"), ("accepted", "")]


def test_whoever_may_not_correct_changes_nothing(alice: Organisation) -> None:
    used(alice, quantity=700)
    viewer = Actor(ActorKind.MEMBER, uuid4(), "m", alice.pk, frozenset({Permission.USAGE_INGEST}))
    with pytest.raises(PermissionRefused):
        correct(alice, said(), actor=viewer)
    with pytest.raises(TooManyCorrections):
        correct(alice, *[said(id=f"c{number}") for number in range(1_001)])
    assert counted(alice) == 700


def test_a_void_after_the_invoice_is_a_late_line_and_credits_the_wallet(
    alice: Organisation, prices: PriceVersion
) -> None:
    pay_in(alice, "100")
    used(alice, quantity=5_000_000)
    first = issue(alice)
    assert (str(first.gross), stands(alice).balance) == ("5.30", Decimal("94.70"))
    (result,) = correct(alice, said(), now=make.NOW + make.HOUR)
    assert (result.effect, result.difference) == ("next_invoice_correction", -5_000_000)
    second = issue(alice, until=make.MONTH_END, now=make.MONTH_END)
    assert (str(second.gross), stands(alice).balance) == ("-5.30", Decimal("100.00"))
    with operator_scope():
        line = InvoiceLine.objects.get(invoice=second)
        assert (line.is_late, line.quantity) == (True, -5_000_000)
        assert line.service_from == make.NOW - make.HOUR
        assert Invoice.objects.get(pk=first.pk).gross == Decimal("5.30")
    with tenant_scope(alice.pk):
        events = line_events(tenant_id=alice.pk, line_id=line.pk)
    assert [(event.id, event.kind, event.quantity) for event in events] == [
        ("c1", "void", -5_000_000)
    ]
    assert broken() == ()


def test_late_usage_that_is_corrected_before_its_invoice_changes_the_draft(
    alice: Organisation, prices: PriceVersion
) -> None:
    used(alice)
    issue(alice)
    used(alice, "late", 3_000_000)
    (result,) = correct(alice, said("late", kind="correct", quantity=2_000_000))
    assert result.effect == "draft_updated"
    second = issue(alice, until=make.MONTH_END, now=make.MONTH_END)
    assert str(second.net) == "2.00"
    assert broken() == ()


def test_a_line_shows_its_events_and_what_was_said_of_them(
    alice: Organisation, prices: PriceVersion
) -> None:
    used(alice, quantity=5_000_000)
    correct(alice, said(kind="correct", quantity=4_000_000))
    invoice = issue(alice)
    with operator_scope():
        line = InvoiceLine.objects.get(invoice=invoice)
    with tenant_scope(alice.pk):
        events = line_events(tenant_id=alice.pk, line_id=line.pk)
    assert sorted((event.id, event.kind, event.quantity) for event in events) == [
        ("c1", "correct", -1_000_000),
        ("e1", "usage", 5_000_000),
    ]
    assert line.quantity == 4_000_000


FORGED = {
    "a second void": {"number": 2, "previous_number": 1, "previous_kind": "void", "before": 0},
    "a void as if there were none": {"number": 1, "before": 700},
    "a correction after the void": {
        "number": 2,
        "previous_number": 1,
        "previous_kind": "correct",
        "before": 0,
        "kind": "correct",
    },
    "a gap": {"number": 3, "previous_number": 2, "previous_kind": "correct", "before": 0},
    "below zero": {"number": 1, "before": 700, "after": -1, "kind": "correct"},
    "of nothing": {"number": 1, "before": 700, "corrects": uuid4()},
    "of another quantity": {"number": 1, "before": 701, "corrects": "free"},
}


@pytest.mark.parametrize("name", FORGED)
def test_the_database_itself_refuses_what_does_not_follow(alice: Organisation, name: str) -> None:
    ingest(
        alice,
        make.tokens("e1", 700, source="probe"),
        make.tokens("free", 700, source="probe"),
    )
    correct(alice, said())
    with operator_scope():
        first = CorrectionRow.objects.get()
        (free,) = rows("SELECT key FROM billing_usageevent WHERE event_id = 'free'")[0]
        fields = {"kind": "void", "after": 0, **FORGED[name]}
        if fields.get("corrects") == "free":
            fields["corrects"] = free
        forged = {
            "tenant_id": alice.pk,
            "key": free,
            "corrects": first.corrects,
            "series_id": first.series_id,
            "at": first.at,
            "reason": "r",
            "actor_name": "a",
            "received_at": make.NOW,
            **fields,
        }
        with pytest.raises(IntegrityError), transaction.atomic():
            CorrectionRow.objects.create(**forged)
        assert CorrectionRow.objects.count() == 1


def test_usage_itself_is_never_below_zero(alice: Organisation) -> None:
    used(alice, quantity=700)
    with (
        tenant_scope(alice.pk),
        pytest.raises(DatabaseError, match="quantity_check"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO billing_usageevent (key, tenant_id, series_id, at, quantity, source, "
            "event_id, subject) SELECT gen_random_uuid(), tenant_id, series_id, at, -1, '', '', '' "
            "FROM billing_usageevent"
        )


def test_a_correction_may_come_long_after_events_are_no_longer_taken(
    alice: Organisation, prices: PriceVersion
) -> None:
    used(alice)
    issue(alice)
    later = make.NOW + timedelta(days=200)
    (result,) = correct(alice, said(), now=later)
    assert result.effect == "next_invoice_correction"
    with tenant_scope(alice.pk):
        again = record_usage(
            actor=SYSTEM, tenant_id=alice.pk, events=[make.tokens("x", 1)], now=later
        )
    assert again[0].code == "too_old"
    assert broken() == ()
