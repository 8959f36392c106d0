"""What runs beside the calls: refreshing the snapshot, and flushing the spool."""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.db import Error as DatabaseFailure
from django.db import connections

from common.clock import utc_now
from portal.gateway import snapshot as snapshots
from portal.gateway.holds import Holds
from portal.gateway.metrics import Metrics
from portal.gateway.snapshot import Snapshot
from portal.gateway.spool import CallRecord, Spool

log = logging.getLogger(__name__)

# The file is rewritten when its content changed, and at least so often that its age tells truth.
SAVE_AT_LEAST_EVERY = timedelta(seconds=30)

Take = Callable[[], Snapshot]
# The database's clock, read after billing has committed.
Clock = Callable[[], datetime]
# Gives the records that billing understood and refused, with the reason's code.
Bill = Callable[[Sequence[CallRecord]], Sequence[tuple[CallRecord, str]]]


class Current:
    """The snapshot in force; reading it is one attribute access."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: Snapshot | None = None
        self.snapshot: Snapshot | None = snapshots.load(path)

    def replace(self, fresh: Snapshot) -> None:
        """Serve from the fresh one and keep it on disk where it tells something new."""
        self.snapshot = fresh
        saved = self._saved
        if (
            saved is None
            or fresh.taken_at - saved.taken_at >= SAVE_AT_LEAST_EVERY
            or (saved.grants, saved.targets, saved.spenders, saved.frozen)
            != (fresh.grants, fresh.targets, fresh.spenders, fresh.frozen)
        ):
            snapshots.save(fresh, self._path)
            self._saved = fresh

    def in_force(self) -> Snapshot | None:
        return self.snapshot

    def age_seconds(self, now: datetime) -> float | None:
        return (now - self.snapshot.taken_at).total_seconds() if self.snapshot else None


class Loop(threading.Thread):
    """Calls ``turn`` again and again until told to end; a failed turn is tried again later."""

    def __init__(self, name: str, turn: Callable[[], None], every_seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self._turn = turn
        self._every_seconds = every_seconds
        self._ending = threading.Event()
        self._failing = False

    def run(self) -> None:
        while True:
            self._one_turn()
            if self._ending.wait(self._every_seconds):
                break
        connections.close_all()

    def end(self, within_seconds: float) -> None:
        self._ending.set()
        self.join(within_seconds)

    def _one_turn(self) -> None:
        try:
            self._turn()
        except (DatabaseFailure, OSError) as error:
            if not self._failing:
                log.warning(
                    "gateway.background.failing",
                    extra={"loop": self.name, "reason": type(error).__name__},
                )
            self._failing = True
            connections.close_all()
        except Exception:  # noqa: BLE001 - the loop is a sweeper: one bad turn must not end it
            log.exception("gateway.background.broken", extra={"loop": self.name})
            connections.close_all()
        else:
            if self._failing:
                log.info("gateway.background.recovered", extra={"loop": self.name})
            self._failing = False


class Flusher:
    """Puts the spool on the disk, and hands it to billing."""

    def __init__(
        self,
        *,
        spool: Spool,
        bill: Bill,
        clock: Clock,
        holds: Holds,
        refused: Path,
        metrics: Metrics,
    ) -> None:
        self._spool = spool
        self._bill = bill
        self._clock = clock
        self._holds = holds
        self._refused = refused
        self._metrics = metrics

    def sync(self) -> None:
        """One short turn: what was appended reaches the disk."""
        self._spool.sync()
        if not self._spool.is_writable:
            self._spool.recheck()
        self._metrics.spool_pending.set(self._spool.pending)

    def flush(self) -> None:
        """One long turn: what was sealed reaches billing."""
        self._spool.flush(self._deliver)

    def _deliver(self, records: Sequence[CallRecord]) -> None:
        refused = self._bill(records)
        self._holds.refused(record.id for record, _code in refused)
        self._holds.committed([record.id for record in records], self._clock())
        if not refused:
            return
        # Kept for a person to look at: a metered call is never thrown away in silence.
        with self._refused.open("a", encoding="utf-8") as file:
            for record, code in refused:
                row = {"code": code, "at": utc_now().isoformat(), **json.loads(record.line())}
                file.write(json.dumps(row) + "\n")
        self._metrics.spool_refused.inc(len(refused))
        log.error("gateway.spool.refused", extra={"records": len(refused)})
