"""Nodes page by page, the wall of all cards, clusters."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common.clock import utc_now
from compute.queries.desk import clusters
from compute.queries.nodes import node_page
from compute.queries.pools import STALE_AFTER
from compute.queries.wall import WallCards, wall
from portal.console.charts import WallNode, WallRack, WallSite
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.requests import ActorRequest
from portal.templatetags.ui import Tab
from tenants.permissions import Permission

PAGE_SIZE = 100
# No scheduler tells where a machine stands, so nodes are drawn in blocks of their names' order.
NODES_IN_A_BLOCK = 16
STATES = ("up", "draining", "drained", "down", "unknown")


@require_safe
@allowed(Permission.POOL_READ)
def node_list(request: ActorRequest) -> HttpResponse:
    """Nodes in the order they came, of a pool or in a state where asked."""
    now = utc_now()
    pool, state = request.GET.get("pool", "").strip(), request.GET.get("state", "")
    page = node_page(
        pool_code=pool or None,
        states=(state,) if state in STATES else (),
        after=request.GET.get("cursor") or None,
        size=PAGE_SIZE,
    )
    context = {
        "page": page,
        "rows": [
            (row, row.observed_at is None or row.observed_at + STALE_AFTER < now)
            for row in page.rows
        ],
        "tabs": _tabs(pool, is_wall=False),
        "pool": pool,
        "state": state,
        "states": STATES,
        "now": now,
    }
    return render_page(request, "console/operator/nodes.html", context)


@require_safe
@allowed(Permission.POOL_READ)
def node_wall(request: ActorRequest) -> HttpResponse:
    """Every card of the centre, or of one pool."""
    pool = request.GET.get("pool", "").strip()
    cards = wall(actor=request.actor, pool_code=pool or None)
    context = {
        "sites": sites_of(cards),
        "node_count": len(cards),
        "card_count": sum(len(one.cards) for one in cards),
        "tabs": _tabs(pool, is_wall=True),
        "pool": pool,
    }
    return render_page(request, "console/operator/wall.html", context)


def sites_of(cards: Sequence[WallCards]) -> list[WallSite]:
    """One site a pool, its nodes in blocks named after their first and last node."""
    return [
        WallSite(f"{cluster} · {pool}", tuple(_blocks(list(nodes))))
        for (cluster, pool), nodes in groupby(cards, lambda one: (one.cluster_name, one.pool_code))
    ]


def _blocks(nodes: Sequence[WallCards]) -> Iterable[WallRack]:
    for start in range(0, len(nodes), NODES_IN_A_BLOCK):
        block = nodes[start : start + NODES_IN_A_BLOCK]
        name = block[0].node if len(block) == 1 else f"{block[0].node} – {block[-1].node}"
        yield WallRack(name, tuple(WallNode(one.node, one.cards) for one in block))


def _tabs(pool: str, *, is_wall: bool) -> list[Tab]:
    query = f"?pool={pool}" if pool else ""
    return [
        Tab(_("List"), reverse("ops:node-list") + query, not is_wall),
        Tab(_("Capacity wall"), reverse("ops:node-wall") + query, is_wall),
    ]


@require_safe
@allowed(Permission.POOL_READ)
def cluster_list(request: ActorRequest) -> HttpResponse:
    """Every scheduler: how it is reached, when it last answered, what it said when it did not."""
    now = utc_now()
    context = {"clusters": clusters(actor=request.actor, now=now), "now": now}
    return render_page(request, "console/operator/clusters.html", context)
