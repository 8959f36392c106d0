"""One row of every tenant-owned model: an app adds ``tests/factories/<app>.py`` and nothing else.

    @factory(Project)
    def project(world: World) -> Project:
        return Project.objects.create(tenant=world.organisation, name=world.canary, ...)

A factory asks for what it stands on with ``world.one(Other)``; each row is made once a world. Every
text it stores contains ``world.canary``, so that a foreign row shows itself wherever it leaks.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.apps import apps
from django.db.models import Model

from common.ids import uuid7
from tenants.models import Organisation
from tenants.scoping import operator_scope

M = TypeVar("M", bound=Model)

_REGISTRY: dict[type[Model], Callable[["World"], Model]] = {}


def factory(model: type[M]) -> Callable[[Callable[["World"], M]], Callable[["World"], M]]:
    """Register how to make one row of ``model``."""

    def register(make: Callable[["World"], M]) -> Callable[["World"], M]:
        assert model not in _REGISTRY, f"{model.__name__} has two factories."
        _REGISTRY[model] = make
        return make

    return register


def tenant_models() -> list[type[Model]]:
    """Every model whose rows belong to one tenant."""
    found = []
    for model in apps.get_models():
        fields = {field.name: field for field in model._meta.fields}
        tenant = fields.get("tenant")
        if tenant is not None and tenant.related_model is Organisation:
            found.append(model)
    return found


def with_factory() -> list[type[Model]]:
    discover()
    return [model for model in tenant_models() if model in _REGISTRY]


def without_factory() -> list[str]:
    discover()
    return sorted(m._meta.label for m in tenant_models() if m not in _REGISTRY)


def discover() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


class World:
    """One tenant with one row of every model."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.code = organisation.code
        self.canary = f"CANARY-{organisation.code}"
        self._rows: dict[type[Model], Model] = {Organisation: organisation}

    def one(self, model: type[M]) -> M:
        """This tenant's row of ``model``, made when first asked for."""
        if model not in self._rows:
            discover()
            self._rows[model] = _REGISTRY[model](self)
        return self._rows[model]  # type: ignore[return-value]  # filed under its own type

    def pk(self, model: type[Model]) -> Any:
        return self.one(model).pk


class Nowhere:
    """A world whose every name is free: what somebody else's must be told apart from by nobody."""

    code = "no-such-tenant"
    canary = "CANARY-nowhere"

    def pk(self, model: type[Model]) -> UUID | int:
        return uuid7() if model._meta.pk.get_internal_type() == "UUIDField" else 2**31 - 7


def full_world(code: str, state: str = "active") -> World:
    """A tenant with one row of every tenant-owned model; opens its own operator's scope."""
    with operator_scope():
        organisation = Organisation.objects.create(code=code, name=f"CANARY-{code} 中文 🚀")
        world = World(organisation)
        # A model without a factory has a test of its own to answer to.
        for model in with_factory():
            world.one(model)
        # Last, because a suspended tenant can make few of these rows.
        Organisation.objects.filter(pk=organisation.pk).update(state=state)
        organisation.state = state
    return world
