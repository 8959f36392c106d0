"""An appliance with how it fits every pool, as a program reads it."""

from dataclasses import dataclass

from appliances.models import Appliance
from appliances.queries.catalogue import on_sale, one_on_sale
from appliances.queries.fit import PoolVerdict, verdicts
from common.paging import Page, in_order
from tenants.permissions import Actor


@dataclass(frozen=True)
class ApplianceSheet:
    appliance: Appliance
    fit: tuple[PoolVerdict, ...]


def appliances_on_sale(
    *, actor: Actor, cursor: str | None = None, limit: int = 50
) -> Page[Appliance]:
    """What is on sale, by code. Raises: PermissionRefused, InvalidInput."""
    rows = sorted(on_sale(actor=actor), key=_code)
    return in_order(rows, _code, cursor=cursor, limit=limit)


def appliance_sheet(*, actor: Actor, code: str) -> ApplianceSheet:
    """One appliance and its fit. Raises: PermissionRefused, NotFound."""
    appliance = one_on_sale(actor=actor, code=code)
    return ApplianceSheet(appliance, verdicts(appliance))


def _code(appliance: Appliance) -> str:
    return appliance.code
