"""Celery's default broker: message queues as tables of the product's own PostgreSQL.

Source: kombu 5.7 brings the transport and pgmq 1.1 its SQL; this module installs the SQL, wakes
a waiting worker without delay, and closes what would hold up the end of a process.
See docs/adr/0002-pgmq-as-default-broker.md.
"""

import atexit
import hashlib
import os
import select
import threading
import weakref
from typing import Any

import psycopg
from kombu.transport import TRANSPORT_ALIASES, pgmq
from pgmq import PGMQueue
from pgmq.install import get_embedded_install_sql
from psycopg_pool import ConnectionPool

LONGEST_QUEUE_NAME = 47
CREATES_SCHEMA = "CREATE SCHEMA IF NOT EXISTS pgmq;"
INSTALL_LOCK = 7_604_311  # any number that nobody else of this database uses
_pools: "weakref.WeakSet[ConnectionPool]" = weakref.WeakSet()


def register() -> None:
    """Make ``pgmq://`` mean this module's transport."""
    TRANSPORT_ALIASES["pgmq"] = "portal.broker:Transport"


@atexit.register
def _close_pools() -> None:
    """From Python 3.13 on an open pool keeps a short command alive for ten seconds."""
    for pool in list(_pools):
        pool.close(timeout=1)


def _forget_pools() -> None:
    """A forked child must not touch its parent's connections."""
    _pools.clear()


os.register_at_fork(after_in_child=_forget_pools)


# Any: kombu and pgmq publish no types, so what crosses their border is unchecked in this module.
class Waiter(pgmq._NotifyWaiter):  # type: ignore[misc]
    """Waits for a new message, or for room to take one.

    The original hears only of new messages: a worker that was full would notice a full poll
    later that a task has ended.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def wake(self) -> None:
        try:
            os.write(self._write, b".")
        except (BlockingIOError, OSError):
            return  # it is awake already, or closed

    def wait(self, timeout: float | None) -> bool:
        with self._lock:
            if self._closed or not self._channels:
                return False
            self._ensure_conn()
            connection = self._conn
        try:
            readable, _, _ = select.select([connection.fileno(), self._read], [], [], timeout)
            if self._read in readable:
                os.read(self._read, 4096)
            return bool(list(connection.notifies(timeout=0))) or bool(readable)
        except (OSError, psycopg.OperationalError, psycopg.InterfaceError):
            self._drop_conn(connection)
            return False

    def close(self) -> None:
        super().close()
        os.close(self._read)
        os.close(self._write)


class Channel(pgmq.Channel):  # type: ignore[misc]
    """Queues of any name, and a word to the waiting worker when a task is done."""

    def entity_name(self, name: str, table: dict[int, int] = pgmq.CHARS_REPLACE_TABLE) -> str:
        plain: str = super().entity_name(name, table)
        if len(plain) <= LONGEST_QUEUE_NAME:
            return plain
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return f"{plain[: LONGEST_QUEUE_NAME - 13]}_{digest}"

    def _maybe_enable_notify(self, queue: str, queue_name: str | None = None) -> None:
        # A queue is declared by whoever sends to it; only a consumer needs a connection to listen.
        if queue_name is None:
            super()._maybe_enable_notify(queue)
        else:
            self.pgmq.enable_notify(
                queue_name, throttle_interval_ms=self.notify_throttle_interval_ms
            )

    def _pgmq_send_kwargs(self, message: dict[str, Any]) -> dict[str, Any]:
        # The message's body has the headers too, and a broadcast that carries them a second time
        # calls a function that the SQL does not have (pgmq 1.1.4).
        options: dict[str, Any] = super()._pgmq_send_kwargs(message)
        options.pop("headers", None)
        return options

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002
        super().basic_ack(delivery_tag, multiple)
        self.connection.wake()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002
        super().basic_reject(delivery_tag, requeue)
        self.connection.wake()


class Transport(pgmq.Transport):  # type: ignore[misc]
    """The pgmq transport on any libpq address, its SQL installed at first use."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._notify_waiter: Waiter | None = None
        self.polling_interval = client.transport_options.get("polling_interval", 1)
        self._making = threading.Lock()

    def wake(self) -> None:
        if self._notify_waiter is not None:
            self._notify_waiter.wake()

    def _get_notify_waiter(self) -> Waiter:
        if self._notify_waiter is None:
            self._notify_waiter = Waiter(self._conninfo)
        return self._notify_waiter

    @property
    def _conninfo(self) -> str:
        return str(self.client.transport_options["conn_string"])

    def _get_pgmq_client(self) -> PGMQueue:
        with self._making:
            client: PGMQueue = super()._get_pgmq_client()
        return client

    def _create_pgmq_client(self) -> PGMQueue:
        options = self.client.transport_options
        install(self._conninfo)
        # pgmq would rebuild the address from five fields and lose every other option.
        pool = ConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=int(options.get("pool_size", 2)),
            timeout=float(options.get("pool_timeout", 5)),
            num_workers=1,
            open=True,
        )
        _pools.add(pool)
        return PGMQueue(
            conn_string=self._conninfo,
            vt=int(options["visibility_timeout"]),
            init_extension=False,
            pool=pool,
        )

    def close_connection(self, connection: Any) -> None:
        client = self._pgmq_client
        pool = client.pool if client is not None else None
        try:
            super().close_connection(connection)
        finally:
            if pool is not None:
                pool.close(timeout=1)


def install(conninfo: str) -> None:
    """Create the queues' schema where it does not exist.

    Locks: one at a time in a database, since the script cannot be run twice.
    """
    with psycopg.connect(conninfo, connect_timeout=5) as connection:
        if _is_installed(connection):
            return
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [INSTALL_LOCK])
        if not _is_installed(connection):
            # The script is one of pgmq's own files and takes no parameters. PostgreSQL asks for
            # the right to make schemas even where the schema is there, and a sign-in of
            # production has none: it owns the schema that was made for it.
            script = str(get_embedded_install_sql())
            if _has_schema(connection):
                script = script.replace(CREATES_SCHEMA, "NULL;")
            connection.execute(script.encode())


def _has_schema(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT to_regnamespace('pgmq') IS NOT NULL").fetchone()
    return bool(found and found[0])


def _is_installed(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT to_regclass('pgmq.meta') IS NOT NULL").fetchone()
    return bool(found and found[0])
