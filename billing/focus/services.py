"""What FOCUS calls the things that are metered. A measuring app says it where it declares a meter.

Source: FOCUS 1.2, columns ServiceCategory and ServiceSubcategory, attribute Unit Format.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from billing import meters

_NAMES = {
    "AI and Machine Learning": (
        "AI Platforms|Bots|Generative AI|Machine Learning|Natural Language Processing"
    ),
    "Analytics": (
        "Analytics Platforms|Business Intelligence|Data Processing|Search|Streaming Analytics"
    ),
    "Business Applications": "Productivity and Collaboration",
    "Compute": (
        "Containers|End User Computing|Quantum Compute|Serverless Compute|Virtual Machines"
    ),
    "Databases": (
        "Caching|Data Warehouses|Ledger Databases|NoSQL Databases|Relational Databases"
        "|Time Series Databases"
    ),
    "Developer Tools": (
        "Developer Platforms|Continuous Integration and Deployment|Development Environments"
        "|Source Code Management|Quality Assurance"
    ),
    "Identity": "Identity and Access Management",
    "Integration": "API Management|Messaging|Workflow Orchestration",
    "Internet of Things": "IoT Analytics|IoT Platforms",
    "Management and Governance": (
        "Architecture|Compliance|Cost Management|Data Governance|Disaster Recovery"
        "|Endpoint Management|Observability|Support"
    ),
    "Media": "Content Creation|Gaming|Media Streaming|Mixed Reality",
    "Migration": "Data Migration|Resource Migration",
    "Mobile": "",
    "Multicloud": "Multicloud Integration",
    "Networking": (
        "Application Networking|Content Delivery|Network Connectivity|Network Infrastructure"
        "|Network Routing|Network Security"
    ),
    "Other": "",
    "Security": "Secret Management|Security Posture Management|Threat Detection and Response",
    "Storage": "Backup Storage|Block Storage|File Storage|Object Storage|Storage Platforms",
    "Web": "Application Platforms",
}
CATEGORIES = tuple(_NAMES)
# Each subcategory stands under one category.
SUBCATEGORIES = MappingProxyType(
    {
        subcategory: category
        for category, names in _NAMES.items()
        for subcategory in (*filter(None, names.split("|")), f"Other ({category})")
    }
)


class Role(StrEnum):
    """What the use of a meter does to a commitment: nothing, buy hours of it, or use them up."""

    NONE = "none"
    BUYS = "buys"
    DRAWS = "draws"


@dataclass(frozen=True)
class FocusMeter:
    """How the use of one meter is written in FOCUS.

    Units: the base quantity divided by ``divisor`` is in ``unit``; ``base_unit`` names what is
    left undivided.
    Shape: ``commitment_dimension`` names the dimension that says which commitment is bought or
    drawn on; use that leaves it empty has to do with none. ``sku_details`` are the specification's
    own keys (GpuCount, ...).
    """

    meter: str
    service: str
    category: str
    subcategory: str
    sku_meter: str
    unit: str
    divisor: int = 1
    base_unit: str = "Units"
    role: Role = Role.NONE
    commitment_dimension: str = ""
    resource_type: str = ""
    sku_details: tuple[tuple[str, str | int], ...] = field(default=())

    def pricing_unit(self, unit_quantity: int) -> str:
        """The unit a price is of: "Hours", "1000000 Tokens"."""
        number, rest = divmod(unit_quantity, self.divisor)
        name = self.base_unit if rest else self.unit
        number = unit_quantity if rest else number
        return name if number == 1 else f"{number} {name}"


_declared: dict[str, FocusMeter] = {}


def declare(meter: FocusMeter) -> None:
    """Say how a meter is written; saying the same twice is harmless, two different things is not.

    Raises: ValueError.
    """
    if SUBCATEGORIES.get(meter.subcategory) != meter.category:
        raise ValueError(f"{meter.subcategory} is no part of {meter.category}.")
    if _declared.setdefault(meter.meter, meter) != meter:
        raise ValueError(f"Two things are said of {meter.meter} in FOCUS.")


def of(code: str) -> FocusMeter:
    """What was said of a meter; a plain answer where nothing was, so that no use is left out."""
    known = _declared.get(code)
    if known is not None:
        return known
    meter = meters.declared().get(code)
    return FocusMeter(
        meter=code,
        service="Metered use",
        category="Other",
        subcategory="Other (Other)",
        sku_meter=code,
        unit="Units",
        base_unit="Units",
        divisor=1 if meter is None else meter.display_divisor,
    )


def with_role(role: Role) -> tuple[FocusMeter, ...]:
    """The meters that buy, or draw on, commitments."""
    return tuple(meter for meter in _declared.values() if meter.role is role)
