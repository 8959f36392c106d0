"""The chip catalogue in the database, and an operator's word for what its sources left open."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from compute.chips import ChipFact
from compute.models import ChipModel
from tenants.audit import record
from tenants.permissions import Actor, Permission, require

SHORTEST_EVIDENCE = 10

FACTS = (
    "family",
    "vendor_en",
    "vendor_zh",
    "name",
    "aliases",
    "memory_gb",
    "memory_bandwidth_gbps",
    "dense_fp16_tflops",
    "interconnect",
    "tdp_watts",
    "dies_per_card",
    "confidence",
    "notes",
    "facts",
)


class EvidenceMissing(DomainError):
    """A sign-off has to say what it rests on: the tool's output, the contract's page."""

    code = "evidence_missing"
    status = 422
    message = _("Say what the sign-off rests on, such as the tool's output or the contract's page.")


@transaction.atomic
def load_chips(*, actor: Actor, facts: Sequence[ChipFact]) -> int:
    """Bring the catalogue's rows into the database; a sign-off already given stays.

    Idempotent: loading again changes nothing but what the catalogue changed. Says how many rows.
    """
    require(actor, Permission.CHIP_MANAGE)
    ChipModel.objects.bulk_create(
        [_row(fact) for fact in facts],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=FACTS,
    )
    record(
        actor,
        "compute.catalogue.loaded",
        subject="compute.catalogue:chips",
        detail={"rows": len(facts)},
    )
    return len(facts)


def _row(fact: ChipFact) -> ChipModel:
    return ChipModel(
        code=fact.code,
        family=fact.family,
        vendor_en=fact.vendor_en,
        vendor_zh=fact.vendor_zh,
        name=fact.name,
        aliases=list(fact.aliases),
        memory_gb=fact.memory_gb,
        memory_bandwidth_gbps=fact.memory_bandwidth_gbps,
        dense_fp16_tflops=fact.dense_fp16_tflops,
        interconnect=fact.interconnect,
        tdp_watts=fact.tdp_watts,
        dies_per_card=fact.dies_per_card,
        confidence=fact.confidence,
        notes=fact.notes,
        facts=dict(fact.row),
    )


@transaction.atomic
def sign_off_chip(*, actor: Actor, code: str, evidence: str, now: datetime) -> ChipModel:
    """Vouch for a chip model's facts, so that it may be sold; what it rests on is kept.

    Raises: PermissionRefused, NotFound, EvidenceMissing.
    """
    require(actor, Permission.CHIP_MANAGE)
    if len(evidence.strip()) < SHORTEST_EVIDENCE:
        raise EvidenceMissing
    signed = ChipModel.objects.filter(pk=code).update(
        signed_off_at=now, signed_off_by=actor.id, evidence=evidence.strip()
    )
    if not signed:
        raise NotFound
    record(
        actor,
        "compute.chip.signed_off",
        subject=f"compute.chip:{code}",
        detail={"evidence": evidence.strip()[:2000]},
    )
    return ChipModel.objects.get(pk=code)
