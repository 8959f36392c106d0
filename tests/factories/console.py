"""A tenant with one of everything the console shows, made as the product makes it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.test import Client

from appliances.commands import progress
from appliances.commands.catalogue import certify, list_for_sale, load_seed, submit
from appliances.commands.deployments import deploy, stop
from appliances.models import Deployment
from appliances.probing import ProbeOutcome
from billing.commands.accrual import accrue
from billing.commands.invoices import issue_invoice
from billing.commands.prices import load_default_prices, publish_version
from billing.commands.usage import record_usage
from billing.commands.wallet import set_currency, top_up
from billing.models import Invoice
from billing.queries.price_faults import PriceLine
from billing.seed import read_price_seed
from billing.usage import UsageEvent
from common.ids import uuid7
from common.period import Period
from compute.chips import read_seed
from compute.commands import reservations
from compute.commands.activation import claim_reservation, record_activated
from compute.commands.chips import load_chips
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.commands.workload_driving import claim_workload, record_observation
from compute.engines import ReservationObservation, WorkloadObservation, WorkloadState
from compute.models import Centre, Cluster, EngineUsage, Reservation, Workload
from tenants.commands.keys import create_key
from tenants.commands.members import invite
from tenants.models import Membership, Organisation, Project, User
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind, Permission
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.lately import lately
from tests.factories.tenants import PASSWORD, member

POOLS = (
    ("desk", "nvidia-h20", "NVIDIA H20", "英伟达 H20", 16),
    ("ascend", "ascend-910b3", "Ascend 910B3", "昇腾 910B3", 32),
    ("hygon", "hygon-k100-ai", "Hygon K100 AI", "海光 K100 AI", 12),
)
APPLIANCES = ("small-chat", "qa-standard", "edge-mini", "qa-entry")
HOUR = timedelta(hours=1)


@dataclass
class Console:
    """A tenant, its project, its people by role, and browsers signed in as them."""

    organisation: Organisation
    project: Project
    people: dict[str, User] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.organisation.code

    @property
    def id(self) -> UUID:
        return self.organisation.pk

    def actor(self, role: str = "owner") -> Actor:
        person = self.people.get(role)
        return Actor(
            kind=ActorKind.MEMBER,
            id=person.pk if person else None,
            name=role,
            tenant_id=self.id,
            permissions=MEMBER_ROLES[role],
        )

    def client(self, role: str = "owner", language: str = "en") -> Client:
        client = Client(headers={"accept-language": language})
        client.force_login(self.people[role])
        return client

    def path(self, rest: str = "") -> str:
        return f"/t/{self.code}/{rest}"


def soon(minutes: int = 0) -> datetime:
    """A whole minute that is not over yet."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).replace(second=0, microsecond=0)


def centre() -> None:
    """Pools behind one scheduler, prices, and a few models on sale."""
    now = datetime.now(UTC) - timedelta(days=60)
    with operator_scope():
        load_chips(actor=SYSTEM, facts=read_seed())
        load_default_prices(actor=SYSTEM, now=now)
        load_seed(actor=SYSTEM, now=now)
        for code in APPLIANCES:
            submit(actor=SYSTEM, code=code, now=now)
            certify(actor=SYSTEM, code=code, now=now)
            list_for_sale(actor=SYSTEM, code=code, now=now)
        if not Centre.objects.filter(code="lake").exists():
            create_centre(actor=SYSTEM, code="lake", name_en="East Lake", name_zh="东湖智算中心")
        register_cluster(
            actor=SYSTEM,
            centre_code="lake",
            code="lake-1",
            name="East Lake 1",
            engine="local",
            connection={},
        )
        for code, chip, name_en, name_zh, cards in POOLS:
            create_pool(
                actor=SYSTEM,
                cluster_code="lake-1",
                code=code,
                chip_code=chip,
                gres=code,
                name_en=name_en,
                name_zh=name_zh,
                cards=cards,
                now=now,
            )
    answered()


def answered(at: datetime | None = None) -> None:
    """The scheduler has just answered."""
    with operator_scope():
        Cluster.objects.update(last_synced_at=at or datetime.now(UTC))


def abroad(currency: str = "USD", rate: str = "0.14") -> None:
    """A price list in a further currency, a rate of the centre's own."""
    shipped = read_price_seed()
    lines = [
        PriceLine(**{**vars(price), "unit_price": price.unit_price * Decimal(rate)})
        for price in shipped.prices
    ]
    with operator_scope():
        publish_version(
            actor=SYSTEM,
            lines=lines,
            effective_at=shipped.effective_at,
            now=datetime.now(UTC),
            currency=currency,
        )


def tenant(
    code: str = "alice", money: str = "100000", name: str = "", currency: str = "CNY"
) -> Console:
    """A tenant with a member of each role, and money."""
    with operator_scope():
        organisation = Organisation.objects.create(code=code, name=name or f"{code.title()} 实验室")
        project = Project.objects.create(
            tenant=organisation, code="assistant", name="Assistant 智能助手"
        )
        if currency != "CNY":
            set_currency(
                actor=SYSTEM, tenant_id=organisation.pk, currency=currency, now=datetime.now(UTC)
            )
        if Decimal(money):
            top_up(
                actor=SYSTEM,
                tenant_id=organisation.pk,
                amount=Decimal(money),
                key=f"first:{code}",
                reference="Bank transfer 20261101",
                now=datetime.now(UTC) - timedelta(days=30),
            )
    made = Console(organisation, project)
    for role in MEMBER_ROLES:
        made.people[role] = member(organisation, role)
    return made


def held(who: Console, cards: int = 4, start: int = 60, hours: int = 24) -> Reservation:
    """Cards held from some minutes from now."""
    begin = soon(start)
    with tenant_scope(who.id):
        return reservations.hold(
            actor=who.actor(),
            project_id=who.project.pk,
            pool_code="desk",
            cards=cards,
            period=Period(begin, begin + hours * HOUR),
            now=datetime.now(UTC),
        )


def submitted(who: Console, cards: int = 4, start: int = 120, hours: int = 24) -> Reservation:
    one = held(who, cards, start, hours)
    with tenant_scope(who.id):
        return reservations.submit(actor=who.actor(), reservation_id=one.pk, now=datetime.now(UTC))


def active(who: Console, cards: int = 4, hours: int = 24) -> Reservation:
    """A reservation whose cards are set aside now."""
    one = submitted(who, cards, start=0, hours=hours)
    now = datetime.now(UTC)
    with operator_scope():
        reservations.approve(actor=SYSTEM, reservation_id=one.pk, now=now)
        drive = claim_reservation(reservation_id=one.pk, now=now)
        assert drive is not None
        record_activated(
            reservation_id=one.pk,
            observation=ReservationObservation(
                key=one.engine_key,
                nodes=("desk-001",),
                cards=one.cards,
                period=one.period,
                active=True,
            ),
            now=now,
        )
        return Reservation.objects.get(pk=one.pk)


def deployed(
    who: Console, name: str = "chat", reservation: Reservation | None = None
) -> Deployment:
    with tenant_scope(who.id):
        return deploy(
            actor=who.actor(),
            project_id=who.project.pk,
            appliance_code="small-chat",
            name=name,
            pool_code="" if reservation else "desk",
            reservation_id=reservation.pk if reservation else None,
            now=datetime.now(UTC),
        )


def seen(one: Deployment, state: WorkloadState, **fields: object) -> Deployment:
    """The engine says so, and the deployment follows."""
    now = datetime.now(UTC)
    with operator_scope():
        workload = Workload.objects.get(pk=one.workload_id)
        claim_workload(workload_id=workload.pk, now=now)
        record_observation(
            workload_id=workload.pk,
            observation=WorkloadObservation(
                key=workload.engine_key,
                state=state,
                generation=workload.generation,
                **fields,  # type: ignore[arg-type]
            ),
            now=now,
            answered=True,
        )
        progress.look(actor=SYSTEM, deployment_id=one.pk, now=now)
        return Deployment.objects.get(pk=one.pk)


def ready(one: Deployment, minutes: int = 90) -> Deployment:
    """It answers, and the engine has counted its card for a while."""
    now = datetime.now(UTC)
    seen(
        one,
        WorkloadState.RUNNING,
        endpoint="http://127.0.0.1:9001",
        started_at=now,
        node="desk-001",
    )
    with operator_scope():
        progress.record_probe(
            actor=SYSTEM, deployment_id=one.pk, outcome=ProbeOutcome(well=True), now=now
        )
        workload = Workload.objects.get(pk=one.workload_id)
        EngineUsage.objects.create(
            tenant_id=one.tenant_id,
            cluster=Cluster.objects.get(code="lake-1"),
            workload=workload,
            record_key=f"{one.pk}",
            workload_key=workload.engine_key,
            engine_job_id="1",
            node="desk-001",
            gres="desk",
            cards=1,
            started_at=now - timedelta(minutes=minutes),
            seen_until=now,
        )
        return Deployment.objects.get(pk=one.pk)


def failed(one: Deployment) -> Deployment:
    return seen(
        one,
        WorkloadState.FAILED,
        reason="It ended with code 1.",
        last_lines=("loading weights from /models", "CUDA error: out of memory"),
        exit_code=1,
        ended_at=datetime.now(UTC),
    )


def used(who: Console, days: int = 5, per_day: int = 4, source: str = "gateway") -> None:
    """Tokens and cards of some days, of two models and two pools."""
    now = datetime.now(UTC)
    events = []
    for day in range(days):
        at = min(now - timedelta(days=day), lately(timedelta(hours=2)))
        for number in range(per_day):
            name = f"{source}-{day}-{number}"
            model = ("chat", "embed")[number % 2]
            tokens = {"model": model, "deployment": "d1", "key": "k1"}
            cards = {
                "chip": "nvidia-h20",
                "pool": "desk",
                "service_class": ("on_demand", "covered")[number % 2],
                "reservation": "",
                "workload": "w1",
            }
            for meter, quantity, dimensions in (
                ("appliances.tokens_in", 40_000_000 + number * 7, tokens),
                ("appliances.tokens_out", 9_000_000 + number * 3, tokens),
                ("compute.card_seconds", 7200 + number * 61, cards),
            ):
                events.append(
                    UsageEvent(
                        source=source,
                        id=f"{name}-{meter}",
                        meter=meter,
                        subject="appliances.deployment:d1",
                        at=at,
                        quantity=quantity,
                        dimensions=dimensions,
                        project_id=who.project.pk,
                    )
                )
    with tenant_scope(who.id):
        results = record_usage(actor=SYSTEM, tenant_id=who.id, events=events, now=now)
        assert {result.status for result in results} == {"accepted"}, results[0]
    with operator_scope():
        accrue(tenant_id=who.id, now=now)


def invoiced(who: Console, until: datetime | None = None) -> Invoice:
    now = datetime.now(UTC)
    with operator_scope():
        return issue_invoice(
            actor=SYSTEM, tenant_id=who.id, until=until or now - timedelta(hours=30), now=now
        )


def key(who: Console, name: str = "production") -> str:
    with tenant_scope(who.id):
        _row, secret = create_key(
            actor=who.actor(),
            tenant_id=who.id,
            name=name,
            scopes=[Permission.MODEL_CALL.value],
            project_id=who.project.pk,
            now=datetime.now(UTC),
        )
    return secret


def furnished(code: str = "alice", currency: str = "CNY") -> Console:
    """One of everything: what the browser tests and the pictures look at."""
    who = tenant(code, currency=currency)
    running = active(who, cards=4)
    submitted(who, cards=2, start=60 * 30)
    held(who, cards=8, start=60 * 24 * 3, hours=72)
    ready(deployed(who, "客服问答", running), minutes=0)
    ready(deployed(who, "chat"))
    failed(deployed(who, "nightly"))
    over = deployed(who, "trial")
    with tenant_scope(who.id):
        stop(actor=who.actor(), deployment_id=over.pk, now=datetime.now(UTC))
    deployed(who, "starting-now")
    used(who)
    invoiced(who)
    key(who)
    with tenant_scope(who.id):
        invite(
            actor=who.actor(),
            tenant_id=who.id,
            email="new.colleague@example.com",
            role="developer",
            now=datetime.now(UTC),
        )
    answered()
    return who


def people(who: Console) -> int:
    with operator_scope():
        return Membership.objects.filter(tenant_id=who.id).count()


__all__ = ["PASSWORD", "Console", "uuid7"]
