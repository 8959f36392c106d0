"""Bad input to the resources of the domain: refused with a stable code, and nothing changes."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from billing.commands.invoices import issue_invoice
from common.clock import utc_now
from common.ids import uuid7
from compute.models import Reservation
from tenants.permissions import SYSTEM, Permission
from tenants.scoping import operator_scope
from tests.factories import desk, tenant_models
from tests.factories.desk import HOUR, Customer, deployment_body, minute, reservation_body, written
from tests.factories.tenants import key

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def alice() -> Customer:
    desk.open_desk()
    return desk.program("alice")


@pytest.fixture
def bob(alice: Customer) -> Customer:
    return desk.program("bob")


def everything() -> dict[str, str]:
    """A hash of every tenant-owned table; notes of when a key was used are no change."""
    found = {}
    with operator_scope(), connection.cursor() as cursor:
        for model in tenant_models():
            table = model._meta.db_table
            cursor.execute(
                f"SELECT md5(string_agg((to_jsonb(t) - 'last_used_at')::text, '' "  # noqa: S608
                f"ORDER BY t::text)) FROM {table} t"
            )
            found[table] = cursor.fetchone()[0]
    return found


@pytest.fixture
def unchanged(alice: Customer) -> Callable[[], None]:
    before = everything()

    def check() -> None:
        assert everything() == before

    return check


def code_of(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json", answer.content[:300]
    return answer.status_code, answer.json()["code"]


def pointers(answer: Any) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


def at(offset: timedelta) -> str:
    return written(minute(offset))


RESERVATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no cards": ({"cards": 0}, "/cards"),
    "cards below zero": ({"cards": -1}, "/cards"),
    "more cards than there are numbers": ({"cards": 10**30}, "/cards"),
    "half a card": ({"cards": 1.5}, "/cards"),
    "cards in words": ({"cards": "2"}, "/cards"),
    "truth as cards": ({"cards": True}, "/cards"),
    "an end before the start": ({"ends_at": at(timedelta(0))}, "/ends_at"),
    "an end at the start": ({"ends_at": at(HOUR)}, "/ends_at"),
    "a start in the past": ({"starts_at": at(-DAY)}, "/start"),
    "a start far ahead": ({"starts_at": at(999 * DAY), "ends_at": at(1000 * DAY)}, "/start"),
    "a period far too long": ({"ends_at": at(3000 * DAY)}, "/end"),
    "seconds in the start": ({"starts_at": at(HOUR + timedelta(seconds=1))}, "/start"),
    "a time without offset": ({"starts_at": "2030-01-01T00:00:00"}, "/starts_at"),
    "the last instant there is": ({"ends_at": "9999-12-31T23:59:59-12:00"}, "/ends_at"),
    "a day that is none": ({"ends_at": "2030-02-30T00:00:00Z"}, "/ends_at"),
    "an overlong project": ({"project": "x" * 41}, "/project"),
    "a control character": ({"pool": "h20\0"}, "/pool"),
    "a list as pool": ({"pool": ["h20"]}, "/pool"),
    "nothing as pool": ({"pool": None}, "/pool"),
    "an unknown member": ({"price": "0"}, "/price"),
}


@pytest.mark.parametrize("name", RESERVATIONS)
def test_a_bad_reservation_is_refused(
    alice: Customer, unchanged: Callable[[], None], name: str
) -> None:
    changes, pointer = RESERVATIONS[name]
    answer = alice.post("reservations", reservation_body(**changes))
    assert code_of(answer) == (422, "invalid_input")
    assert pointers(answer) == [pointer]
    unchanged()


@pytest.mark.parametrize("word", ["missing", "项目", "🚀", "main "])
@pytest.mark.parametrize("member", ["project", "pool"])
def test_a_code_that_names_nothing_is_not_found(
    alice: Customer, unchanged: Callable[[], None], member: str, word: str
) -> None:
    answer = alice.post("reservations", reservation_body(**{member: word}))
    if member == "pool" or word != "main ":
        assert code_of(answer) == (404, "not_found")
        unchanged()
    else:
        assert answer.json()["project"] == "main"


def test_more_cards_than_are_free_are_refused_with_what_is(
    alice: Customer, unchanged: Callable[[], None]
) -> None:
    assert code_of(alice.post("reservations", reservation_body(cards=17))) == (
        409,
        "not_enough_capacity",
    )
    unchanged()


def test_a_reservation_sent_twice_is_made_once(alice: Customer) -> None:
    first = alice.post("reservations", reservation_body(), key="res-1")
    again = alice.post("reservations", reservation_body(), key="res-1")
    assert (again.status_code, again.content) == (201, first.content)
    other = alice.post("reservations", reservation_body(cards=3), key="res-1")
    assert code_of(other) == (422, "idempotency_key_reused")
    assert len(alice.get("reservations").json()["items"]) == 1
    keyless = alice.post("reservations", reservation_body(), key=None)
    assert code_of(keyless) == (400, "idempotency_key_required")


def test_an_expired_hold_cannot_be_submitted(alice: Customer) -> None:
    held = alice.post("reservations", reservation_body()).json()
    with operator_scope():
        Reservation.objects.filter(pk=held["id"]).update(
            hold_expires_at=utc_now() - timedelta(seconds=1)
        )
    before = everything()
    assert code_of(alice.post(f"reservations/{held['id']}/submit", {})) == (409, "hold_expired")
    assert everything() == before


def test_steps_out_of_turn_are_refused(alice: Customer) -> None:
    held = alice.post("reservations", reservation_body()).json()
    address = f"reservations/{held['id']}"
    before = everything()
    assert code_of(alice.post(f"{address}/end", {})) == (409, "reservation_state")
    assert code_of(alice.post(f"{address}/submit", {"now": True})) == (422, "invalid_input")
    assert everything() == before
    alice.post(f"{address}/cancel", {})
    before = everything()
    assert code_of(alice.post(f"{address}/submit", {})) == (409, "reservation_state")
    assert everything() == before


def test_a_reservation_that_cannot_be_paid_is_not_submitted(alice: Customer) -> None:
    poor = desk.program("poor", credit="0.01")
    held = poor.post("reservations", reservation_body()).json()
    before = everything()
    refused = poor.post(f"reservations/{held['id']}/submit", {})
    assert code_of(refused) == (402, "insufficient_funds")
    assert everything() == before


DEPLOYMENTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "neither pool nor reservation": ({"pool": None}, 422, "invalid_input"),
    "an empty pool": ({"pool": ""}, 422, "invalid_input"),
    "pool and reservation": ({"reservation": str(uuid7())}, 422, "invalid_input"),
    "no name": ({"name": "  "}, 422, "invalid_input"),
    "an overlong name": ({"name": "名" * 101}, 422, "invalid_input"),
    "a model name in Chinese": ({"served_model_name": "模型"}, 422, "invalid_input"),
    "a model name like an option": ({"served_model_name": "--port"}, 422, "invalid_input"),
    "an end in the past": ({"until": at(-HOUR)}, 422, "invalid_input"),
    "an end years away": ({"until": at(3000 * DAY)}, 422, "invalid_input"),
    "an unknown member": ({"replicas": 2}, 422, "invalid_input"),
    "a reservation that is no id": ({"reservation": "1"}, 422, "invalid_input"),
    "an unknown pool": ({"pool": "nowhere"}, 404, "not_found"),
    "an unknown appliance": ({"appliance": "nothing"}, 404, "not_found"),
    "an unknown project": ({"project": "项目"}, 404, "not_found"),
    "a model that runs on no such chip": (
        {"appliance": "pangu-embedded"},
        404,
        "not_found",
    ),
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_bad_deployment_is_refused(
    alice: Customer, unchanged: Callable[[], None], name: str
) -> None:
    changes, status, code = DEPLOYMENTS[name]
    assert code_of(alice.post("deployments", deployment_body(**changes))) == (status, code)
    unchanged()


def test_a_deployment_sent_twice_is_made_once_and_its_model_name_is_taken(
    alice: Customer,
) -> None:
    first = alice.post("deployments", deployment_body(name="智能助手 🚀"), key="d-1")
    again = alice.post("deployments", deployment_body(name="智能助手 🚀"), key="d-1")
    assert first.status_code == 201, first.content
    assert again.content == first.content
    assert first.json()["model"] == "small-chat"
    before = everything()
    taken = alice.post("deployments", deployment_body(name="small-chat"))
    assert code_of(taken) == (409, "model_name_taken")
    assert everything() == before


def test_another_tenant_s_things_are_the_same_as_missing_ones(
    alice: Customer, bob: Customer
) -> None:
    reservation = bob.post("reservations", reservation_body()).json()["id"]
    deployment = bob.post("deployments", deployment_body()).json()["id"]
    bob.post("usage/events", desk.event(), key=None)
    with operator_scope():
        invoice = issue_invoice(
            actor=SYSTEM, tenant_id=bob.organisation.pk, until=utc_now(), now=utc_now()
        ).pk
    missing = uuid7()
    before = everything()
    reads = [
        ("reservations/{}", reservation),
        ("deployments/{}", deployment),
        ("invoices/{}", invoice),
        ("invoices/{}/lines/1/events", invoice),
        ("invoices/{}/document.pdf", invoice),
        ("invoices/{}/lines.csv", invoice),
    ]
    for path, foreign in reads:
        answers = [alice.get(path.format(name)) for name in (foreign, missing)]
        assert _told_apart(*answers) is None, path
    steps = [(f"reservations/{{}}/{step}", reservation) for step in ("submit", "cancel", "end")]
    for path, foreign in [*steps, ("deployments/{}/stop", deployment)]:
        answers = [alice.post(path.format(name), {}) for name in (foreign, missing)]
        assert _told_apart(*answers) is None, path
    bodies = [deployment_body(pool=None, reservation=str(name)) for name in (reservation, missing)]
    assert _told_apart(*[alice.post("deployments", body) for body in bodies]) is None
    assert everything() == before


def _told_apart(one: Any, other: Any) -> tuple[object, object] | None:
    """What differs between two refusals beside the request's own name."""
    assert code_of(one) == (404, "not_found")
    seen = [{**json.loads(a.content), "instance": "", "request_id": ""} for a in (one, other)]
    return None if seen[0] == seen[1] else (seen[0], seen[1])


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("pools", {"limit": "0"}, "/limit"),
        ("pools", {"cursor": "é"}, "/cursor"),
        ("appliances", {"cursor": "_w"}, "/cursor"),
        ("prices", {"at": "now"}, "/at"),
        ("invoices", {"cursor": "bm93fDE"}, "/cursor"),
        ("reservations", {"cursor": "bm93"}, "/cursor"),
        ("deployments", {"cursor": "!"}, "/cursor"),
        (
            "pools/h20/availability",
            {"starts_at": at(HOUR), "ends_at": at(timedelta(0))},
            "/ends_at",
        ),
        (
            "pools/h20/availability",
            {"starts_at": at(HOUR), "ends_at": at(4000 * DAY)},
            "/ends_at",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    alice: Customer, path: str, query: dict[str, str], pointer: str
) -> None:
    answer = alice.get(path, **query)
    assert code_of(answer) == (422, "invalid_input")
    assert pointers(answer) == [pointer]


def _search(**changes: object) -> dict[str, Any]:
    window = {"window_starts_at": at(HOUR), "window_ends_at": at(DAY)}
    return {"cards": 1, "hours": 2, **window, **changes}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"cards": 0}, "/cards"),
        ({"cards": -1}, "/cards"),
        ({"hours": 0}, "/hours"),
        ({"hours": 48}, "/window"),
        ({"petaflops": "0"}, "/petaflops"),
        ({"petaflops": "1e9"}, "/petaflops"),
        ({"budget": "-1"}, "/budget"),
        ({"flexible": "maybe"}, "/flexible"),
        ({"window_ends_at": at(timedelta(0))}, "/window_ends_at"),
        ({"window_ends_at": at(4000 * DAY)}, "/window"),
        ({"window_starts_at": at(-9 * DAY), "window_ends_at": at(-DAY)}, "/window"),
        ({"chip": "x" * 61}, "/chip"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    alice: Customer, changes: dict[str, object], pointer: str
) -> None:
    answer = alice.get("offers", **_search(**changes))
    assert code_of(answer) == (422, "invalid_input")
    assert pointers(answer) == [pointer]


def test_a_search_for_an_unknown_chip_or_centre_finds_nothing_and_says_so(alice: Customer) -> None:
    strict = alice.get("offers", **_search(chip="chip-æ-芯", flexible="false")).json()
    assert strict == {"offers": [], "refused": []}
    poor = alice.get("offers", **_search(budget="0.01")).json()
    assert [row["code"] for row in poor["refused"]] == ["over_budget"]
    assert alice.get("offers", **_search(centre="mars")).json()["offers"] == []


def test_a_key_of_one_project_reaches_no_other(alice: Customer) -> None:
    with operator_scope():
        other = type(alice.project).objects.create(
            tenant=alice.organisation, code="other", name="Other"
        )
    _row, secret = key(alice.organisation, project=other)
    narrow = Customer(organisation=alice.organisation, project=other, secret=secret)
    made = alice.post("reservations", reservation_body()).json()
    alice.post("usage/events", desk.event(data={"project": "main"}), key=None)
    before = everything()
    assert code_of(narrow.get(f"reservations/{made['id']}")) == (404, "not_found")
    assert code_of(narrow.post("reservations", reservation_body())) == (404, "not_found")
    assert code_of(narrow.post("deployments", deployment_body())) == (404, "not_found")
    assert narrow.get("usage/events").json()["items"] == []
    assert narrow.get("usage/summary").json()["items"] == []
    assert everything() == before


def test_a_key_without_the_scope_changes_nothing(alice: Customer) -> None:
    reader = desk.program("reader", scopes={Permission.RESERVATION_READ.value})
    before = everything()
    assert code_of(reader.post("reservations", reservation_body())) == (403, "permission_refused")
    assert code_of(reader.post("usage/events", desk.event(), key=None)) == (
        403,
        "permission_refused",
    )
    assert everything() == before


def test_a_key_of_one_scope_can_do_that_one_thing_and_its_money_follows(alice: Customer) -> None:
    def only(scope: Permission) -> Customer:
        _row, secret = key(alice.organisation, {scope.value})
        return Customer(organisation=alice.organisation, project=alice.project, secret=secret)

    taker, giver = only(Permission.RESERVATION_CREATE), only(Permission.RESERVATION_CANCEL)
    held = taker.post("reservations", reservation_body()).json()
    submitted = taker.post(f"reservations/{held['id']}/submit", {})
    assert submitted.json()["state"] == "awaiting_approval"
    assert alice.get("wallet").json()["held"] == held["gross"]
    cancelled = giver.post(f"reservations/{held['id']}/cancel", {})
    assert cancelled.json()["state"] == "cancelled"
    assert alice.get("wallet").json()["held"] == "0.00"
    starter, stopper = only(Permission.DEPLOYMENT_CREATE), only(Permission.DEPLOYMENT_STOP)
    started = starter.post("deployments", deployment_body()).json()
    stopped = stopper.post(f"deployments/{started['id']}/stop", {})
    assert stopped.json()["state"] == "stopping"


@pytest.mark.parametrize("path", ["reservations", "deployments"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"[" * 9999])
def test_a_body_that_is_no_object_is_refused(
    alice: Customer, unchanged: Callable[[], None], path: str, body: bytes
) -> None:
    answer = alice.post(path, body)
    assert answer.status_code in {400, 422}
    assert code_of(answer)[1] in {"parse_error", "invalid_input"}
    unchanged()


def test_instants_are_given_in_utc(alice: Customer) -> None:
    start = datetime.fromisoformat(at(HOUR)).astimezone().isoformat()
    body = reservation_body(starts_at=start)
    assert alice.post("reservations", body).json()["starts_at"] == at(HOUR)
