"""How a broker's address becomes its transport options."""

from typing import Any

from psycopg.conninfo import make_conninfo

POSTGRES_SCHEME = "pgmq://"
REDIS_SCHEMES = ("redis://", "rediss://")


def broker_options(
    url: str, *, database: dict[str, Any], visibility_seconds: int
) -> dict[str, object]:
    """Transport options of the default broker or of a server the person named.

    Units: a message not confirmed for ``visibility_seconds`` is delivered again, so every task
    must be shorter.
    """
    if url == POSTGRES_SCHEME:
        return {
            "visibility_timeout": visibility_seconds,
            "conn_string": database_conninfo(database),
            "init_extension": False,
            "use_notify": True,
            # Unthrottled, since a notification left out is a task that waits for the next poll.
            "notify_throttle_interval_ms": 0,
            # Polling on the server would hold up the other queues of the same worker.
            "wait_time_seconds": 0,
            "polling_interval": 1,
            "pool_size": 2,
            "pool_timeout": 5,
        }
    if url.startswith(REDIS_SCHEMES):
        return {
            "visibility_timeout": visibility_seconds,
            # The defaults look for unconfirmed messages only every 90 seconds.
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # A worker killed while it looks leaves its lock; the default keeps it for 5 minutes.
            "unacked_mutex_expire": 10,
            "socket_connect_timeout": 5,
        }
    return {}


def database_conninfo(database: dict[str, Any]) -> str:
    """A libpq connection string of Django's settings.

    The broker signs in without assuming the application's role: its tables are its own.
    """
    named = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
    }
    known = {key: value for key, value in named.items() if value}
    options = {key: value for key, value in database["OPTIONS"].items() if key != "assume_role"}
    return make_conninfo(**known, **options)
