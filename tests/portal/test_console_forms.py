"""Forms of the tenant console: sent once, refused with their inputs kept, nothing changed."""

import csv
import re
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.http import HttpResponse

from appliances.models import Deployment
from billing.adapters.csv import COLUMNS
from compute.commands import reservations
from compute.models import Pool, Reservation
from tenants.models import ApiKey, Invitation, Membership, Project
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console
from tests.factories.console import Console, soon
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


def quoted(who: Console, **asked: object) -> tuple[dict[str, str], str]:
    """The hold form of the reserve page, and the page."""
    wanted = {"chip": "nvidia-h20", "cards": 2, "hours": 3, "flexible_days": "0", **asked}
    page = who.client().get(who.path(f"reserve/?{urlencode(wanted)}"))
    assert page.status_code == 200
    text = page.content.decode()
    form = text[text.index('class="quote-form"') :]
    fields = dict(HIDDEN.findall(form[: form.index("</form>")]))
    return fields, text


def rows(who: Console) -> tuple[int, int, int, int, int]:
    """How many there are of what forms make."""
    with operator_scope():
        return tuple(
            model.objects.filter(tenant_id=who.id).count()
            for model in (Reservation, Deployment, ApiKey, Project, Invitation)
        )  # type: ignore[return-value]


def sent(who: Console, path: str, by: str = "owner", **fields: object) -> HttpResponse:
    return who.client(by).post(who.path(path), {"idem": str(uuid4()), **fields})


def test_the_quote_on_the_page_is_the_price_of_the_reservation(alice: Console) -> None:
    fields, page = quoted(alice)
    answer = alice.client().post(alice.path("reserve/"), fields)
    assert answer.status_code == 302
    with operator_scope():
        made = Reservation.objects.filter(tenant_id=alice.id).latest("pk")
    assert answer["Location"] == alice.path(f"reservations/{made.pk}/")
    assert (made.state, made.cards, made.gross) == ("held", 2, Decimal(fields["gross"]))
    assert f"{made.gross:.2f}</span></strong>" in page
    shown = alice.client().get(answer["Location"]).content.decode()
    assert "data-countdown" in shown
    assert f"{made.gross:.2f}" in shown


def test_the_same_form_sent_twice_makes_one_reservation(alice: Console) -> None:
    fields, _page = quoted(alice)
    before = rows(alice)
    first = alice.client().post(alice.path("reserve/"), fields)
    again = alice.client().post(alice.path("reserve/"), fields)
    assert first["Location"] == again["Location"]
    assert rows(alice)[0] == before[0] + 1


def test_a_used_form_with_other_content_is_refused_and_gets_a_new_key(alice: Console) -> None:
    fields, _page = quoted(alice)
    alice.client().post(alice.path("reserve/"), fields)
    before = rows(alice)
    other = alice.client().post(alice.path("reserve/"), {**fields, "cards": "1"})
    assert other.status_code == 422
    assert "idempotency_key_reused" in other.content.decode()
    assert fields["idem"] not in other.content.decode()
    assert rows(alice) == before


def test_the_loser_of_a_race_keeps_the_inputs_and_sees_the_next_free_times(
    alice: Console,
) -> None:
    fields, _page = quoted(alice, cards=4)
    other = console.tenant("bob")
    with operator_scope():
        free = Pool.objects.get(code="desk")
    start = soon() + timedelta(minutes=1)
    with tenant_scope(other.id):
        reservations.hold(
            actor=other.actor(),
            project_id=other.project.pk,
            pool_code=free.code,
            cards=10,
            period=console.Period(start, start + timedelta(hours=30)),
            now=start,
        )
    before = rows(alice)
    query = urlencode({"chip": "nvidia-h20", "cards": 4, "hours": 3})
    lost = alice.client().post(alice.path(f"reserve/?{query}"), fields)
    text = lost.content.decode()
    assert lost.status_code == 409
    assert "not_enough_capacity" in text
    assert 'name="cards" value="4"' in text
    assert 'name="hours" value="3"' in text
    assert len(re.findall(r'<ul class="times">.*?</ul>', text, re.DOTALL)[0].split("<li>")) > 1
    assert fields["idem"] in text
    assert rows(alice) == before


def test_a_price_that_moved_since_it_was_shown_is_refused(alice: Console) -> None:
    fields, _page = quoted(alice)
    before = rows(alice)
    answer = alice.client().post(alice.path("reserve/"), {**fields, "gross": "1.00"})
    assert answer.status_code == 409
    assert "price_moved" in answer.content.decode()
    assert rows(alice) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"cards": "-1"},
        {"cards": "9" * 30},
        {"hours": "0"},
        {"hours": "x"},
        {"starts_at": "yesterday"},
        {"starts_at": "2020-01-01T00:00", "flexible_days": "0"},
        {"starts_at": "9999-12-31T23:59"},
        {"budget": "-5"},
        {"petaflops": "1e400"},
        {"project": "不存在 🚀"},
        {"chip": "none-such"},
        {"flexible_days": "12345"},
    ],
    ids=str,
)
def test_a_wrong_search_is_explained_and_kept(alice: Console, wrong: dict[str, str]) -> None:
    query = urlencode({"cards": "2", "hours": "3", **wrong})
    answer = alice.client().get(alice.path(f"reserve/?{query}"))
    assert answer.status_code == 422, answer.content.decode()[:500]
    assert "notice tone-bad" in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("reserve/", {"project": "x", "pool": "desk", "cards": "0"}),
        ("deploy/small-chat/", {"place": "moon:1", "name": "x"}),
        ("deploy/small-chat/", {"place": "pool:desk", "name": "名" * 200}),
        ("keys/", {"name": "", "use": "call"}),
        ("keys/", {"name": "k", "use": "root"}),
        ("members/invite/", {"email": "not an address", "role": "viewer"}),
        ("members/invite/", {"email": "a@b.example", "role": "emperor"}),
        ("projects/", {"name": "Research", "code": "Not A Code 🚀"}),
        ("projects/", {"name": "Twice", "code": "assistant"}),
    ],
    ids=str,
)
def test_a_wrong_form_comes_back_with_its_inputs(
    alice: Console, path: str, fields: dict[str, str]
) -> None:
    before = rows(alice)
    answer = sent(alice, path, **fields)
    assert answer.status_code in {409, 422}, answer.content.decode()[:500]
    text = answer.content.decode()
    assert "notice tone-bad" in text
    assert all(value in text for name, value in fields.items() if name in {"name", "email"})
    assert rows(alice) == before


def test_what_is_wrong_with_a_field_is_said_beside_it_once(alice: Console) -> None:
    answer = sent(alice, "deploy/small-chat/", place="pool:desk", name="")
    assert answer.status_code == 422
    # The name and the project, each in the summary and beside its field.
    assert answer.content.decode().count("This field is required.") == 4


def test_a_form_without_its_key_is_refused(alice: Console) -> None:
    before = rows(alice)
    answer = alice.client().post(alice.path("projects/"), {"name": "New", "code": "new"})
    assert answer.status_code == 422
    assert "form_incomplete" in answer.content.decode()
    assert rows(alice) == before


def test_confirming_cancelling_and_ending_a_reservation(alice: Console) -> None:
    one = console.held(alice, cards=1, start=60 * 50)
    there = f"reservations/{one.pk}/"
    assert sent(alice, f"{there}submit/").status_code == 302
    assert sent(alice, f"{there}end/").status_code == 409
    assert sent(alice, f"{there}cancel/").status_code == 302
    refused = sent(alice, f"{there}submit/")
    assert refused.status_code == 409
    assert "reservation_state" in refused.content.decode()
    with operator_scope():
        assert Reservation.objects.get(pk=one.pk).state == "cancelled"


def test_a_hold_that_the_balance_does_not_cover_says_so_and_stays_held(alice: Console) -> None:
    poor = console.tenant("poor", money="1.00")
    one = console.held(poor, cards=1, start=60 * 50)
    page = poor.client().get(poor.path(f"reservations/{one.pk}/")).content.decode()
    assert "Your balance does not cover this" in page
    refused = sent(poor, f"reservations/{one.pk}/submit/")
    assert refused.status_code == 402
    assert "insufficient_funds" in refused.content.decode()
    with operator_scope():
        assert Reservation.objects.get(pk=one.pk).state == "held"


def test_deploying_stopping_and_deploying_again(alice: Console) -> None:
    fields = {
        "idem": str(uuid4()),
        "place": "pool:desk",
        "project": str(alice.project.pk),
        "name": "twice",
    }
    first = alice.client().post(alice.path("deploy/small-chat/"), fields)
    again = alice.client().post(alice.path("deploy/small-chat/"), fields)
    assert (first.status_code, first["Location"]) == (302, again["Location"])
    taken = sent(alice, "deploy/small-chat/", **{**fields, "idem": str(uuid4())})
    assert taken.status_code == 409
    assert "model_name_taken" in taken.content.decode()
    there = first["Location"].removeprefix(alice.path())
    page = alice.client().get(first["Location"]).content.decode()
    assert 'hx-trigger="every 3s"' in page
    assert "YOUR_API_KEY" in page
    assert sent(alice, f"{there}stop/").status_code == 302
    assert sent(alice, f"{there}retry/").status_code == 409
    with operator_scope():
        assert Deployment.objects.get(name="twice", tenant_id=alice.id).state == "stopping"


def test_a_failed_deployment_shows_its_last_lines_and_is_not_asked_about_again(
    alice: Console,
) -> None:
    with operator_scope():
        failed = Deployment.objects.get(tenant_id=alice.id, name="nightly")
    page = alice.client().get(alice.path(f"deployments/{failed.pk}/")).content.decode()
    assert "CUDA error: out of memory" in page
    assert "It ended with code 1." in page
    assert "every" not in re.findall(r'<div id="deployment-live"[^>]*>', page)[0]
    assert sent(alice, f"deployments/{failed.pk}/stop/").status_code == 409


def test_a_key_is_shown_once(alice: Console) -> None:
    client = alice.client()
    fields = {"idem": str(uuid4()), "name": "robot", "use": "call"}
    made = client.post(alice.path("keys/"), fields)
    assert made.status_code == 302
    shown = client.get(made["Location"]).content.decode()
    secret = re.findall(r"acp_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}", shown)[0]
    assert secret not in client.get(made["Location"]).content.decode()
    assert secret not in made.content.decode()
    assert client.post(alice.path("keys/"), fields).status_code == 302
    assert secret not in client.get(alice.path("keys/")).content.decode()
    with operator_scope():
        one = ApiKey.objects.get(tenant_id=alice.id, name="robot")
    assert one.scopes == ["appliances:model:call"]
    assert sent(alice, f"keys/{one.pk}/revoke/").status_code == 302
    with operator_scope():
        assert ApiKey.objects.get(pk=one.pk).revoked_at is not None


def test_members_are_invited_given_roles_and_removed(alice: Console) -> None:
    fields = {"email": "li.na@example.com", "role": "viewer"}
    assert sent(alice, "members/invite/", **fields).status_code == 302
    with operator_scope():
        invitation = Invitation.objects.get(tenant_id=alice.id, email="li.na@example.com")
        viewer = Membership.objects.get(tenant_id=alice.id, role="viewer")
        owner = Membership.objects.get(tenant_id=alice.id, role="owner")
    assert sent(alice, f"members/invitations/{invitation.pk}/revoke/").status_code == 302
    assert sent(alice, f"members/{viewer.pk}/role/", role="finance").status_code == 302
    assert sent(alice, f"members/{viewer.pk}/remove/").status_code == 302
    last = sent(alice, f"members/{owner.pk}/remove/")
    assert last.status_code == 409
    assert "last_owner" in last.content.decode()
    assert sent(alice, f"members/{owner.pk}/remove/", by="admin").status_code == 403


def test_totals_of_usage_are_those_of_the_draft_and_of_the_invoice(alice: Console) -> None:
    client = alice.client()
    total = re.compile(r'id="lines-total"[^>]*>(.*?)</td>', re.DOTALL)
    usage = client.get(alice.path("usage/")).content.decode()
    invoices = client.get(alice.path("invoices/")).content.decode()
    (shown,) = total.findall(usage)
    assert shown in invoices
    text = client.get(alice.path("usage/lines.csv")).content.decode("utf-8-sig")
    # Below the lines stands what credits take off; those rows have no gross of their own.
    gross_at = COLUMNS.index("gross")
    lines = [row for row in list(csv.reader(StringIO(text)))[1:] if row[gross_at]]
    position_at = COLUMNS.index("position")
    assert [row[position_at] for row in lines] == [str(at + 1) for at in range(len(lines))]
    gross = sum(Decimal(row[gross_at]) for row in lines)
    assert f"{gross:,.2f}" in shown


def test_a_stale_scheduler_is_said_and_every_page_stays_up(alice: Console) -> None:
    console.answered(soon(-12))
    page = alice.client().get(alice.path("reserve/")).content.decode()
    assert "Availability may be out of date" in page
    with operator_scope():
        live = Deployment.objects.get(tenant_id=alice.id, name="chat")
    text = alice.client().get(alice.path(f"deployments/{live.pk}/")).content.decode()
    assert "The scheduler is not answering" in text


def test_a_page_beyond_the_last_and_a_forged_cursor_are_answered(alice: Console) -> None:
    for page in (
        "reservations/",
        "deployments/",
        "keys/",
        "members/",
        "projects/",
        "audit/",
        "invoices/",
        "wallet/",
    ):
        answer = alice.client().get(alice.path(f"{page}?cursor=forged"))
        assert answer.status_code == 422, page
