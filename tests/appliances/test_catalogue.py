"""The catalogue: loaded whole and again, sold only where its licence allows."""

import pytest
from django.db import IntegrityError, connection, transaction

from appliances.commands import catalogue
from appliances.commands.catalogue import LicenceForbidsSale, ListingMoveRefused
from appliances.launching import plan_for
from appliances.models import Appliance, ChipMemory, LaunchProfile, ListingState, Resale, Version
from appliances.queries.catalogue import on_sale, one_on_sale
from appliances.runtimes import LaunchRefused
from common.errors import NotFound
from tenants.models import AuditEntry
from tenants.permissions import SYSTEM, PermissionRefused
from tenants.scoping import operator_scope
from tests.factories.appliances import NOW, customer

pytestmark = pytest.mark.django_db

NOT_FOR_SALE = {"agent-trillion", "asr-realtime", "industry-medical"}


@pytest.fixture(autouse=True)
def loaded(db: None) -> None:
    with operator_scope():
        catalogue.load_seed(actor=SYSTEM, now=NOW)


def test_loading_again_changes_nothing() -> None:
    with operator_scope():
        before = list(Version.objects.order_by("pk").values())
        report = catalogue.load_seed(actor=SYSTEM, now=NOW)
        assert (report.appliances, report.profiles) == (28, 15)
        assert (report.created, report.withdrawn) == (0, 0)
        assert report.versions == len(before) == Version.objects.count()
        assert list(Version.objects.order_by("pk").values()) == before
    assert Appliance.objects.count() == 28
    assert LaunchProfile.objects.count() == 15
    assert ChipMemory.objects.count() == 18


def test_loading_leaves_listings_as_they_are() -> None:
    with operator_scope():
        catalogue.list_everything_sellable(actor=SYSTEM, now=NOW)
        catalogue.delist(actor=SYSTEM, code="tts", reason="trouble", now=NOW)
        catalogue.load_seed(actor=SYSTEM, now=NOW)
        listed = set(
            Appliance.objects.filter(listing=ListingState.LISTED).values_list("code", flat=True)
        )
    assert len(listed) == 24
    assert not listed & {"tts", *NOT_FOR_SALE}


def test_only_a_plain_yes_counts_as_a_licence_to_sell() -> None:
    unknown = Appliance.objects.filter(resale=Resale.UNKNOWN)
    assert set(unknown.values_list("code", flat=True)) == NOT_FOR_SALE
    assert not Appliance.objects.filter(resale=Resale.REFUSED).exists()


@pytest.mark.parametrize("code", sorted(NOT_FOR_SALE))
def test_what_may_not_be_sold_is_refused_by_the_command(code: str) -> None:
    with operator_scope():
        catalogue.submit(actor=SYSTEM, code=code, now=NOW)
        catalogue.certify(actor=SYSTEM, code=code, now=NOW)
        with pytest.raises(LicenceForbidsSale):
            catalogue.list_for_sale(actor=SYSTEM, code=code, now=NOW)
        assert Appliance.objects.get(code=code).listing == ListingState.CERTIFIED
        with pytest.raises(NotFound):
            one_on_sale(actor=SYSTEM, code=code)


@pytest.mark.parametrize("resale", [Resale.UNKNOWN, Resale.REFUSED])
def test_what_may_not_be_sold_is_refused_by_the_database(resale: Resale) -> None:
    with pytest.raises(IntegrityError, match="licence_gate"), transaction.atomic():
        Appliance.objects.filter(code="tts").update(resale=resale, listing=ListingState.LISTED)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE appliances_appliance SET resale = NULL, listing = 'listed'")
    assert Appliance.objects.get(code="tts").listing == ListingState.DRAFT


def test_a_licence_found_unfit_takes_the_appliance_off_sale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = catalogue.seed.appliance_rows()
    changed = tuple(
        {**row, "commercial_resale_ok": False} if row["id"] == "tts" else row for row in rows
    )
    with operator_scope():
        catalogue.list_everything_sellable(actor=SYSTEM, now=NOW)
        # The file is the input here, not our code: this is what a new edition of it does.
        monkeypatch.setattr(catalogue.seed, "appliance_rows", lambda: changed)
        catalogue.load_seed(actor=SYSTEM, now=NOW)
        found = Appliance.objects.get(code="tts")
        assert (found.listing, found.resale) == (ListingState.DELISTED, Resale.REFUSED)


def test_steps_cannot_be_skipped_and_each_is_audited() -> None:
    with operator_scope():
        with pytest.raises(ListingMoveRefused):
            catalogue.list_for_sale(actor=SYSTEM, code="qa-entry", now=NOW)
        catalogue.submit(actor=SYSTEM, code="qa-entry", now=NOW)
        with pytest.raises(ListingMoveRefused):
            catalogue.submit(actor=SYSTEM, code="qa-entry", now=NOW)
        catalogue.return_to_draft(actor=SYSTEM, code="qa-entry", reason="no numbers", now=NOW)
        trail = AuditEntry.objects.filter(subject="appliances.appliance:qa-entry")
        assert list(trail.order_by("pk").values_list("action", flat=True)) == [
            "appliances.listing.submitted",
            "appliances.listing.draft",
        ]


def test_tenants_may_look_and_not_touch() -> None:
    alice = customer("alice")
    with pytest.raises(PermissionRefused):
        catalogue.delist(actor=alice.actor, code="qa-entry", reason="", now=NOW)
    with pytest.raises(PermissionRefused):
        catalogue.load_seed(actor=alice.actor, now=NOW)
    assert list(on_sale(actor=alice.actor)) == []


def test_every_version_starts_as_an_argument_list_or_says_why_not() -> None:
    versions = Version.objects.select_related("appliance", "profile").all()
    refused = set()
    for version in versions:
        try:
            plan = plan_for(version=version, name="m-1", cards=version.min_cards)
        except LaunchRefused:
            refused.add(version.profile.code)
            continue
        assert plan.health_path.startswith("/")
        assert all(isinstance(word, str) and "${" not in word for word in plan.argv)
    # One describes itself in prose only: an operator must start it by hand.
    assert refused == {"voxbox"}


def test_quantised_builds_for_ascend_tell_the_engine() -> None:
    version = Version.objects.get(appliance__code="qa-standard", chip="ascend-910b4")
    assert version.precision == "w8a8"
    argv = plan_for(version=version, name="m", cards=2).argv
    assert "--quantization" in argv
    assert argv[argv.index("--tensor-parallel-size") + 1] == "2"
    assert "Qwen/Qwen3-32B" in argv


def test_arguments_meant_for_another_engine_or_with_open_places_stay_out() -> None:
    def extra(code: str, chip: str) -> list[str]:
        found: list[str] = Version.objects.get(appliance__code=code, chip=chip).extra_args
        return found

    assert extra("industry-lora", "nvidia-h20") == []
    assert extra("reasoning-flagship", "nvidia-h20") == []
    assert extra("text-to-image", "nvidia-h20") == ["--omni"]
    assert "--enable-expert-parallel" in extra("reasoning-flagship", "ascend-910c")
