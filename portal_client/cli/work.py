"""Cards and models: offers, reservations, deployments."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from portal_client.api.models import Offer
from portal_client.cli.command import (
    LENGTH,
    LIMIT,
    START,
    Command,
    Given,
    amount,
    end_of,
    hours,
    instant,
    needed,
    optional,
    place,
)
from portal_client.cli.output import Rows, Sheet, Shown
from portal_client.cli.problems import REFUSED, Denied, UsageError
from portal_client.cli.words import say
from portal_client.client import Client

MINUTE = timedelta(minutes=1)
OFFER = ("kind", "pool", "chip", "cards", "starts_at", "ends_at", "net", "gross", "currency", "why")
POOL = ("code", "name", "chip.code", "capacity_cards", "free_cards", "is_sold", "stale")
RESERVATION = ("id", "state", "pool", "cards", "starts_at", "ends_at", "gross", "currency")
RESERVATION_SHEET = (
    *("id", "state", "reason", "project", "pool", "chip", "cards", "starts_at", "ends_at"),
    *("hold_expires_at", "unit_price", "net", "tax", "gross", "currency", "created_at"),
)
APPLIANCE = ("code", "name", "category", "model", "licence", "params_b", "context_tokens")
FIT = ("pool", "chip", "verdict", "cards", "nodes")
DEPLOYMENT = ("id", "state", "name", "appliance", "model", "pool", "cards", "billed")
DEPLOYMENT_SHEET = (
    *("id", "state", "reason", "name", "appliance", "model", "project", "reservation", "pool"),
    *(
        "cards",
        "service_class",
        "until",
        "base_url",
        "billed",
        "observed_at",
        "created_at",
        "last_lines",
    ),
)


def offers(client: Client, given: Given) -> Shown:
    start = given.start
    found = client.offers.get(
        cards=given.cards,
        hours=given.hours,
        chip=given.chip,
        centre=given.centre,
        budget=given.budget,
        petaflops=given.petaflops,
        window_starts_at=start,
        window_ends_at=given.until or start + timedelta(hours=given.hours),
    )
    if not found.offers:
        return Rows(found.refused, ("pool", "reason", "code"), REFUSED)
    return Rows(found.offers, OFFER)


def pools(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.pools.list(), given.most)), POOL)


def availability(client: Client, given: Given) -> Shown:
    free = client.pools.get_availability(given.pool, starts_at=given.start, ends_at=end_of(given))
    return Rows(free.steps, ("starts_at", "ends_at", "capacity", "free"))


def quote(client: Client, given: Given) -> Shown:
    return Sheet(_exact(client, given), OFFER)


def _exact(client: Client, given: Given) -> Offer:
    """The price of exactly this, from the offers. Raises: UsageError, Denied."""
    chips = [row.chip.code for row in client.pools.list() if row.code == given.pool]
    if not chips:
        raise UsageError(say("There is no pool {pool}.", pool=given.pool))
    length, rest = divmod(end_of(given) - given.start, timedelta(hours=1))
    if rest or length < 1:
        raise UsageError(say("A quote is for whole hours."))
    # The present minute is over before the portal reads this: offers begin with the next.
    start = max(given.start, datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE)
    found = client.offers.get(
        cards=given.cards,
        hours=length,
        chip=chips[0],
        flexible="false",
        window_starts_at=start,
        window_ends_at=start + length * timedelta(hours=1),
    )
    for offer in found.offers:
        if offer.pool == given.pool:
            return offer
    for refused in found.refused:
        if refused.pool == given.pool:
            raise Denied(refused.reason, refused.code)
    raise Denied(say("This pool has no such offer."), "no_offer")


def hold(client: Client, given: Given) -> Shown:
    made = client.reservations.create(
        project=given.project,
        pool=given.pool,
        cards=given.cards,
        starts_at=given.start,
        ends_at=end_of(given),
    )
    return Sheet(made, RESERVATION_SHEET)


def reservations(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.reservations.list(), given.most)), RESERVATION)


def reservation(client: Client, given: Given) -> Shown:
    return Sheet(client.reservations.get(given.id), RESERVATION_SHEET)


def submit(client: Client, given: Given) -> Shown:
    return Sheet(client.reservations.submit(given.id), RESERVATION_SHEET)


def cancel(client: Client, given: Given) -> Shown:
    return Sheet(client.reservations.cancel(given.id), RESERVATION_SHEET)


def end(client: Client, given: Given) -> Shown:
    return Sheet(client.reservations.end(given.id), RESERVATION_SHEET)


def appliances(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.appliances.list(), given.most)), APPLIANCE)


def appliance(client: Client, given: Given) -> Shown:
    sheet = client.appliances.get(given.code)
    return Sheet(sheet, (*APPLIANCE, "description"), Rows(sheet.fit, FIT))


def deploy(client: Client, given: Given) -> Shown:
    if bool(given.reservation) == bool(given.pool):
        raise UsageError(say("Name a reservation or a pool, and not both."))
    made = client.deployments.create(
        project=given.project,
        appliance=given.appliance,
        name=given.name,
        served_model_name=given.model,
        reservation=given.reservation,
        pool=given.pool,
        until=given.until,
        service_class=given.service_class,
    )
    return Sheet(made, DEPLOYMENT_SHEET)


def deployments(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.deployments.list(), given.most)), DEPLOYMENT)


def deployment(client: Client, given: Given) -> Shown:
    return Sheet(client.deployments.get(given.id), DEPLOYMENT_SHEET)


def stop(client: Client, given: Given) -> Shown:
    return Sheet(client.deployments.stop(given.id), DEPLOYMENT_SHEET)


ID = place("id", "Its id.")
PROJECT = needed("--project", "The project's code.")
THE_POOL = needed("--pool", "The pool's code.")
CARDS = needed("--cards", "How many cards.", type=hours)
PERIOD = (START, *LENGTH)

COMMANDS = (
    Command(
        "offers",
        "find",
        "Find priced offers, and why each other pool lost.",
        offers,
        (
            optional("--cards", "How many cards.", type=hours),
            optional("--petaflops", "Instead of cards: so many P.", type=amount),
            optional("--chip", "A chip model."),
            optional("--centre", "A centre's code."),
            optional("--budget", "The most it may cost, with tax.", type=amount),
            START,
            optional("--hours", "How many hours.", type=hours, default=1),
            optional("--until", "The end of the window to search in.", type=instant),
        ),
    ),
    Command("pools", "list", "List the pools of cards.", pools, (LIMIT,)),
    Command(
        "pools",
        "availability",
        "Show what a pool has free, step by step.",
        availability,
        (place("pool", "The pool's code."), *PERIOD),
    ),
    Command("reservations", "list", "List reservations.", reservations, (LIMIT,)),
    Command("reservations", "show", "Show one reservation.", reservation, (ID,)),
    Command(
        "reservations",
        "quote",
        "Say what cards of one pool would cost; nothing is held.",
        quote,
        (THE_POOL, CARDS, *PERIOD),
    ),
    Command(
        "reservations",
        "hold",
        "Hold cards for ten minutes, at a fixed price.",
        hold,
        (PROJECT, THE_POOL, CARDS, *PERIOD),
    ),
    Command("reservations", "submit", "Submit what is held for approval.", submit, (ID,)),
    Command("reservations", "cancel", "Cancel before it begins.", cancel, (ID,)),
    Command("reservations", "end", "End before its time.", end, (ID,)),
    Command("appliances", "list", "List what is on sale.", appliances, (LIMIT,)),
    Command(
        "appliances",
        "show",
        "Show one appliance and where it fits.",
        appliance,
        (place("code", "The appliance's code."),),
    ),
    Command("deployments", "list", "List deployments.", deployments, (LIMIT,)),
    Command(
        "deployments",
        "deploy",
        "Deploy an appliance in a reservation or on demand.",
        deploy,
        (
            PROJECT,
            needed("--appliance", "The appliance's code."),
            needed("--name", "What to call it."),
            optional("--model", 'What callers send as "model".'),
            optional("--reservation", "The reservation to run in."),
            optional("--pool", "The pool to run in, on demand."),
            optional("--until", "When it ends, on demand.", type=instant),
            optional("--service-class", "With a pool: on_demand, shared or urgent."),
        ),
    ),
    Command("deployments", "status", "Show one deployment.", deployment, (ID,)),
    Command("deployments", "stop", "Stop a deployment.", stop, (ID,)),
)
