"""Which pools are for sale."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from compute.models import Pool


class PoolNotSold(DomainError):
    """The pool exists and is not for sale: withdrawn, or its chip is not signed off."""

    code = "pool_not_sold"
    status = 409
    message = _("This pool is not for sale at present.")


def is_sold(pool: Pool) -> bool:
    """For sale: not withdrawn, its chip vouched for, and a scheduler behind it to deliver."""
    return (
        pool.withdrawn_at is None
        and pool.cluster.enabled
        and pool.cluster.engine in settings.COMPUTE_ENGINES
        and pool.chip.sellable
    )


def pool_for_sale(pool_code: str) -> Pool:
    """Raises: NotFound, PoolNotSold."""
    pool = Pool.objects.select_related("chip", "cluster__centre").filter(code=pool_code).first()
    if pool is None:
        raise NotFound
    if not is_sold(pool):
        raise PoolNotSold
    return pool


def pools_with_sites(centres: Sequence[str] = ()) -> Sequence[Pool]:
    """Every pool not withdrawn, with its chip, cluster and centre; of some centres where named."""
    pools = Pool.objects.filter(withdrawn_at__isnull=True).select_related("chip", "cluster__centre")
    if centres:
        pools = pools.filter(cluster__centre__code__in=centres)
    return list(pools.order_by("code"))
