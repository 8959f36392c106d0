"""Webhooks as people and programs manage them: the secret once, private hosts refused, the log."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from common.clock import utc_now
from tenants.models import AuditEntry, WebhookDelivery, WebhookEndpoint
from tenants.scoping import operator_scope
from tests.factories import console, desk
from tests.factories.console import Console
from tests.factories.desk import Customer
from tests.tenants.hooks import deliver
from tests.tenants.receiver import HOST, Reply, listening

pytestmark = pytest.mark.django_db

SECRET = r"whsec_[A-Za-z0-9+/]{43}="


@pytest.fixture(autouse=True)
def resolver(settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"


@pytest.fixture
def alice() -> Console:
    cache.clear()
    console.centre()
    return console.tenant("alice")


@pytest.fixture
def program() -> Customer:
    return desk.program("carol")


def _send(who: Console, rest: str, **fields: str) -> tuple[int, str]:
    """A form of the console, without JavaScript; the page it ends on."""
    client = who.client()
    answer = client.post(who.path(rest), {"idem": str(uuid4()), **fields})
    if answer.status_code != 302:
        return answer.status_code, answer.content.decode()
    return 302, client.get(answer["Location"]).content.decode()


def test_a_webhook_from_its_making_to_its_removal_in_the_console(alice: Console) -> None:
    with listening() as receiver:
        status, page = _send(alice, "webhooks/", url=receiver.url(), event_types="webhook.disabled")
        assert status == 302
        (first,) = re.findall(SECRET, page.replace("&#x2B;", "+"))
        with operator_scope():
            made = WebhookEndpoint.objects.get()
        assert made.event_types == ["webhook.disabled"]
        assert first.encode() not in bytes(made.sealed_secret)
        here = f"webhooks/{made.pk}/"
        assert not re.findall(SECRET, alice.client().get(alice.path(here)).content.decode())
        assert _send(alice, f"{here}test/")[0] == 302
        with operator_scope():
            sent = WebhookDelivery.objects.get()
        receiver.otherwise = Reply(500, body=b"<b>no</b>")
        deliver(sent.pk, utc_now())
        log = alice.client().get(alice.path(f"webhooks/deliveries/{sent.pk}/")).content.decode()
        assert "&lt;b&gt;no&lt;/b&gt;" in log
        assert sent.message_id in log
        assert "This webhook is failing" in alice.client().get(alice.path(here)).content.decode()
        status, page = _send(alice, f"{here}secret/")
        (second,) = re.findall(SECRET, page.replace("&#x2B;", "+"))
        assert second != first
        assert _send(alice, f"{here}switch/", to="disabled")[0] == 302
        assert _send(alice, f"{here}test/")[0] == 409
        assert _send(alice, f"{here}switch/", to="enabled")[0] == 302
        since = (utc_now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
        assert _send(alice, f"{here}resend/", since=since)[0] == 302
        with operator_scope():
            assert WebhookDelivery.objects.get().state == "pending"
        assert _send(alice, f"webhooks/deliveries/{sent.pk}/resend/")[0] == 302
        assert _send(alice, here, url=receiver.url("/new"), description="Ledger")[0] == 302
        with operator_scope():
            changed = WebhookEndpoint.objects.get()
        assert (changed.url, changed.description) == (receiver.url("/new"), "Ledger")
        assert changed.event_types == []
        assert _send(alice, f"{here}remove/")[0] == 302
        assert alice.client().get(alice.path(here)).status_code == 404
    with operator_scope():
        done = AuditEntry.objects.filter(action__startswith="tenants.webhook.").order_by("pk")
        acts = [act.rpartition(".")[2] for act in done.values_list("action", flat=True)]
        said = str(list(AuditEntry.objects.values_list("detail", flat=True)))
    assert acts == [
        "created",
        "tested",
        "rotated",
        "disabled",
        "enabled",
        "resent",
        "resent",
        "changed",
        "removed",
    ]
    assert "whsec_" not in said


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://10.0.0.1/", "No such host was found."),
        ("https://nowhere.test/", "No such host was found."),
        ("https://user:word@receiver.test/", "not an address that can be called"),
        ("gopher://receiver.test/", "not an address that can be called"),
    ],
)
def test_the_form_says_what_is_wrong_with_an_address(alice: Console, url: str, told: str) -> None:
    status, page = _send(alice, "webhooks/", url=url)
    assert status == 422
    assert told in page
    with operator_scope():
        assert not WebhookEndpoint.objects.exists()


def test_a_program_is_refused_a_private_address(program: Customer, settings: Settings) -> None:
    settings.WEBHOOK_RESOLVER = "tenants.webhooks.addresses.resolve"
    settings.WEBHOOK_PLAIN_HTTP = False
    for url, code in (
        ("https://127.0.0.1/", "private_address"),
        ("https://[::ffff:169.254.169.254]/", "private_address"),
        ("http://1.1.1.1/", "not_https"),
        ("https://1.1.1.1:22/", "port"),
    ):
        answer = program.post("webhooks", {"url": url})
        assert answer.status_code == 422, url
        assert [one["code"] for one in answer.json()["errors"]] == [code]
    answer = program.post("webhooks", {"url": "https://1.1.1.1/", "event_types": ["x"]})
    assert [one["code"] for one in answer.json()["errors"]] == ["unknown_event_type"]
    assert program.get("webhooks").json()["items"] == []


def test_a_program_manages_its_webhook(program: Customer) -> None:
    made = program.post("webhooks", {"url": f"https://{HOST}/"})
    assert made.status_code == 201
    assert re.fullmatch(SECRET, made.json()["secret"])
    here = f"webhooks/{made.json()['id']}"
    assert "secret" not in program.get(here).json()
    assert "secret" not in program.get("webhooks").json()["items"][0]
    rotated = program.post(f"{here}/secret", {}).json()
    assert rotated["secret"] != made.json()["secret"]
    assert rotated["previous_secret_until"] is not None
    changed = program.post(here, {"description": "ERP"}).json()
    assert (changed["description"], changed["url"]) == ("ERP", f"https://{HOST}/")
    sent = program.post(f"{here}/test", {}).json()
    assert (sent["state"], sent["event_type"]) == ("pending", "webhook.tested")
    (listed,) = program.get(f"{here}/deliveries", state="pending").json()["items"]
    assert listed["message_id"] == sent["message_id"]
    shown = program.get(f"webhook-deliveries/{sent['id']}").json()
    assert (shown["history"], shown["delivery"]["id"]) == ([], sent["id"])
    assert program.post(f"{here}/disable", {}).json()["state"] == "disabled"
    again = program.post(f"webhook-deliveries/{sent['id']}/resend", {})
    assert (again.status_code, again.json()["code"]) == (409, "webhook_not_enabled")
    assert program.post(f"{here}/enable", {}).json()["state"] == "enabled"
    since = (utc_now() - timedelta(hours=1)).isoformat()
    assert program.post(f"{here}/resend", {"since": since}).json() == {"messages": 1}
    long_ago = (utc_now() - timedelta(days=31)).isoformat()
    assert program.post(f"{here}/resend", {"since": long_ago}).status_code == 422


def test_there_are_so_many_webhooks_at_most(program: Customer) -> None:
    for number in range(20):
        url = f"https://{HOST}/{number}"
        assert program.post("webhooks", {"url": url}).status_code == 201
    refused = program.post("webhooks", {"url": f"https://{HOST}/20"})
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_limit_reached")
    assert len(program.get("webhooks", limit=100).json()["items"]) == 20
