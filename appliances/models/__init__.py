"""What can be sold as one thing, and what tenants have running of it."""

from appliances.models.catalogue import (
    LISTING_MOVES,
    Api,
    Appliance,
    ChipMemory,
    Confidence,
    LaunchProfile,
    ListingState,
    Resale,
    Version,
)
from appliances.models.deployment import (
    BILLED_STATES,
    LIVE_STATES,
    ROUTED_STATES,
    TRANSITIONS,
    Deployment,
    DeploymentState,
)
from appliances.models.interruption import Interruption, InterruptionState

__all__ = [
    "BILLED_STATES",
    "LISTING_MOVES",
    "LIVE_STATES",
    "ROUTED_STATES",
    "TRANSITIONS",
    "Api",
    "Appliance",
    "ChipMemory",
    "Confidence",
    "Deployment",
    "DeploymentState",
    "Interruption",
    "InterruptionState",
    "LaunchProfile",
    "ListingState",
    "Resale",
    "Version",
]
