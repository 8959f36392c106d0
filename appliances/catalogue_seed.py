"""Reads the catalogue files the product ships, as typed rows; touches no database."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "seed"
# "SGLang --flag value (remark)": the engine it is meant for, the arguments, and a remark.
EXTRA = re.compile(r"(?:(?P<engine>SGLang|vLLM) +)?(?P<arguments>--.*?)(?: *\(.*)?")
SIXTEEN_BITS = ("bf16", "fp16")

# One parsed YAML mapping: its values are whatever the file holds, checked where they are read.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class SeedVersion:
    """How one appliance runs on one chip, as the file states it."""

    chip: str
    engine_kind: str
    precision: str
    profile: str
    alternative_profiles: tuple[str, ...]
    extra_args: tuple[str, ...]
    min_cards: int
    nodes: int
    min_cards_at_095: int | None
    borderline: bool


@cache
def _read(name: str) -> Row:
    content: Row = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return content


def launch_profiles() -> Mapping[str, Row]:
    """Every launch profile by its code."""
    return {
        **_read("appliances.yaml")["launch_profiles"],
        **_read("supplement.yaml")["launch_profiles"],
    }


def appliance_rows() -> tuple[Row, ...]:
    """The catalogue's templates and then the product's own."""
    return (*_read("appliances.yaml")["appliances"], *_read("supplement.yaml")["appliances"])


def chip_memory_rows() -> Mapping[str, Row]:
    """Nominal and usable memory by chip id."""
    rows: Mapping[str, Row] = _read("appliances.yaml")["method"]["usable"]
    return rows


def name_en(row: Row) -> str:
    names = _read("supplement.yaml")["names_en"]
    return str(row.get("name_en") or names[row["id"]])


def extra_gib(row: Row) -> Decimal:
    """Memory per card beside weights and KV cache."""
    return Decimal(_read("supplement.yaml")["extra_gib"].get(row["id"], "0"))


def weights_gib(precisions: Mapping[str, object], precision: str) -> Decimal | None:
    """Weights in one precision; bf16 and fp16 both take two bytes, so either stands for the other.

    Units: GiB.
    """
    names = SIXTEEN_BITS if precision in SIXTEEN_BITS else (precision,)
    return next((Decimal(str(precisions[name])) for name in names if name in precisions), None)


def versions(row: Row) -> Iterator[SeedVersion]:
    """One version for each chip the row names, and one an engine that runs it on any chip."""
    own = row.get("any_chip") or {"engine_kinds": ()}
    for engine_kind in own["engine_kinds"]:
        yield SeedVersion(
            chip="",
            engine_kind=engine_kind,
            precision=own["precision"],
            profile=own["profile"],
            alternative_profiles=(),
            extra_args=(),
            min_cards=own["min_cards"],
            nodes=own["nodes"],
            min_cards_at_095=None,
            borderline=False,
        )
    for chip, need in row["min_cards"].items():
        profiles = _profiles_for(row, chip)
        if not profiles:
            continue
        yield SeedVersion(
            chip=chip,
            engine_kind="",
            precision=need["precision"],
            profile=profiles[0],
            alternative_profiles=profiles[1:],
            extra_args=_extra_args(row, chip, profiles[0]),
            min_cards=need["min_cards"],
            nodes=need["nodes"],
            min_cards_at_095=need.get("min_cards_at_mem_util_0_95"),
            borderline=bool(need.get("borderline", False)),
        )


def _profiles_for(row: Row, chip: str) -> tuple[str, ...]:
    """The profiles of the chip's vendor; one written for exactly this chip comes first."""
    known = launch_profiles()
    vendor = chip.split("-", 1)[0]
    names = [name for name in row["launch_profiles"].get(vendor, ()) if name in known]
    special = "ascend-300iduo-vllm"
    if chip.endswith("300iduo"):
        return (special,) if special in names else tuple(names)
    return tuple(name for name in names if name != special)


def _extra_args(row: Row, chip: str, profile: str) -> tuple[str, ...]:
    """The row's own arguments for this vendor's engines; those with open places stay unused."""
    given = row["launch_extra_args"]
    text = str(given.get(chip.split("-", 1)[0]) or given.get("all") or "")
    found = EXTRA.fullmatch(text)
    if found is None or "${" in text:
        return ()
    engine = found["engine"]
    if engine and not profile.endswith(engine.lower()):
        return ()
    return tuple(shlex.split(found["arguments"]))
