"""The price book, tax rates, spot quotes and contracts in both consoles and the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from billing.commands.contracts import TermLine, activate_contract, add_term, draft_contract
from billing.models import Contract, Price, PriceVersion, SpotPrice, TaxChange, TaxRate
from billing.queries.prices import version_prices, versions
from common.clock import utc_now
from common.period import floor_hour
from portal.console.forms import at_centre
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.compute import ENGINES, make_catalogue, make_tenant
from tests.factories.program import Program, program
from tests.factories.tenants import member
from tests.portal.operator_stage import minute, signed_in

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def centre(settings: Settings) -> None:
    settings.COMPUTE_ENGINES = ENGINES
    settings.LANGUAGE_CODE = "en"
    make_catalogue()


def hour(ahead: int) -> str:
    return at_centre(floor_hour(minute()) + ahead * HOUR)


def draft(browser: Client) -> str:
    """A draft's address, made on the page for it."""
    prices = version_prices(versions()[0].pk)
    sent = {f"price-{n}": str(price.unit_price) for n, price in enumerate(prices)}
    done = browser.post(
        "/ops/prices/new/", {**sent, "title": "Next", "effective_at": hour(24), "step": "save"}
    )
    assert done.status_code == 302
    return str(done["Location"])


TIERS = {
    "tier-TOTAL_FORMS": "3",
    "tier-INITIAL_FORMS": "0",
    "tier-0-up_to": "1000000000",
    "tier-0-unit_price": "1.00",
    "tier-1-unit_price": "0.50",
    "tier-1-fee": "2",
}
NO_TIERS = {"tier-TOTAL_FORMS": "0", "tier-INITIAL_FORMS": "0"}
PRICE = {
    "meter": "appliances.tokens_in",
    "match": "model=big",
    "sku": "tokens.in.big",
    "title_en": "Big model, input",
    "title_zh": "大模型输入",
    "model": "graduated",
    "unit_price": "1.00",
    "unit_quantity": "1000000",
    "tax_code": "it_service",
}


def test_a_price_with_tiers_is_added_changed_and_removed() -> None:
    browser = signed_in("finance")
    page = draft(browser)
    assert browser.get(f"{page}price/").status_code == 200
    wrong = browser.post(f"{page}price/", {**PRICE, **NO_TIERS})
    assert wrong.status_code == 422
    assert "between one tier and fifty" in wrong.content.decode()
    assert browser.post(f"{page}price/", {**PRICE, **TIERS}).status_code == 302
    made = Price.objects.get(sku="tokens.in.big")
    assert (made.match, len(made.tiers)) == ({"model": "big"}, 2)
    shown = browser.get(f"{page}price/?sku=tokens.in.big").content.decode()
    assert 'value="1000000000"' in shown
    assert 'value="model=big"' in shown
    changed = {**PRICE, **NO_TIERS, "model": "flat", "unit_price": "0.80"}
    assert browser.post(f"{page}price/?sku=tokens.in.big", changed).status_code == 302
    assert Price.objects.get(sku="tokens.in.big").unit_price == Decimal("0.80")
    assert "tokens.in.big" in browser.get(page).content.decode()
    assert browser.post(f"{page}remove/", {"sku": "tokens.in.big"}).status_code == 302
    assert not Price.objects.filter(sku="tokens.in.big").exists()
    assert browser.get(f"{page}price/?sku=tokens.in.big").status_code == 404


def test_a_list_leaves_as_a_file_and_comes_back() -> None:
    browser = signed_in("finance")
    page = draft(browser)
    answer = browser.get(f"{page}prices.csv")
    assert answer["Content-Disposition"].startswith("attachment;")
    content = answer.content.replace(b",4.00,", b",4.40,").replace(b",4,", b",4.4,")
    sent = SimpleUploadedFile("prices.csv", content)
    assert browser.post(f"{page}import/", {"file": sent}).status_code == 302
    newest = versions()[0]
    assert Price.objects.get(version=newest, sku="tokens.out").unit_price == Decimal("4.40")
    bad = SimpleUploadedFile("prices.csv", b"nothing")
    refused = browser.post(f"{page}import/", {"file": bad})
    assert refused.status_code == 422
    assert 'data-code="price_file_refused"' in refused.content.decode()
    assert Price.objects.filter(version=newest).count() == len(version_prices(newest.pk))


def test_the_second_person_sees_the_difference_and_the_contracts_it_touches() -> None:
    alice = make_tenant("alice")
    agreed(alice.organisation, sku="tokens.in")
    browser = signed_in("finance")
    page = draft(browser)
    changed = {**PRICE, **NO_TIERS, "model": "flat", "sku": "tokens.in", "match": ""}
    changed["unit_price"] = "1.10"
    assert browser.post(f"{page}price/?sku=tokens.in", changed).status_code == 302
    assert browser.post(f"{page}step/submit/").status_code == 302
    second = signed_in("admin")
    seen = second.get(page).content.decode()
    assert "+10.0" in seen
    assert "HT-2026-1" in seen
    assert "step/publish/" in seen
    own = browser.get(page).content.decode()
    assert "step/publish/" not in own
    back = second.post(f"{page}step/return/", {"note": ""})
    assert back.status_code == 422
    back = second.post(f"{page}step/return/", {"note": "Too dear."})
    assert back.status_code == 302
    assert "Too dear." in browser.get(page).content.decode()
    assert browser.post(f"{page}step/discard/").status_code == 302
    assert PriceVersion.objects.count() == 1
    assert browser.post(f"{page}step/nonsense/").status_code == 404


def test_a_tax_rate_is_proposed_by_one_and_approved_by_another() -> None:
    browser = signed_in("finance")
    sent = {
        "tax_code": "leasing",
        "percent": "13",
        "starts_at": hour(5),
        "title_en": "Leasing",
        "title_zh": "租赁",
        "reason": "A new service.",
    }
    assert browser.post("/ops/prices/taxes/", {**sent, "percent": "130"}).status_code == 422
    assert browser.post("/ops/prices/taxes/", sent).status_code == 302
    change = TaxChange.objects.get()
    own = browser.post(f"/ops/prices/taxes/{change.pk}/approve/")
    assert own.status_code == 409
    assert 'data-code="four_eyes_required"' in own.content.decode()
    assert TaxRate.objects.count() == 1
    done = signed_in("admin").post(f"/ops/prices/taxes/{change.pk}/approve/")
    assert done.status_code == 302
    assert TaxRate.objects.get(tax_code="leasing").rate == Decimal("0.13")
    assert "Leasing" in browser.get("/ops/prices/taxes/").content.decode()


def test_a_spot_price_is_quoted_for_a_coming_hour() -> None:
    browser = signed_in("finance")
    page = draft(browser)
    sent = {**PRICE, **NO_TIERS, "model": "spot", "sku": "spot.in", "match": "model=spot"}
    assert browser.post(f"{page}price/", sent).status_code == 302
    assert "has no spot prices" in browser.get("/ops/prices/spot/").content.decode()
    with operator_scope():
        PriceVersion.objects.filter(state="draft").update(state="submitted")
    assert signed_in("admin").post(f"{page}step/publish/").status_code == 302
    # The list is not in force yet, so there is nothing to quote for.
    assert browser.post("/ops/prices/spot/", {"sku": "spot.in"}).status_code == 422
    assert SpotPrice.objects.count() == 0


def agreed(organisation: Organisation, **term: object) -> Contract:
    start = floor_hour(utc_now()) - 24 * HOUR
    end = start + timedelta(days=60)
    with operator_scope():
        contract = draft_contract(
            actor=SYSTEM,
            tenant_id=organisation.pk,
            number="HT-2026-1",
            title="Frame agreement",
            starts_at=start,
            ends_at=end,
            now=utc_now(),
        )
        line = TermLine(
            "discount",
            start,
            end,
            discount_percent=Decimal("20"),
            **term,  # type: ignore[arg-type]
        )
        add_term(actor=SYSTEM, tenant_id=organisation.pk, contract_id=contract.pk, term=line)
        return activate_contract(
            actor=SYSTEM, tenant_id=organisation.pk, contract_id=contract.pk, now=utc_now()
        )


def test_a_contract_is_drafted_agreed_and_ended_on_its_pages() -> None:
    alice = make_tenant("alice").organisation
    browser = signed_in("finance")
    page = f"/ops/tenants/{alice.code}/contracts/"
    sent = {
        "number": "HT-7",
        "title": "Year",
        "starts_at": hour(-2),
        "ends_at": hour(1000),
    }
    done = browser.post(page, {**sent, "idem": "two"})
    assert done.status_code == 302
    one = str(done["Location"])
    term = {
        "kind": "discount",
        "starts_at": hour(-2),
        "ends_at": hour(1000),
        "discount_percent": "15",
        **NO_TIERS,
    }
    wrong = browser.post(one, {**term, "discount_percent": "0", "idem": "three"})
    assert wrong.status_code == 422
    assert "more than 0" in wrong.content.decode()
    assert browser.post(one, {**term, "idem": "four"}).status_code == 302
    alone = browser.post(f"{one}activate/", {"idem": "five"})
    assert alone.status_code == 409
    assert 'data-code="four_eyes_required"' in alone.content.decode()
    second = signed_in("admin")
    asked = second.get(one).content.decode()
    assert "Let this contract count?" in asked
    assert "Bring into force" in asked
    # On a telephone each term is a card of its own, so that what was agreed stays in sight.
    assert 'data-label="Agreed"' in asked
    told = second.get(one, headers={"accept-language": "zh-hans"}).content.decode()
    for word in ("生效", "适用于", "达成周期", "价格阶梯"):
        assert word in told, word
    assert "计量值" not in told
    assert "等级" not in told
    told = second.get(page, headers={"accept-language": "zh-hans"}).content.decode()
    assert "合同编号" in told
    assert "账单号" not in told
    assert "Let this contract count?" not in browser.get(one).content.decode()
    assert second.post(f"{one}activate/", {"idem": "five"}).status_code == 302
    told = second.get(one, headers={"accept-language": "zh-hans"}).content.decode()
    assert ">生效中<" in told
    assert "15" in browser.get(one).content.decode()
    assert browser.post(one, {**term, "idem": "six"}).status_code == 409
    assert browser.post(f"{one}end/", {"end_at": hour(1), "idem": "seven"}).status_code == 302
    with operator_scope():
        assert Contract.objects.get().state == "ended"
    support = signed_in("support")
    assert support.get(one).status_code == 200
    assert support.post(one, {**term, "idem": "eight"}).status_code == 403


def test_members_see_what_they_pay_and_those_of_money_why() -> None:
    alice = make_tenant("alice").organisation
    agreed(alice, sku="tokens.in")
    pages = {}
    for role in ("finance", "developer"):
        browser = Client()
        browser.force_login(member(alice, role))
        pages[role] = browser.get(f"/t/{alice.code}/prices/").content.decode()
    assert "HT-2026-1" in pages["finance"]
    assert "Frame agreement" in pages["finance"]
    assert "Frame agreement" not in pages["developer"]
    assert all("0.80" in page for page in pages.values())


def own_prices(who: Program) -> dict[str, Any]:
    """Every page of the list, by SKU."""
    found: dict[str, Any] = {}
    cursor = ""
    while True:
        told = who.get(f"prices?limit=100{cursor}").json()
        found.update({one["sku"]: one for one in told["items"]})
        if not told["next"]:
            return found
        cursor = f"&cursor={told['next']}"


def test_a_program_reads_its_own_prices_and_contracts() -> None:
    desk.open_desk()
    alice = desk.program("alice")
    agreed(alice.organisation, sku="tokens.in")
    mine = program(alice.organisation)
    found = own_prices(mine)
    token = found["tokens.in"]
    assert Decimal(token["list_unit_price"]) == 1
    assert Decimal(token["unit_price"]) == Decimal("0.80")
    assert (token["contract_number"], token["model"], token["tiers"]) == ("HT-2026-1", "flat", [])
    assert found["tokens.out"]["contract_number"] == ""
    (contract,) = mine.get("contracts").json()["items"]
    assert (contract["number"], contract["state"]) == ("HT-2026-1", "active")
    assert Decimal(contract["terms"][0]["discount_percent"]) == 20
    other = program(desk.program("bob").organisation)
    assert other.get("contracts").json()["items"] == []
    assert Decimal(own_prices(other)["tokens.in"]["unit_price"]) == 1
