"""Slurm as an engine of the portal, driven through Slurm's own programs in their fixed formats.

The portal's worker needs Slurm's client programs, the cluster's slurm.conf and munge, and runs as a
user with Slurm's operator level. The site needs slurmdbd with ``AccountingStoreFlags=job_comment``,
``AccountingStorageEnforce=limits,qos`` and the card types in ``AccountingStorageTRES``; ``site/``
holds the submit filter that refuses cards without a type. Settings: ``Connection``.

Source: Slurm 22.05.8 of Debian 12, the version the contract suite runs on.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from common.clock import utc_now
from compute.engines import (
    EngineDescription,
    EngineUnavailable,
    NodeFact,
    ProjectSpec,
    ReservationObservation,
    ReservationSpec,
    ServiceClass,
    UsagePage,
    WorkloadObservation,
    WorkloadSpec,
)
from compute.engines.slurm import accounts, nodes, reservations, workloads
from compute.engines.slurm import usage as accounting
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.settings import Connection, classes_with_qos

__all__ = ["SlurmEngine"]


class SlurmEngine:
    """One Slurm cluster. Making it calls nothing; every call starts its own clock."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self._connection = Connection.read(connection)
        self._usage_failed_at = 0

    @classmethod
    def service_classes(cls, connection: Mapping[str, str]) -> frozenset[ServiceClass]:
        """On demand always; the others where the settings name the class of service to use."""
        return classes_with_qos(connection)

    def _commands(self) -> Commands:
        return Commands(self._connection)

    def describe(self) -> EngineDescription:
        output = self._commands().ask("scontrol", "show", "config")
        pairs = (line.partition("=") for line in output.splitlines())
        values = {name.strip(): value.strip() for name, _, value in pairs}
        return EngineDescription(
            kind="slurm",
            version=values.get("SLURM_VERSION", "unknown"),
            features=frozenset({"accounting", "estimates", "named_nodes", "queue"}),
        )

    def inventory(self) -> tuple[NodeFact, ...]:
        return nodes.inventory(self._commands())

    def ensure_project(self, project: ProjectSpec) -> None:
        accounts.ensure_project(self._commands(), self._connection, project)

    def ensure_reservation(self, spec: ReservationSpec) -> ReservationObservation:
        return reservations.ensure_reservation(self._commands(), spec, utc_now())

    def drop_reservation(self, key: str) -> None:
        reservations.drop_reservation(self._commands(), key)

    def ensure_workload(self, spec: WorkloadSpec) -> WorkloadObservation:
        return workloads.ensure_workload(self._commands(), self._connection, spec)

    def stop_workload(self, key: str, grace_seconds: int = 30) -> None:
        """Ask the workload to end, then end it.

        Slurm waits for its own KillWait between the two, the same for every job of the cluster,
        so ``grace_seconds`` has no say here.
        """
        workloads.stop_workload(self._commands(), self._connection, key)

    def observe(self, keys: Sequence[str]) -> tuple[WorkloadObservation, ...]:
        return workloads.observe(self._commands(), self._connection, keys)

    def usage(self, cursor: str) -> UsagePage:
        try:
            return accounting.usage(
                self._commands(), self._connection, cursor, self._usage_failed_at
            )
        except EngineUnavailable:
            # slurmdbd may have missed what happened meanwhile: the cursor must not move on soon.
            self._usage_failed_at = int(utc_now().timestamp())
            raise

    def drain(self, node: str, reason: str) -> None:
        nodes.drain(self._commands(), node, reason)

    def resume(self, node: str) -> None:
        nodes.resume(self._commands(), node)

    def estimate_start(self, spec: WorkloadSpec) -> datetime | None:
        return workloads.estimate_start(self._commands(), self._connection, spec)
