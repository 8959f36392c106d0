"""Is this process alive, and can it serve?"""

from functools import cache

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """Alive; asks nothing of anyone else, so that a lost database restarts no process."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Able to serve: the database answers and has every migration."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = _missing_migrations()
    except Error as error:
        return _not_ready("database", type(error).__name__)
    if missing:
        return _not_ready("migrations", ", ".join(missing[:5]))
    return JsonResponse({"status": "ready"})


def _not_ready(part: str, reason: str) -> HttpResponse:
    return JsonResponse({"status": "not_ready", "part": part, "reason": reason}, status=503)


def _missing_migrations() -> tuple[str, ...]:
    """Names of unapplied migrations; once there are none, this process never asks again."""
    if _complete.cache_info().currsize:
        return ()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        _complete()
    return tuple(f"{migration.app_label}.{migration.name}" for migration, _back in plan)


@cache
def _complete() -> bool:
    return True
