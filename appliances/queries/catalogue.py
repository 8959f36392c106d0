"""What is on sale, and what an operator may put on sale."""

from django.db.models import QuerySet

from appliances.models import Appliance, ListingState, Version
from common.errors import NotFound
from tenants.permissions import Actor, Permission, require


def on_sale(*, actor: Actor, category: str = "") -> QuerySet[Appliance]:
    """The listed appliances, ordered for reading."""
    require(actor, Permission.CATALOGUE_READ)
    rows = Appliance.objects.filter(listing=ListingState.LISTED).order_by("category", "code")
    return rows.filter(category=category) if category else rows


def everything(*, actor: Actor) -> QuerySet[Appliance]:
    """Every appliance whatever its listing; operators only."""
    require(actor, Permission.CATALOGUE_MANAGE)
    return Appliance.objects.order_by("category", "code")


def one_on_sale(*, actor: Actor, code: str) -> Appliance:
    """Raises: NotFound for what is missing and for what is not on sale."""
    appliance = on_sale(actor=actor).filter(code=code).first()
    if appliance is None:
        raise NotFound
    return appliance


def versions_of(appliance: Appliance) -> QuerySet[Version]:
    """How the appliance runs on each chip, as offered now."""
    rows = Version.objects.filter(appliance=appliance, withdrawn_at=None)
    return rows.select_related("profile").order_by("chip", "precision")
