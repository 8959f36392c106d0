"""The example voucher schemes that ship with the product, to be edited by the city's notice."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any

import yaml

# What cities leave out of compute vouchers, as far as notices were read.
EXCLUDED = ("storage", "network", "security", "marketplace")


@dataclass(frozen=True)
class SeedScheme:
    """One example. ``until_year_end`` ends its vouchers with the centre's year."""

    code: str
    title_en: str
    title_zh: str
    issuer: str
    mode: str
    share_domestic: Decimal
    share_other: Decimal
    cap_per_tenant_year: Decimal
    valid_days: int | None
    until_year_end: bool
    one_per_contract: bool
    needs_review: bool
    evidence: tuple[str, ...]
    package_meter: str
    package_quantity: int | None


def read_schemes() -> tuple[SeedScheme, ...]:
    """Every example. Raises: KeyError for a row without an obligatory field."""
    # Any: the document is YAML; what is not as expected fails here, in the seed's own test.
    document: dict[str, Any] = yaml.safe_load(
        files("billing.seed").joinpath("schemes.yaml").read_text(encoding="utf-8")
    )
    return tuple(_scheme(row) for row in document["schemes"])


# Any: a row of the YAML document, as above.
def _scheme(row: Mapping[str, Any]) -> SeedScheme:
    return SeedScheme(
        code=row["code"],
        title_en=row["title_en"],
        title_zh=row["title_zh"],
        issuer=row["issuer"],
        mode=row["mode"],
        share_domestic=Decimal(row["share_domestic"]),
        share_other=Decimal(row["share_other"]),
        cap_per_tenant_year=Decimal(row["cap_per_tenant_year"]),
        valid_days=row.get("valid_days"),
        until_year_end=row.get("until_year_end", False),
        one_per_contract=row.get("one_per_contract", False),
        needs_review=row["needs_review"],
        evidence=tuple(row["evidence"]),
        package_meter=row.get("package_meter", ""),
        package_quantity=row.get("package_quantity"),
    )
