"""Fit verdicts from the catalogue's rows, for pools and chip models."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from appliances.catalogue_seed import weights_gib
from appliances.fit import (
    SESSION_TOKENS,
    Answer,
    CardMemory,
    Figure,
    Label,
    ModelShape,
    Step,
    Verdict,
    judge,
    sessions,
)
from appliances.models import Appliance, ChipMemory, Version
from compute.models import ChipModel, Pool

# The share of nominal memory that chips without a measurement of their own are taken to offer.
USABLE_SHARE = Decimal("0.95")


@dataclass(frozen=True)
class PoolVerdict:
    """How an appliance stands in one pool; ``version`` is None where none runs there."""

    pool: Pool
    version: Version | None
    verdict: Verdict
    sessions: int | None
    notes: tuple[str, ...]


def verdicts(
    appliance: Appliance, versions: Sequence[Version] | None = None
) -> tuple[PoolVerdict, ...]:
    """The appliance in every pool that is not withdrawn, pools by code.

    Shape: ``versions`` are those offered now, where the caller has read them already.
    """
    pools = Pool.objects.filter(withdrawn_at=None).select_related("chip", "cluster__centre")
    if versions is None:
        versions = list(Version.objects.filter(appliance=appliance, withdrawn_at=None))
    memories = {row.chip: row for row in ChipMemory.objects.all()}
    return tuple(
        _in_pool(appliance, versions, pool, memories.get(pool.chip.code))
        for pool in pools.order_by("code")
    )


def shape_of(appliance: Appliance, precision: str) -> ModelShape | None:
    """The model in one precision; None where its weights are not known."""
    weights = weights_gib(appliance.weights_gib, precision)
    if weights is None:
        return None
    geometry = appliance.architecture
    label = Label.MEASURED if appliance.weights_measured else Label.ESTIMATED
    return ModelShape(
        weights=Figure(weights, label, appliance.repo),
        kv_bytes_per_token=appliance.kv_bytes_per_token,
        kv_tokens=appliance.kv_tokens_design,
        heads=geometry.get("heads"),
        kv_heads=geometry.get("kv_heads"),
        extra=Figure(appliance.extra_gib, Label.ESTIMATED),
    )


def memory_of(chip: ChipModel, row: ChipMemory | None) -> CardMemory | None:
    """A chip's usable memory: the catalogue's, or an assumed share of what its maker names."""
    if row is not None:
        usable = Figure(row.usable_gib, Label(row.confidence), row.basis)
        return CardMemory(usable, row.node_cards)
    if chip.memory_gb is None:
        return None
    return CardMemory(Figure(chip.memory_gb * USABLE_SHARE, Label.ASSUMED, "x0.95"))


def _in_pool(
    appliance: Appliance, versions: Sequence[Version], pool: Pool, row: ChipMemory | None
) -> PoolVerdict:
    own = [version for version in versions if version.chip == pool.chip.code]
    anywhere = [
        version
        for version in versions
        if not version.chip and version.engine_kind == pool.cluster.engine
    ]
    version = next(iter(own or anywhere), None)
    notes = tuple(
        f"{entry['accelerator']}: {entry['spec']}" for entry in appliance.documented_minimum
    )
    if version is None:
        nowhere = Verdict(Answer.UNKNOWN, Label.DOCUMENTED, ())
        return PoolVerdict(pool, None, nowhere, None, (_("No version for this chip."), *notes))
    if not version.chip:
        return PoolVerdict(pool, version, _on_processor(version), None, notes)
    shape = shape_of(appliance, version.precision)
    memory = memory_of(pool.chip, row)
    if shape is None:
        return PoolVerdict(pool, version, Verdict(Answer.UNKNOWN, Label.ASSUMED, ()), None, notes)
    held = sessions(shape, memory, version.min_cards, SESSION_TOKENS) if memory else None
    return PoolVerdict(pool, version, judge(shape, memory), held, notes)


def _on_processor(version: Version) -> Verdict:
    """The model runs on the machine's processor: it holds a card and uses none of its memory."""
    step = Step(_("Cards held"), "1", Decimal(version.min_cards), "", Label.MEASURED)
    return Verdict(
        Answer.FITS, Label.MEASURED, (step,), cards=version.min_cards, nodes=version.nodes
    )
