"""A tenant's mixed month, made by the real commands: cards, tokens, reservations, late use."""

from datetime import datetime, timedelta
from uuid import UUID

from billing.commands.prices import load_default_prices
from billing.models import Invoice, Price
from billing.usage import UsageEvent
from common.period import Period
from tenants.models import Organisation, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest, issue
from tests.factories.billing import HOUR, LONG_AGO, MONTH_END, MONTH_START, NOW

NOVEMBER = Period(MONTH_START, MONTH_END)
CUT = datetime.fromisoformat("2026-11-10T08:30:00+00:00")
CHIP = "nvidia-h20"
# Used in part and not at all, of which 40 and 20 card-hours are bought before the cut.
USED_IN_PART = str(UUID(int=1))
NOT_USED = str(UUID(int=2))


def default_prices() -> None:
    with operator_scope():
        load_default_prices(actor=SYSTEM, now=LONG_AGO)


def make_project(tenant: Organisation, code: str = "lab", name: str = "Lab") -> UUID:
    with tenant_scope(tenant.pk):
        return Project.objects.create(tenant=tenant, code=code, name=name).pk


def _event(
    name: str,
    meter: str,
    at: datetime,
    quantity: int,
    dimensions: dict[str, str],
    project: UUID | None = None,
    price: UUID | None = None,
) -> UsageEvent:
    return UsageEvent("test", name, meter, "test:1", at, quantity, dimensions, project, price)


def cards(
    name: str, at: datetime, seconds: int, reservation: str = "", project: UUID | None = None
) -> UsageEvent:
    """Cards in use, inside a reservation or on demand."""
    said = {
        "chip": CHIP,
        "pool": "bj-a",
        "service_class": "covered" if reservation else "on_demand",
        "reservation": reservation,
        "workload": f"w-{name}",
    }
    return _event(name, "compute.card_seconds", at, seconds, said, project)


def reserved(
    name: str, at: datetime, seconds: int, reservation: str, project: UUID | None = None
) -> UsageEvent:
    """Reserved cards, used or not, at the price that was quoted."""
    meter = "compute.reserved_card_seconds"
    price = Price.objects.get(meter=meter, match__chip=CHIP).pk
    said = {"chip": CHIP, "pool": "bj-a", "service_class": "committed", "reservation": reservation}
    return _event(name, meter, at, seconds, said, project, price)


def tokens(name: str, at: datetime, number: int, project: UUID | None = None) -> UsageEvent:
    return called(name, "appliances.tokens_in", at, number, project)


def called(
    name: str, meter: str, at: datetime, quantity: int, project: UUID | None = None
) -> UsageEvent:
    """What a call of a model used."""
    said = {"model": "qwen", "deployment": "d1", "key": "k1"}
    return _event(name, meter, at, quantity, said, project)


def before_the_cut(tenant: Organisation, project: UUID) -> None:
    day = CUT.replace(minute=0) - timedelta(days=2)
    ingest(
        tenant,
        cards("own", day, 3600 * 7 + 1000, project=project),
        cards("own2", day + HOUR, 3333),
        tokens("t1", day, 12_345_678, project),
        *[reserved(f"a{n}", day + n * HOUR, 8 * 3600, USED_IN_PART, project) for n in range(5)],
        *[reserved(f"b{n}", day + n * HOUR, 4 * 3600, NOT_USED, project) for n in range(5)],
        *[cards(f"in{n}", day + n * HOUR, 5 * 3600 + 7, USED_IN_PART, project) for n in range(5)],
        now=CUT,
    )


def after_the_cut(tenant: Organisation, project: UUID) -> None:
    """More use, and some of before the cut that came in late."""
    late, day = CUT - timedelta(days=1), CUT.replace(minute=0) + timedelta(days=1)
    ingest(
        tenant,
        tokens("late", late, 7_000_001, project),
        cards("late-in", late, 3601, USED_IN_PART, project),
        tokens("t2", day, 999_999, project),
        *[reserved(f"c{n}", day + n * HOUR, 8 * 3600, USED_IN_PART, project) for n in range(3)],
        cards("in-c", day, 8 * 3600, USED_IN_PART, project),
    )


def still_open(tenant: Organisation, project: UUID) -> None:
    """Use after the second invoice, for the draft."""
    ingest(
        tenant,
        tokens("t3", NOW + HOUR, 5_000_000, project),
        reserved("d", NOW + HOUR, 8 * 3600, USED_IN_PART, project),
        cards("in-d", NOW + HOUR, 2 * 3600 + 1, USED_IN_PART, project),
        now=NOW + 3 * HOUR,
    )


def mixed_month(tenant: Organisation) -> tuple[Invoice, Invoice]:
    """Two invoices of November and some use that is on neither."""
    project = make_project(tenant)
    with operator_scope():
        before_the_cut(tenant, project)
    first = issue(tenant, until=CUT, now=CUT)
    with operator_scope():
        after_the_cut(tenant, project)
    second = issue(tenant, until=NOW, now=NOW)
    with operator_scope():
        still_open(tenant, project)
    return first, second
