"""The chip catalogue as people read it."""

from collections.abc import Sequence

from common.errors import NotFound
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
