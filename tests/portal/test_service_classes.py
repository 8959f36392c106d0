"""Choosing a service class by the API and in the console, and seeing it afterwards."""

import re
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse

from appliances.commands.deployments import retry
from appliances.models import Deployment
from billing.models import Hold
from billing.queries.wallet import standing
from compute.models import Claim, Cluster, Workload
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console, desk
from tests.factories.console import Console
from tests.factories.desk import Customer
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]

pytestmark = pytest.mark.django_db
# What the example list asks for one H20 card for an hour.
OFFERED = [("on_demand", "7.5"), ("shared", "4.5"), ("urgent", "12")]


def honour_all() -> None:
    """The pools stand behind a Slurm whose site has made both classes of service."""
    with operator_scope():
        Cluster.objects.update(
            engine="slurm", connection={"qos_shared": "cheap", "qos_urgent": "first"}
        )


def rows() -> tuple[int, ...]:
    with operator_scope():
        return tuple(model.objects.count() for model in (Deployment, Workload, Claim, Hold))


def body(**more: object) -> dict[str, object]:
    return desk.deployment_body(appliance="qa-standard", **more)


# The API.


@pytest.fixture
def program() -> Customer:
    desk.open_desk()
    honour_all()
    return desk.program("prog")


def test_a_pool_lists_the_classes_it_offers_with_their_prices(program: Customer) -> None:
    offered = program.get("pools/h20/service-classes").json()["service_classes"]
    assert [
        (one["service_class"], str(Decimal(one["card_hour"]).normalize()), one["currency"])
        for one in offered
    ] == [(name, price, "CNY") for name, price in OFFERED]


def test_a_pool_of_the_embedded_engine_offers_on_demand_alone(program: Customer) -> None:
    with operator_scope():
        Cluster.objects.update(engine="local", connection={})
    offered = program.get("pools/h20/service-classes").json()["service_classes"]
    assert [one["service_class"] for one in offered] == ["on_demand"]


def test_a_pool_that_is_not_there_is_not_found_and_one_not_sold_offers_nothing(
    program: Customer,
) -> None:
    assert program.get("pools/none/service-classes").status_code == 404
    with operator_scope():
        Cluster.objects.update(enabled=False)
    assert program.get("pools/h20/service-classes").json() == {"service_classes": []}


@pytest.mark.parametrize("chosen", [name for name, _price in OFFERED])
def test_a_deployment_is_of_the_class_it_asked_for(program: Customer, chosen: str) -> None:
    made = program.post("deployments", body(service_class=chosen))
    assert made.status_code == 201, made.content
    assert made.json()["service_class"] == chosen
    with operator_scope():
        work = Workload.objects.get(pk=Deployment.objects.get(pk=made.json()["id"]).workload_id)
        held = standing(program.organisation.pk).held
    assert work.service_class == chosen
    price = Decimal(dict(OFFERED)[chosen])
    assert held == (work.cards * 24 * price * Decimal("1.06")).quantize(Decimal("0.01"))


def test_a_deployment_that_names_no_class_is_on_demand(program: Customer) -> None:
    assert program.post("deployments", body()).json()["service_class"] == "on_demand"


def test_a_class_that_is_not_offered_is_refused(program: Customer) -> None:
    with operator_scope():
        Cluster.objects.update(connection={"qos_shared": "cheap"})
    before = rows()
    answer = program.post("deployments", body(service_class="urgent"))
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    told = answer.json()
    assert told["code"] == "service_class_not_offered"
    assert told["detail"] == "Pool h20 does not offer the service class urgent."
    assert rows() == before


@pytest.mark.parametrize("chosen", ["covered", "spot", ""])
def test_what_is_no_class_is_refused(program: Customer, chosen: str) -> None:
    before = rows()
    answer = program.post("deployments", body(service_class=chosen))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/service_class"]
    assert rows() == before


# The console.


def sent(who: Console, path: str, **fields: object) -> HttpResponse:
    return who.client().post(who.path(path), {"idem": str(uuid4()), **fields})


def fields(who: Console, **more: object) -> dict[str, object]:
    return {"place": "pool:desk", "project": str(who.project.pk), "name": "classy", **more}


def options(page: str) -> list[str]:
    """What may be chosen, as it is read."""
    (inside,) = re.findall(r'<select name="service_class".*?</select>', page, re.DOTALL)
    return [text.strip() for text in re.findall(r"<option[^>]*>(.*?)</option>", inside, re.DOTALL)]


def test_each_class_stands_beside_its_price(alice: Console) -> None:
    honour_all()
    there = alice.path("deploy/qa-standard/?place=pool:desk")
    page = alice.client().get(there).content.decode()
    assert options(page) == [
        "On demand · ¥7.50 per card-hour, net",
        "Shared, may be preempted · ¥4.50 per card-hour, net",
        "Urgent, goes first · ¥12.00 per card-hour, net",
    ]
    chinese = alice.client(language="zh-hans").get(there).content.decode()
    assert options(chinese)[2] == "紧急，优先 · 每卡时 ¥12.00（不含税）"


def test_the_side_of_the_form_follows_the_class_and_the_place(alice: Console) -> None:
    honour_all()
    reservation = console.active(alice, cards=8)
    shown = {}
    for place, chosen in (
        ("pool:desk", ""),
        ("pool:desk", "urgent"),
        (f"reservation:{reservation.pk}", "urgent"),
    ):
        query = {"place": place, "service_class": chosen}
        answer = alice.client().get(
            alice.path("deploy/qa-standard/"), query, headers={"HX-Request": "true"}
        )
        assert answer.status_code == 200
        text = answer.content.decode()
        assert '<div id="deploy-class" hx-swap-oob="true">' in text
        (side,) = re.findall(r'<div id="deploy-side".*?<div id="deploy-class"', text, re.DOTALL)
        prices = re.findall(r"<strong><span.*?</span>([\d.,]+)</span></strong>", side)
        shown[place[:4], chosen] = (prices, len(options(text)))
    usual, urgent = shown["pool", ""], shown["pool", "urgent"]
    assert Decimal(urgent[0][0]) / Decimal(usual[0][0]) == Decimal("1.6")
    assert (usual[1], urgent[1]) == (3, 3)
    assert shown["rese", "urgent"] == ([], 1)


def test_a_class_chosen_in_the_form_is_the_deployments_and_is_shown(alice: Console) -> None:
    honour_all()
    answer = sent(alice, "deploy/qa-standard/", **fields(alice, service_class="shared"))
    assert answer.status_code == 302, answer.content.decode()[:2000]
    with operator_scope():
        made = Deployment.objects.get(tenant_id=alice.id, name="classy")
        work = Workload.objects.get(pk=made.workload_id)
    assert (made.service_class, work.service_class) == ("shared", "shared")
    page = alice.client().get(answer["Location"]).content.decode()
    assert "Service class" in page
    assert "Shared, may be preempted" in page
    with operator_scope():
        Deployment.objects.filter(pk=made.pk).update(
            state="stopped", reason="Preempted: work of a higher class took its cards."
        )
    chinese = alice.client(language="zh-hans").get(answer["Location"]).content.decode()
    assert "已被抢占：更高等级的任务占用了它的卡。" in chinese


def test_what_the_pool_does_not_offer_is_refused_on_the_page(alice: Console) -> None:
    before = rows()
    answer = sent(alice, "deploy/small-chat/", **fields(alice, service_class="urgent"))
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "service_class_not_offered" in text
    assert 'value="classy"' in text
    assert rows() == before


def test_a_class_together_with_a_reservation_is_refused_on_the_page(alice: Console) -> None:
    honour_all()
    reservation = console.active(alice, cards=8)
    before = rows()
    where = {"place": f"reservation:{reservation.pk}", "service_class": "shared"}
    answer = sent(alice, "deploy/qa-standard/", **fields(alice, **where))
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Work in a reservation has no service class to choose." in text
    assert rows() == before
    made = sent(alice, "deploy/qa-standard/", **fields(alice, **{**where, "service_class": ""}))
    assert made.status_code == 302
    with operator_scope():
        assert Deployment.objects.get(name="classy").service_class == "covered"


def test_what_is_deployed_once_more_is_of_the_same_class(alice: Console) -> None:
    honour_all()
    sent(alice, "deploy/qa-standard/", **fields(alice, service_class="shared"))
    with operator_scope():
        old = Deployment.objects.get(tenant_id=alice.id, name="classy")
        Deployment.objects.filter(pk=old.pk).update(state="stopped")
    with tenant_scope(alice.id):
        again = retry(actor=alice.actor(), deployment_id=old.pk, now=console.soon())
    assert again.service_class == "shared"


# The database.


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ("service_class = 'shared'", "the service class of appliances_deployment is fixed"),
        ("reservation_id = gen_random_uuid()", "appliances_deployment_class_known"),
    ],
)
def test_the_database_refuses_another_class(alice: Console, change: str, law: str) -> None:
    sent(alice, "deploy/small-chat/", **fields(alice))
    with (
        operator_scope(),
        pytest.raises(IntegrityError, match=law),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"UPDATE appliances_deployment SET {change} WHERE name = 'classy'"  # noqa: S608
        )
