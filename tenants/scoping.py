"""The second and third wall: querysets that refuse to run unscoped, and the database's own scope.

A scope lives for one transaction. ``tenant_scope`` lets only one tenant's rows exist;
``operator_scope`` sees all of them and belongs to the operator console, the workers and the few
look-ups that must happen before a tenant is known. Outside any scope there are no rows: the
manager raises, and where it is by-passed PostgreSQL's row security gives nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import connection, models, transaction

M = TypeVar("M", bound=models.Model)

APP_ROLE = "acp_app"
OPERATOR_ROLE = "acp_operator"


class ScopeMissing(RuntimeError):
    """A tenant-owned table was queried outside any scope: a programming error, never a refusal."""


@dataclass(frozen=True)
class Scope:
    """Whose rows exist: one tenant's, or all of them for an operator or a worker."""

    tenant_id: UUID | None

    @property
    def is_operator(self) -> bool:
        return self.tenant_id is None


_scope: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)


def current_scope() -> Scope | None:
    return _scope.get()


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """Open a transaction in which only this tenant's rows exist."""
    with _entered(Scope(tenant_id=tenant_id)):
        yield


@contextmanager
def operator_scope() -> Iterator[None]:
    """Open a transaction that sees every tenant's rows."""
    with _entered(Scope(tenant_id=None)):
        yield


@contextmanager
def _entered(scope: Scope) -> Iterator[None]:
    previous = _scope.get()
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        _tell_database(scope)
        token = _scope.set(scope)
        try:
            yield
        finally:
            _scope.reset(token)
        # Reached only without an exception: the end of a transaction restores the settings by
        # itself, while a released savepoint would carry them into the surrounding one.
        if not is_outermost and not connection.needs_rollback:
            _tell_database(previous)


def _tell_database(scope: Scope | None) -> None:
    role = OPERATOR_ROLE if scope is not None and scope.is_operator else APP_ROLE
    tenant = str(scope.tenant_id) if scope is not None and scope.tenant_id else ""
    with connection.cursor() as cursor:
        # Transaction-local both: a pooled connection carries nothing over to its next user.
        cursor.execute(
            "SELECT set_config('role', %s, true), set_config('app.tenant_id', %s, true)",
            [role, tenant],
        )


class TenantManager(models.Manager[M]):
    """Finds the current tenant's rows only; raises ScopeMissing where nobody said whose."""

    def get_queryset(self) -> models.QuerySet[M]:
        scope = current_scope()
        if scope is None:
            raise ScopeMissing(f"{self.model.__name__} was queried outside a tenant's scope.")
        rows = super().get_queryset()
        return rows if scope.is_operator else rows.filter(tenant_id=scope.tenant_id)
