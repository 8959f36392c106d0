"""Finding the adapter of a cluster by its name in the settings, so that nothing imports it."""

from collections.abc import Mapping
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from compute.engines import Engine, EngineRefused, ServiceClass


class Reachable(Protocol):
    """What is needed to reach a scheduler: which kind it is and how it is connected."""

    @property
    def engine(self) -> str: ...

    @property
    def connection(self) -> Mapping[str, str]: ...


def engine_for(cluster: Reachable) -> Engine:
    """The adapter of one cluster, built without any call.

    Raises: EngineRefused for a kind of engine this installation does not have.
    """
    path = settings.COMPUTE_ENGINES.get(cluster.engine)
    if path is None:
        raise EngineRefused(f"No adapter is installed for engine {cluster.engine!r}.")
    adapter: Engine = import_string(path)(dict(cluster.connection))
    return adapter


def classes_of(cluster: Reachable) -> frozenset[ServiceClass]:
    """The service classes a cluster can honour, told by its settings without any call.

    Shape: none for a kind of engine this installation does not have.
    """
    path = settings.COMPUTE_ENGINES.get(cluster.engine)
    if path is None:
        return frozenset()
    adapter: type[Engine] = import_string(path)
    return adapter.service_classes(cluster.connection)
