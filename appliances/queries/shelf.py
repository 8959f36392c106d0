"""The catalogue as its list shows it: what is on sale and where it runs in this centre."""

from collections import defaultdict
from dataclasses import dataclass

from appliances.models import Appliance, Version
from appliances.queries.catalogue import on_sale
from compute.models import Pool
from tenants.permissions import Actor


@dataclass(frozen=True)
class ShelfRow:
    """One appliance on sale; ``pools`` are those it has a version for, by name."""

    appliance: Appliance
    pools: tuple[Pool, ...]
    min_cards: int | None


def shelf(*, actor: Actor) -> tuple[ShelfRow, ...]:
    """Everything on sale; three statements."""
    rows = list(on_sale(actor=actor))
    versions = defaultdict(list)
    for version in Version.objects.filter(withdrawn_at=None, appliance__in=rows):
        versions[version.appliance_id].append(version)
    pools = Pool.objects.filter(withdrawn_at=None).select_related("chip", "cluster")
    by_code = list(pools.order_by("code"))
    return tuple(_row(row, versions[row.pk], by_code) for row in rows)


def _row(appliance: Appliance, versions: list[Version], pools: list[Pool]) -> ShelfRow:
    found = []
    least: int | None = None
    for pool in pools:
        fitting = [
            version
            for version in versions
            if version.chip == pool.chip_id
            or (not version.chip and version.engine_kind == pool.cluster.engine)
        ]
        if fitting:
            found.append(pool)
            cards = min(version.min_cards for version in fitting)
            least = cards if least is None else min(least, cards)
    return ShelfRow(appliance, tuple(found), least)
