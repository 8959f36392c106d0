"""Nudges and the sweep: rows are the queue, so each task may be lost, doubled or killed.

A task opens a scope for each short transaction and none while it talks to an engine.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

from celery import shared_task

from common.clock import utc_now
from common.nudge import after_commit
from compute.commands import activation, freezing, workload_driving
from compute.commands.accrual import accrue_reservation
from compute.commands.holding import expire_holds
from compute.commands.inventory import record_inventory, record_silence
from compute.commands.nodes import (
    claim_order,
    record_order_done,
    record_order_refused,
    record_order_unavailable,
)
from compute.commands.usage import CursorMoved, record_page
from compute.commands.workload_moves import settle_money
from compute.engines import EngineRefused, EngineUnavailable
from compute.engines.registry import engine_for
from compute.locks import cluster_turn
from compute.queries import sweeping
from compute.queries.accrual import accruing
from compute.queries.freezes import tenants_to_obey
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)

MOST_PAGES = 20
STOP_GRACE_SECONDS = 30


@shared_task(name="compute.sweep")
def sweep(**_: object) -> None:
    """Find everything that is due and wake a worker for each; also what a lost nudge forgot."""
    now = utc_now()
    expire_holds(now=now)
    with operator_scope():
        for reservation_id in sweeping.unanswered(now):
            activation.expire_unanswered(reservation_id=reservation_id, now=now)
        workload_driving.mark_overdue(now=now)
        for workload_id in sweeping.unsettled():
            settle_money(workload_id=workload_id, now=now)
    with operator_scope():
        _nudge("compute.drive_reservation", "reservation_id", sweeping.due_reservations(now))
        _nudge("compute.drive_workload", "workload_id", sweeping.due_workloads(now))
        _nudge("compute.drive_node", "node_id", sweeping.due_nodes(now))
        clusters = sweeping.reachable_clusters()
        for task in ("compute.sync_cluster", "compute.observe_cluster", "compute.collect_usage"):
            _nudge(task, "cluster_id", clusters)
        _nudge("compute.obey_arrears", "tenant_id", tenants_to_obey(now))
        after_commit("compute.accrue_reserved")


def _nudge(task: str, name: str, ids: Iterable[object]) -> None:
    for one in ids:
        after_commit(task, **{name: one})


@shared_task(name="compute.obey_arrears")
def obey_arrears(*, tenant_id: str, **_: object) -> None:
    """Take one tenant's freezes a step further. Running it twice takes it once."""
    key = UUID(tenant_id)
    with tenant_scope(key):
        freezing.obey(tenant_id=key, now=utc_now())


@shared_task(name="compute.drive_reservation")
def drive_reservation(*, reservation_id: str, **_: object) -> None:
    """Bring one reservation one step further on its engine. Running it twice does it once."""
    key = UUID(reservation_id)
    with operator_scope():
        drive = activation.claim_reservation(reservation_id=key, now=utc_now())
    if drive is None:
        return
    observation = None
    try:
        engine = engine_for(drive.cluster)
        if drive.step == activation.Step.ACTIVATE:
            engine.ensure_project(drive.project)
            observation = engine.ensure_reservation(drive.spec)
        else:
            engine.drop_reservation(drive.spec.key)
    except EngineUnavailable as error:
        with operator_scope():
            activation.record_unavailable(reservation_id=key, reason=str(error), now=utc_now())
        return
    except EngineRefused as error:
        with operator_scope():
            activation.record_refused(reservation_id=key, reason=str(error), now=utc_now())
        return
    with operator_scope():
        if observation is None:
            activation.record_ended(reservation_id=key, now=utc_now())
        else:
            activation.record_activated(reservation_id=key, observation=observation, now=utc_now())


@shared_task(name="compute.drive_workload")
def drive_workload(*, workload_id: str, **_: object) -> None:
    """Bring one workload one step further on its engine. Running it twice starts one."""
    key = UUID(workload_id)
    with operator_scope():
        drive = workload_driving.claim_workload(workload_id=key, now=utc_now())
    if drive is None:
        return
    try:
        engine = engine_for(drive.cluster)
        if drive.step == workload_driving.Step.PLACE:
            engine.ensure_project(drive.project)
            observation = engine.ensure_workload(drive.spec)
        else:
            engine.stop_workload(drive.spec.key, STOP_GRACE_SECONDS)
            (observation,) = engine.observe([drive.spec.key])
    except EngineUnavailable as error:
        with operator_scope():
            workload_driving.record_unavailable(workload_id=key, reason=str(error), now=utc_now())
        return
    except EngineRefused as error:
        with operator_scope():
            workload_driving.record_refused(workload_id=key, reason=str(error), now=utc_now())
        return
    with operator_scope():
        workload_driving.record_observation(
            workload_id=key, observation=observation, now=utc_now(), answered=True
        )


@shared_task(name="compute.drive_node")
def drive_node(*, node_id: str, **_: object) -> None:
    """Have a node drained or given back to work by its scheduler. Running it twice does it once."""
    with operator_scope():
        drive = claim_order(node_id=int(node_id), now=utc_now())
    if drive is None:
        return
    try:
        engine = engine_for(drive.cluster)
        if drive.drains:
            engine.drain(drive.node, drive.reason)
        else:
            engine.resume(drive.node)
    except EngineUnavailable as error:
        with operator_scope():
            record_order_unavailable(drive=drive, reason=str(error), now=utc_now())
        return
    except EngineRefused as error:
        with operator_scope():
            record_order_refused(drive=drive, reason=str(error))
        return
    with operator_scope():
        record_order_done(drive=drive)


@shared_task(name="compute.observe_cluster")
def observe_cluster(*, cluster_id: str, **_: object) -> None:
    """Ask one scheduler how its workloads are. A slow or dead one holds up only itself."""
    with cluster_turn("observe", int(cluster_id)) as mine:
        if not mine:
            return
        with operator_scope():
            cluster = sweeping.cluster(int(cluster_id))
            batches = sweeping.on_engine(int(cluster_id))
        for batch in batches:
            keys = list(batch)
            try:
                observations = engine_for(cluster).observe(keys)
            except (EngineUnavailable, EngineRefused) as error:
                with operator_scope():
                    record_silence(cluster_id=cluster.pk, reason=str(error), now=utc_now())
                return
            with operator_scope():
                workload_driving.record_observations(
                    observations=[
                        (batch[one.key], one) for one in observations if one.key in batch
                    ],
                    now=utc_now(),
                )


@shared_task(name="compute.sync_cluster")
def sync_cluster(*, cluster_id: str, **_: object) -> None:
    """Write down what one scheduler says of its nodes, or that it says nothing."""
    with cluster_turn("sync", int(cluster_id)) as mine:
        if not mine:
            return
        with operator_scope():
            cluster = sweeping.cluster(int(cluster_id))
        try:
            engine = engine_for(cluster)
            description, facts = engine.describe(), engine.inventory()
        except (EngineUnavailable, EngineRefused) as error:
            with operator_scope():
                record_silence(cluster_id=cluster.pk, reason=str(error), now=utc_now())
            return
        with operator_scope():
            record_inventory(
                cluster_id=cluster.pk, description=description, facts=facts, now=utc_now()
            )


@shared_task(name="compute.collect_usage")
def collect_usage(*, cluster_id: str, **_: object) -> None:
    """Read one scheduler's accounting on from its cursor, page by page."""
    with cluster_turn("usage", int(cluster_id)) as mine:
        if not mine:
            return
        for _page in range(MOST_PAGES):
            with operator_scope():
                cluster = sweeping.cluster(int(cluster_id))
            cursor = cluster.usage_cursor
            try:
                page = engine_for(cluster).usage(cursor)
            except (EngineUnavailable, EngineRefused) as error:
                with operator_scope():
                    record_silence(cluster_id=cluster.pk, reason=str(error), now=utc_now())
                return
            try:
                with operator_scope():
                    record_page(cluster_id=cluster.pk, cursor=cursor, page=page, now=utc_now())
            except CursorMoved:
                log.info("usage.cursor_moved", extra={"cluster": cluster.code})
                return
            if page.cursor == cursor or not page.facts:
                return


@shared_task(name="compute.accrue_reserved")
def accrue_reserved(**_: object) -> None:
    """Charge every reservation's hours that are over; one that fails holds up no other."""
    now = utc_now()
    with operator_scope():
        due = accruing(now)
    for reservation_id in due:
        try:
            with operator_scope():
                accrue_reservation(reservation_id=reservation_id, now=now)
        except Exception:
            log.exception("accrual.failed", extra={"reservation": str(reservation_id)})
