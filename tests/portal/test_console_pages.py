"""Every page of the tenant console, as every role, in both languages."""

import re

import pytest

from appliances.models import Deployment
from billing.models import Invoice
from common.clock import utc_now
from compute.models import Reservation
from tenants.models import Project
from tenants.scoping import operator_scope
from tests.factories.console import Console
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]

EVERYBODY = {"owner", "admin", "developer", "finance", "viewer"}
MAKERS = {"owner", "admin", "developer"}
MONEY = {"owner", "admin", "finance"}
# A page and who may open it.
PAGES = {
    "": EVERYBODY,
    "reserve/": MAKERS,
    "reservations/": EVERYBODY,
    "reservations/?show=coming": EVERYBODY,
    "catalogue/": EVERYBODY,
    "catalogue/?task=test": EVERYBODY,
    "catalogue/qa-standard/": EVERYBODY,
    "deploy/small-chat/": MAKERS,
    "deployments/": EVERYBODY,
    "usage/": EVERYBODY,
    "costs/": EVERYBODY,
    "usage/?meter=appliances.tokens_in&by=model&days=7": EVERYBODY,
    "usage/?by=project": EVERYBODY,
    "usage/?by=service_class&days=90": EVERYBODY,
    "usage/lines.csv": EVERYBODY,
    "invoices/": MONEY,
    "invoices/focus/": MONEY,
    "wallet/": MONEY,
    "keys/": MAKERS,
    "members/": EVERYBODY,
    "projects/": EVERYBODY,
    "notices/": MONEY,
    "webhooks/": {"owner", "admin"},
    "audit/": {"owner", "admin"},
    "audit/?show=visits": {"owner", "admin"},
    "audit/?area=billing.": {"owner", "admin"},
}


def every_thing(who: Console) -> dict[str, set[str]]:
    """The pages of single things: each reservation and deployment state, and an invoice."""
    with operator_scope():
        pages = {
            f"reservations/{one.pk}/": EVERYBODY
            for one in Reservation.objects.filter(tenant_id=who.id)
        }
        for made in Deployment.objects.filter(tenant_id=who.id):
            pages[f"deployments/{made.pk}/"] = EVERYBODY
            pages[f"deployments/{made.pk}/status/"] = EVERYBODY
        invoice = Invoice.objects.get(tenant_id=who.id)
    pages |= {
        f"invoices/{invoice.pk}/": MONEY,
        f"invoices/{invoice.pk}/lines/1/": MONEY,
        f"invoices/{invoice.pk}/document.pdf": MONEY,
        f"invoices/{invoice.pk}/lines.csv": MONEY,
    }
    return pages


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_each_page_opens_for_those_who_may_and_for_nobody_else(alice: Console, role: str) -> None:
    client = alice.client(role)
    found = {
        page: client.get(alice.path(page)).status_code for page in [*PAGES, *every_thing(alice)]
    }
    expected = {
        page: 200 if role in who else 403 for page, who in {**PAGES, **every_thing(alice)}.items()
    }
    assert found == expected


def test_every_page_is_chinese_for_chinese_readers(alice: Console) -> None:
    client = alice.client(language="zh-hans")
    for page in [*PAGES, *every_thing(alice)]:
        answer = client.get(alice.path(page))
        assert answer.status_code == 200, page
        if answer["Content-Type"].startswith("text/html"):
            assert '<html lang="zh-Hans"' in answer.content.decode() or "/status/" in page


def test_the_navigation_leads_only_where_the_role_may_go(alice: Console) -> None:
    for role in EVERYBODY:
        client = alice.client(role)
        home = client.get(alice.path()).content.decode()
        links = set(re.findall(r'class="rail-link" href="([^"]+)"', home))
        assert {client.get(link).status_code for link in links} == {200}
    assert len(links) >= 7


def test_usage_by_project_names_even_a_project_that_was_archived(alice: Console) -> None:
    with operator_scope():
        Project.objects.filter(tenant_id=alice.id).update(name="火星", archived_at=utc_now())
    page = alice.client().get(alice.path("usage/?by=project&days=7")).content.decode()
    legend = page[page.index("<figure") : page.index("</figure>")]
    assert "火星" in legend


def test_an_invoice_names_its_two_parties_in_chinese(alice: Console) -> None:
    with operator_scope():
        invoice = Invoice.objects.get(tenant_id=alice.id)
    page = alice.client(language="zh-hans").get(alice.path(f"invoices/{invoice.pk}/"))
    told = page.content.decode()
    assert f"<dt>出账方</dt><dd>{invoice.seller_name}</dd>" in told
    assert f"<dt>客户</dt><dd>{invoice.buyer_name}</dd>" in told
