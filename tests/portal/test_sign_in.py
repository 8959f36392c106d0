"""Sign-in: by invitation, with limits, the second factor sealed; health and support beside it."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from django.core.cache import cache
from django.core.checks import run_checks
from django.db import connections
from django.test import Client, override_settings

from portal.checks import sign_in_faults
from tenants.commands.members import invite
from tenants.models import ApiKey, Membership, Organisation, User
from tenants.queries.actors import member_actor
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.tenants import PASSWORD, key, member, operator
from tests.tenants.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Organisation:
    cache.clear()
    with operator_scope():
        return Organisation.objects.create(code="alice", name="Alice")


@pytest.fixture
def token(alice: Organisation) -> str:
    owner = member(alice, "owner")
    from_now = NOW.replace(year=2099)
    with tenant_scope(alice.pk):
        _row, token = invite(
            actor=member_actor(user=owner, tenant_code="alice")[0],
            tenant_id=alice.pk,
            email="li@new.example",
            role="developer",
            now=from_now,
        )
    return token


def _sign_up(browser: Client, email: str) -> int:
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return browser.post("/accounts/signup/", form).status_code


def test_nobody_signs_up_uninvited(alice: Organisation) -> None:
    assert _sign_up(Client(), "mallory@else.example") == 200
    assert not User.objects.filter(email="mallory@else.example").exists()


def test_an_invited_person_signs_up_and_joins(alice: Organisation, token: str) -> None:
    browser = Client()
    page = browser.get(f"/join/{token}/")
    assert (page.status_code, b"li@new.example" in page.content) == (200, True)
    assert _sign_up(browser, "li@new.example") == 302
    person = User.objects.get(email="li@new.example")
    assert EmailAddress.objects.get(user=person).verified is True
    assert browser.get(f"/join/{token}/").status_code == 200
    joined = browser.post(f"/join/{token}/")
    assert (joined.status_code, joined["Location"]) == (302, "/t/alice/")
    assert member_actor(user=person, tenant_code="alice")[0].name == "li@new.example"
    assert browser.get(f"/join/{token}/").status_code == 404


def test_an_invitation_is_for_its_address_only(alice: Organisation, token: str) -> None:
    browser = Client()
    browser.get(f"/join/{token}/")
    assert _sign_up(browser, "mallory@else.example") == 200
    assert not User.objects.filter(email="mallory@else.example").exists()
    other = Client()
    other.force_login(operator("support"))
    other.post(f"/join/{token}/")
    with operator_scope():
        assert not Membership.objects.filter(user__email="support@centre.example").exists()


def test_a_person_made_by_the_centre_signs_in_with_their_password(alice: Organisation) -> None:
    member(alice, "owner")
    browser = Client()
    form = {"login": "owner@alice.example", "password": PASSWORD}
    answer = browser.post("/accounts/login/", form)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/")["Location"] == "/t/alice/"


def test_a_wrong_password_and_an_unknown_person_are_one_answer(alice: Organisation) -> None:
    member(alice, "owner")
    pages = set()
    for login in ("owner@alice.example", "nobody@alice.example"):
        page = Client().post("/accounts/login/", {"login": login, "password": "wrong password"})
        text = page.content.decode().replace(login, "").replace(page["X-Request-ID"], "")
        pages.add(re.sub(r'csrfmiddlewaretoken" value="[^"]+"|nonce="[^"]+"', "", text))
    assert len(pages) == 1


def test_guessing_passwords_is_slowed_down(alice: Organisation) -> None:
    member(alice, "owner")
    browser = Client()
    form = {"login": "owner@alice.example", "password": "wrong password"}
    statuses = [browser.post("/accounts/login/", form).status_code for _ in range(12)]
    page = browser.post("/accounts/login/", {**form, "password": PASSWORD})
    assert 429 in statuses or page.status_code == 200
    assert "_auth_user_id" not in browser.session


def test_second_factors_lie_sealed() -> None:
    adapter = get_adapter()
    sealed = adapter.encrypt("JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in sealed
    assert adapter.decrypt(sealed) == "JBSWY3DPEHPK3PXP"


def test_a_person_belonging_nowhere_is_told_so(alice: Organisation) -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("alone@x.example", PASSWORD))
    assert browser.get("/").status_code == 200


def test_support_looks_at_everything_and_changes_nothing(alice: Organisation) -> None:
    row, _secret = key(alice)
    browser = Client()
    browser.force_login(operator("support"))
    for page in (
        "",
        "tenants/organisation/",
        "tenants/apikey/",
        f"tenants/apikey/{row.pk}/change/",
    ):
        answer = browser.get(f"/ops/admin/{page}")
        assert answer.status_code == 200, page
        assert bytes(row.key_hash).hex().encode() not in answer.content
    assert browser.post(f"/ops/admin/tenants/apikey/{row.pk}/change/", {}).status_code == 403
    assert browser.get("/ops/admin/tenants/apikey/add/").status_code == 403
    assert browser.post(f"/ops/admin/tenants/apikey/{row.pk}/delete/").status_code == 403
    assert browser.get("/ops/admin/mfa/authenticator/").status_code == 404
    assert browser.get("/ops/admin/login/")["Location"] == "/accounts/login/"
    with operator_scope():
        assert ApiKey.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("path", ["", "tenants/organisation/", "login/", "jsi18n/"])
def test_members_learn_of_no_support_pages(alice: Organisation, path: str) -> None:
    browser = Client()
    browser.force_login(member(alice, "owner"))
    assert browser.get(f"/ops/admin/{path}").status_code == 404
    assert Client().get(f"/ops/admin/{path}")["Location"].startswith("/accounts/login/")


def test_an_authenticator_is_switched_on_and_a_contract_brought_into_force_in_two_words(
    alice: Organisation,
) -> None:
    browser = Client(headers={"accept-language": "zh-hans"})
    browser.force_login(member(alice, "owner"))
    told = browser.get("/accounts/2fa/").content.decode()
    assert "启用" in told
    assert not [word for word in ("激活", "生效") if word in told]


def test_the_process_tells_that_it_lives_and_serves() -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}
    assert Client().get("/readyz").json() == {"status": "ready"}


def test_the_numbers_are_for_the_scraper() -> None:
    Client().get("/healthz")
    numbers = Client().get("/metrics").content.decode()
    assert 'portal_http_requests_total{method="GET",route="healthz",status="200"}' in numbers
    with override_settings(METRICS_OPEN=False, METRICS_TOKEN="s3cret"):
        assert Client().get("/metrics").status_code == 404
        signed = {"Authorization": "Bearer s3cret"}
        assert Client().get("/metrics", headers=signed).status_code == 200
    with override_settings(METRICS_OPEN=False, METRICS_TOKEN=""):
        assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_deployment_check_finds_a_mighty_database_sign_in() -> None:
    """An owner of the tables could drop their walls; the suite's own sign-in could not."""
    assert [fault.id for fault in sign_in_faults(connections["owner"])] == ["portal.E004"]
    assert sign_in_faults(connections["default"]) == []


def test_the_deployment_check_misses_the_second_factor() -> None:
    found = {message.id for message in run_checks(include_deployment_checks=True)}
    assert "portal.W001" in found
