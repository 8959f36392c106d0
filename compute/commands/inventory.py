"""Nodes: imported from a list in bulk, or as a cluster's own scheduler sees them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from common.period import HOUR, Period
from compute.commands.sites import change_capacity, create_pool, register_cluster
from compute.engines import EngineDescription, NodeFact
from compute.models import ChipModel, Cluster, Confidence, Node, NodeState, Pool
from compute.queries.profiles import steps_of
from tenants.audit import record
from tenants.permissions import Actor, Permission, require

SEEN_FIELDS = ("cards", "cards_allocated", "cpus", "memory_mib", "state", "reason", "observed_at")
LISTED_FIELDS = ("pool", "cards", "cpus", "memory_mib")
MILLI = 1000


class BadNodeList(DomainError):
    """A line of the list cannot be read; nothing of it was imported."""

    code = "bad_node_list"
    status = 422
    message = _("Line %(line)s of the node list cannot be read: %(reason)s")


@dataclass(frozen=True)
class NodeRow:
    """One line of a node list. Units: thousandths of a processor, MiB, whole cards."""

    name: str
    cpu_milli: int
    memory_mib: int
    cards: int
    model: str


@dataclass(frozen=True)
class Imported:
    nodes: int
    cards: int
    pools: tuple[str, ...]
    unverified: tuple[str, ...]


def read_rows(lines: Iterable[Mapping[str, str]]) -> tuple[NodeRow, ...]:
    """Rows of a list with the columns sn, cpu_milli, memory_mib, gpu and model.

    Raises: BadNodeList, naming the line.
    """
    rows: list[NodeRow] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=2):
        try:
            row = NodeRow(
                name=line["sn"].strip(),
                cpu_milli=int(line["cpu_milli"]),
                memory_mib=int(line["memory_mib"]),
                cards=int(line["gpu"]),
                model=line["model"].strip(),
            )
        except (KeyError, ValueError, AttributeError) as error:
            raise BadNodeList(line=number, reason=str(error)) from error
        if not row.name or not row.model or len(row.name) > 100 or row.cards < 1:
            raise BadNodeList(line=number, reason="sn, gpu or model")
        if row.name in seen:
            raise BadNodeList(line=number, reason=f"{row.name} twice")
        seen.add(row.name)
        rows.append(row)
    return tuple(rows)


@transaction.atomic
def import_nodes(
    *,
    actor: Actor,
    centre_code: str,
    rows: Sequence[NodeRow],
    now: datetime,
    cluster_code: str | None = None,
    engine: str = "listed",
    connection: Mapping[str, str] | None = None,
) -> Imported:
    """Bring a list of nodes into a centre as one cluster, with a pool for each chip model.

    Shape: a model name the catalogue knows (by code, name or alias) becomes that chip; any other
    becomes an unverified chip of its own, not for sale until an operator signs it off.
    Idempotent: the same list again changes nothing; a longer one raises the pools' capacity.
    Raises: PermissionRefused, NotFound, CapacityInUse where a shorter list takes sold cards away.
    """
    require(actor, Permission.NODE_MANAGE)
    cluster = _cluster(actor, centre_code, cluster_code, engine, connection or {})
    chips = _chips({row.model for row in rows})
    by_model: dict[str, list[NodeRow]] = defaultdict(list)
    for row in rows:
        by_model[row.model].append(row)
    pools = {
        model: _pool(actor, cluster, model, chips[model], sum(row.cards for row in group), now)
        for model, group in sorted(by_model.items())
    }
    Node.objects.bulk_create(
        [_node(cluster, pools[row.model], row) for row in rows],
        update_conflicts=True,
        unique_fields=["cluster", "name"],
        update_fields=LISTED_FIELDS,
        batch_size=1000,
    )
    result = Imported(
        nodes=len(rows),
        cards=sum(row.cards for row in rows),
        pools=tuple(pool.code for pool in pools.values()),
        unverified=tuple(
            sorted(chip.code for chip in chips.values() if chip.confidence == "unverified")
        ),
    )
    record(
        actor,
        "compute.nodes.imported",
        subject=f"compute.cluster:{cluster.code}",
        detail={"nodes": result.nodes, "cards": result.cards},
    )
    return result


def _cluster(
    actor: Actor,
    centre_code: str,
    cluster_code: str | None,
    engine: str,
    connection: Mapping[str, str],
) -> Cluster:
    code = cluster_code or f"{centre_code}-nodes"
    cluster = Cluster.objects.select_related("centre").filter(code=code).first()
    if cluster is not None:
        if cluster.centre.code != centre_code:
            raise NotFound
        return cluster
    return register_cluster(
        actor=actor,
        centre_code=centre_code,
        code=code,
        name=code,
        engine=engine,
        connection=connection,
    )


def _chips(models: set[str]) -> Mapping[str, ChipModel]:
    """The chip of each model name, made where the catalogue has none."""
    known: dict[str, ChipModel] = {}
    for chip in ChipModel.objects.order_by("-code"):
        for name in (chip.code, chip.name, *chip.aliases):
            known[_plain(name)] = chip
    found = {}
    for model in sorted(models):
        found[model] = known.get(_plain(model)) or ChipModel.objects.create(
            code=f"unverified-{_plain(model)}"[:60],
            family="unverified",
            vendor_en="Unknown",
            vendor_zh="未知",
            name=model[:120],
            aliases=[model[:60]],
            confidence=Confidence.UNVERIFIED,
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _pool(
    actor: Actor, cluster: Cluster, model: str, chip: ChipModel, cards: int, now: datetime
) -> Pool:
    pool = Pool.objects.filter(cluster=cluster, gres=model[:60]).first()
    if pool is None:
        return create_pool(
            actor=actor,
            cluster_code=cluster.code,
            code=f"{cluster.code}-{_plain(model)}"[:60].strip("-"),
            chip_code=chip.code,
            gres=model[:60],
            name_en=f"{cluster.centre.name_en} {model}",
            name_zh=f"{cluster.centre.name_zh} {model}",
            cards=cards,
            now=now,
        )
    (step, *_rest) = steps_of([pool.profile_id], Period(now, now + HOUR))[pool.profile_id]
    if step.capacity != cards:
        change_capacity(actor=actor, pool_code=pool.code, cards=cards, at=now, reason="imported")
    return pool


def _node(cluster: Cluster, pool: Pool, row: NodeRow) -> Node:
    return Node(
        cluster=cluster,
        pool=pool,
        name=row.name,
        cards=row.cards,
        cpus=row.cpu_milli // MILLI,
        memory_mib=row.memory_mib,
    )


@transaction.atomic
def record_inventory(
    *,
    cluster_id: int,
    description: EngineDescription,
    facts: Sequence[NodeFact],
    now: datetime,
) -> None:
    """Write down what a scheduler says of its nodes; a node it no longer names is unknown.

    Shape: cards of a kind that no pool sells are left out, and said so in ``last_error``.
    """
    pools = {pool.gres: pool for pool in Pool.objects.filter(cluster_id=cluster_id)}
    sold = [fact for fact in facts if fact.gres in pools]
    Node.objects.bulk_create(
        [_seen(cluster_id, pools[fact.gres], fact, now) for fact in sold],
        update_conflicts=True,
        unique_fields=["cluster", "name"],
        update_fields=SEEN_FIELDS,
        batch_size=1000,
    )
    Node.objects.filter(cluster_id=cluster_id).exclude(
        name__in=[fact.name for fact in sold]
    ).update(state=NodeState.UNKNOWN)
    unsold = sorted({fact.gres for fact in facts} - set(pools))
    Cluster.objects.filter(pk=cluster_id).update(
        version=f"{description.kind} {description.version}"[:100],
        last_synced_at=now,
        last_error=f"no pool sells: {', '.join(unsold)}"[:500] if unsold else "",
    )


def _seen(cluster_id: int, pool: Pool, fact: NodeFact, now: datetime) -> Node:
    return Node(
        cluster_id=cluster_id,
        pool=pool,
        name=fact.name[:100],
        cards=fact.cards,
        cards_allocated=fact.cards_allocated,
        cpus=fact.cpus,
        memory_mib=fact.memory_mib,
        state=fact.state,
        reason=fact.reason[:500],
        observed_at=now,
    )


@transaction.atomic
def record_silence(*, cluster_id: int, reason: str, now: datetime) -> None:
    """A scheduler did not answer: what is shown of it stays, and shows its age."""
    Cluster.objects.filter(pk=cluster_id).update(last_failed_at=now, last_error=reason[:500])
