"""What a tenant in arrears is told: by the API, by the gateway, and on its own pages."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from billing.arrears import ArrearsState
from billing.commands.wallet import top_up
from billing.models import Account, ArrearsStanding
from common.clock import utc_now
from compute.models import Claim, Reservation, Workload
from portal.gateway import snapshot as snapshots
from portal.gateway.domain import take_snapshot
from portal.gateway.snapshot import Frozen, Snapshot
from tenants.models import ApiKey, AuditEntry, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.billing.arrears_stage import put_into
from tests.factories import desk
from tests.factories.desk import Customer, deployment_body, event, reservation_body
from tests.factories.gateway import (
    ALICE,
    CHAT,
    KEY,
    Reply,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    spooled,
    target,
)
from tests.factories.tenants import member
from tests.model_server import StubModel

S = ArrearsState
DAY = timedelta(days=1)
CODES = {
    S.GRACE: "arrears_grace",
    S.RETENTION: "arrears_retention",
    S.RELEASED: "arrears_released",
}


@pytest.fixture
def alice(db: None) -> Customer:
    desk.open_desk()
    return desk.program("alice")


def owing(who: Customer, state: ArrearsState) -> datetime:
    at = utc_now()
    with operator_scope():
        put_into(who.organisation.pk, state, at)
    return at


def counted() -> list[int]:
    with operator_scope():
        models = (Reservation, Workload, Claim, ApiKey, Project, AuditEntry)
        return [model.objects.count() for model in models]


KEY_BODY = {"name": "k", "scopes": ["billing:usage:read"]}
PROJECT_BODY = {"code": "second", "name": "Second"}


@pytest.mark.parametrize("state", CODES)
@pytest.mark.parametrize(
    ("path", "body", "is_refused_in_grace"),
    [
        ("reservations", reservation_body, True),
        ("deployments", deployment_body, True),
        ("keys", lambda: KEY_BODY, False),
        ("projects", lambda: PROJECT_BODY, False),
    ],
)
def test_a_change_is_refused_with_the_state_the_deadline_and_the_amount(
    alice: Customer, state: ArrearsState, path: str, body: object, *, is_refused_in_grace: bool
) -> None:
    at = owing(alice, state)
    alice.get("wallet")
    before = counted()
    answer = alice.post(path, body())  # type: ignore[operator]
    if state == S.GRACE and not is_refused_in_grace:
        assert answer.status_code == 201, answer.content
        return
    assert (answer.status_code, answer["Content-Type"]) == (402, "application/problem+json")
    document = answer.json()
    deadline = {S.GRACE: at + DAY, S.RETENTION: at + 7 * DAY, S.RELEASED: None}[state]
    assert {
        name: document[name]
        for name in (
            "code",
            "status",
            "reason",
            "state",
            "deadline",
            "amount_needed",
            "currency",
            "resolution",
            "retryable",
        )
    } == {
        "code": CODES[state],
        "status": 402,
        "reason": "arrears",
        "state": state.value,
        "deadline": deadline.isoformat() if deadline else None,
        "amount_needed": "50.00",
        "currency": "CNY",
        "resolution": "Top up the wallet by the amount needed; it takes effect at once.",
        "retryable": False,
    }
    assert "50.00 CNY" in document["detail"]
    assert counted() == before


@pytest.mark.parametrize("state", CODES)
def test_looking_reporting_and_stopping_always_work(alice: Customer, state: ArrearsState) -> None:
    held = alice.post("reservations", reservation_body())
    assert held.status_code == 201, held.content
    owing(alice, state)
    for path in ("wallet", "standing", "invoices", "reservations", "deployments", "pools", "keys"):
        assert alice.get(path).status_code == 200
    sent = alice.post("usage/events", [event()], key=None)
    assert sent.json()["accepted"] == 1
    cancelled = alice.post(f"reservations/{held.json()['id']}/cancel", {})
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")


def test_a_refused_request_is_done_under_the_same_key_after_the_payment(alice: Customer) -> None:
    owing(alice, S.RETENTION)
    body = reservation_body()
    assert alice.post("reservations", body, key="once").status_code == 402
    with operator_scope():
        top_up(
            actor=SYSTEM,
            tenant_id=alice.organisation.pk,
            amount=Decimal(100),
            key="k",
            reference="r",
            now=utc_now(),
        )
    assert alice.post("reservations", body, key="once").status_code == 201


def test_the_standing_is_told_with_its_deadlines(alice: Customer) -> None:
    at = owing(alice, S.RETENTION)
    found = alice.get("standing").json()
    assert (found["state"], found["may_create"], found["amount_needed"]) == (
        "retention",
        False,
        "50.00",
    )
    assert found["frozen"] == ["on_demand", "reserved"]
    assert found["deadlines"]["reserved_release_at"] == (at + 7 * DAY).isoformat().replace(
        "+00:00", "Z"
    )


def test_a_tenant_that_never_owed_anything_is_normal(alice: Customer) -> None:
    found = alice.get("standing").json()
    assert (found["state"], found["may_create"], found["frozen"]) == ("normal", True, [])
    assert found["deadlines"] is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "title"),
    [
        (S.GRACE, "The account is in arrears"),
        (S.RETENTION, "Work is stopped: the account is in arrears"),
        (S.RELEASED, "Reserved and stopped resources have been given up"),
    ],
)
def test_every_page_says_so_with_the_zone_and_the_amount_for_who_may_see_money(
    alice: Customer, client: object, state: ArrearsState, title: str
) -> None:
    owing(alice, state)
    for role, sees_money in (("finance", True), ("viewer", False)):
        client.force_login(member(alice.organisation, role))  # type: ignore[attr-defined]
        for page in ("", "deployments/", "projects/"):
            text = client.get(  # type: ignore[attr-defined]
                f"/t/alice/{page}", headers={"Accept-Language": "en"}
            ).content.decode()
            assert title in text
            assert ("UTC+8" in text) or state == S.RELEASED
            assert ("50.00" in text) is sees_money
            assert ('href="/t/alice/wallet/"' in text) is sees_money


@pytest.mark.django_db
def test_a_tenant_in_order_sees_no_banner(alice: Customer, client: object) -> None:
    client.force_login(member(alice.organisation, "owner"))  # type: ignore[attr-defined]
    text = client.get("/t/alice/", headers={"Accept-Language": "en"}).content.decode()  # type: ignore[attr-defined]
    assert "arrears" not in text


@pytest.mark.django_db
def test_the_consoles_forms_are_refused_alike(alice: Customer, client: object) -> None:
    client.force_login(member(alice.organisation, "owner"))  # type: ignore[attr-defined]
    owing(alice, S.RETENTION)
    before = counted()
    for page, form in (
        ("keys/", {"name": "k", "use": "call", "idem": str(uuid4())}),
        ("projects/", {"name": "P", "code": "p", "idem": str(uuid4())}),
    ):
        answer = client.post(  # type: ignore[attr-defined]
            f"/t/alice/{page}", form, headers={"Accept-Language": "en"}
        )
        assert answer.status_code == 402
        assert "The account is frozen for arrears" in answer.content.decode()
    assert counted() == before


def asked(folder: Path, frozen: Frozen | None, *models: str, spends: bool = False) -> list[Reply]:
    """Calls of Alice's models: "od" on demand, "rs" in a reservation."""

    async def run() -> list[Reply]:
        model = StubModel()
        server = await model.start()
        targets = [
            target("od", model.endpoint),
            replace(target("rs", model.endpoint), is_reserved=True),
        ]
        given = replace(
            snapshot({KEY: grant()}, targets, (ALICE,) if spends else ()),
            frozen={} if frozen is None else {ALICE: frozen},
        )
        gateway, runtime = gateway_with(folder, given)
        try:
            replies = [await call(gateway, CHAT, chat(name)) for name in models]
            served = [reply for reply in replies if reply.status == 200]
            assert len(spooled(runtime)) == len(served) == len(model.seen)
            return replies
        finally:
            await gateway.stop()
            server.close()

    return asyncio.run(run())


UNTIL = datetime.fromisoformat("2026-12-01T00:00:00+00:00")


def test_the_gateway_tells_a_frozen_tenant_402_and_clients_not_to_retry(tmp_path: Path) -> None:
    frozen = Frozen("arrears_retention", frozenset({"on_demand", "reserved"}), "50.00", UNTIL)
    for reply in asked(tmp_path, frozen, "od", "rs", "stopped-already", spends=True):
        assert (reply.status, reply.headers["x-should-retry"]) == (402, "false")
        assert reply.error == {
            "message": "The organisation is in arrears and its models are stopped: 50.00 CNY are "
            "needed. Top up the wallet to have them started again. What was stopped is kept until "
            "2026-12-01T00:00:00+00:00.",
            "type": "arrears",
            "param": None,
            "code": "arrears_retention",
        }


def test_a_model_in_a_reservation_is_served_until_its_own_class_is_frozen(tmp_path: Path) -> None:
    frozen = Frozen("arrears_retention", frozenset({"on_demand"}), "50.00", UNTIL)
    on_demand, reserved, unknown = asked(tmp_path, frozen, "od", "rs", "xy", spends=True)
    assert (on_demand.status, reserved.status, unknown.status) == (402, 200, 402)


def test_no_funds_without_arrears_is_still_a_matter_of_quota(tmp_path: Path) -> None:
    (reply,) = asked(tmp_path, None, "od")
    assert (reply.status, reply.error["code"]) == (429, "insufficient_quota")


@pytest.mark.django_db
def test_the_snapshot_says_who_is_frozen_and_who_is_carried(
    alice: Customer, tmp_path: Path
) -> None:
    tenant_id = alice.organisation.pk
    with operator_scope():
        Account.objects.filter(tenant_id=tenant_id).update(unbilled=Decimal("99999999"))
    assert tenant_id not in take_snapshot().spenders
    at = owing(alice, S.GRACE)
    in_grace = take_snapshot()
    # What runs keeps running: grace is credit, until it is over.
    assert tenant_id in in_grace.spenders
    assert in_grace.frozen == {}
    with operator_scope():
        ArrearsStanding.objects.filter(tenant_id=tenant_id).update(
            state="retention", on_demand_freeze_at=at, state_at=at
        )
    taken = take_snapshot()
    assert taken.frozen == {
        tenant_id: Frozen("arrears_retention", frozenset({"on_demand"}), "50.00", at + 7 * DAY)
    }
    assert kept(taken, tmp_path).frozen == taken.frozen


def kept(taken: Snapshot, folder: Path) -> Snapshot:
    """The snapshot after a trip to the disk."""
    snapshots.save(taken, folder / "snapshot.json")
    found = snapshots.load(folder / "snapshot.json")
    assert found is not None
    assert json.loads((folder / "snapshot.json").read_text().partition("\n")[2])["frozen"]
    return found
