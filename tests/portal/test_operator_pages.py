"""Capacity, catalogue, prices and checks in the operators' console; who sees and does what."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from appliances.models import Appliance
from billing.models import PriceVersion
from billing.queries.prices import version_prices, versions
from common.period import floor_hour
from compute.models import CapacityChange, ChipModel, Claim
from compute.queries import invariants
from tenants.models import AuditEntry
from tenants.scoping import operator_scope
from tests.factories.compute import ENGINES, make_catalogue, make_pool, make_tenant
from tests.portal.operator_stage import ROLES, minute, requested, signed_in

pytestmark = pytest.mark.django_db

POOL = "/ops/pools/h20/"
INSTANT = "%Y-%m-%dT%H:%M"
EVERY_PAGE = ("", "reservations/", "deployments/", "pools/", "pools/h20/", "nodes/", "nodes/wall/")
EVERY_PAGE += ("prices/taxes/", "prices/spot/")
EVERY_PAGE += ("clusters/", "chips/", "tenants/", "catalogue/", "prices/", "invoices/", "audit/")
ONLY_SOME = {
    "approvals/": {"capacity", "admin"},
    "jobs/": {"capacity", "admin"},
    "prices/new/": {"finance", "admin"},
    "tenants/+new/": {"admin"},
}


@pytest.fixture(autouse=True)
def centre(settings: Settings) -> None:
    settings.COMPUTE_ENGINES = ENGINES
    settings.LANGUAGE_CODE = "en"
    make_catalogue()
    make_pool(cards=8)


def changes() -> list[int]:
    return list(CapacityChange.objects.order_by("pk").values_list("cards", flat=True))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_its_pages_and_the_navigation_names_no_other(role: str) -> None:
    browser = signed_in(role)
    first = browser.get("/ops/").content.decode()
    for page in EVERY_PAGE:
        assert (page, browser.get(f"/ops/{page}").status_code) == (page, 200)
    for page, roles in ONLY_SOME.items():
        status = browser.get(f"/ops/{page}").status_code
        assert (page, status) == (page, 200 if role in roles else 403)
    for page in ("approvals/", "jobs/"):
        assert (f'href="/ops/{page}"' in first) == (role in ONLY_SOME[page])


def test_the_four_numbers_say_why_one_is_missing() -> None:
    page = signed_in("support").get("/ops/").content.decode()
    assert "No probe measures how busy the cards are." in page
    assert "The scheduler has not reported its nodes yet." in page


def test_a_capacity_change_is_made_once_and_shown() -> None:
    browser = signed_in("capacity")
    sent = {"capacity-cards": "16", "capacity-at": "", "capacity-reason": "A second rack."}
    for _ in range(2):
        assert browser.post(f"{POOL}capacity/", sent).status_code == 302
    assert changes() == [8, 16]
    assert "A second rack." in browser.get(POOL).content.decode()


def test_capacity_that_is_sold_cannot_be_taken_away() -> None:
    requested(make_tenant("alice"), cards=6)
    sent = {"capacity-cards": "2", "capacity-at": "", "capacity-reason": "Sold the rack."}
    answer = signed_in("capacity").post(f"{POOL}capacity/", sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert 'data-code="capacity_in_use"' in page
    assert 'value="Sold the rack."' in page
    assert changes() == [8]


def maintenance(**changed: str) -> dict[str, str]:
    start = minute() + timedelta(days=2)
    return {
        "maintenance-cards": "4",
        "maintenance-starts_at": start.strftime(INSTANT),
        "maintenance-ends_at": (start + timedelta(hours=2)).strftime(INSTANT),
        "maintenance-reason": "New fans.",
        "idem": "0d7a2a0e-6e57-4d57-b6a6-3a6ad7a3c1de",
        **changed,
    }


def planned() -> list[Claim]:
    with operator_scope():
        return list(Claim.objects.filter(kind="maintenance"))


def test_maintenance_is_planned_once_for_a_form_and_ended() -> None:
    browser = signed_in("capacity")
    for _ in range(2):
        assert browser.post(f"{POOL}maintenance/", maintenance()).status_code == 302
    (claim,) = planned()
    assert claim.cards == 4
    assert browser.post(f"{POOL}maintenance/{claim.pk}/end/").status_code == 302
    assert "No maintenance is planned" in browser.get(POOL).content.decode()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"maintenance-cards": "9"}, 409),
        ({"maintenance-ends_at": "2020-01-01T00:00"}, 422),
        ({"idem": ""}, 422),
    ],
)
def test_refused_maintenance_keeps_the_input_and_takes_nothing(
    changed: dict[str, str], status: int
) -> None:
    answer = signed_in("capacity").post(f"{POOL}maintenance/", maintenance(**changed))
    assert answer.status_code == status
    assert 'value="New fans."' in answer.content.decode()
    assert planned() == []


def test_a_chip_is_signed_off_with_what_it_rests_on() -> None:
    code = ChipModel.objects.filter(confidence="low").values_list("pk", flat=True)[0]
    browser = signed_in("capacity")
    short = browser.post(f"/ops/chips/{code}/sign-off/", {"evidence": "trust me"})
    assert short.status_code == 422
    assert "trust me" in short.content.decode()
    assert ChipModel.objects.get(pk=code).signed_off_at is None
    told = {"evidence": "Tool output of node 7, contract page 3."}
    assert browser.post(f"/ops/chips/{code}/sign-off/", told).status_code == 302
    assert ChipModel.objects.get(pk=code).evidence == told["evidence"]


def an_appliance(resale: str, listing: str) -> str:
    Appliance.objects.create(
        code="model-x",
        name_zh="模型",
        name_en="Model X",
        category="test",
        api="chat",
        api_text="chat",
        model="x",
        resale=resale,
        listing=listing,
        maturity="test",
    )
    return "/ops/catalogue/model-x/"


def test_an_appliance_goes_on_sale_step_by_step_and_off_with_a_reason() -> None:
    page = an_appliance("allowed", "draft")
    browser = signed_in("capacity")
    for step in ("submit", "certify", "list"):
        assert browser.post(f"{page}{step}/").status_code == 302
    assert Appliance.objects.get().listing == "listed"
    assert browser.post(f"{page}list/").status_code == 409
    assert browser.post(f"{page}delist/", {"reason": ""}).status_code == 422
    assert Appliance.objects.get().listing == "listed"
    assert browser.post(f"{page}delist/", {"reason": "A flaw."}).status_code == 302
    assert Appliance.objects.get().listing == "delisted"


def test_the_licence_gate_refuses_what_may_not_be_resold() -> None:
    page = an_appliance("refused", "certified")
    answer = signed_in("capacity").post(f"{page}list/")
    assert answer.status_code == 409
    assert 'data-code="licence_forbids_sale"' in answer.content.decode()
    assert Appliance.objects.get().listing == "certified"


def edited(**changed: str) -> dict[str, str]:
    prices = version_prices(versions()[0].pk)
    soon = floor_hour(minute()) + timedelta(days=2)
    sent = {f"price-{n}": str(price.unit_price) for n, price in enumerate(prices)}
    return {**sent, "title": "Spring", "effective_at": soon.strftime(INSTANT), **changed}


def test_an_edited_copy_is_compared_before_somebody_else_publishes_it() -> None:
    browser = signed_in("finance")
    sent = edited(**{"price-0": "99.5", "step": "compare"})
    answer = browser.post("/ops/prices/new/", sent)
    assert answer.status_code == 200
    assert "99.50" in answer.content.decode()
    assert PriceVersion.objects.count() == 1
    done = browser.post("/ops/prices/new/", {**sent, "step": "publish"})
    assert done.status_code == 302
    newest = versions()[0]
    assert (newest.title, version_prices(newest.pk)[0].unit_price) == ("Spring", Decimal("99.5"))
    assert newest.state == "draft"
    assert "What it would change" in browser.get(done["Location"]).content.decode()
    assert browser.post(f"{done['Location']}step/submit/").status_code == 302
    assert browser.post(f"{done['Location']}step/publish/").status_code == 409
    assert versions()[0].state == "submitted"
    assert signed_in("admin").post(f"{done['Location']}step/publish/").status_code == 302
    assert versions()[0].state == "published"
    assert "What it changed" in browser.get(done["Location"]).content.decode()
    again = browser.post("/ops/prices/new/", {**sent, "step": "publish"})
    assert again.status_code == 422
    assert PriceVersion.objects.count() == 2


@pytest.mark.parametrize(
    "changed", [{"price-0": "dear"}, {"price-0": "-1"}, {"effective_at": "2020-01-01T00:00"}]
)
def test_a_refused_price_list_keeps_what_was_typed(changed: dict[str, str]) -> None:
    answer = signed_in("finance").post("/ops/prices/new/", edited(**changed, step="publish"))
    assert answer.status_code == 422
    assert f'value="{next(iter(changed.values()))}"' in answer.content.decode()
    assert PriceVersion.objects.count() == 1


def test_a_check_is_run_shown_and_kept_on_record() -> None:
    browser = signed_in("admin")
    assert "never checked" in browser.get("/ops/").content.decode()
    answer = browser.post("/ops/jobs/", headers={"HX-Request": "true"})
    assert "Every invariant holds." in answer.content.decode()
    assert "<html" not in answer.content.decode()
    assert "Invariants that hold" in browser.get("/ops/").content.decode()


def test_the_command_says_what_breaks_and_ends_with_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("check_invariants")
    assert "invariants hold." in capsys.readouterr().out
    broken = {**invariants.CHECKS, "nothing is ever named so": "SELECT 'row 17'"}
    monkeypatch.setattr(invariants, "CHECKS", broken)
    with pytest.raises(CommandError) as refused:
        call_command("check_invariants")
    told = capsys.readouterr().out
    assert refused.value.returncode == 1
    assert "BROKEN compute: nothing is ever named so" in told
    assert "row 17" in told
    with operator_scope():
        assert AuditEntry.objects.filter(action="portal.invariants.checked").count() == 2
