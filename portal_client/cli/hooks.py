"""Webhooks: addresses, their deliveries, and checking what came in."""

from itertools import islice

from portal_client.cli.command import LIMIT, Command, Given, instant, needed, optional, place
from portal_client.cli.output import Rows, Said, Sheet, Shown
from portal_client.cli.words import say
from portal_client.client import Client

WEBHOOK = ("id", "state", "url", "event_types", "failing_since")
WEBHOOK_SHEET = (
    *("id", "url", "description", "state", "state_reason", "event_types", "failing_since"),
    *("previous_secret_until", "created_at"),
)
DELIVERY = ("id", "event_type", "state", "attempts", "last_status", "last_outcome", "created_at")


def webhooks(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.webhooks.list(), given.most)), WEBHOOK)


def webhook(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.get(given.id), WEBHOOK_SHEET)


def add(client: Client, given: Given) -> Shown:
    made = client.webhooks.create(
        url=given.url, description=given.description, event_types=given.event
    )
    return Sheet(made, ("secret", *WEBHOOK_SHEET))


def remove(client: Client, given: Given) -> Shown:
    client.webhooks.delete(given.id)
    return Said(say("The address is removed."), {"id": given.id, "removed": True})


def enable(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.enable(given.id), WEBHOOK_SHEET)


def disable(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.disable(given.id), WEBHOOK_SHEET)


def test(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.test(given.id), DELIVERY)


def secret(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.secret(given.id), ("secret", *WEBHOOK_SHEET))


def deliveries(client: Client, given: Given) -> Shown:
    found = client.webhooks.list_deliveries(given.id, state=given.state)
    return Rows(tuple(islice(found, given.most)), DELIVERY)


def resend(client: Client, given: Given) -> Shown:
    return Sheet(client.webhooks.resend(given.id, since=given.since), ("messages",))


ID = place("id", "Its id.")

COMMANDS = (
    Command("webhooks", "list", "List the addresses.", webhooks, (LIMIT,)),
    Command("webhooks", "show", "Show one address.", webhook, (ID,)),
    Command(
        "webhooks",
        "add",
        "Add an address; its secret is shown this once.",
        add,
        (
            place("url", "An https address."),
            optional("--description", "What it is for."),
            optional("--event", "An event type to hear of; may be repeated.", action="append"),
        ),
    ),
    Command("webhooks", "remove", "Remove an address.", remove, (ID,)),
    Command("webhooks", "enable", "Enable an address.", enable, (ID,)),
    Command("webhooks", "disable", "Disable an address.", disable, (ID,)),
    Command("webhooks", "test", "Send a test message.", test, (ID,)),
    Command("webhooks", "secret", "Make a new secret, shown this once.", secret, (ID,)),
    Command(
        "webhooks",
        "deliveries",
        "List what was delivered and what was not.",
        deliveries,
        (
            ID,
            optional("--state", "In this state.", choices=["pending", "delivered", "failed"]),
            LIMIT,
        ),
    ),
    Command(
        "webhooks",
        "resend",
        "Send again what failed since a time.",
        resend,
        (ID, needed("--since", "From when on.", type=instant)),
    ),
)
