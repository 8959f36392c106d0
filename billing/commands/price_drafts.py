"""The next price list: drafted by one, submitted, published by another."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.prices import (
    PriceListRefused,
    serialise_publishing,
    write_lines,
)
from billing.four_eyes import FourEyesRequired
from billing.models import Price, PriceVersion, VersionState
from billing.money import CURRENCY
from billing.queries.currencies import refuse_unknown
from billing.queries.price_faults import PriceLine, line_faults, naming_faults, time_faults
from billing.queries.price_lines import lines_of
from billing.queries.price_review import publishing_faults
from common.errors import DomainError, FieldError, NotFound
from tenants.audit import record
from tenants.permissions import Actor, Permission, PermissionRefused, require

LONGEST_NOTE = 500
HIGHEST_RATE = Decimal(1000)
# As many places as a price has.
PLACE = Decimal(1).scaleb(-15)
DIGITS = 60


class PriceListNotEditable(DomainError):
    """Only drafts are edited; a submitted list can be given back first."""

    code = "price_list_not_editable"
    status = 409
    message = _("This price list is no draft any more, so it cannot be changed.")


class PriceListNotSubmitted(DomainError):
    """Only a submitted list is published or given back."""

    code = "price_list_not_submitted"
    status = 409
    message = _("This price list is not waiting to be published.")


@transaction.atomic
def begin_draft(
    *,
    actor: Actor,
    effective_at: datetime,
    now: datetime,
    title: str = "",
    lines: Sequence[PriceLine] | None = None,
    currency: str = CURRENCY,
    rate: Decimal | None = None,
) -> PriceVersion:
    """Open the next list of a currency for editing: a copy of its latest one, or these lines.

    Shape: the first list of another currency begins as a copy of the centre's own, ``rate`` times
    as much: how many units of the currency one of the centre's is worth.
    Raises: PermissionRefused, CurrencyUnknown, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    author = _person(actor)
    refuse_unknown(currency)
    serialise_publishing()
    if lines is None:
        lines = _copied(currency, rate)
    errors = time_faults(effective_at, now, currency)
    planned = PriceVersion.objects.exclude(state=VersionState.PUBLISHED)
    if planned.filter(effective_at=effective_at, currency=currency).exists():
        errors.append(FieldError("/effective_at", "taken", _("Another draft starts at this hour.")))
    if lines:
        errors.extend(line_faults(lines))
    if errors:
        raise PriceListRefused(errors=errors)
    version = PriceVersion.objects.create(
        title=title,
        currency=currency,
        effective_at=effective_at,
        authors=[author],
        drafted_by=actor.name[:200],
    )
    write_lines(version, lines)
    _told(actor, "drafted", version, prices=len(lines))
    return version


def _copied(currency: str, rate: Decimal | None) -> Sequence[PriceLine]:
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    newest = published.filter(currency=currency).order_by("-effective_at").first()
    if newest is not None:
        if rate is not None:
            known = FieldError("/rate", "rate", _("This currency has a list of its own already."))
            raise PriceListRefused(errors=[known])
        return lines_of(newest.pk)
    own = published.filter(currency=CURRENCY).order_by("-effective_at").first()
    if own is None:
        return ()
    if rate is None or not rate.is_finite() or not 0 < rate <= HIGHEST_RATE:
        wrong = FieldError("/rate", "rate", _("Say what one yuan is worth, above zero."))
        raise PriceListRefused(errors=[wrong])
    return [_at_rate(line, rate) for line in lines_of(own.pk)]


def _at_rate(line: PriceLine, rate: Decimal) -> PriceLine:
    tiers = tuple(
        replace(tier, unit_price=_times(tier.unit_price, rate), fee=_times(tier.fee, rate))
        for tier in line.tiers
    )
    return replace(line, unit_price=_times(line.unit_price, rate), tiers=tiers)


def _times(amount: Decimal, rate: Decimal) -> Decimal:
    # The usual 28 digits are fewer than those of a price times a rate.
    with localcontext(prec=DIGITS):
        return (amount * rate).quantize(PLACE, rounding=ROUND_HALF_UP)


@transaction.atomic
def describe_draft(
    *, actor: Actor, version_id: UUID, effective_at: datetime, title: str, now: datetime
) -> None:
    """Say when a draft begins and what it is called.

    Raises: PermissionRefused, NotFound, PriceListNotEditable, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    errors = time_faults(effective_at, now, version.currency)
    if errors:
        raise PriceListRefused(errors=errors)
    PriceVersion.objects.filter(pk=version.pk, state=VersionState.DRAFT).update(
        effective_at=effective_at, title=title
    )
    _told(actor, "changed", version, effective_at=effective_at.isoformat())


@transaction.atomic
def set_price(*, actor: Actor, version_id: UUID, line: PriceLine, was: str = "") -> None:
    """Add a price to a draft or put it in the place of the one with the SKU ``was``.

    Raises: PermissionRefused, NotFound, PriceListNotEditable, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    others = [one for one in lines_of(version.pk) if one.sku != (was or line.sku)]
    errors = [*line_faults([*others, line]), *naming_faults([*others, line])]
    own = f"/lines/{len(others)}"
    about = [
        replace(error, pointer=error.pointer.removeprefix(own) or "/")
        for error in errors
        if error.pointer == own or error.pointer.startswith(f"{own}/")
    ]
    if about:
        raise PriceListRefused(errors=about)
    Price.objects.filter(version=version, sku__in={was or line.sku, line.sku}).delete()
    write_lines(version, [line])
    _told(actor, "changed", version, sku=line.sku)


@transaction.atomic
def remove_price(*, actor: Actor, version_id: UUID, sku: str) -> None:
    """Take a price out of a draft; taking it out twice is harmless.

    Raises: PermissionRefused, NotFound, PriceListNotEditable.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    removed, _each = Price.objects.filter(version=version, sku=sku).delete()
    if removed:
        _told(actor, "changed", version, removed=sku)


@transaction.atomic
def replace_prices(*, actor: Actor, version_id: UUID, lines: Sequence[PriceLine]) -> None:
    """Put these prices in the place of all that a draft has; an imported file does so.

    Raises: PermissionRefused, NotFound, PriceListNotEditable, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    errors = [*line_faults(lines), *naming_faults(lines)]
    if errors:
        raise PriceListRefused(errors=errors)
    Price.objects.filter(version=version).delete()
    write_lines(version, lines)
    _told(actor, "changed", version, imported=len(lines))


@transaction.atomic
def discard_draft(*, actor: Actor, version_id: UUID) -> None:
    """Throw a draft away. Raises: PermissionRefused, NotFound, PriceListNotEditable."""
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    Price.objects.filter(version=version).delete()
    _told(actor, "discarded", version, title=version.title)
    PriceVersion.objects.filter(pk=version.pk, state=VersionState.DRAFT).delete()


@transaction.atomic
def submit_draft(*, actor: Actor, version_id: UUID, now: datetime) -> None:
    """Hand a draft to somebody else to publish; from now on nobody edits it.

    Raises: PermissionRefused, NotFound, PriceListNotEditable, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _editable(actor, version_id)
    _refuse_faults(version, now)
    PriceVersion.objects.filter(pk=version.pk, state=VersionState.DRAFT).update(
        state=VersionState.SUBMITTED, submitted_at=now, submitted_by=actor.name[:200], note=""
    )
    _told(actor, "submitted", version)


@transaction.atomic
def return_draft(*, actor: Actor, version_id: UUID, note: str) -> None:
    """Give a submitted list back for editing, with what to change.

    Raises: PermissionRefused, NotFound, PriceListNotSubmitted.
    """
    require(actor, Permission.PRICE_PUBLISH)
    version = _locked(version_id)
    moved = PriceVersion.objects.filter(pk=version.pk, state=VersionState.SUBMITTED).update(
        state=VersionState.DRAFT, note=note[:LONGEST_NOTE]
    )
    if not moved:
        raise PriceListNotSubmitted
    _told(actor, "returned", version, note=note[:LONGEST_NOTE])


@transaction.atomic
def publish_draft(*, actor: Actor, version_id: UUID, now: datetime) -> PriceVersion:
    """Put a submitted list in force from its hour on; it never changes afterwards.

    Locks: all publishers queue, then the version.
    Raises: PermissionRefused, NotFound, PriceListNotSubmitted, FourEyesRequired, PriceListRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    publisher = _person(actor)
    serialise_publishing()
    version = _locked(version_id)
    if version.state != VersionState.SUBMITTED:
        raise PriceListNotSubmitted
    if publisher in version.authors:
        raise FourEyesRequired
    _refuse_faults(version, now)
    moved = PriceVersion.objects.filter(pk=version.pk, state=VersionState.SUBMITTED).update(
        state=VersionState.PUBLISHED,
        published_at=now,
        published_by=actor.name[:200],
        published_by_id=publisher,
    )
    if not moved:
        raise PriceListNotSubmitted
    _told(actor, "published", version, effective_at=version.effective_at.isoformat())
    version.refresh_from_db()
    return version


def _refuse_faults(version: PriceVersion, now: datetime) -> None:
    errors = publishing_faults(version, now)
    if errors:
        raise PriceListRefused(errors=errors)


def _person(actor: Actor) -> UUID:
    # Four eyes are people's: a program that could draft and publish would be both pairs.
    if actor.id is None:
        raise PermissionRefused
    return actor.id


def _locked(version_id: UUID) -> PriceVersion:
    version = PriceVersion.objects.select_for_update().filter(pk=version_id).first()
    if version is None:
        raise NotFound
    return version


def _editable(actor: Actor, version_id: UUID) -> PriceVersion:
    """The draft under lock, with the actor among its authors."""
    author = _person(actor)
    version = _locked(version_id)
    if version.state != VersionState.DRAFT:
        raise PriceListNotEditable
    if author not in version.authors:
        version.authors = [*version.authors, author]
        version.save(update_fields=["authors"])
    return version


def _told(actor: Actor, verb: str, version: PriceVersion, **detail: object) -> None:
    record(
        actor,
        f"billing.price_version.{verb}",
        subject=f"billing.price_version:{version.pk}",
        detail={"currency": version.currency, **detail},
    )
