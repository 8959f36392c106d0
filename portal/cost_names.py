"""What costs can be grouped by, and what the values of each grouping are called.

Billing knows series and their dimensions; whose key, deployment and reservation those are is looked
up in the apps above it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from appliances.queries.deployments import deployment_names
from billing.queries.costs import CostPart
from billing.services import service_of
from compute.queries.takers import takers
from tenants.permissions import Actor, Permission, allows
from tenants.queries.keys import key_names

Text = str | Promise

GROUPINGS: Mapping[str, Text] = {
    "sku": _("SKU"),
    "service": _("Service"),
    "pool": _("Pool"),
    "chip": _("Chip"),
    "model": _("Model"),
    "deployment": _("Deployment"),
    "key": _("API key"),
    "member": _("Member"),
    "project": _("Project"),
}

SERVICES: Mapping[str, Text] = {
    "compute": _("Accelerator cards"),
    "models": _("Model calls"),
    "storage": _("Storage"),
    "network": _("Network"),
    "security": _("Security"),
    "marketplace": _("Marketplace"),
}

# What a grouping cannot say of a part, and why.
LEFT_OUT: Mapping[str, Text] = {
    "pool": _("Model calls are counted by deployment and key, not by pool."),
    "chip": _("Model calls are counted by deployment and key, not by chip."),
    "model": _("Cards are counted by pool and workload, not by model."),
    "deployment": _("Reserved cards cost the same whatever runs on them; other work has no name."),
    "key": _("Cards are not taken by a key's calls."),
    "member": _("The system's own use, and that of senders that name nobody we know."),
    "project": _("Use that was reported without a project."),
}


@dataclass(frozen=True)
class Grouping:
    """How parts are told apart; ``value_of`` gives nothing for what is not attributed."""

    value_of: Callable[[CostPart], str]
    names: Mapping[str, str]

    def name_of(self, value: str) -> str:
        return self.names.get(value) or value


def grouping(
    by: str, *, actor: Actor, tenant_id: UUID, parts: Iterable[CostPart], language: str
) -> Grouping:
    """The grouping of this name; one statement for names, none for most.

    Shape: names are shown to those who may read the things; others see what the events say.
    """
    rows = tuple(parts)
    if by == "sku":
        zh = language.startswith("zh")
        titles = {
            one.bought.sku: one.bought.title_zh if zh else one.bought.title_en for one in rows
        }
        return Grouping(lambda part: part.bought.sku, titles)
    if by == "service":
        return Grouping(_service, {code: str(word) for code, word in SERVICES.items()})
    if by == "project":
        names = {one.used.project_code: one.used.project_name for one in rows}
        return Grouping(lambda part: part.used.project_code, names)
    if by == "deployment":
        return _by_deployment(actor, tenant_id, rows)
    if by == "key":
        return _by_key(actor, tenant_id, rows)
    if by == "member":
        return _by_member(actor, tenant_id, rows)
    return Grouping(lambda part: part.used.dimensions.get(by, ""), {})


def _service(part: CostPart) -> str:
    return service_of(part.bought.meter) if part.bought.meter else ""


def _by_deployment(actor: Actor, tenant_id: UUID, rows: tuple[CostPart, ...]) -> Grouping:
    """Its calls by its own id, its cards by its workload."""
    found = deployment_names(
        tenant_id=tenant_id,
        deployment_ids=_ids(rows, "deployment"),
        workload_ids=_ids(rows, "workload"),
    )
    of_workload = {str(one.workload_id): str(one.id) for one in found if one.workload_id}
    may_read = allows(actor, Permission.DEPLOYMENT_READ)
    names = {str(one.id): one.name for one in found} if may_read else {}

    def value_of(part: CostPart) -> str:
        said = part.used.dimensions
        return said.get("deployment", "") or of_workload.get(said.get("workload", ""), "")

    return Grouping(value_of, names)


def _by_key(actor: Actor, tenant_id: UUID, rows: tuple[CostPart, ...]) -> Grouping:
    found = key_names(tenant_id=tenant_id, key_ids=_ids(rows, "key"))
    may_read = allows(actor, Permission.KEY_READ)
    names = {str(one.id): f"{one.name} …{one.last_four}" for one in found} if may_read else {}
    return Grouping(lambda part: part.used.dimensions.get("key", ""), names)


def _by_member(actor: Actor, tenant_id: UUID, rows: tuple[CostPart, ...]) -> Grouping:
    """The maker of the key that called, or whoever took the cards."""
    found = takers(
        tenant_id=tenant_id,
        workload_ids=_ids(rows, "workload"),
        reservation_ids=_ids(rows, "reservation"),
        key_ids=_ids(rows, "key"),
    )
    who = {str(thing): str(person.id) for thing, person in found.items()}
    may_read = allows(actor, Permission.MEMBER_READ)
    names = {str(one.id): one.name for one in found.values()} if may_read else {}

    def value_of(part: CostPart) -> str:
        said = part.used.dimensions
        # A reservation is paid by whoever took it, also where others' work runs inside it.
        known = (who.get(said.get(name, "")) for name in ("key", "workload", "reservation"))
        return next((one for one in known if one is not None), "")

    return Grouping(value_of, names)


def _ids(rows: Iterable[CostPart], dimension: str) -> set[UUID]:
    """The ids among a dimension's values; senders of their own may say anything."""
    found = set()
    for value in {part.used.dimensions.get(dimension, "") for part in rows}:
        try:
            found.add(UUID(value))
        except ValueError:
            continue
    return found
