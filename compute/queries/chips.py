"""The chip catalogue as people read it."""

from collections.abc import Collection, Mapping, Sequence

from common.errors import NotFound
from compute.chips.origins import OTHER, origin_of_vendor
from compute.models import ChipModel
from tenants.permissions import Actor, Permission, require


def chips(*, actor: Actor) -> Sequence[ChipModel]:
    """Every chip model, by vendor and name."""
    require(actor, Permission.POOL_READ)
    return list(ChipModel.objects.order_by("vendor_en", "code"))


def chip(*, actor: Actor, code: str) -> ChipModel:
    """Raises: NotFound."""
    require(actor, Permission.POOL_READ)
    found = ChipModel.objects.filter(pk=code).first()
    if found is None:
        raise NotFound
    return found


def origins(codes: Collection[str]) -> Mapping[str, str]:
    """Where the cards of these chip models come from, for billing's vouchers; one statement.

    Shape: a model that came with a list of nodes and that no source describes is "other".
    """
    rows = ChipModel.objects.filter(pk__in=codes).values_list("pk", "vendor_en", "confidence")
    return {
        code: OTHER if confidence == "unverified" else origin_of_vendor(vendor)
        for code, vendor, confidence in rows
    }
