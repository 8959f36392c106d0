"""The chip catalogue: facts with their sources, shipped with the product as seed data."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

SEED = Path(__file__).parent / "seed" / "accelerators.yaml"


@dataclass(frozen=True)
class ChipFact:
    """One row of the catalogue; None is "not found", never zero.

    Units: nominal GB, GB/s, dense TFLOPS, watts. ``row`` is everything the catalogue says.
    """

    code: str
    family: str
    vendor_en: str
    vendor_zh: str
    name: str
    aliases: tuple[str, ...]
    memory_gb: int | None
    memory_bandwidth_gbps: Decimal | None
    dense_fp16_tflops: Decimal | None
    interconnect: str
    tdp_watts: int | None
    dies_per_card: int
    confidence: str
    notes: str
    # The catalogue's own shape, kept as it is for display; its fields vary by row.
    row: Mapping[str, Any]


def read_seed(path: Path = SEED) -> tuple[ChipFact, ...]:
    """Every row of the catalogue. Raises: KeyError for a row without an obligatory field."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(_fact(row, document["sources"]) for row in document["accelerators"])


def _fact(row: Mapping[str, Any], sources: Mapping[str, str]) -> ChipFact:
    cited = {name: sources[name] for name in row["sources"] if name in sources}
    return ChipFact(
        code=row["id"],
        family=row["family"],
        vendor_en=row["vendor_en"],
        vendor_zh=row["vendor_zh"],
        name=row["model"],
        aliases=tuple(sorted({row["chip"]} - {None})),
        memory_gb=row["memory_gb"],
        memory_bandwidth_gbps=_decimal(row["memory_bandwidth_gbps"]),
        dense_fp16_tflops=_decimal(row["dense_fp16_bf16_tflops"]),
        interconnect=(row["interconnect"] or "")[:120],
        tdp_watts=row["tdp_w"],
        dies_per_card=row["dies_per_card"],
        confidence=row["confidence"],
        notes=row["notes"] or "",
        row={**row, "cited": cited},
    )


def _decimal(value: float | None) -> Decimal | None:
    """Through text, so that 1638.4 stays 1638.4."""
    return None if value is None else Decimal(str(value))
