"""Filling the catalogue, and putting appliances on sale or taking them off."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from appliances import catalogue_seed as seed
from appliances.models import (
    LISTING_MOVES,
    Api,
    Appliance,
    ChipMemory,
    Confidence,
    LaunchProfile,
    ListingState,
    Resale,
    Version,
)
from common.errors import DomainError, NotFound
from tenants import audit
from tenants.permissions import Actor, Permission, require

# Which runtime starts a profile, by how its name ends; the rest fill their template in.
RUNTIMES = {"smallmodel": "builtin"}


class LicenceForbidsSale(DomainError):
    """The licence is unknown or does not allow selling the model's use."""

    code = "licence_forbids_sale"
    status = 409
    message = _("The licence of %(appliance)s does not allow sale, or nobody has checked it.")


class ListingMoveRefused(DomainError):
    """The appliance is not in a state from which this step can be taken."""

    code = "listing_move_refused"
    status = 409
    message = _("%(appliance)s is %(state)s; this step is not possible now.")


@dataclass(frozen=True)
class LoadReport:
    """What loading the seed did; a second loading creates nothing."""

    appliances: int
    versions: int
    profiles: int
    created: int
    withdrawn: int


@transaction.atomic
def load_seed(*, actor: Actor, now: datetime) -> LoadReport:
    """Make the catalogue equal to the files the product ships; listings stay as they are.

    Idempotent: rows are found by their code. A version no longer in the files is withdrawn, not
    deleted, and an appliance whose licence was found unfit for sale is delisted.
    """
    require(actor, Permission.CATALOGUE_MANAGE)
    rows = seed.appliance_rows()
    before = _rows_stored()
    profiles = _upsert(
        LaunchProfile,
        ["code"],
        [_profile(code, row) for code, row in seed.launch_profiles().items()],
    )
    _upsert(
        ChipMemory, ["chip"], [_memory(chip, row) for chip, row in seed.chip_memory_rows().items()]
    )
    shapes = [_appliance(row) for row in rows]
    for shape in shapes:
        _delist_unfit(actor, str(shape["code"]), Resale(shape["resale"]), now)
    _upsert(Appliance, ["code"], shapes)
    profile_ids = dict(LaunchProfile.objects.values_list("code", "pk"))
    appliance_ids = dict(Appliance.objects.values_list("code", "pk"))
    versions = [
        _version(version, appliance_ids[row["id"]], profile_ids[version.profile], row)
        for row in rows
        for version in seed.versions(row)
    ]
    _upsert(Version, ["appliance_id", "chip", "engine_kind", "precision"], versions)
    return LoadReport(
        appliances=len(rows),
        versions=len(versions),
        profiles=len(profiles),
        created=_rows_stored() - before,
        withdrawn=_withdraw_others(versions, now),
    )


def _upsert(
    model: type[models.Model], key: list[str], rows: list[dict[str, Any]]
) -> list[models.Model]:
    """Insert what is new and update the rest, in one statement; other columns stay."""
    others = [name for name in rows[0] if name not in key]
    return model._default_manager.bulk_create(
        [model(**row) for row in rows],
        update_conflicts=True,
        unique_fields=[name.removesuffix("_id") for name in key],
        update_fields=[name.removesuffix("_id") for name in others],
    )


def _rows_stored() -> int:
    return sum(
        model._default_manager.count() for model in (LaunchProfile, ChipMemory, Appliance, Version)
    )


def _withdraw_others(versions: list[dict[str, Any]], now: datetime) -> int:
    """What the files no longer name is not offered any more; what runs of it keeps running."""
    names = ("appliance_id", "chip", "engine_kind", "precision")
    kept = {tuple(row[name] for name in names) for row in versions}
    gone = [
        pk
        for pk, *key in Version.objects.filter(withdrawn_at=None).values_list("pk", *names)
        if tuple(key) not in kept
    ]
    return Version.objects.filter(pk__in=gone).update(withdrawn_at=now)


def submit(*, actor: Actor, code: str, now: datetime) -> Appliance:
    """Hand a draft in for certification."""
    return _move(actor=actor, code=code, to=ListingState.SUBMITTED, reason="", now=now)


def certify(*, actor: Actor, code: str, now: datetime) -> Appliance:
    """State that the appliance was tried and does what its page says."""
    return _move(actor=actor, code=code, to=ListingState.CERTIFIED, reason="", now=now)


def list_for_sale(*, actor: Actor, code: str, now: datetime) -> Appliance:
    """Put a certified appliance on sale.

    Raises: LicenceForbidsSale where the licence is unknown or refuses; the database refuses too.
    """
    return _move(actor=actor, code=code, to=ListingState.LISTED, reason="", now=now)


def delist(*, actor: Actor, code: str, reason: str, now: datetime) -> Appliance:
    """Take an appliance off sale; what runs of it keeps running."""
    return _move(actor=actor, code=code, to=ListingState.DELISTED, reason=reason, now=now)


def return_to_draft(*, actor: Actor, code: str, reason: str, now: datetime) -> Appliance:
    """Send a submitted or certified appliance back with the reason."""
    return _move(actor=actor, code=code, to=ListingState.DRAFT, reason=reason, now=now)


def list_everything_sellable(*, actor: Actor, now: datetime) -> tuple[str, ...]:
    """Take every draft whose licence allows sale through all steps; gives the codes listed."""
    require(actor, Permission.CATALOGUE_MANAGE)
    drafts = Appliance.objects.filter(listing=ListingState.DRAFT, resale=Resale.ALLOWED)
    codes = tuple(drafts.order_by("code").values_list("code", flat=True))
    for code in codes:
        submit(actor=actor, code=code, now=now)
        certify(actor=actor, code=code, now=now)
        list_for_sale(actor=actor, code=code, now=now)
    return codes


@transaction.atomic
def _move(*, actor: Actor, code: str, to: ListingState, reason: str, now: datetime) -> Appliance:
    require(actor, Permission.CATALOGUE_MANAGE)
    appliance = Appliance.objects.filter(code=code).first()
    if appliance is None:
        raise NotFound
    if to is ListingState.LISTED and appliance.resale != Resale.ALLOWED:
        raise LicenceForbidsSale(appliance=code)
    sources = [state for state, targets in LISTING_MOVES.items() if to in targets]
    fields: dict[str, object] = {"listing": to, "listing_reason": reason[:500]}
    if to is ListingState.LISTED:
        fields["listed_at"] = now
    moved = Appliance.objects.filter(code=code, listing__in=sources).update(**fields)
    if not moved:
        raise ListingMoveRefused(appliance=code, state=appliance.get_listing_display())
    audit.record(
        actor,
        f"appliances.listing.{to.value}",
        subject=f"appliances.appliance:{code}",
        detail={"from": appliance.listing, "reason": reason},
    )
    return Appliance.objects.get(code=code)


def _delist_unfit(actor: Actor, code: str, resale: Resale, now: datetime) -> None:
    """The licence gate stands in the database, so a listing must go before its licence does."""
    if resale is Resale.ALLOWED:
        return
    if Appliance.objects.filter(code=code, listing=ListingState.LISTED).exists():
        reason = "The catalogue no longer states that the licence allows sale."
        delist(actor=actor, code=code, reason=reason, now=now)


# Columns of one row by name: their values have the columns' many types.
def _profile(code: str, row: seed.Row) -> dict[str, Any]:
    return {
        "code": code,
        "runtime": RUNTIMES.get(code.rsplit("-", 1)[-1], "profile"),
        "image": row["image"],
        "env": row["env"],
        "command": row["command"],
        "health_path": str(row["health"]).split(" ", 1)[0],
        "ready": row["ready"],
        "metrics": row["metrics"] or "",
        "source": row["source"],
    }


def _memory(chip: str, row: seed.Row) -> dict[str, Any]:
    measured = str(row["basis"]).startswith("measured")
    return {
        "chip": chip,
        "nominal_gb": Decimal(str(row["nominal_gb"])),
        "usable_gib": Decimal(str(row["usable_gib"])),
        "node_cards": row["node_size"],
        "confidence": Confidence.MEASURED if measured else Confidence.ASSUMED,
        "basis": row["basis"],
    }


def _resale(answer: object) -> Resale:
    """Only a plain yes is a yes; a note to read the clause first is not."""
    if answer is True:
        return Resale.ALLOWED
    return Resale.REFUSED if answer is False else Resale.UNKNOWN


def _api(text: str) -> Api:
    """The first interface the row names is what the appliance is probed with."""
    places = {
        "/v1/chat/completions": Api.CHAT,
        "/v1/embeddings": Api.EMBEDDINGS,
        "/v1/rerank": Api.RERANK,
        "/v1/audio": Api.AUDIO,
        "/v1/images": Api.IMAGES,
    }
    found = {text.find(path): api for path, api in places.items() if path in text}
    return found[min(found)]


def _appliance(row: seed.Row) -> dict[str, Any]:
    answer = row["commercial_resale_ok"]
    return {
        "code": row["id"],
        "name_zh": row["name_zh"],
        "name_en": seed.name_en(row),
        "description_zh": row.get("description_zh", ""),
        "description_en": row.get("description_en", ""),
        "category": row["category"],
        "api": _api(row["api"]),
        "api_text": row["api"],
        "model": row["model"],
        "repo": row["repo"] or "",
        "params_b": _decimal(row["params_b"]),
        "active_params_b": _decimal(row["active_params_b"]),
        "licence": row["licence"] or "",
        "resale": _resale(answer),
        "resale_note": answer if isinstance(answer, str) else "",
        "weights_gib": {name: str(value) for name, value in row["precisions"].items()},
        "weights_measured": row["weights_measured_gib"] is not None,
        "architecture": row["architecture"] or {},
        "kv_bytes_per_token": row["kv_bytes_per_token"],
        "kv_tokens_design": row["kv_tokens_design"],
        "extra_gib": seed.extra_gib(row),
        "context_native": row["context_native"],
        "context_served": row["context_served"],
        "documented_minimum": row["documented_minimum"] or [],
        "components": row["components"] or [],
        "meters": row["meters"] or [],
        "maturity": row["maturity"],
        "sources": row["sources"] or [],
        "notes": row["notes"] or "",
    }


def _version(
    version: seed.SeedVersion, appliance_id: int, profile_id: int, row: seed.Row
) -> dict[str, Any]:
    own = version.engine_kind != ""
    return {
        "appliance_id": appliance_id,
        "chip": version.chip,
        "precision": version.precision,
        "engine_kind": version.engine_kind,
        "profile_id": profile_id,
        "alternative_profiles": list(version.alternative_profiles),
        "extra_args": list(version.extra_args),
        "min_cards": version.min_cards,
        "nodes": version.nodes,
        "min_cards_at_095": version.min_cards_at_095,
        "borderline": version.borderline,
        "confidence": Confidence.MEASURED if own else Confidence.ESTIMATED,
        "source": "; ".join(row["sources"] or ()),
        "withdrawn_at": None,
    }


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
