"""Chips, centres, capacity, reservations and what runs."""

from compute.models.capacity import (
    CapacityChange,
    Claim,
    ClaimKind,
    Profile,
    ReservationPolicy,
    Segment,
)
from compute.models.chips import ChipModel, Confidence
from compute.models.freezes import Freeze, FreezeState
from compute.models.reservations import Reservation, ReservationState
from compute.models.sites import Centre, Cluster, Node, NodeOrder, NodeState, OrderState, Pool
from compute.models.workloads import EngineUsage, Kind, ServiceClass, Workload, WorkloadState

__all__ = [
    "CapacityChange",
    "Centre",
    "ChipModel",
    "Claim",
    "ClaimKind",
    "Cluster",
    "Confidence",
    "EngineUsage",
    "Freeze",
    "FreezeState",
    "Kind",
    "Node",
    "NodeOrder",
    "NodeState",
    "OrderState",
    "Pool",
    "Profile",
    "Reservation",
    "ReservationPolicy",
    "ReservationState",
    "Segment",
    "ServiceClass",
    "Workload",
    "WorkloadState",
]
