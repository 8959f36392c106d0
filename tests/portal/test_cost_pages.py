"""The cost explorer in the console and over the API: one sheet, and the draft's total."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from appliances.models import Deployment
from billing.commands.adjustments import propose_adjustment
from billing.commands.usage import record_usage
from billing.queries.drafts import draft
from billing.usage import UsageEvent
from common.clock import utc_now
from compute.commands.workloads import request_workload
from compute.engines import WorkloadKind
from portal.costs import asked_for, cost_sheet
from portal.exports import month_label
from tenants.models import ApiKey, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console, desk
from tests.factories.console import Console
from tests.factories.desk import Customer, event
from tests.factories.lately import lately
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]
pytestmark = pytest.mark.django_db


def rows_of(answer: object) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")  # type: ignore[attr-defined]  # Django's test response
    return list(csv.DictReader(io.StringIO(text)))


def draft_net(who: Console) -> Decimal:
    with tenant_scope(who.id):
        return draft(tenant_id=who.id, until=utc_now()).net


def test_the_file_adds_up_to_the_page_the_sheet_and_the_draft(alice: Console) -> None:
    client, now = alice.client("viewer"), utc_now()
    with tenant_scope(alice.id):
        asked = asked_for(month="", by="pool", project="", meter="", now=now)
        sheet = cost_sheet(actor=alice.actor("viewer"), tenant_id=alice.id, asked=asked, now=now)
    assert sheet.open + (sheet.draft_elsewhere or 0) == draft_net(alice)
    assert sheet.total == sheet.open + sheet.invoiced > 0
    rows = rows_of(client.get(alice.path("costs/days.csv?by=pool")))
    assert sum(Decimal(row["Net"]) for row in rows) == sheet.total
    assert {row["Code"] for row in rows} == {"", "desk"}
    page = client.get(alice.path("costs/?by=pool")).content.decode()
    assert f"{sheet.total:,.2f}" in page
    assert "Not attributed" in page


def test_an_amount_given_back_is_a_number_below_zero_in_the_file(alice: Console) -> None:
    with operator_scope():
        propose_adjustment(
            actor=SYSTEM,
            tenant_id=alice.id,
            net=Decimal("-5.00"),
            tax_code="it_service",
            title_en="Cards that failed",
            title_zh="故障卡",
            reason="agreed",
            now=utc_now(),
        )
    rows = rows_of(alice.client("viewer").get(alice.path("costs/days.csv")))
    assert [row["Net"] for row in rows if row["Net"].startswith("-")] == ["-5.00"], rows


@pytest.mark.parametrize(
    "query", ["by=service", "by=chip", "by=model", "by=deployment", "by=key", "by=member"]
)
def test_every_heading_adds_up_to_the_same(alice: Console, query: str) -> None:
    client = alice.client("owner")
    total = sum(Decimal(row["Net"]) for row in rows_of(client.get(alice.path("costs/days.csv"))))
    rows = rows_of(client.get(alice.path(f"costs/days.csv?{query}")))
    assert sum(Decimal(row["Net"]) for row in rows) == total
    assert client.get(alice.path(f"costs/?{query}")).status_code == 200


def test_a_meter_shows_use_in_its_own_unit_and_a_project_its_part(alice: Console) -> None:
    client = alice.client("finance")
    page = client.get(alice.path("costs/?meter=compute.card_seconds&show=use")).content.decode()
    assert "Usage by day" in page
    assert "Cost by day" not in page
    rows = rows_of(client.get(alice.path("costs/days.csv?meter=compute.card_seconds")))
    assert {row["Unit"] for row in rows} == {"card-hour"}
    with operator_scope():
        Project.objects.create(tenant_id=alice.id, code="empty", name="Empty")
    assert "Nothing was charged" in client.get(alice.path("costs/?project=empty")).content.decode()
    assert client.get(alice.path("costs/?project=nobodys")).status_code == 404
    assert client.get(alice.path("costs/?project=-")).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("month=2026-13", "month_refused"),
        ("month=%00", "month_refused"),
        ("by=password", "grouping_refused"),
        ("meter=no.such", "meter_refused"),
    ],
)
def test_what_makes_no_sense_is_refused_on_the_page_and_in_the_file(
    alice: Console, query: str, code: str
) -> None:
    client = alice.client("viewer")
    page = client.get(alice.path(f"costs/?{query}"))
    assert (page.status_code, code in page.content.decode()) == (422, True)
    piece = client.get(alice.path(f"costs/?{query}"), headers={"HX-Request": "true"})
    assert (piece.status_code, "<html" in piece.content.decode()) == (422, False)
    answer = client.get(alice.path(f"costs/days.csv?{query}"))
    assert (answer.status_code, code in answer.content.decode()) == (422, True)


def test_htmx_gets_the_costs_without_the_frame_and_chinese_reads_chinese(alice: Console) -> None:
    client = alice.client("owner", language="zh-hans")
    piece = client.get(alice.path("costs/"), headers={"HX-Request": "true"})
    text = piece.content.decode()
    assert text.lstrip().startswith('<div id="costs"')
    assert "未出账" in text
    assert piece["Vary"].count("HX-Request") == 1


def test_a_formula_in_a_name_is_no_formula_in_the_file(alice: Console) -> None:
    with operator_scope():
        Project.objects.filter(pk=alice.project.pk).update(name="=cmd|calc")
    rows = rows_of(alice.client().get(alice.path("costs/days.csv?by=project")))
    assert "'=cmd|calc" in {row["Project"] for row in rows}


def spent(who: Console, workload: str, key: str, deployment: str) -> None:
    """Tokens of a key and a deployment, and cards of a workload."""
    at = lately(timedelta(minutes=5))
    tokens = {"model": "chat", "deployment": deployment, "key": key}
    cards = {
        "chip": "nvidia-h20",
        "pool": "desk",
        "service_class": "on_demand",
        "reservation": "",
        "workload": workload,
    }
    events = [
        UsageEvent("gateway", "real-1", "appliances.tokens_in", "x", at, 50_000_000, tokens),
        UsageEvent("gateway", "real-2", "compute.card_seconds", "x", at, 7200, cards),
    ]
    with tenant_scope(who.id):
        results = record_usage(actor=SYSTEM, tenant_id=who.id, events=events, now=utc_now())
    assert {one.status for one in results} == {"accepted"}


def test_costs_are_said_by_the_deployment_key_and_member_they_were_for(alice: Console) -> None:
    """A key's calls are its maker's, a deployment's cards its own, a reservation its taker's."""
    with tenant_scope(alice.id):
        workload = request_workload(
            actor=alice.actor("developer"),
            project_id=alice.project.pk,
            kind=WorkloadKind.JOB,
            argv=["train"],
            env={},
            cards=1,
            subject="test:1",
            pool_code="desk",
            until=utc_now() + timedelta(hours=5),
            now=utc_now(),
        )
        key = ApiKey.objects.filter(tenant_id=alice.id).earliest("pk")
        deployed = Deployment.objects.get(tenant_id=alice.id, name="chat")
    spent(alice, str(workload.pk), str(key.pk), str(deployed.pk))
    client = alice.client("owner")
    names = {
        by: {row["Code"]: row[heading] for row in rows_of(client.get(alice.path(address)))}
        for by, heading, address in (
            ("key", "API key", "costs/days.csv?by=key"),
            ("member", "Member", "costs/days.csv?by=member"),
            ("deployment", "Deployment", "costs/days.csv?by=deployment"),
        )
    }
    assert names["key"][str(key.pk)] == f"production …{key.last_four}"
    assert names["deployment"][str(deployed.pk)] == "chat"
    people = {str(alice.people[role].pk) for role in ("owner", "developer")}
    assert people <= set(names["member"])
    # Who may not read keys sees what the events say.
    viewer = rows_of(alice.client("viewer").get(alice.path("costs/days.csv?by=key")))
    assert str(key.pk) in {row["API key"] for row in viewer}


@pytest.fixture
def program() -> Customer:
    desk.open_desk()
    return desk.program("bob", credit="100000")


def used(program: Customer) -> None:
    said = {"model": "qwen", "deployment": "d", "key": "k"}
    named = {"quantity": 7_654_321, "dimensions": said}
    answer = program.post("usage/events", [event(1, data=named), event(2, data=named)], key=None)
    assert answer.json()["accepted"] == 2, answer.content


def test_the_api_says_what_the_draft_says_by_day_and_group(program: Customer) -> None:
    used(program)
    told = program.get("costs?group_by=model").json()
    with tenant_scope(program.organisation.pk):
        net = draft(tenant_id=program.organisation.pk, until=utc_now()).net
    assert Decimal(told["open"]) + Decimal(told["draft_elsewhere"]) == net > 0
    assert (told["invoiced"], told["total"]) == ("0.00", told["open"])
    assert sum(Decimal(day["net"]) for day in told["days"]) == Decimal(told["total"])
    assert sum(Decimal(group["net"]) for group in told["groups"]) == Decimal(told["total"])
    assert [(one["kind"], one["value"]) for one in told["groups"]] == [("usage", "qwen")]
    assert told["month"] == month_label(utc_now())
    file = program.get("costs.csv?group_by=model")
    assert file.status_code == 200
    assert file["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("month=2026-00", 422, "month_refused"),
        ("month=never-ever", 422, "invalid_input"),
        ("group_by=secret", 422, "invalid_input"),
        ("meter=no.such", 422, "meter_refused"),
        ("project=nobodys", 404, "not_found"),
        ("unknown=1", 422, "invalid_input"),
    ],
)
def test_the_api_refuses_what_makes_no_sense(
    program: Customer, query: str, status: int, code: str
) -> None:
    answer = program.get(f"costs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_tenants_costs_are_nobodys(alice: Console) -> None:
    other = console.tenant("mallory", money="0")
    answer = other.client("owner").get(alice.path("costs/"))
    assert answer.status_code == 404
