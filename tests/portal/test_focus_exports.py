"""FOCUS exports by the API, in the console and by command: who gets them, and what they are."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice
from common.clock import utc_now
from compute.models import Reservation
from portal.exports import export_file, month_label, order
from tenants.models import Organisation
from tenants.permissions import MEMBER_ROLES, Actor, ActorKind, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest
from tests.billing.test_contracts import activate, drafted, spend
from tests.billing.test_focus_notes import credit
from tests.factories import billing as make
from tests.factories import desk, focus
from tests.factories.console import Console
from tests.factories.desk import Customer
from tests.portal.consoles import alice as console_alice
from tests.portal.consoles import furnished

__all__ = ["console_alice", "furnished"]

pytestmark = pytest.mark.django_db

NOVEMBER = "2026-11"


@pytest.fixture
def alice() -> Customer:
    desk.open_desk()
    return desk.program("alice")


def content(answer: Any) -> bytes:
    """All of a streamed answer; reading to its end closes its file."""
    return b"".join(answer.streaming_content)


def rows_in(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode())))


def used(alice: Customer) -> None:
    assert alice.post("usage/events", [desk.event()], key=None).json()["accepted"] == 1


def test_the_api_gives_the_present_month_as_csv(alice: Customer) -> None:
    used(alice)
    answer = alice.get("exports/focus")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    name = f"focus-1.4-CostAndUsage-{month_label(utc_now())}.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    rows = rows_in(content(answer))
    assert [row["ChargeCategory"] for row in rows] == ["Usage", "Tax"]
    assert {row["BillingAccountId"] for row in rows} == {alice.organisation.code}


def test_the_api_gives_parquet_and_the_older_version(alice: Customer) -> None:
    used(alice)
    typed = alice.get("exports/focus", format="parquet", version="1.2")
    assert typed["Content-Type"] == "application/vnd.apache.parquet"
    body = content(typed)
    assert (body[:4], body[-4:]) == (b"PAR1", b"PAR1")
    plain = rows_in(content(alice.get("exports/focus", version="1.2")))
    assert "ProviderName" in plain[0]
    assert "InvoiceDetailId" not in plain[0]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"period": "2026-13"}, "month_refused"),
        ({"period": "11/2026"}, "month_refused"),
        ({"version": "1.2", "dataset": "InvoiceDetail"}, "dataset_refused"),
        ({"version": "9"}, "invalid_input"),
        ({"dataset": "Everything"}, "invalid_input"),
        ({"format": "xlsx"}, "invalid_input"),
        ({"tenant": "bob"}, "invalid_input"),
    ],
)
def test_what_there_is_not_is_refused_with_a_reason(
    alice: Customer, asked: dict[str, str], code: str
) -> None:
    answer = alice.get("exports/focus", **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_key_of_one_project_does_not_see_the_bill_of_all(alice: Customer) -> None:
    tenant = alice.organisation.pk
    actor = Actor(
        kind=ActorKind.API_KEY,
        id=None,
        name="key",
        tenant_id=tenant,
        permissions=MEMBER_ROLES["finance"],
        project_id=alice.project.pk,
    )
    wanted = order(dataset="CostAndUsage", version="1.4", month=NOVEMBER, form="csv")
    with tenant_scope(tenant), pytest.raises(PermissionRefused):
        export_file(actor=actor, tenant_id=tenant, wanted=wanted, now=utc_now())


def statements(alice: Customer) -> int:
    with CaptureQueriesContext(connection) as told:
        answer = alice.get("exports/focus")
    assert answer.status_code == 200
    content(answer)
    return len(told)


def test_an_export_costs_the_same_statements_with_three_lines_and_with_sixty(
    alice: Customer,
) -> None:
    alice.get("wallet")
    counts = []
    for first, last in ((0, 3), (3, 60)):
        said = {"deployment": "d", "key": "k"}
        events = [
            desk.event(number, data={"dimensions": {"model": f"m{number}", **said}})
            for number in range(first, last)
        ]
        assert alice.post("usage/events", events, key=None).status_code == 200
        counts.append(statements(alice))
    assert counts[0] == counts[1] <= 20


def test_reservations_are_commitments_of_a_contract(alice: Customer) -> None:
    made = alice.post("reservations", desk.reservation_body())
    assert made.status_code == 201, made.content
    asked = {"dataset": "ContractCommitment"}
    assert rows_in(content(alice.get("exports/focus", **asked))) == []
    with operator_scope():
        row = Reservation.objects.get()
        Reservation.objects.update(state="confirmed")
    month = month_label(row.starts_at)
    (told,) = rows_in(content(alice.get("exports/focus", period=month, **asked)))
    assert told["ContractCommitmentId"] == str(row.pk)
    assert told["ContractCommitmentLifecycleStatus"] == "Pending"
    hours = Decimal(row.cards * row.period.seconds) / 3600
    assert Decimal(told["ContractCommitmentQuantity"]) == hours
    assert Decimal(told["ContractCommitmentCost"]) == row.net


def test_agreed_amounts_stand_beside_them(alice: Customer) -> None:
    activate(alice.organisation, drafted(alice.organisation, spend("300.00", "minimum")))
    asked = {"dataset": "ContractCommitment", "period": NOVEMBER}
    (told,) = rows_in(content(alice.get("exports/focus", **asked)))
    assert (told["ContractId"], told["ContractCommitmentType"]) == ("HT-1", "Minimum Spend")
    assert (told["ContractCommitmentCost"], told["ContractCommitmentUnit"]) == ("300.0", "")


@pytest.fixture
def mixed(alice_organisation: Organisation, bob_organisation: Organisation) -> None:
    focus.default_prices()
    focus.mixed_month(alice_organisation)
    ingest(bob_organisation, focus.tokens("bobs", make.NOW - make.HOUR, 1_000_000))


@pytest.fixture
def alice_organisation() -> Organisation:
    return make.make_tenant("alice")


@pytest.fixture
def bob_organisation() -> Organisation:
    return make.make_tenant("bob", legal_name="=cmd|' /C calc'!A0")


def export(path: Path, *options: str) -> list[dict[str, str]]:
    call_command("export_focus", "--period", NOVEMBER, "--into", str(path), *options)
    return rows_in(path.read_bytes())


def checked(path: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("check_focus", str(path), *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("mixed")
def test_an_operator_writes_every_tenants_month_and_the_checker_finds_nothing(
    tmp_path: Path,
) -> None:
    rows = export(tmp_path / "all.csv")
    assert {row["BillingAccountId"] for row in rows} == {"alice", "bob"}
    assert {row["BillingAccountName"] for row in rows} == {"Alice", "'=cmd|' /C calc'!A0"}
    told = checked(tmp_path / "all.csv")
    assert told.startswith("FOCUS 1.4 CostAndUsage\n")
    assert told.endswith(f"All rules hold in {len(rows)} rows.\n")
    assert {row["BillingAccountId"] for row in export(tmp_path / "a.csv", "--tenant", "alice")} == {
        "alice"
    }


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("dataset", ["CostAndUsage", "InvoiceDetail", "BillingPeriod"])
def test_the_checker_reads_parquet_and_every_dataset(tmp_path: Path, dataset: str) -> None:
    path = tmp_path / "file.parquet"
    options = ("--dataset", dataset, "--format", "parquet")
    call_command("export_focus", "--period", NOVEMBER, "--into", str(path), *options)
    told = checked(path)
    assert told.startswith(f"FOCUS 1.4 {dataset}\n")
    assert "All rules hold in" in told


@pytest.mark.usefixtures("mixed")
def test_the_checker_exits_1_and_says_which_invoice_is_not_what_its_rows_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wrong.csv"
    rows = export(path)
    with operator_scope():
        number, gross = Invoice.objects.order_by("number").values_list("number", "gross")[0]
    kept = [row for row in rows if row["ChargeCategory"] != "Tax" or row["InvoiceId"] != number]
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    out_text = io.StringIO()
    with pytest.raises(CommandError, match="1 rules do not hold") as refused:
        call_command("check_focus", str(path), stdout=out_text)
    assert refused.value.returncode == 1
    assert f"{number} is {gross}, its rows are" in out_text.getvalue()
    assert "All rules hold" in checked(path, "--without-invoices")


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("dataset", ["CostAndUsage", "InvoiceDetail", "BillingPeriod"])
def test_the_checker_compares_credit_notes_with_what_was_credited(
    tmp_path: Path, dataset: str
) -> None:
    with operator_scope():
        invoice = Invoice.objects.order_by("number")[0]
    note = credit(invoice)
    path = tmp_path / "december.csv"
    call_command("export_focus", "--period", "2026-12", "--into", str(path), "--dataset", dataset)
    rows = rows_in(path.read_bytes())
    assert {row.get("InvoiceId", note.number) for row in rows} == {note.number}
    assert checked(path).endswith(f"All rules hold in {len(rows)} rows.\n")


def test_the_console_offers_the_months_and_gives_the_file(console_alice: Console) -> None:
    client = console_alice.client("finance")
    page = client.get(console_alice.path("invoices/")).content.decode()
    assert page.count("<option>2") == 13
    answer = client.get(console_alice.path("invoices/focus/"), {"format": "parquet"})
    assert answer.status_code == 200
    assert content(answer)[:4] == b"PAR1"
    unknown = client.get(console_alice.path("invoices/focus/"), {"dataset": "Everything"})
    assert unknown.status_code == 404
    developer = console_alice.client("developer")
    assert "invoices/focus/" not in developer.get(console_alice.path("usage/")).content.decode()
    assert "invoices/focus/" in client.get(console_alice.path("usage/")).content.decode()
